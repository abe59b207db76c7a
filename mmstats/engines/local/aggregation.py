"""How the events of a question are grouped and aggregated: at once, or in partial aggregates of files that merge."""

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from mmstats.engines import sketch
from mmstats.engines.local.packed_groups import LabelCodes, count_packed
from mmstats.engines.local.registers import RegisterEntries
from mmstats.engines.local.streaming import collect
from mmstats.engines.local.time_buckets import bucket_key
from mmstats.engines.stages import Rows
from mmstats.limits import Limits
from mmstats.question.query import VALUE, StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.projection import VISITOR

MANY_LABELS = 5  # from so many on, grouping by their texts is slower than by packed codes


def columns_of(query: StatsQuery, *, bounded: bool = True) -> tuple[str, ...]:
    """The event columns that have to be read of files: `bounded` ones the range may cut, so that it reads instants."""
    needed = list(query.group_by)
    if query.interval or query.previous or (bounded and (query.start or query.end)):
        needed.append("timestamp")
    needed += [asked.column for asked in query.filters]
    needed += [one.read for one in query.metrics if one.read]
    return tuple(dict.fromkeys(needed))


def with_bucket(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    """The events with the key of their bucket, where there is an interval."""
    if query.buckets is None:
        return events
    return events.with_columns(bucket_key(query.buckets, pl.col("timestamp")).alias("bucket"))


class Aggregate(Protocol):
    """Aggregates all events of a question, which have their bucket."""

    def partial(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """What the engine is asked to do with the events."""
        ...

    def rows(self, events: pl.LazyFrame) -> Rows:
        """The rows of the answer; raises TooWide where keys do not fit."""
        ...


class Mergeable(Protocol):
    """Aggregates the events of files by themselves, which have their bucket; partial aggregates merge."""

    def partial(self, events: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
        """What the engine is asked to do with some events, by some columns beside."""
        ...

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The partial aggregates of files, each row with its `file`, of events that have theirs."""
        ...

    def to_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """Partial aggregates of files as another process can use them, each row with its `file`."""
        ...

    def from_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """Partial aggregates that were cached."""
        ...

    def merged(self, partials: Sequence[pl.LazyFrame]) -> Rows:
        """The rows of the answer; raises TooWide where keys do not fit."""
        ...


def aggregate_of(query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> Aggregate:
    """How all these events are aggregated at once."""
    if query.metric == "uniques" and not (query.exact or VISITOR in query.group_by):
        return RegisterEntries(query, events.collect_schema(), limits)
    if query.metric == "count" and len(query.group_by) >= MANY_LABELS:
        return PackedCounts(query, events, limits)
    return TextGroups(query)


def mergeable_of(query: StatsQuery, limits: Limits, *, stored: bool) -> Mergeable:
    """How files are aggregated one by one; the labels of `stored` ones are Categoricals."""
    if query.metric == "count":
        return TextGroups(query)
    return RegisterEntries(query, dict.fromkeys(query.group_by, pl.Categorical() if stored else pl.String()), limits)


class TextGroups:
    """Labels are grouped as they come, by the engine; partial counts add up."""

    def __init__(self, query: StatsQuery) -> None:
        self._query = query

    def partial(self, events: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
        """The rows of some events, in no order: labels, which may come as Categoricals, as text, and `value`."""
        keys = [*beside, *self._query.labels]
        if self._query.metric == "count":
            return self._grouped(events, keys, pl.len().cast(pl.Int64))
        if VISITOR in self._query.group_by:  # one, or of null none
            return self._grouped(events, keys, pl.col(VISITOR).count().clip(upper_bound=1).cast(pl.Int64))
        if self._query.exact:
            once = events.select(*keys, VISITOR).unique()
            return self._grouped(once, keys, pl.col(VISITOR).count().cast(pl.Int64))
        return self._grouped(sketch.registers(events, keys, pl.col(VISITOR)), keys, sketch.estimate())

    def _grouped(self, frame: pl.LazyFrame, keys: list[str], value: pl.Expr) -> pl.LazyFrame:
        rows = frame.group_by(keys).agg(value.alias(VALUE)) if keys else frame.select(value.alias(VALUE))
        return rows.with_columns(pl.col(self._query.group_by).cast(pl.String))

    def rows(self, events: pl.LazyFrame) -> Rows:
        """The rows of all events."""
        return Rows.whole(collect(self.partial(events)))

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The counts of files."""
        return collect(self.partial(events, FILE))

    def to_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """The counts, as they are."""
        return partials

    def from_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """The counts, as they were."""
        return partials

    def merged(self, partials: Sequence[pl.LazyFrame]) -> Rows:
        """The counts added up."""
        labels = list(self._query.labels)
        counts = pl.concat([partial.select(*labels, VALUE) for partial in partials])
        return Rows.whole(collect(self._grouped(counts, labels, pl.col(VALUE).sum())))


class PackedCounts:
    """Labels become codes, packed into one integer, which is counted."""

    def __init__(self, query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> None:
        self._query, self._codes, self._limits = query, LabelCodes(query, events.collect_schema()), limits

    def partial(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The codes of the labels."""
        return events.select(self._codes.encoded())

    def rows(self, events: pl.LazyFrame) -> Rows:
        """The events of each group, counted."""
        return count_packed(self._query, self._codes, self.partial(events), self._limits)
