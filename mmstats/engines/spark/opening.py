"""Files as the cluster opens them, under its own names for them, and the refusal of those that it is not asked of."""

import os
import re
from collections.abc import Callable, Sequence

import polars as pl
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.dialect import Dialect
from mmstats.engines.spark.faults import SAME_PATHS
from mmstats.errors import Unreadable
from mmstats.events.eventfile import EventFile
from mmstats.visible import visible

_WHOLE_LINES = {"mapreduce.input.linerecordreader.line.maxlength": "2147483647"}  # whatever the server is set to
_IMPORT = "ask without --engine, or import the data into a store"


def opened(
    files: Sequence[EventFile],
    session: Session,
    how: Callable[[DataFrameReader, list[str]], DataFrame],
    declared: str = "",
) -> DataFrame:
    """Some files as the cluster reads them, which must see them all.

    Raises Unreadable where it does not: a server may take a path that is not there for one of no rows.
    """
    reader = session.spark.read.options(**_WHOLE_LINES)
    frame = how(reader.schema(declared) if declared else reader, [_path(file, session.dialect) for file in files])
    seen = len(frame.inputFiles())
    if seen != len(files):
        raise Unreadable(f"{files[0]}: the cluster sees {seen:,} of {len(files):,} files beside it", hint=SAME_PATHS)
    return frame


def _path(file: EventFile, dialect: Dialect) -> str:
    """What a server calls a file; raises Unreadable for one that it would not read under its name."""
    if not is_text(file.path) or re.search(dialect.unread, file.path):
        raise refuse_format(file, f"a name that {dialect.name} does not read")
    scheme, separator, rest = file.path.partition("://")
    if not separator:
        # Links stay as the user wrote them.
        return dialect.disk + dialect.pattern(os.path.abspath(file.path))  # noqa: PTH100
    named = dialect.schemes.get(scheme, scheme)
    if named is None:
        raise refuse_format(file, f"a location in {scheme}://, which {dialect.name} knows by another address")
    return f"{named}://{dialect.pattern(rest)}"


def is_text(name: str) -> bool:
    """Whether a name can be told: one whose bytes are not UTF-8 has surrogates for them."""
    return name.encode("utf-8", "replace").decode() == name


def refuse_type(file: EventFile, name: str, dtype: pl.DataType) -> Unreadable:
    """The error for a column whose values a cluster would write otherwise."""
    return Unreadable(f"{file}: column {visible(name)!r} is {dtype}, which no cluster is asked of", hint=_IMPORT)


def refuse_format(file: EventFile, what: str) -> Unreadable:
    """The error for a file that no cluster is asked of."""
    return Unreadable(f"{file}: {what}, which no cluster is asked of", hint=_IMPORT)
