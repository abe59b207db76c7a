"""Parquet on a cluster: files of one schema are one read, of the columns alone that the question needs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import polars as pl
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark import typed
from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.opening import opened, quoted, refuse_format, refuse_type
from mmstats.engines.spark.scans import AT, Scan, by_told
from mmstats.engines.spark.writers import Written, by_arrow_types, by_writer, has_fixed_size
from mmstats.files.event_file import EventFile, Partition
from mmstats.readers.columnar import ColumnarFiles, group_by_schema
from mmstats.readers.projection import Projection
from mmstats.readers.report import ReadLog


def scans(files: Sequence[EventFile], shape: Projection, log: ReadLog, session: Session) -> Iterator[Scan]:
    """The reads that Parquet files take.

    Raises what `parts_of` raises, and Unreadable for a format or a type that no cluster is asked of.
    """
    for file in files:
        if file.format.name != "parquet":
            raise refuse_format(file, "Arrow IPC")
    for part in _whole(group_by_schema(files, shape, log), session):
        at = part.shape.columns.sources(AT)[0]
        for written, some in by_writer(part.files, at, part.schema.get(at)).items():
            # A server that is told no types reads none together that differ, were it only by the size of their offsets.
            for alike in [some] if session.dialect.declared else by_arrow_types(some):
                yield from _scans(replace(part, files=tuple(alike)), written, session)


def _whole(parts: Iterable[ColumnarFiles], session: Session) -> list[ColumnarFiles]:
    """Parts of one schema as one where the server looks up what their folders say, however differently."""
    if not session.dialect.origin:
        return list(parts)
    groups: dict[object, list[ColumnarFiles]] = {}
    for part in parts:
        groups.setdefault((part.is_stored, part.files[0].storage, tuple(part.schema.items())), []).append(part)
    return [replace(some[0], files=tuple(file for part in some for file in part.files)) for some in groups.values()]


def _scans(part: ColumnarFiles, written: Written, session: Session) -> Iterator[Scan]:
    raw = _raw(part)
    at = part.shape.columns.sources(AT)[0]
    alike = written.alike(raw[at]) if at in raw else (None, None)
    if not session.dialect.declared:
        _refuse_fixed(part, raw)
    elif at in raw:
        raw[at] = written.read_as(raw[at])
    none = dict.fromkeys((name for name in part.shape.raw if name in part.schema and name not in raw), None)
    declared = _declared(raw, part, session)
    for some, told, words in _told(part, session):
        read = partial(_read, session, declared, words)
        texts: dict[str, pl.DataType] = dict.fromkeys(words, pl.String())
        yield Scan(some, read, raw | texts, {**told, **none}, part.shape, session.dialect, alike=alike)


def _refuse_fixed(part: ColumnarFiles, raw: dict[str, pl.DataType]) -> None:
    """Raise Unreadable for bytes of a fixed size, of which a server that is told no type makes no text."""
    for name in (name for name, dtype in raw.items() if dtype == pl.Binary):
        for file in part.files:
            if has_fixed_size(file, name):
                raise refuse_type(file, name, raw[name])


def _told(part: ColumnarFiles, session: Session) -> Iterator[tuple[tuple[EventFile, ...], Partition, list[str]]]:
    """Files whose folders speak of the same columns that they lack, what all say, and of which they say different."""
    lacked = [name for name in part.shape.raw if name not in part.schema]
    if not session.dialect.origin:
        yield from ((some, told, []) for some, told in by_told(part.files, lacked))
        return
    groups: dict[tuple[str, ...], list[EventFile]] = {}
    for file in part.files:
        groups.setdefault(tuple(name for name in lacked if name in file.partition), []).append(file)
    for names, some in groups.items():
        said = {name: {file.partition[name] for file in some} for name in names}
        same = {name: next(iter(words)) for name, words in said.items() if len(words) == 1}
        yield tuple(some), same, [name for name in names if name not in same]


def _read(session: Session, declared: str, words: Sequence[str], files: Sequence[EventFile]) -> DataFrame:
    return opened(files, session, lambda reader, some: reader.parquet(*some), declared, words)


def _raw(part: ColumnarFiles) -> dict[str, pl.DataType]:
    """The raw columns that the question reads and their types, without those of no type, which are null throughout."""
    raw = {name: part.schema[name] for name in part.shape.raw if part.schema.get(name, pl.Null) != pl.Null}
    at = part.shape.columns.sources(AT)[0]
    for name, dtype in raw.items():
        known = typed.has_instants if name == at else typed.has_text
        if not known(dtype):
            raise refuse_type(part.files[0], name, dtype)
    return raw


def _declared(raw: dict[str, pl.DataType], part: ColumnarFiles, session: Session) -> str:
    """The columns to read as a server is told that reads no others: at least one, or there were no rows."""
    if not session.dialect.declared:
        return ""
    some = raw or dict(islice(((name, one) for name, one in part.schema.items() if typed.read_as(one)), 1))
    return ", ".join(f"{quoted(name)} {typed.read_as(dtype)}" for name, dtype in some.items())
