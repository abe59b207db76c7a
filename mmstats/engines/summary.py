"""Rows, range, nulls and event names of some events, counted in one pass; summaries of parts add up."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from mmstats.dataset import EVENT_COLUMNS

_EVENT, _COUNT = "event_name", "count"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here


def _no_events() -> pl.DataFrame:
    return pl.DataFrame(schema={_EVENT: pl.String, _COUNT: pl.Int64})


@dataclass(frozen=True, slots=True)
class Summary:
    """What was counted of some events.

    `nulls` are by event column, `span` the first and the last instant in microseconds since the epoch, None without
    rows; `events` has the event names and how many events of each.
    """

    rows: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    span: tuple[int, int] | None = None
    events: pl.DataFrame = field(default_factory=_no_events)

    def top(self, most: int) -> tuple[tuple[str | None, int], ...]:
        """The most frequent event names with their counts; of equally frequent ones the smaller, null last."""
        ordered = self.events.sort(_COUNT, _EVENT, descending=[True, False], nulls_last=True)
        return tuple(ordered.head(most).iter_rows())

    @property
    def distinct(self) -> int:
        """How many event names there are; null is none."""
        return self.events[_EVENT].drop_nulls().len()

    def instants(self) -> tuple[str | None, str | None]:
        """The first and the last instant, in ISO 8601; None for one outside the years 1 to 9999."""
        return (_iso(self.span[0]), _iso(self.span[1])) if self.span else (None, None)


def _iso(micros: int) -> str | None:
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None
    finest = "microseconds" if micros % 1_000 else "milliseconds" if micros % 1_000_000 else "seconds"
    return moment.isoformat(timespec=finest) + "Z"


def summarised(events: pl.LazyFrame, columns: Collection[str] = EVENT_COLUMNS) -> Summary:
    """The summary of events, its nulls and range those of the columns named; each column is read once."""
    others = [name for name in columns if name not in ("timestamp", _EVENT)]
    ends = [pl.col("timestamp").min().alias("first"), pl.col("timestamp").max().alias("last")]
    counted = (
        events.group_by(_EVENT)
        .agg(
            pl.len().cast(pl.Int64).alias(_COUNT),
            *(end.to_physical() for end in ends if "timestamp" in columns),
            *(pl.col(name).null_count() for name in others),
        )
        .collect(engine="streaming")
    )
    nulls = Counter({name: int(counted[name].sum()) for name in others})
    nulls[_EVENT] = int(counted.filter(pl.col(_EVENT).is_null())[_COUNT].sum())
    return Summary(int(counted[_COUNT].sum()), nulls, _span(counted), counted.select(_EVENT, _COUNT))


def _span(counted: pl.DataFrame) -> tuple[int, int] | None:
    if "first" not in counted.columns or counted.is_empty():
        return None
    return counted.select(pl.col("first").min(), pl.col("last").max()).row(0)


def added(summaries: Iterable[Summary]) -> Summary:
    """One summary of all the events that several are of."""
    parts = list(summaries)
    nulls: Counter[str] = Counter()
    for part in parts:
        nulls.update(part.nulls)
    spans = [part.span for part in parts if part.span]
    events = pl.concat([_no_events(), *(part.events for part in parts)])
    return Summary(
        sum(part.rows for part in parts),
        nulls,
        (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None,
        events.group_by(_EVENT).agg(pl.col(_COUNT).sum()),
    )
