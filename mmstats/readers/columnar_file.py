"""A Parquet or Arrow IPC file as the engine takes it: its schema, its rows, scans of it, and what its errors mean."""

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from mmstats.errors import DatasetError, Undecodable, Unreadable
from mmstats.files.content import HEAD, other_content
from mmstats.files.event_file import EventFile, compression_of
from mmstats.readers.parquet_schema import FooterForm, logical_types, read_form, read_head, typed_as_engine
from mmstats.resources import lack_in, refused
from mmstats.storage.errors import is_store_error, store_error
from mmstats.wording import is_encodable, visible

_UNPACK = {"gzip": "unpack it with gunzip", "zstd": "unpack it with unzstd"}
_MOST_FORMS = 4  # forms of footers whose schemas are remembered: hundreds of files most often have one
_forms: "dict[FooterForm, FileSchema]" = {}
# What the engine raises when it cannot decode a file; a panic is one, though no Exception.
ENGINE_FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


@dataclass(frozen=True, slots=True)
class FileSchema:
    """The columns of a file, as the engine is to read them, and the types of those that are more to us than to it.

    It is mistaken where the engine would read it wrongly.
    """

    columns: pl.Schema
    logical: Mapping[str, pl.DataType] = field(default_factory=dict)
    is_mistaken: bool = False


def read_schema(file: EventFile) -> FileSchema:
    """The columns of a file and their types, as the engine tells them.

    Raises Unreadable, naming the file, when it cannot be opened, and Undecodable when it is not what its name says.
    """
    if not file.path.isascii() and not is_encodable(file.path):
        raise Unreadable(f"{file}: the name is not valid UTF-8", hint="rename the file or its folder")
    try:
        if file.format.name == "parquet":
            return _read_parquet_schema(file.storage.footer(file.path))
        return FileSchema(read_stream(file).schema if is_stream(file) else scan_files([file]).collect_schema())
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def _read_parquet_schema(footer: BinaryIO) -> FileSchema:
    """The same of a footer; what those of the last writers told is known by their form, and not read again."""
    content = footer.read()
    for form, known in list(_forms.items()):
        if counts := form.counts_in(content):
            return replace(known, is_mistaken=_is_mistaken(*counts))
    footer.seek(0)
    schema = pl.scan_parquet(footer, glob=False, hive_partitioning=False).collect_schema()
    head = read_head(content)
    found = FileSchema(
        typed_as_engine(head, schema), logical_types(head, schema), _is_mistaken(head.rows, head.row_groups)
    )
    if told := read_form(content):
        _forms[told] = found
        for oldest in list(_forms)[:-_MOST_FORMS]:
            _forms.pop(oldest, None)
    return found


def _is_mistaken(rows: int, row_groups: int) -> bool:
    return not rows and row_groups > 0  # the engine takes its word for it


def count_rows(file: EventFile) -> int:
    """How many rows a file has that is no stream, as its footer tells or a store's manifest.

    Raises what the engine raises for a footer that cannot be read.
    """
    if file.stored:
        return file.stored.file.rows
    if file.format.name == "parquet":
        return read_head(file.storage.footer(file.path).read()).rows
    rows: int = scan_files([file]).select(pl.len()).collect().item()
    return rows


def scan_files(files: Sequence[EventFile], **how: Any) -> pl.LazyFrame:
    """A scan of files of one storage and format."""
    paths, how = list(map(scanned_path, files)), {"glob": False, "hive_partitioning": False, **how}
    if files[0].format.name == "parquet":
        # The engine reads 96-bit instants in nanoseconds, unless a schema says microseconds and it may cast.
        # A schema may have fewer fields of structs, too.
        cast = pl.ScanCastOptions(datetime_cast="nanosecond-downcast", extra_struct_fields="ignore")
        return pl.scan_parquet(paths, **how, cast_options=cast, **files[0].storage.scan_options)
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


def unused_name(name: str, columns: Collection[str]) -> str:
    """A name like this one that no column has."""
    while name in columns:
        name += "'"
    return name


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
        head = file.storage.read_head(file.path, HEAD)
    except OSError as fault:  # the system says best why it does not open a file
        return refused(file, fault)
    if compression := compression_of(head):
        return Unreadable(f"{file}: {compression} around {kind}, which has to be unpacked", hint=_UNPACK[compression])
    why = visible(" ".join(str(error).split()))[:200]
    undecodable = Undecodable(
        f"{file}: cannot be read as {kind} ({why})", hint="was it written and copied whole?", path=file.path
    )
    return other_content(file, head) or undecodable
