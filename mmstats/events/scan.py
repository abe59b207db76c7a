"""A file of Parquet or Arrow IPC as the engine reads it: its scan, its schema, and what cannot be decoded."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from mmstats.errors import DatasetError, Unreadable
from mmstats.events.eventfile import EventFile
from mmstats.events.storage.trouble import is_foreign, trouble
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
        return scan_of([file]).collect_schema()
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def scan_of(files: Sequence[EventFile], **how: Any) -> pl.LazyFrame:
    """A scan of files of one storage and format."""
    paths, how = list(map(scanned_path, files)), {"glob": False, "hive_partitioning": False, **how}
    if files[0].format.name == "parquet":
        return pl.scan_parquet(paths, **how, **files[0].storage.scan)
    return pl.scan_ipc(paths, **how)


def scanned_path(file: EventFile) -> str:
    """Where the engine scans a file: one of Arrow IPC near at hand, since of one far away it would fetch all each time.

    Raises Unreadable when it cannot be had.
    """
    return file.path if file.format.name == "parquet" else file.storage.near(file.path)


def read_stream(file: EventFile) -> pl.DataFrame:
    """All of an Arrow stream; raises Unreadable, naming the file, when it cannot be decoded."""
    try:
        return pl.read_ipc_stream(scanned_path(file))
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def unreadable(file: EventFile, error: BaseException) -> DatasetError:
    """The error for a file that the engine could not decode, in one line."""
    kind = "Parquet" if file.format.name == "parquet" else "Arrow IPC"
    if is_foreign(error):
        return trouble(str(file), error)
    try:
        if not file.storage.head(file.path, 1):  # the system says best why it does not open a file
            return Unreadable(f"{file}: an empty file is not {kind}")
    except OSError as fault:
        return Unreadable(f"{file}: {fault.strerror}")
    why = visible(" ".join(str(error).split()))[:200]
    return Unreadable(f"{file}: cannot be read as {kind} ({why})", hint="was it written and copied whole?")


def is_stream(file: EventFile) -> bool:
    """Whether an Arrow file is a stream, which has no footer to seek by."""
    if file.format.name != "arrow":
        return False
    try:
        return file.storage.head(file.path, 4) == b"\xff\xff\xff\xff"
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None
