"""From the raw text columns of a file to the event columns wanted, each row judged on what the question reads."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.errors import NotEvents
from mmstats.events.clocks import parse_alike
from mmstats.events.eventfile import EventFile
from mmstats.events.hive import Partition
from mmstats.events.schema import ColumnMap, Wanted, likely
from mmstats.events.timestamps import parse_text
from mmstats.limits import Limits
from mmstats.wording import visible

# What is to be done with a part of a file that was read, once all before it are through.
Taken = Callable[[], Iterator[pl.DataFrame]]
Span = tuple[int, int]  # the first and the last instant, in microseconds since the epoch


@dataclass(frozen=True, slots=True)
class Shape:
    """How the raw columns of files become the event columns wanted."""

    wanted: Wanted
    columns: ColumnMap = field(default_factory=ColumnMap)
    timestamp_unit: str | None = None
    limits: Limits = field(default=Limits(), repr=False)

    def as_stored(self) -> "Shape":
        """The same of a store: what was mapped or told of timestamps was applied when the events were imported."""
        own = {name: source for name, source in self.columns.mapped.items() if name not in EVENT_COLUMNS}
        return Shape(self.wanted, ColumnMap(own), limits=self.limits)

    def unbounded(self) -> "Shape":
        """The same of files that lie inside the range."""
        return replace(self, wanted=replace(self.wanted, start=None, end=None))

    @property
    def raw(self) -> list[str]:
        """The raw columns that the question may read."""
        names = [name for column in self.wanted.read for name in self.columns.sources(column)]
        return list(dict.fromkeys(names))

    def source(self, column: str, own: Collection[str], partition: Partition) -> pl.Expr:
        """An event column, untyped: the file's own columns, where it lacks one its folders' word, else null."""
        sources = [
            pl.col(name) if name in own else pl.lit(partition[name], pl.String)
            for name in self.columns.sources(column)
            if name in own or name in partition
        ]
        if len(sources) > 1:
            return pl.coalesce([source.cast(pl.String) for source in sources])
        return sources[0] if sources else pl.lit(None, pl.String)

    def found(self, file: EventFile, own: Collection[str]) -> set[str]:
        """The event columns that a file with these columns of its own has.

        Raises NotEvents when one that must be there is not among them.
        """
        available = {*own, *file.partition}
        for column in self.columns.lacking(available):
            raise no_column(file, column, self.columns, available)
        return {column for column in self.wanted.read if not available.isdisjoint(self.columns.sources(column))}


def no_column(file: EventFile, column: str, columns: ColumnMap, available: Collection[str]) -> NotEvents:
    """The error for a file in which nothing can serve as `column`, with an offer of what might."""
    if column in columns.mapped:
        missing = f"no column {visible(columns.mapped[column])!r} to serve as {column}"
    else:
        missing = f"no column {column!r}"
    candidate = likely(column, available)
    if candidate is None:
        return NotEvents(f"{file}: {missing}", hint=f"name the column that is: --map {column}=COLUMN")
    return NotEvents(f"{file}: {missing}", hint=f"did you mean --map {column}={visible(candidate)}?")


SKIP_HINT = "--skip-bad-rows leaves such rows out and counts them"


def timestamp_fault(raw: pl.DataFrame, shape: Shape, partition: Partition, row: int) -> str:
    """What is wrong with the timestamp of a raw row that names no instant."""
    source = shape.source("timestamp", raw.columns, partition).cast(pl.String)
    return not_an_instant(raw.slice(row, 1).select(source).item())


def not_an_instant(text: str | None) -> str:
    """What is wrong with a timestamp that names no instant."""
    return "the timestamp is null" if text is None else f'the timestamp "{visible(text[:60])}" is no instant'


def judge(raw: pl.DataFrame, shape: Shape, partition: Partition) -> tuple[pl.DataFrame, pl.Series]:
    """The event columns of every raw row, and which rows have no instant for a timestamp."""
    sources = {name: shape.source(name, raw.columns, partition) for name in shape.wanted.read}
    frame = raw.with_columns(source.cast(pl.String).alias(name) for name, source in sources.items())
    instants = parse_alike(frame["timestamp"])
    if instants is None:
        instants = parse_text(frame["timestamp"], shape.timestamp_unit)
    return frame.with_columns(instants.alias("timestamp")).select(shape.wanted.read), instants.is_null()


def restrict(frame: pl.DataFrame, wanted: Wanted) -> pl.DataFrame:
    """The rows in range and of the event wanted, with the columns to deliver."""
    if wanted.bounded:
        frame = frame.filter(wanted.in_range(pl.col("timestamp")))
    if wanted.event is not None:
        frame = frame.filter(pl.col("event_name") == wanted.event)
    return frame.select(*wanted.schema)


def span_of(frame: pl.DataFrame) -> Span | None:
    """The first and the last instant of judged rows, None without rows."""
    if frame.is_empty():
        return None
    instants = frame["timestamp"].to_physical()
    return cast(Span, (instants.min(), instants.max()))


def joined(one: Span | None, other: Span | None) -> Span | None:
    """The span of two spans together."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
