"""Iceberg tables, whose metadata in `metadata/` is read by the library `pyiceberg`, without a catalog."""

import gzip
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import DataScan
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType, NestedField, TimestampType, TimestamptzType, TimeType
from pyiceberg.utils.datetime import days_to_date, micros_to_time, micros_to_timestamp, micros_to_timestamptz

from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import MAGIC, Table
from mmstats.files.tables import ICEBERG, ICEBERG_LOG, VERSION_HINT, Current, is_metadata, refused_table
from mmstats.resources import refused
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.storage.url import scheme_of
from mmstats.wording import visible

_NUMBER = re.compile(r"v(\d+)|(\d+)-")  # as tables of folders, and as catalogs name the metadata of a version
_ALIASES = {"s3a": "s3", "s3n": "s3"}
_AS_PYTHON: Mapping[type, Callable[[int], object]] = {
    DateType: days_to_date,
    TimeType: micros_to_time,
    TimestampType: micros_to_timestamp,
    TimestamptzType: micros_to_timestamptz,
}
_REWRITE = "have what writes the table rewrite its data files"


def read_table(folder: str, storage: Storage) -> tuple[Table, Collection[Current]]:
    """A table at its latest version, and its files; raises Unreadable as `mmstats.files.tables` says."""
    log = storage.join(folder, ICEBERG_LOG)
    name = _latest(folder, log, storage)
    content = _content(storage.join(log, name), storage)
    unpacked = gzip.decompress(content) if content.startswith(next(iter(MAGIC))) else content
    metadata = TableMetadataUtil.parse_raw(unpacked.decode("utf-8"))
    reader = _Reader(folder, metadata.location, storage)
    files = [
        _current(task.file, metadata, reader, bool(task.delete_files))
        for task in DataScan(metadata, reader).plan_files()
    ]
    return _table(folder, name, metadata), files


def _latest(folder: str, log: str, storage: Storage) -> str:
    """The name of the metadata of the latest version, by the hint that some writers keep, else by its number."""
    by_number: dict[int, list[str]] = {}
    names = sorted(filter(is_metadata, storage.names(log)))
    for name in names:
        by_number.setdefault(_number(name), []).append(name)
    latest = max(by_number)
    hint = ""
    with suppress(Unreadable, NotEvents):
        hint = _content(storage.join(log, VERSION_HINT), storage).decode("utf-8", "replace").strip()
    if f"{hint.removesuffix('.metadata.json')}.metadata.json" in names:
        return f"{hint.removesuffix('.metadata.json')}.metadata.json"
    if hint.isdecimal() and int(hint) in by_number:
        latest = int(hint)
        while latest + 1 in by_number:  # a hint is written after the version, if at all
            latest += 1
    if len(by_number[latest]) > 1:
        several = " and ".join(map(visible, by_number[latest]))
        fault = f"has two of the same version, {several}: only its catalog knows which one counts"
        raise refused_table(folder, ICEBERG, fault, f"name it in {ICEBERG_LOG}/{VERSION_HINT}")
    return by_number[latest][0]


def _number(name: str) -> int:
    """The version that the name of metadata tells; -1 where it tells none."""
    found = _NUMBER.match(name)
    return int(found[1] or found[2]) if found else -1


def _table(folder: str, name: str, metadata: TableMetadata) -> Table:
    schema = metadata.schema()
    fields = {field.name: field.field_id for field in schema.fields}
    nested = {field.field_id: field.name for field in _nested(schema) if field.field_id not in fields.values()}
    mapping = metadata.name_mapping()
    unnumbered = {one: field.field_id for field in mapping or () for one in field.names if field.field_id is not None}
    version = re.sub(r"\.metadata\.json|\.gz", "", name)
    number = _number(name)
    shown = str(number) if number >= 0 else version
    return Table(folder, ICEBERG, shown, f"{metadata.table_uuid}", fields, nested, unnumbered)


def _nested(schema: Schema) -> Iterator[NestedField]:
    return (schema.find_field(number) for number in schema.field_ids)


def _current(file: DataFile, metadata: TableMetadata, reader: "_Reader", has_deletes: bool) -> Current:
    """A file, with values of columns that it may lack: by which it is partitioned, and defaults of later columns."""
    if has_deletes:
        fault = "has deleted rows in its files (delete files)"
        raise refused_table(reader.folder, ICEBERG, fault, _REWRITE)
    if file.file_format.value != "PARQUET":
        fault = f"has files of {file.file_format.value}, and only Parquet is read"
        raise refused_table(reader.folder, ICEBERG, fault, _REWRITE)
    schema = metadata.schema()
    partition: dict[str, object] = {
        field.name: field.initial_default for field in schema.fields if field.initial_default is not None
    }
    for at, field in enumerate(metadata.specs()[file.spec_id].fields):
        if isinstance(field.transform, IdentityTransform) and field.source_id in schema.field_ids:
            source, value = schema.find_field(field.source_id), file.partition[at]
            as_python = _AS_PYTHON.get(type(source.field_type))
            partition[source.name] = as_python(value) if as_python and isinstance(value, int) else value
    return Current(reader.path(file.file_path), file.file_size_in_bytes, partition)


def _content(path: str, storage: Storage) -> bytes:
    try:
        return storage.read(path)
    except OSError as error:
        raise refused(path, error) from None


class _Reader(FileIO):
    """Reads what the metadata names as all else is read here: from the folder that the table is in, by its storage.

    Raises Unreadable for a table that was moved: its metadata names the files where they were.
    """

    def __init__(self, folder: str, location: str, storage: Storage) -> None:
        super().__init__()
        self.folder, self._storage, self._location = folder, storage, _plain(location)
        here = storage.canonical(folder).rstrip("/")
        recorded = storage.canonical(self._location) if storage is DISK else self._location
        if recorded != here:
            fault = f"was moved: its metadata says that it is in {visible(location)}"
            raise refused_table(folder, ICEBERG, fault, "read it there, or have its catalog register it here")

    def path(self, location: str) -> str:
        """The path of a file that the metadata names; raises Unreadable for one in another store."""
        plain = _plain(location)
        if plain.startswith(f"{self._location}/"):
            return self._storage.join(self.folder, plain[len(self._location) + 1 :])
        root = re.match(r"\w+://[^/]+/|", self._location)
        if root and plain.startswith(root[0]) and scheme_of(plain) == scheme_of(self._location):
            return plain
        raise refused_table(self.folder, ICEBERG, f"has files elsewhere, such as {visible(location)}", _REWRITE)

    def new_input(self, location: str) -> "_Input":
        """A file to read."""
        return _Input(location, self.path(location), self._storage)

    def new_output(self, location: str) -> OutputFile:
        """None: nothing is written."""
        raise NotImplementedError

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Not done: nothing is written."""
        raise NotImplementedError


class _Input(InputFile):
    """A file of a table's metadata."""

    def __init__(self, location: str, path: str, storage: Storage) -> None:
        super().__init__(location)
        self._path, self._storage = path, storage

    def __len__(self) -> int:
        return self._storage.status(self._path).size

    def exists(self) -> bool:
        """Yes: the metadata names it."""
        return True

    def open(self, seekable: bool = True) -> InputStream:
        """All of the file."""
        del seekable
        stream: Any = io.BytesIO(_content(self._path, self._storage))
        return stream  # type: ignore[no-any-return]


def _plain(location: str) -> str:
    """A location as it is spelt here: a path for a file on disk, and S3 under one name."""
    scheme, sign, rest = location.partition("://")
    if sign and scheme != "file":
        return f"{_ALIASES.get(scheme, scheme)}://{rest}".rstrip("/")
    return os.path.normpath(re.sub("^file:/*", "/", location))
