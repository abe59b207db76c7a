"""A Parquet or Arrow IPC file as the engine takes it: its schema, its rows, scans of it, and what its errors mean."""

import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from mmstats.errors import DatasetError, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.resources import lack_in, refused
from mmstats.storage.errors import is_store_error, store_error
from mmstats.wording import is_encodable, visible

# What the engine raises when it cannot decode a file; a panic is one, though no Exception.
ENGINE_FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_schema(file: EventFile) -> pl.Schema:
    """The columns of a file and their types.

    Raises Unreadable, naming the file, when it cannot be opened or is not what its name says.
    """
    if not file.path.isascii() and not is_encodable(file.path):
        raise Unreadable(f"{file}: the name is not valid UTF-8", hint="rename the file or its folder")
    try:
        if file.format.name == "parquet":
            footer = file.storage.footer(file.path)
            return pl.scan_parquet(footer, glob=False, hive_partitioning=False).collect_schema()
        if is_stream(file):
            return read_stream(file).schema
        return scan_files([file]).collect_schema()
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def count_rows(file: EventFile) -> int:
    """How many rows a file has that is no stream, as its footer tells or a store's manifest.

    Raises what the engine raises for a footer that cannot be read.
    """
    if file.stored:
        return file.stored.file.rows
    if file.format.name == "parquet":
        scan = pl.scan_parquet(file.storage.footer(file.path), glob=False, hive_partitioning=False)
    else:
        scan = scan_files([file])
    rows: int = scan.select(pl.len()).collect().item()
    return rows


def scan_files(files: Sequence[EventFile], **how: Any) -> pl.LazyFrame:
    """A scan of files of one storage and format."""
    paths, how = list(map(scanned_path, files)), {"glob": False, "hive_partitioning": False, **how}
    if files[0].format.name == "parquet":
        return pl.scan_parquet(paths, **how, **files[0].storage.scan_options)
    # The engine reads a URL; it would map a path, and a mapped file that shrinks ends the process.
    return pl.scan_ipc([Path(path).as_uri() for path in paths] if _reads_urls() else paths, **how)


@cache
def _reads_urls() -> bool:
    """Whether the engine can read URLs of files: it panics where it can make no folder for temporary files.

    It would look for one by HOME or USER, which a service may lack, and puts nothing there for a file on disk.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"mmstats-{getattr(os, 'getuid', int)()}")
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    os.environ.setdefault("POLARS_TEMP_DIR", str(folder))
    return os.access(os.environ["POLARS_TEMP_DIR"], os.W_OK)


def scanned_path(file: EventFile) -> str:
    """Where the engine scans a file, as it calls it: of remote Arrow IPC a copy, as it would fetch all for each scan.

    Raises Unreadable when it cannot be had.
    """
    return file.path if file.format.name == "parquet" else str(Path(file.storage.local_copy(file.path)).absolute())


def is_stream(file: EventFile) -> bool:
    """Whether an Arrow file is a stream, which has no footer to seek by."""
    if file.format.name != "arrow":
        return False
    try:
        return file.storage.read_head(file.path, 4) == b"\xff\xff\xff\xff"
    except OSError as error:
        raise refused(file, error) from None


def read_stream(file: EventFile) -> pl.DataFrame:
    """All of an Arrow stream; raises Unreadable, naming the file, when it cannot be decoded."""
    try:
        return pl.read_ipc_stream(scanned_path(file))
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def unreadable(file: EventFile, error: BaseException) -> DatasetError:
    """The error for a file that the engine could not decode, in one line."""
    kind = "Parquet" if file.format.name == "parquet" else "Arrow IPC"
    if lack := lack_in(error):
        return lack
    if is_store_error(error):
        return store_error(str(file), error, found=True)
    try:
        if not file.storage.read_head(file.path, 1):  # the system says best why it does not open a file
            return Unreadable(f"{file}: an empty file is not {kind}")
    except OSError as fault:
        return refused(file, fault)
    why = visible(" ".join(str(error).split()))[:200]
    return Unreadable(f"{file}: cannot be read as {kind} ({why})", hint="was it written and copied whole?")
