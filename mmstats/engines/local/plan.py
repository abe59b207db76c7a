"""What a question does to events: bucket, group, aggregate, order, limit, as lazy expressions; pure."""

import polars as pl

from mmstats.engines import sketch
from mmstats.engines.finish import VALUE
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import VISITOR, Selection

_TRUNCATE = {"hour": "1h", "day": "1d", "week": "1w"}  # the engine's weeks start on Monday, as the contract's do


def wanted_of(query: StatsQuery) -> Selection:
    """What the question needs of the events."""
    visitor = (VISITOR,) if query.metric == "uniques" else ()
    start, end = (bound and bound.replace(tzinfo=None) for bound in (query.start, query.end))
    # The timestamp comes always: the reader drops it where nothing asks for it.
    hashed = query.metric == "uniques" and not query.exact
    return Selection(("timestamp", *query.group_by, *visitor), start, end, query.event, hashed)


def columns_of(query: StatsQuery, *, bounded: bool = True) -> tuple[str, ...]:
    """The event columns that have to be read of files that the range may cut or, not `bounded`, may not."""
    needed = list(query.group_by)
    if query.interval or (bounded and (query.start or query.end)):
        needed.append("timestamp")
    if query.event is not None:
        needed.append("event_name")
    if query.metric == "uniques":
        needed.append(VISITOR)
    return tuple(dict.fromkeys(needed))


def answered(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    """All rows of the answer, in no order: the labels, which may come as Categoricals, as text, and `value`."""
    if query.metric == "count":
        return counted(query, events)
    keys, events = list(query.labels), bucketed(query, events)
    if query.exact:
        once = events.select(*keys, VISITOR).unique()
        return _grouped(query, once, keys, pl.col(VISITOR).count().cast(pl.Int64))
    return _grouped(query, sketch.registers(events, keys, pl.col(VISITOR)), keys, sketch.estimate())


def counted(query: StatsQuery, events: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
    """The number of events of each group, as `value`, of groups by some columns beside the labels."""
    return _grouped(query, bucketed(query, events), [*beside, *query.labels], pl.len().cast(pl.Int64))


def summed(query: StatsQuery, counts: pl.LazyFrame) -> pl.LazyFrame:
    """The counts of each group added up."""
    return _grouped(query, counts, list(query.labels), pl.col(VALUE).sum())


def bucketed(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    """The events with the start of their bucket, where there is an interval."""
    if query.interval is None:
        return events
    return events.with_columns(pl.col("timestamp").dt.truncate(_TRUNCATE[query.interval]).alias("bucket"))


def _grouped(query: StatsQuery, frame: pl.LazyFrame, keys: list[str], value: pl.Expr) -> pl.LazyFrame:
    rows = frame.group_by(keys).agg(value.alias(VALUE)) if keys else frame.select(value.alias(VALUE))
    return rows.with_columns(pl.col(query.group_by).cast(pl.String))
