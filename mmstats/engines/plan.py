"""What a question does to events: bucket, group, aggregate, order, limit, as lazy expressions; pure."""

import polars as pl

from mmstats.engines import packed, sketch
from mmstats.events.schema import Wanted
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery

VALUE = "value"
_TRUNCATE = {"hour": "1h", "day": "1d", "week": "1w"}  # the engine's weeks start on Monday, as the contract's do


def wanted_of(query: StatsQuery) -> Wanted:
    """What the question needs of the events."""
    visitor = (VISITOR,) if query.metric == "uniques" else ()
    start, end = (bound and bound.replace(tzinfo=None) for bound in (query.start, query.end))
    # The timestamp comes always: the reader drops it where nothing asks for it.
    hashed = query.metric == "uniques" and not query.exact
    return Wanted(("timestamp", *query.group_by, *visitor), start, end, query.event, hashed)


def answered(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    """All rows of the answer, in no order: the labels and `value`."""
    return _aggregated(query, _bucketed(query, events))


def _bucketed(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    if query.interval is None:
        return events
    return events.with_columns(pl.col("timestamp").dt.truncate(_TRUNCATE[query.interval]).alias("bucket"))


def _aggregated(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    keys = list(query.labels)
    if query.metric == "count":
        return _grouped(events, keys, pl.len().cast(pl.Int64))
    if query.exact:
        once = events.select(*keys, VISITOR).unique()
        return _grouped(once, keys, pl.col(VISITOR).count().cast(pl.Int64))
    if len(keys) == 1:
        return packed.estimated(events, keys[0], pl.col(VISITOR), VALUE)
    return _grouped(sketch.registers(events, keys, pl.col(VISITOR)), keys, sketch.estimate())


def _grouped(frame: pl.LazyFrame, keys: list[str], value: pl.Expr) -> pl.LazyFrame:
    return frame.group_by(keys).agg(value.alias(VALUE)) if keys else frame.select(value.alias(VALUE))


def ordered(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the contract's total order, cut at the limit, buckets as text.

    Buckets ascending, then values descending, then labels by code point with null last.
    """
    buckets = ["bucket"] if query.interval else []
    by = [*buckets, VALUE, *query.group_by]
    descending = [column == VALUE for column in by]
    likely = _likely(query, rows) if query.limit and len(rows) > query.limit else rows
    cut = likely.sort(by, descending=descending, nulls_last=True).head(query.limit or len(rows))
    as_text = [pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S") for name in buckets]
    return cut.with_columns(as_text).select(*query.labels, VALUE)


def _likely(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows among which those of the limit are, so that the others need not be sorted by all their labels."""
    limit = query.limit or len(rows)
    if query.interval:
        return rows.filter(pl.col("bucket") <= rows["bucket"].sort(nulls_last=True).item(limit - 1))
    return rows.filter(pl.col(VALUE) >= rows[VALUE].top_k(limit).min())
