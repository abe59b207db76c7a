"""Files grouped into as few scans as their schemas allow: files of one schema are one, whatever their folders say."""

from collections.abc import Iterable, Iterator

import polars as pl

from mmstats.events.eventfile import EventFile
from mmstats.events.layout import SCHEMA
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape
from mmstats.events.scan import is_stream, read_schema
from mmstats.events.schema import REQUIRED
from mmstats.events.storage import Storage

# Up to so many different words of folders are constants of a scan each; more are looked up by the path of a row.
_CONSTANTS = 16
_LOOKED_UP = 1000  # files in one scan, since every batch of rows is held against all of its paths


def parts_of(files: Iterable[EventFile], shape: Shape, log: ReadLog) -> list[Part]:
    """The files grouped into as few scans as their schemas allow.

    Raises Unreadable, naming the file, for one that is not what its name says, and NotEvents for one that lacks a
    column that must be there.
    """
    files = list(files)
    groups: dict[object, tuple[pl.Schema, list[EventFile]]] = {}
    stored: dict[Storage, list[EventFile]] = {}
    _expect(files)
    for file in files:
        if file.stored:
            stored.setdefault(file.storage, []).append(file)
            continue
        schema = read_schema(file)
        log.columns[file.path] = shape.found(file, schema)
        told = frozenset(_told(file, schema, shape))
        key = (file.storage, file.format, is_stream(file), told, tuple(schema.items()))
        groups.setdefault(key, (schema, []))[1].append(file)
    parts = [
        Part(some, schema, shape) for schema, group in groups.values() for some in _by_folders(group, schema, shape)
    ]
    return [*(_stored_part(some, shape, log) for some in stored.values()), *parts]


def _stored_part(stored: list[EventFile], shape: Shape, log: ReadLog) -> Part:
    """The files of stores in one storage as one scan: their columns are known without a look at them."""
    as_stored = shape.as_stored()
    columns = {*REQUIRED, *(name for file in stored if file.stored for name in file.stored.columns)}
    log.columns |= {file.path: as_stored.found(file, columns) for file in stored}
    return Part(tuple(stored), SCHEMA, as_stored)


def _by_folders(files: list[EventFile], schema: pl.Schema, shape: Shape) -> Iterator[tuple[EventFile, ...]]:
    """Files of one schema grouped by what their folders say, as long as these are few groups."""
    groups: dict[object, list[EventFile]] = {}
    for file in files:
        groups.setdefault(tuple(_told(file, schema, shape).items()), []).append(file)
    if len(groups) <= _CONSTANTS:
        yield from map(tuple, groups.values())
    else:
        yield from (tuple(files[at : at + _LOOKED_UP]) for at in range(0, len(files), _LOOKED_UP))


def _told(file: EventFile, schema: pl.Schema, shape: Shape) -> dict[str, str | None]:
    """What the folders of a file say of columns that the question may read and the file lacks."""
    return {name: file.partition[name] for name in shape.raw if name in file.partition and name not in schema}


def _expect(files: Iterable[EventFile]) -> None:
    """Have what will be wanted of files fetched at once: footers of Parquet, small files of Arrow IPC as a whole."""
    footers: dict[Storage, list[str]] = {}
    wholes: dict[Storage, list[str]] = {}
    for file in files:
        if not file.stored:
            (footers if file.format.name == "parquet" else wholes).setdefault(file.storage, []).append(file.path)
    for storage, paths in footers.items():
        storage.expect(paths)
    for storage, paths in wholes.items():
        storage.bring(paths)
