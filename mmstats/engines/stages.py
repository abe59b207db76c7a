"""The stages that every engine shares: what a question selects before reading; fill, order and limit after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from mmstats.answer import Stats
from mmstats.engines.no_events import reasons
from mmstats.errors import InvalidParams
from mmstats.question.parameters import BUCKET_LENGTHS
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import VISITOR, Selection
from mmstats.readers.report import ReadReport
from mmstats.readers.source import Source

VALUE = "value"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an answer in no order: the labels and `value`.

    There are as many `groups`, whose values add up to `total`; where a limit cuts, `frame` may have only those rows
    that it may leave.
    """

    frame: pl.DataFrame
    groups: int
    total: int

    @classmethod
    def whole(cls, frame: pl.DataFrame) -> "Rows":
        """The rows of a frame that has them all."""
        return cls(frame, frame.height, int(frame[VALUE].sum()))


def selection_of(query: StatsQuery) -> Selection:
    """The columns and the events that a question needs."""
    visitor = (VISITOR,) if query.metric == "uniques" else ()
    start, end = (bound and bound.replace(tzinfo=None) for bound in (query.start, query.end))
    hashed = query.metric == "uniques" and not query.exact
    columns = (*query.group_by, *visitor)
    # A frame of no columns would have no rows.
    timestamp = ("timestamp",) if query.interval or not columns else ()
    return Selection((*timestamp, *columns), start, end, query.event, hashed)


def stats_of(query: StatsQuery, rows: Rows, source: Source, report: ReadReport) -> Stats:
    """The answer that rows in no order are: filled, ordered, cut at the limit; notices, also of why it may be empty."""
    if query.fill:
        rows = Rows.whole(fill(query, rows.frame, source.projection.limits.filled_rows))
    notices = source.notices(report)
    unmapped = VISITOR not in source.projection.mapped
    if query.metric == "uniques" and unmapped and source.lacks(VISITOR, report):
        offer = source.looks_like() or "--map anonymous_id=COLUMN names it"
        notices.append(f"the data has no column 'anonymous_id', so no visitors to count: {offer}")
    lacking = [name for name in query.group_by if source.lacks(name, report)]
    if lacking and (export := source.looks_like()):
        notices.append(f"the data has no column {' and no column '.join(map(repr, lacking))}: {export}")
    if not rows.frame[VALUE].sum():
        notices += reasons(query, rows.groups, source, report)
    total = rows.total if query.metric == "count" else None  # one visitor may be in several groups
    return Stats(query.metric, query.labels, order(query, rows.frame).to_dicts(), rows.groups, tuple(notices), total)


def order(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the contract's total order, cut at the limit, buckets as text.

    Buckets ascending, then values descending, then labels by code point with null last.
    """
    buckets = ["bucket"] if query.interval else []
    by = [*buckets, VALUE, *query.group_by]
    descending = [column == VALUE for column in by]
    limit = query.limit or len(rows)
    cut = within_limit(query, rows).sort(by, descending=descending, nulls_last=True).head(limit)
    as_text = [pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S") for name in buckets]
    return cut.with_columns(as_text).select(*query.labels, VALUE)


def within_limit(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """Some of the rows, all those of the limit among them: fewer to sort by all their labels.

    It reads the value and the bucket, which may be any number that sorts as the bucket does.
    """
    limit = query.limit or len(rows)
    if len(rows) <= limit or query.fill:
        return rows
    if query.interval:
        return rows.filter(pl.col("bucket") <= rows["bucket"].sort(nulls_last=True).item(limit - 1))
    return rows.filter(pl.col(VALUE) >= rows[VALUE].top_k(limit).min())


def fill(query: StatsQuery, rows: pl.DataFrame, max_rows: int) -> pl.DataFrame:
    """The rows, and one of 0 for every group that is in the answer and every bucket of the range that it lacks.

    Where the range has no bound, the first or last bucket with events is the end. With no grouping there is one
    group, even when nothing matched. Raises InvalidParams when that would be more than `max_rows` rows.
    """
    assert query.interval is not None
    step = BUCKET_LENGTHS[query.interval]
    ends = _ends(query, rows["bucket"])
    groups = rows.select(query.group_by).unique() if query.group_by else pl.DataFrame({"": [None]})
    if ends is None or groups.is_empty():
        return rows
    count = (ends[1] - ends[0]) // step + 1
    if count * groups.height > max_rows:
        fault = f"would make {count * groups.height:,} rows, more than {max_rows:,}"
        raise InvalidParams({"fill": [fault]}, hint="ask a shorter range, or a longer interval")
    buckets = pl.DataFrame({"bucket": pl.datetime_range(*ends, step, time_unit="us", eager=True)})
    grid = groups.join(buckets, how="cross")
    whole = grid.join(rows, on=list(query.labels), how="left", nulls_equal=True)
    return whole.select(*query.labels, pl.col("value").fill_null(0))


def _ends(query: StatsQuery, buckets: pl.Series) -> tuple[datetime, datetime] | None:
    """The starts of the first and the last bucket, None where nothing tells."""
    first = _bucket_start(query, query.start) if query.start else buckets.min()
    if not isinstance(first, datetime):
        return None
    # Something lies before the end now, so that an end at the first instant there is cannot come here.
    last = _bucket_start(query, query.end - timedelta(microseconds=1)) if query.end else buckets.max()
    return (first, last) if isinstance(last, datetime) else None


def _bucket_start(query: StatsQuery, instant: datetime) -> datetime:
    """The start of the bucket that an instant lies in, naive."""
    hour = instant.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if query.interval == "hour":
        return hour
    day = hour.replace(hour=0)
    return day - timedelta(days=day.weekday()) if query.interval == "week" else day
