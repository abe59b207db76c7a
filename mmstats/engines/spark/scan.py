"""A scan: Parquet files that the cluster reads at once, and the events and the suspect rows in them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from operator import and_, or_
from urllib.parse import unquote

import polars as pl
from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark import expressions
from mmstats.engines.spark.dialect import Dialect
from mmstats.engines.spark.errors import HINT_PATHS
from mmstats.engines.spark.expressions import column
from mmstats.engines.spark.session import Session
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile, Partition
from mmstats.question.filters import Filter, Operator
from mmstats.readers.projection import Projection
from mmstats.readers.types import is_instant
from mmstats.wording import is_encodable

NO_TEXT = "string data that is not valid UTF-8"
_INSTANT, _PATH, _KNOWN = "instant'", "path'", "known'"
_FILE_SCHEME = "^file:/+"  # a server writes it with one slash or three


@dataclass(frozen=True)
class ParquetScan:
    """Files of one schema, and what the question reads of them.

    `found` are the event columns that the files have, `columns` the types of the raw columns that `read` gives of some
    of the files; the values of `constants` are the same in every row. All engines read the same instants from
    `comparable_from` on, which is naive and in UTC, None where they read all of them so.
    """

    files: tuple[EventFile, ...]
    read: Callable[[Sequence[EventFile]], DataFrame]
    columns: dict[str, pl.DataType]
    constants: Partition
    projection: Projection
    found: frozenset[str]
    dialect: Dialect
    comparable_from: datetime | None = None

    @cached_property
    def frame(self) -> DataFrame:
        """The raw columns of the files."""
        return self.read(self.files)

    def events(self) -> DataFrame:
        """The events selected: their columns as text, and their instants in microseconds."""
        selection = self.projection.selection
        kept = [~invalid for invalid in self._invalid_texts()]
        strings = [column(name) for name, dtype in self.columns.items() if expressions.is_string(dtype)]
        if strings and self.dialect.trusts_strings and not self.files[0].stored:
            valid = reduce(and_, (F.coalesce(F.is_valid_utf8(string), F.lit(True)) for string in strings))
            kept.insert(0, F.when(valid, F.lit(True)).otherwise(F.raise_error(F.lit(NO_TEXT)).cast("boolean")))
        kept += [self._holds(asked) for asked in selection.where]
        stored = self._stored_in_range(selection.start, selection.end)
        in_range = expressions.between(F.col(_INSTANT), selection.start, selection.end) if stored is None else stored
        rows = self._with_instants(self.frame.filter(reduce(and_, kept, F.lit(True)))).filter(in_range)
        texts = [self._text(name).alias(name) for name in selection.schema if name != "timestamp"]
        return rows.select(F.col(_INSTANT).alias("timestamp"), *texts)

    def _holds(self, asked: Filter) -> Column:
        """Whether a filter holds, of those that plans for clusters know."""
        text = self._text(asked.column)
        if asked.operator is Operator.IS_NULL:
            passed = text.isNull()
        else:
            texts = [value for value in asked.values if is_encodable(value)]  # no others are in any file
            passed = F.coalesce(text.isin(texts), F.lit(False)) if texts else F.lit(False)
        return ~passed if asked.negated else passed

    def suspects(self) -> DataFrame:
        """The rows that are bad, or may be read otherwise than the contract says."""
        name, _ = self._timestamp
        stored = self._stored_in_range(self.comparable_from, None)
        if stored is not None:
            # Written so that servers can answer it from statistics: no function hides that it is about null.
            no_instant = column(name).isNull() | ~stored
        elif self.knows_bad_rows:
            no_instant = F.col(_INSTANT).isNull()
        else:
            no_instant = F.coalesce(~expressions.between(F.col(_INSTANT), self.comparable_from, None), F.lit(True))
        return self._with_instants(self.frame).filter(reduce(or_, self._invalid_texts(), no_instant))

    @property
    def knows_bad_rows(self) -> bool:
        """Whether every suspect row is bad: texts may name instants in more forms than the expressions here know."""
        _, dtype = self._timestamp
        return dtype is not None and is_instant(dtype) and self.comparable_from is None

    def _invalid_texts(self) -> list[Column]:
        """For each column of bytes whether a row's are no text."""
        binary = [column(name) for name, dtype in self.columns.items() if dtype == pl.Binary]
        return [one.isNotNull() & ~F.is_valid_utf8(one.cast("string")) for one in binary]

    @property
    def _timestamp(self) -> tuple[str, pl.DataType | None]:
        """The raw column of timestamps and its type, None for a constant."""
        (name,) = self.projection.sources["timestamp"]
        return name, self.columns.get(name)

    def _with_instants(self, rows: DataFrame) -> DataFrame:
        """The rows and their instants in microseconds.

        Servers inline the expressions of one projection into the next, as often as it names them. Those that parse text
        are too large for that; an explode stops it.
        """
        name, dtype = self._timestamp
        unit = self.projection.timestamp_unit
        if dtype is not None and is_instant(dtype):
            instant = expressions.instant(column(name), dtype, unit, nanos_as_long=self.dialect.declares_types)
            return rows.withColumn(_INSTANT, instant)
        text = F.lit(self.constants.get(name)) if dtype is None else column(name)
        instant = expressions.instant_of_text(text.cast("string"), unit)
        columns = F.struct(instant.alias(_INSTANT), *map(column, self.columns))
        return rows.select(F.explode(F.array(columns)).alias("row'")).select("`row'`.*")

    def _stored_in_range(self, start: datetime | None, end: datetime | None) -> Column | None:
        name, dtype = self._timestamp
        selection = replace(self.projection.selection, start=start, end=end)
        return expressions.stored_in_range(column(name), dtype, selection, self.projection.timestamp_unit)

    def _text(self, event_column: str) -> Column:
        """An event column as text: the first of its sources that is not null, row by row."""
        texts = [
            column(name).cast("string") if name in self.columns else F.lit(self.constants[name]).cast("string")
            for name in self.projection.sources[event_column]
            if name in self.columns or name in self.constants
        ]
        return F.coalesce(*texts) if texts else F.lit(None).cast("string")


def union_all(frames: Sequence[DataFrame]) -> DataFrame:
    """The rows of frames of the same columns, as a balanced tree: servers follow a plan only so deep."""
    half = len(frames) // 2
    return union_all(frames[:half]).union(union_all(frames[half:])) if half else frames[0]


def read_parquet(
    files: Sequence[EventFile], *, session: Session, schema: str, partition_columns: Sequence[str]
) -> DataFrame:
    """Files as the cluster reads them by a schema, or by their own if it is empty, with columns from their folders.

    Raises Unreadable where the cluster does not see them all: a server may take a missing path for one of no rows.
    """
    reader = session.spark.read.schema(schema) if schema else session.spark.read
    frame = reader.parquet(*map(session.dialect.glob, files))
    seen = frame.inputFiles()
    if len(seen) != len(files):
        counts = f"{len(seen):,} of {len(files):,} files"
        raise Unreadable(f"{files[0]}: the cluster sees {counts} beside it", hint=HINT_PATHS)
    return _with_partitions(frame, partition_columns, files, seen, session) if partition_columns else frame


def _with_partitions(
    frame: DataFrame, names: Sequence[str], files: Sequence[EventFile], seen: Sequence[str], session: Session
) -> DataFrame:
    """The rows with the values of their folders for some columns, looked up by the path of a row's file."""
    as_seen = {unquote(path): path for path in seen}
    by_path = {session.dialect.path(file): file for file in files}
    if as_seen.keys() != by_path.keys():
        raise Unreadable(f"{files[0]}: the cluster has other names for the files beside it", hint=HINT_PATHS)
    values = {name: [file.partition[name] for file in by_path.values()] for name in names}
    paths = [re.sub(_FILE_SCHEME, "/", as_seen[path]) for path in by_path]
    table = pl.DataFrame({_PATH: paths, **values}, dict.fromkeys((_PATH, *names), pl.String()))
    known = F.broadcast(session.spark.createDataFrame(table.to_arrow()).withColumn(_KNOWN, F.lit(True)))
    path = frame.metadataColumn(session.dialect.metadata_column).getField("file_path")
    joined = frame.withColumn(_PATH, F.regexp_replace(path, _FILE_SCHEME, "/")).join(known, _PATH, "left")
    # No row may lose its values in silence, should the server write the same path in two ways.
    unknown = F.raise_error(F.lit("a file has another name in its rows"))
    found = [F.when(column(_KNOWN), column(name)).otherwise(unknown).alias(name) for name in names]
    return joined.select(*map(column, frame.columns), *found)


def check_sizes(files: Sequence[EventFile], session: Session) -> None:
    """Raise Unreadable for a file of another size on the cluster, such as an old copy, where the server can tell."""
    if not files or not session.dialect.listing_format:
        return
    listing = session.spark.read.format(session.dialect.listing_format).load(list(map(session.dialect.glob, files)))
    lengths = {re.sub(_FILE_SCHEME, "/", row.path): row.length for row in listing.select("path", "length").collect()}
    for file in files:
        length = lengths.get(re.sub(_FILE_SCHEME, "/", session.dialect.path(file)), file.size)
        if length != file.size:
            raise Unreadable(f"{file}: {file.size:,} bytes here, {length:,} on the cluster", hint=HINT_PATHS)
