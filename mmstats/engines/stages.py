"""The stages that every engine shares: what a question selects before reading; fill, order and limit after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mmstats.answer import Stats
from mmstats.engines import sketch
from mmstats.engines.no_events import reasons
from mmstats.errors import InvalidParams
from mmstats.question.buckets import Buckets
from mmstats.question.instants import utc_text
from mmstats.question.query import StatsQuery
from mmstats.readers.predicates import check_patterns
from mmstats.readers.projection import VISITOR, Selection
from mmstats.readers.report import ReadReport
from mmstats.readers.source import Source
from mmstats.readers.timestamps import TIMESTAMP

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
    """The columns and the events that a question needs; raises InvalidParams for a pattern that does not compile."""
    check_patterns(query.where)
    visitor = (VISITOR,) if query.metric == "uniques" else ()
    start, end = (bound and bound.replace(tzinfo=None) for bound in (query.start, query.end))
    hashed = query.metric == "uniques" and not query.exact and VISITOR not in query.group_by
    columns = tuple(dict.fromkeys((*query.group_by, *visitor)))
    # A frame of no columns would have no rows.
    timestamp = ("timestamp",) if query.interval or not columns else ()
    return Selection((*timestamp, *columns), start, end, query.filters, hashed)


def stats_of(query: StatsQuery, rows: Rows, source: Source, report: ReadReport) -> Stats:
    """The answer that rows in no order are: filled, ordered, cut at the limit; notices, also of why it may be empty."""
    if query.fill:
        rows = Rows.whole(fill(query, rows.frame, source.projection.limits.filled_rows))
    notices = source.notices(report)
    unmapped = VISITOR not in source.projection.mapped
    if query.metric == "uniques" and unmapped and source.lacks(VISITOR, report):
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    if not rows.frame[VALUE].sum():
        notices += reasons(query, rows.groups, source, report)
    total = rows.total if query.metric == "count" else None  # one visitor may be in several groups
    found = order(query, rows.frame).to_dicts()
    meta = _meta(query, rows.groups, len(found), source, report) if query.meta else None
    return Stats(query.metric, query.labels, found, rows.groups, tuple(notices), total, meta)


def _meta(query: StatsQuery, groups: int, left: int, source: Source, report: ReadReport) -> dict[str, Any]:
    """What was asked and how it was answered, of so many rows before the limit and so many left by it."""
    start, end = (bound and utc_text(bound) for bound in (query.start, query.end))
    is_exact = query.exact or query.metric == "count" or VISITOR in query.group_by
    return {
        "from": start,
        "to": end,
        "timezone": query.timezone,
        "rows_total": groups,
        "truncated": groups > left,
        "exact": is_exact,
        "relative_error": None if is_exact else sketch.RELATIVE_ERROR,
        "files": len(source.found.files),
        "bad_rows": sum(report.bad_rows().values()),
    }


def order(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order asked for, then in the contract's total one, cut at the limit, buckets as text.

    The contract's: buckets ascending, then values descending, then labels by code point with null last.
    """
    buckets = ["bucket"] if query.interval else []
    asked = dict(query.order)
    keys = asked | {key: key == VALUE for key in (*buckets, VALUE, *query.group_by) if key not in asked}
    limit = query.limit or len(rows)
    cut = within_limit(query, rows).sort(*keys, descending=[*keys.values()], nulls_last=True).head(limit)
    if query.buckets is None:
        return cut.select(*query.labels, VALUE)
    return cut.with_columns(bucket_labels(query.buckets, cut["bucket"])).select(*query.labels, VALUE)


def bucket_labels(buckets: Buckets, keys: pl.Series) -> pl.Series:
    """Buckets as the answer writes them, by their keys."""
    if buckets.zone is None:
        return keys.dt.strftime("%Y-%m-%d %H:%M:%S")
    known = keys.to_physical().unique()
    return keys.to_physical().replace_strict(known, [buckets.label(key) for key in known], return_dtype=pl.String)


def within_limit(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """Some of the rows, all those of the limit among them: fewer to sort by all their labels.

    It reads the value and the bucket, which may be any number that sorts as the bucket does.
    """
    limit = query.limit or len(rows)
    if len(rows) <= limit or query.fill or query.order:
        return rows
    if query.interval:
        return rows.filter(pl.col("bucket") <= rows["bucket"].sort(nulls_last=True).item(limit - 1))
    return rows.filter(pl.col(VALUE) >= rows[VALUE].top_k(limit).min())


def fill(query: StatsQuery, rows: pl.DataFrame, max_rows: int) -> pl.DataFrame:
    """The rows, and one of 0 for every group that is in the answer and every bucket of the range that it lacks.

    Where the range has no bound, the first or last bucket with events is the end. With no grouping there is one
    group, even when nothing matched. Raises InvalidParams when that would be more than `max_rows` rows.
    """
    groups = rows.select(query.group_by).unique() if query.group_by else pl.DataFrame({"": [None]})
    pieces = _bucket_keys(query, rows["bucket"])
    count = sum(map(len, pieces)) * groups.height
    if count == 0:
        return rows
    if count > max_rows:
        fault = f"would make {count:,} rows, more than {max_rows:,}"
        raise InvalidParams({"fill": [fault]}, hint="ask a shorter range, or a longer interval")
    keys = pl.concat([pl.Series("bucket", one, pl.Int64) for one in pieces])
    grid = groups.join(keys.to_frame().cast(TIMESTAMP), how="cross")
    whole = grid.join(rows, on=list(query.labels), how="left", nulls_equal=True)
    return whole.select(*query.labels, pl.col("value").fill_null(0))


def _bucket_keys(query: StatsQuery, found: pl.Series) -> list[Sequence[int]]:
    """The keys of all buckets of the range; where that has no bound, of those between the `found` ones of events."""
    buckets, (start, end) = query.buckets, query.micros
    assert buckets is not None
    first, last = found.to_physical().min(), found.to_physical().max()
    if start is None or end is None:
        if not isinstance(first, int) or not isinstance(last, int):
            return []
        start = buckets.begin(first) if start is None else start
        end = buckets.begin(last) + 1 if end is None else end
    return buckets.keys(start, end)
