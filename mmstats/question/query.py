"""The question, as plain data."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mmstats.question.buckets import Buckets
from mmstats.question.filters import Filter, Operator
from mmstats.question.metrics import COUNT, Metric, metrics_of
from mmstats.question.order import SortKey
from mmstats.question.parameters import DEFAULT_LIMIT
from mmstats.question.ranges import UTC_NAME, micros, zone_of

if TYPE_CHECKING:
    from mmstats.question.zones import Zone

VALUE, PREVIOUS, CHANGE, OTHER = "value", "previous", "change", "other"


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """One stats question.

    `start` is inclusive and `end` exclusive, both aware and in UTC, None for no bound; they are the same where nothing
    can match. Only events with one of the names `events`, if there are any, for which every filter `where` holds are
    asked for. `metric` is one, or several separated by commas. A `limit` of None lifts it; `exact` counts distinct ids
    instead of estimating them; `fill` gives buckets without events a row of 0; rows are ordered by the keys `order`,
    then in the contract's order; `meta` adds what was asked to the answer. Only the `top` largest groups have rows of
    their own, and all others together one where `other` is asked for; the range is compared with the `previous` one,
    whose ends are as its own; `totals` adds what all events come to. `is_of_now` is whether the clock or the zone of
    this machine had a say, so that the same words may ask another question the next time.
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
    top: int | None = None
    other: bool = False
    previous: tuple[datetime, datetime] | None = None
    totals: bool = False
    is_of_now: bool = field(default=False, repr=False, compare=False)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is counted."""
        return metrics_of(self.metric)

    @property
    def is_plain(self) -> bool:
        """Whether rows are all that is asked for, with a count of events or of visitors."""
        is_derived = self.top is not None or self.previous is not None or (self.totals and self.metric != COUNT)
        return self.metric in (COUNT, "uniques") and not is_derived

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a row except its values, in their order."""
        return (*self.labels, *((OTHER,) if self.other else ()))

    @property
    def values(self) -> tuple[str, ...]:
        """The keys of the metrics' values in a row."""
        return (VALUE,) if len(self.metrics) == 1 else tuple(one.name for one in self.metrics)

    @property
    def figures(self) -> tuple[str, ...]:
        """The keys of a row whose values are decimals, but for the change."""
        figures = [key for key, one in zip(self.values, self.metrics, strict=True) if one.is_figure]
        return (*figures, *((PREVIOUS,) if self.previous and figures else ()))

    @property
    def is_estimated(self) -> bool:
        """Whether something in the answer is an estimate."""
        is_alone = not (self.other or self.totals)  # one id that a row is of is counted exactly
        return not self.exact and any(
            one.is_distinct and not (is_alone and one.read in self.group_by) for one in self.metrics
        )

    @property
    def compared(self) -> tuple[str, ...]:
        """The keys of what a value is compared with in a row."""
        return (PREVIOUS, CHANGE) if self.previous else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The keys of a row that say of which events it is, in their order."""
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
