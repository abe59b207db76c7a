"""Parquet on a cluster: files of one schema are one read, of the columns alone that the question needs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import polars as pl
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark import typed
from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.opening import opened, refuse_format, refuse_type
from mmstats.engines.spark.scans import AT, Scan, by_told, quoted
from mmstats.engines.spark.writers import Written, by_writer
from mmstats.events.alike import parts_of
from mmstats.events.eventfile import EventFile
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape


def scans(files: Sequence[EventFile], shape: Shape, log: ReadLog, session: Session) -> Iterator[Scan]:
    """The reads that Parquet files take.

    Raises what `parts_of` raises, and Unreadable for a format or a type that no cluster is asked of.
    """
    for file in files:
        if file.format.name != "parquet":
            raise refuse_format(file, "Arrow IPC")
    for part in parts_of(files, shape, log):
        at = part.shape.columns.sources(AT)[0]
        for written, some in by_writer(part.files, at, part.schema.get(at)).items():
            yield from _scans(replace(part, files=tuple(some)), written, session)


def _scans(part: Part, written: Written, session: Session) -> Iterator[Scan]:
    raw = _raw(part)
    at = part.shape.columns.sources(AT)[0]
    alike = written.alike(raw[at]) if at in raw else (None, None)
    if at in raw and session.dialect.declared:
        raw[at] = written.read_as(raw[at])
    lacked = [name for name in part.shape.raw if name not in part.schema]
    none = dict.fromkeys((name for name in part.shape.raw if name in part.schema and name not in raw), None)
    read = partial(_read, session, _declared(raw, part, session))
    for some, told in by_told(part.files, lacked):
        yield Scan(some, read, raw, {**told, **none}, part.shape, session.dialect, alike=alike)


def _read(session: Session, declared: str, files: Sequence[EventFile]) -> DataFrame:
    return opened(files, session, lambda reader, some: reader.parquet(*some), declared)


def _raw(part: Part) -> dict[str, pl.DataType]:
    """The raw columns that the question reads and their types, without those of no type, which are null throughout."""
    raw = {name: part.schema[name] for name in part.shape.raw if part.schema.get(name, pl.Null) != pl.Null}
    at = part.shape.columns.sources(AT)[0]
    for name, dtype in raw.items():
        known = typed.has_instants if name == at else typed.has_text
        if not known(dtype):
            raise refuse_type(part.files[0], name, dtype)
    return raw


def _declared(raw: dict[str, pl.DataType], part: Part, session: Session) -> str:
    """The columns to read as a server is told that reads no others: at least one, or there were no rows."""
    if not session.dialect.declared:
        return ""
    some = raw or dict(islice(((name, one) for name, one in part.schema.items() if typed.read_as(one)), 1))
    return ", ".join(f"{quoted(name)} {typed.read_as(dtype)}" for name, dtype in some.items())
