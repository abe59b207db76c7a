"""Files as one read of the cluster takes them: their raw columns, and the events wanted of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl
from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark import instants, typed
from mmstats.engines.spark.dialect import Dialect
from mmstats.engines.spark.lines import all_of, any_of
from mmstats.engines.spark.opening import quoted
from mmstats.engines.spark.writers import Bounds
from mmstats.files.event_file import EventFile, Partition
from mmstats.readers.projection import Projection
from mmstats.wording import is_encodable

AT = "timestamp"  # in microseconds since the epoch
IS_HEAD = "is head'"
_FOUND_AT = "found at'"


@dataclass(frozen=True)
class Scan:
    """Files of one kind, whose folders speak of the same columns.

    `raw` are the types of their raw columns, which are columns of `frame` under their own names; of text all are. The
    folders' words are `told`. Rows may be `doubtful`, which is a column of text files alone, of each of which so many
    lines are `heads` and doubtful too. `read` reads some files. Of instants beyond `alike` nobody knows whether engines
    read the same.
    """

    files: tuple[EventFile, ...]
    read: Callable[[Sequence[EventFile]], DataFrame]
    raw: dict[str, pl.DataType]
    told: Partition
    shape: Projection
    dialect: Dialect
    doubtful: str | None = None
    heads: int = 0
    alike: Bounds = (None, None)

    @cached_property
    def frame(self) -> DataFrame:
        """The raw columns of the files."""
        return self.read(self.files)

    @cached_property
    def judged(self) -> DataFrame:
        """The raw columns and what else there is to say of each row."""
        beside = [self.doubtful, IS_HEAD, *map(has_column, self.raw)] if self.doubtful else []
        return self._timed(self.frame, beside)

    def split(self) -> "list[Scan]":
        """Each file by itself."""
        return [replace(self, files=(file,)) for file in self.files]

    @property
    def has_text_instants(self) -> bool:
        """Whether instants are parsed from texts, which may have more forms than the cluster knows."""
        dtype = self._timestamp()[1]
        return dtype is None or not (dtype.is_integer() or dtype.is_temporal())

    @property
    def is_sure(self) -> bool:
        """Whether the cluster knows of every row that it suspects that it is bad."""
        return not self.doubtful and not self.has_text_instants and not any(self.alike)

    def events(self) -> DataFrame:
        """The events wanted: the columns delivered, as text, and the instant of each in microseconds."""
        wanted = self.shape.wanted
        texts = [self._text(name).alias(name) for name in wanted.schema if name != AT]
        named = [] if wanted.event is None else [self._is_named(wanted.event)]
        found = self._timed(self.frame.filter(all_of([*self._texts(), *self._sound(), *named])))
        return found.filter(self._in_range()).select(self._instant().alias(AT), *texts)

    def _is_named(self, event: str) -> Column:
        return self._text("event_name") == event if is_encodable(event) else F.lit(False)

    def suspect(self) -> Column:
        """Whether a row cannot be read, or perhaps not as the contract says."""
        name, dtype = self._timestamp()
        alike = replace(self.shape.wanted, start=self.alike[0], end=self.alike[1])
        stored = typed.in_range(column(name), dtype, alike, self.shape.timestamp_unit)
        # Neither may be null, nor be kept from it by a function that no server asks statistics about.
        none = self._no_instant() if stored is None else column(name).isNull() | ~stored
        faults = [typed.no_text(column(name), dtype) for name, dtype in self.raw.items()]
        doubtful = [F.col(self.doubtful)] if self.doubtful else []
        return any_of([*doubtful, none, *(one for one in faults if one is not None)])

    def _texts(self) -> list[Column]:
        """What fails the question for a string that is no text, in any row that is read."""
        if not self.dialect.trusting or self.doubtful or self.files[0].stored:
            return []
        strings = [column(name) for name, dtype in self.raw.items() if typed.is_string(dtype)]
        return [typed.surely_text(strings)] if strings else []

    def _sound(self) -> list[Column]:
        doubtful = [~F.col(self.doubtful)] if self.doubtful else []
        faults = [typed.no_text(column(name), dtype) for name, dtype in self.raw.items()]
        return [*doubtful, *(~fault for fault in faults if fault is not None)]

    def _timestamp(self) -> tuple[str, pl.DataType | None]:
        name = self.shape.columns.sources(AT)[0]
        return name, self.raw.get(name)

    def _timed(self, frame: DataFrame, beside: Iterable[str] = ()) -> DataFrame:
        """The raw columns, others beside, and the instants that texts name, which are large and used more than once."""
        if not self.has_text_instants:
            return frame
        return once(frame, self._found_instant().alias(_FOUND_AT), *map(column, (*beside, *self.raw)))

    def _instant(self) -> Column:
        return F.col(_FOUND_AT) if self.has_text_instants else self._found_instant()

    def _found_instant(self) -> Column:
        name, dtype = self._timestamp()
        unit = self.shape.timestamp_unit
        if dtype is None:
            return instants.of_text(F.lit(self.told.get(name)).cast("string"), unit)
        return typed.instant(column(name), dtype, unit, as_read=self.dialect.declared)

    def _no_instant(self) -> Column:
        at = self._instant()
        if self.has_text_instants or any(self.alike):
            return F.coalesce(~instants.between(at, *self.alike), F.lit(True))
        return at.isNull()

    def _in_range(self) -> Column:
        """Whether an event lies in the range: told from what is stored, where statistics may spare reading it."""
        name, dtype = self._timestamp()
        wanted = self.shape.wanted
        stored = typed.in_range(column(name), dtype, wanted, self.shape.timestamp_unit)
        return instants.between(self._instant(), wanted.start, wanted.end) if stored is None else stored

    def _text(self, event_column: str) -> Column:
        """An event column as text: the first of its sources that is not null, row by row."""
        named = self.shape.columns.sources(event_column)
        texts = [
            typed.text(column(name)) if name in self.raw else F.lit(self.told[name]).cast("string")
            for name in named
            if name in self.raw or name in self.told
        ]
        return F.coalesce(*texts) if texts else F.lit(None).cast("string")


def column(name: str) -> Column:
    """A raw column."""
    return F.col(quoted(name))


def has_column(name: str) -> str:
    """The column of text files that says whether a line has the raw column of a name."""
    return f"has {name}'"


def once(frame: DataFrame, *columns: Column) -> DataFrame:
    """The columns of a frame, each found once however often it is used.

    Servers put the expressions of one projection into the next, as often as these name them, and the sizes multiply.
    What is unnested is an end to that.
    """
    return frame.select(F.explode(F.array(F.struct(*columns))).alias("once'")).select("`once'`.*")


def united(frames: Sequence[DataFrame]) -> DataFrame:
    """The rows of frames of the same columns, in halves: servers follow a plan only so deep."""
    half = len(frames) // 2
    return united(frames[:half]).union(united(frames[half:])) if half else frames[0]


def by_told(files: Sequence[EventFile], names: Iterable[str]) -> list[tuple[tuple[EventFile, ...], Partition]]:
    """Files grouped by what their folders say of some raw columns, each group with that."""
    groups: dict[tuple[tuple[str, str | None], ...], list[EventFile]] = {}
    asked = list(names)
    for file in files:
        told = tuple((name, file.partition[name]) for name in asked if name in file.partition)
        groups.setdefault(told, []).append(file)
    return [(tuple(some), dict(told)) for told, some in groups.items()]
