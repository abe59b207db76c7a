"""The event columns, what of them a question wants, and which columns of the data serve as them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from mmstats.wording import nearest

REQUIRED = ("timestamp", "event_name")
# Names that columns with this meaning often have elsewhere, the likeliest first.
KIN = {
    "timestamp": ("ts", "time", "event_time", "datetime", "date", "created_at", "occurred_at", "sent_at", "at"),
    "event_name": ("name", "type", "event_type", "action", "eventName"),
    "anonymous_id": ("visitor_id", "visitor", "anon_id", "distinct_id", "client_id", "device_id", "user_id", "uid"),
}
TIMESTAMP = pl.Datetime("us")


@dataclass(frozen=True, slots=True)
class Wanted:
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
