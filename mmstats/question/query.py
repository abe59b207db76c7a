"""The question, as plain data."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mmstats.question.buckets import Buckets
from mmstats.question.filters import Filter, Operator
from mmstats.question.order import SortKey
from mmstats.question.parameters import DEFAULT_LIMIT
from mmstats.question.ranges import UTC_NAME, micros, zone_of

if TYPE_CHECKING:
    from mmstats.question.zones import Zone


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """One stats question.

    `start` is inclusive and `end` exclusive, both aware and in UTC, None for no bound; they are the same where nothing
    can match. Only events with one of the names `events`, if there are any, for which every filter `where` holds are
    asked for. A `limit` of None lifts it; `exact` counts distinct visitors instead of estimating them; `fill` gives
    buckets without events a row of 0; rows are ordered by the keys `order`, then in the contract's order; `meta` adds
    what was asked to the answer. `is_of_now` is whether the clock or the zone of this machine had a say, so that the
    same words may ask another question the next time.
    """

    metric: str = "count"
    start: datetime | None = None
    end: datetime | None = None
    events: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    interval: str | None = None
    limit: int | None = DEFAULT_LIMIT
    exact: bool = False
    fill: bool = False
    where: tuple[Filter, ...] = ()
    timezone: str = UTC_NAME
    week_start: str = "monday"
    order: tuple[SortKey, ...] = ()
    meta: bool = False
    is_of_now: bool = field(default=False, repr=False, compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The keys of a row except its value, in their order."""
        return (("bucket",) if self.interval else ()) + self.group_by

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Everything that events are selected by but the range."""
        return ((Filter("event_name", Operator.IN, self.events),) if self.events else ()) + self.where

    @property
    def micros(self) -> tuple[int | None, int | None]:
        """Start and end in microseconds since 1970."""
        start, end = (None if bound is None else micros(bound) for bound in (self.start, self.end))
        return start, end

    @property
    def zone(self) -> "Zone | None":
        """The zone of ranges and buckets, None for UTC."""
        return zone_of(self.timezone)

    @property
    def buckets(self) -> Buckets | None:
        """The buckets of the interval, None without one."""
        return Buckets(self.interval, self.zone, self.week_start) if self.interval else None
