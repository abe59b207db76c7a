"""A visitor's hash, the same on every machine, engine and version: what is kept of it on disk stays good."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.errors import NotEvents
from mmstats.files.event_file import EventFile, Partition
from mmstats.limits import Limits
from mmstats.readers.timestamps import TIMESTAMP, parse_alike, parse_text
from mmstats.wording import nearest, visible

SEED = 42
VISITOR = "anonymous_id"


def hashed(identifier: pl.Expr) -> pl.Expr:
    """The 64-bit hash of the UTF-8 bytes of a text (XXH64, seed 42); null for null."""
    import polars_hash  # noqa: F401 - a plugin, which gives expressions the name used below; only visitors need it

    expression: Any = identifier
    found: pl.Expr = expression.nchash.xxhash64(seed=SEED)
    return found


VISITOR_HASH = "anonymous_id_xxh64"  # null for null
IMPORTED_FROM = "mmstats_source"  # the id of a source in the manifest
INSTANT = pl.Datetime("us", "UTC")
# Few different values in many rows: Parquet's dictionaries hold each once in a row group.
CATEGORICAL = ("event_name", "source", "medium", "campaign", "country", "device_type", "browser", "os", "path")

_TYPES: dict[str, pl.DataType] = {"timestamp": INSTANT, **{name: pl.Categorical() for name in CATEGORICAL}}
STORE_SCHEMA = pl.Schema(
    {
        **{name: _TYPES.get(name, pl.String()) for name in EVENT_COLUMNS},
        VISITOR_HASH: pl.UInt64(),
        IMPORTED_FROM: pl.UInt32(),
    }
)

REQUIRED = ("timestamp", "event_name")
# Names that columns with this meaning often have elsewhere, the likeliest first.
KIN = {
    "timestamp": ("ts", "time", "event_time", "datetime", "date", "created_at", "occurred_at", "sent_at", "at"),
    "event_name": ("name", "type", "event_type", "action", "eventName"),
    "anonymous_id": ("visitor_id", "visitor", "anon_id", "distinct_id", "client_id", "device_id", "user_id", "uid"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a question needs of the events.

    `columns` are delivered, as text but for the timestamp; where visitors are `hashed`, `anonymous_id` is its hash.
    Only events from `start` to before `end` (naive, UTC) and, if it is not None, of the name `event` are.
    """

    columns: tuple[str, ...]
    start: datetime | None = None
    end: datetime | None = None
    event: str | None = None
    hashed: bool = False

    @property
    def bounded(self) -> bool:
        """Whether the range leaves anything out."""
        return self.start is not None or self.end is not None

    @property
    def read(self) -> tuple[str, ...]:
        """The event columns to look at: those delivered, those filtered by, and the timestamp, which is judged."""
        event = () if self.event is None else ("event_name",)
        return tuple(dict.fromkeys(("timestamp", *event, *self.columns)))

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The columns and their types, as they are before a visitor is hashed."""
        return {name: TIMESTAMP if name == "timestamp" else pl.String() for name in self.columns}

    def in_range(self, instant: pl.Expr) -> pl.Expr:
        """Whether an instant, a naive Datetime in microseconds, lies in the range."""
        after = [] if self.start is None else [instant >= pl.lit(self.start, TIMESTAMP)]
        before = [] if self.end is None else [instant < pl.lit(self.end, TIMESTAMP)]
        return pl.all_horizontal(*after, *before) if after or before else instant.is_not_null()


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns of the data serve as which event columns: the same name, unless the user mapped another."""

    mapped: Mapping[str, str] = field(default_factory=dict)

    def sources(self, column: str) -> tuple[str, ...]:
        """The columns of the data that serve as an event column, the first non-null one row by row."""
        if column in self.mapped:
            return (self.mapped[column],)
        return ("event_name", "event") if column == "event_name" else (column,)

    def lacking(self, available: Collection[str]) -> list[str]:
        """The required event columns that nothing in a file with these columns can serve as."""
        return [column for column in REQUIRED if not set(self.sources(column)) & set(available)]


def likely(column: str, available: Collection[str]) -> str | None:
    """The column of the data that could be meant to serve as an event column, if one looks like it."""
    folded = {name.casefold(): name for name in available}
    for kin in (column, *KIN.get(column, ())):
        if kin.casefold() in folded:
            return folded[kin.casefold()]
    return nearest(column, available)


# What is to be done with a part of a file that was read, once all before it are through.
Taken = Callable[[], Iterator[pl.DataFrame]]
InstantRange = tuple[int, int]  # the first and the last instant, in microseconds since the epoch


@dataclass(frozen=True, slots=True)
class Projection:
    """How the raw columns of files become the event columns wanted."""

    wanted: Selection
    columns: ColumnMap = field(default_factory=ColumnMap)
    timestamp_unit: str | None = None
    limits: Limits = field(default=Limits(), repr=False)

    def as_stored(self) -> "Projection":
        """The same of a store: what was mapped or told of timestamps was applied when the events were imported."""
        own = {name: source for name, source in self.columns.mapped.items() if name not in EVENT_COLUMNS}
        return Projection(self.wanted, ColumnMap(own), limits=self.limits)

    def unbounded(self) -> "Projection":
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


def timestamp_fault(raw: pl.DataFrame, shape: Projection, partition: Partition, row: int) -> str:
    """What is wrong with the timestamp of a raw row that names no instant."""
    source = shape.source("timestamp", raw.columns, partition).cast(pl.String)
    return not_an_instant(raw.slice(row, 1).select(source).item())


def not_an_instant(text: str | None) -> str:
    """What is wrong with a timestamp that names no instant."""
    return "the timestamp is null" if text is None else f'the timestamp "{visible(text[:60])}" is no instant'


def judge(raw: pl.DataFrame, shape: Projection, partition: Partition) -> tuple[pl.DataFrame, pl.Series]:
    """The event columns of every raw row, and which rows have no instant for a timestamp."""
    sources = {name: shape.source(name, raw.columns, partition) for name in shape.wanted.read}
    frame = raw.with_columns(source.cast(pl.String).alias(name) for name, source in sources.items())
    instants = parse_alike(frame["timestamp"])
    if instants is None:
        instants = parse_text(frame["timestamp"], shape.timestamp_unit)
    return frame.with_columns(instants.alias("timestamp")).select(shape.wanted.read), instants.is_null()


def restrict(frame: pl.DataFrame, wanted: Selection) -> pl.DataFrame:
    """The rows in range and of the event wanted, with the columns to deliver."""
    if wanted.bounded:
        frame = frame.filter(wanted.in_range(pl.col("timestamp")))
    if wanted.event is not None:
        frame = frame.filter(pl.col("event_name") == wanted.event)
    return frame.select(*wanted.schema)


def instant_range(frame: pl.DataFrame) -> InstantRange | None:
    """The first and the last instant of judged rows, None without rows."""
    if frame.is_empty():
        return None
    instants = frame["timestamp"].to_physical()
    return cast(InstantRange, (instants.min(), instants.max()))


def union_range(one: InstantRange | None, other: InstantRange | None) -> InstantRange | None:
    """The span of two spans together."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
