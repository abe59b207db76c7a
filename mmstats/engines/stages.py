"""The stages that every engine shares: what a question selects before reading; fill, order and limit after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from mmstats.answer import Stats
from mmstats.dataset import EVENT_COLUMNS
from mmstats.engines import sketch
from mmstats.engines.figures import change_of, with_decimals
from mmstats.engines.no_events import reasons
from mmstats.errors import InvalidParams
from mmstats.question.buckets import Buckets
from mmstats.question.instants import utc_text
from mmstats.question.metrics import COUNT
from mmstats.question.query import CHANGE, OTHER, PREVIOUS, VALUE, StatsQuery
from mmstats.readers.predicates import check_patterns
from mmstats.readers.projection import VISITOR, Selection, digits_of
from mmstats.readers.report import ReadReport
from mmstats.readers.source import Source
from mmstats.readers.timestamps import TIMESTAMP
from mmstats.wording import plural, visible

# What metrics count, by the column that says it.
_COUNTED = {"anonymous_id": "visitors", "user_id": "users", "session_id": "sessions"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an answer in no order: keys and values, and the previous ones where ranges are compared.

    There are as many `groups`, whose counts add up to `total`, which is 0 where no event is in the range; where a limit
    cuts, `frame` may have only those rows that it may leave. `totals` are the values of all events together, if they
    are asked for, and `not_numbers` says of columns how many values were left out. Figures are in billionths, as
    128-bit integers.
    """

    frame: pl.DataFrame
    groups: int
    total: int
    totals: Mapping[str, int | None] = field(default_factory=dict)
    not_numbers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def whole(cls, frame: pl.DataFrame) -> "Rows":
        """The rows of a frame that has them all."""
        return cls(frame, frame.height, int(frame[VALUE].sum()))


def selection_of(query: StatsQuery) -> Selection:
    """The columns and the events that a question needs; raises InvalidParams for a pattern that does not compile."""
    check_patterns(query.where)
    texts = (*query.group_by, *(one.column for one in query.metrics if one.is_figure))
    counted = [one.read for one in query.metrics if one.is_distinct]
    start, end = (bound and bound.replace(tzinfo=None) for bound in _hull(query))
    hashed = VISITOR in counted and not query.exact and VISITOR not in texts
    digits = (digits_of(one.column) for one in query.metrics if one.is_figure)
    columns = tuple(dict.fromkeys((*texts, *counted, *digits)))
    # A frame of no columns would have no rows.
    timestamp = ("timestamp",) if query.interval or query.previous or not columns else ()
    return Selection((*timestamp, *columns), start, end, query.filters, hashed)


def _hull(query: StatsQuery) -> tuple[datetime | None, datetime | None]:
    """The range from the first to the last event of this one and of the one that it is compared with."""
    if query.previous is None or query.start is None or query.end is None:
        return query.start, query.end
    return min(query.start, query.previous[0]), max(query.end, query.previous[1])


def stats_of(query: StatsQuery, rows: Rows, source: Source, report: ReadReport) -> Stats:
    """The answer that rows in no order are: filled, ordered, cut at the limit; notices, also of why it may be empty."""
    frame, groups = rows.frame, rows.groups
    if query.fill:
        frame = fill(query, frame, source.projection.limits.filled_rows)
        groups = frame.height
    if query.fill or query.previous:  # no events, or none on one of the sides
        counts = [name for name in frame.columns if name not in (*query.keys, *query.figures)]
        frame = frame.with_columns(pl.col(counts).fill_null(0))
    notices = [*source.notices(report), *_lacks(query, source, report)]
    lacking = [name for name in query.group_by if source.lacks(name, report)]
    if lacking and (export := source.looks_like()):
        notices.append(f"the data has no column {' and no column '.join(map(repr, lacking))}: {export}")
    notices += [
        f"{plural(count, 'value')} of {visible(name)} {'is no number' if count == 1 else 'are no numbers'}, "
        "and left out of its figures"
        for name, count in rows.not_numbers.items()
        if count
    ]
    if not rows.total:
        notices += reasons(query, groups, source, report)
    found = order(query, frame).to_dicts()
    if not query.is_plain:
        found = [with_decimals(query, row) for row in found]
    return Stats(
        metric=query.metric if len(query.metrics) == 1 else tuple(one.name for one in query.metrics),
        labels=query.labels,
        rows=found,
        groups=groups,
        notices=tuple(notices),
        # One visitor may be in several groups.
        total=rows.total if any(one.kind == COUNT for one in query.metrics) else None,
        meta=_meta(query, groups, len(found), source, report) if query.meta else None,
        values=(*query.values, *query.compared),
        decimals=(*query.figures, *((CHANGE,) if query.previous else ())),
        has_other=query.other,
        totals=with_decimals(query, _totals(query, rows)) if query.totals else None,
    )


def _totals(query: StatsQuery, rows: Rows) -> Mapping[str, int | None]:
    return {VALUE: rows.total} if query.is_plain else rows.totals


def _column(name: str) -> str:
    return f"column {name!r}" if name in EVENT_COLUMNS else visible(name)


def _lacks(query: StatsQuery, source: Source, report: ReadReport) -> list[str]:
    """What metrics cannot count since no file has the event column for it, a sentence each."""
    read = {one.read: _COUNTED.get(one.read, "numbers") for one in query.metrics if one.read}
    export = source.looks_like() if any(source.lacks(name, report) for name in read) else ""
    return [
        f"the data has no {_column(name)}, so no {what} to count"
        + (f": {export}" if export else f": --map {name}=COLUMN names it" if name in EVENT_COLUMNS else "")
        for name, what in read.items()
        if name not in source.projection.mapped and source.lacks(name, report)
    ]


def _meta(query: StatsQuery, groups: int, left: int, source: Source, report: ReadReport) -> dict[str, Any]:
    """What was asked and how it was answered, of so many rows before the limit and so many left by it."""
    start, end = (bound and utc_text(bound) for bound in (query.start, query.end))
    previous = query.previous and {"from": utc_text(query.previous[0]), "to": utc_text(query.previous[1])}
    return {
        "from": start,
        "to": end,
        **({"previous": previous} if previous else {}),
        "timezone": query.timezone,
        "rows_total": groups,
        "truncated": groups > left,
        "exact": not query.is_estimated,
        "relative_error": sketch.RELATIVE_ERROR if query.is_estimated else None,
        "files": len(source.found.files),
        "bad_rows": sum(report.bad_rows().values()),
    }


def order(query: StatsQuery, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order asked for, then in the contract's total one, cut at the limit, buckets as text.

    The contract's: buckets ascending, then values of the first metric descending, then labels by code point with null
    last; the row of other groups is the last of its bucket.
    """
    first, buckets, others = query.values[0], ["bucket"] if query.interval else [], [OTHER] if query.other else []
    asked = dict(query.order)
    keys = asked | {key: key == first for key in (*buckets, *others, first, *query.group_by) if key not in asked}
    limit = query.limit or len(rows)
    kept = within_limit(query, rows)
    if CHANGE in asked:
        kept = kept.with_columns(_ranks([change_of(*pair) for pair in kept.select(first, PREVIOUS).iter_rows()]))
    cut = kept.sort(*keys, descending=[*keys.values()], nulls_last=True).head(limit)
    if query.buckets:
        cut = cut.with_columns(bucket_labels(query.buckets, cut["bucket"]))
    return cut.select(*query.keys, *query.values, *([PREVIOUS] if query.previous else []))


def _ranks(changes: Sequence[int | None]) -> pl.Series:
    """Numbers that sort as changes do, which may have more digits than an engine's numbers."""
    places = {change: place for place, change in enumerate(sorted({one for one in changes if one is not None}))}
    return pl.Series(CHANGE, [None if one is None else places[one] for one in changes], pl.Int64)


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
    if len(rows) <= limit or query.fill or query.order or not query.is_plain:
        return rows
    if query.interval:
        return rows.filter(pl.col("bucket") <= rows["bucket"].sort(nulls_last=True).item(limit - 1))
    return rows.filter(pl.col(VALUE) >= rows[VALUE].top_k(limit).min())


def fill(query: StatsQuery, rows: pl.DataFrame, max_rows: int) -> pl.DataFrame:
    """The rows, and one of 0 for every group that is in the answer and every bucket of the range that it lacks.

    Where the range has no bound, the first or last bucket with events is the end. With no grouping there is one
    group, even when nothing matched. Raises InvalidParams when that would be more than `max_rows` rows.
    """
    labels = [key for key in query.keys if key != "bucket"]
    groups = rows.select(labels).unique() if labels else pl.DataFrame({"": [None]})
    pieces = _bucket_keys(query, rows["bucket"])
    count = sum(map(len, pieces)) * groups.height
    if count == 0:
        return rows
    if count > max_rows:
        fault = f"would make {count:,} rows, more than {max_rows:,}"
        raise InvalidParams({"fill": [fault]}, hint="ask a shorter range, or a longer interval")
    keys = pl.concat([pl.Series("bucket", one, pl.Int64) for one in pieces])
    grid = groups.join(keys.to_frame().cast(TIMESTAMP), how="cross")
    return grid.join(rows, on=list(query.keys), how="left", nulls_equal=True).select(rows.columns)


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
