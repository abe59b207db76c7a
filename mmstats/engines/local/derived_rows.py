"""Rows derived from partial aggregates that are finer: of the largest groups and all others, of two ranges compared.

The finest keys are the labels of an answer and, where ranges are compared, the side that an event is on.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from mmstats.engines.local.measures import EVENTS, Measures, Partials
from mmstats.engines.stages import Rows
from mmstats.limits import Limits
from mmstats.question.comparison import paired
from mmstats.question.query import OTHER, PREVIOUS, StatsQuery
from mmstats.question.ranges import micros
from mmstats.readers.projection import Selection
from mmstats.readers.timestamps import TIMESTAMP

_SIDE, _PARTNER = "side", "partner"
_CURRENT, _BOTH, _PREVIOUS = range(3)  # ranges may overlap


def measures_of(query: StatsQuery, limits: Limits) -> Measures:
    """What is aggregated of the events that have their side."""
    return Measures(query, [*([_SIDE] if query.previous else []), *query.labels], limits)


def with_side(query: StatsQuery, events: pl.LazyFrame) -> pl.LazyFrame:
    """The events of both ranges of a comparison, with the side that they are on; without one all events."""
    if query.previous is None:
        return events
    is_current, is_previous = (_within(*ends) for ends in ((query.start, query.end), query.previous))
    side = (
        pl.when(is_current & is_previous)
        .then(_BOTH)
        .when(is_current)
        .then(_CURRENT)
        .when(is_previous)
        .then(_PREVIOUS)
        .cast(pl.UInt8)
    )
    return events.with_columns(side.alias(_SIDE)).filter(pl.col(_SIDE).is_not_null())


def _within(start: datetime | None, end: datetime | None) -> pl.Expr:
    assert start
    assert end
    bounds = Selection((), start.replace(tzinfo=None), end.replace(tzinfo=None))
    return bounds.in_range(pl.col("timestamp"))


def rows_of(query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> Rows:
    """The rows of events that have their bucket."""
    measures = measures_of(query, limits)
    partials = measures.partials(with_side(query, events))
    sides = _sides(query, partials)
    totals = _compared(query, [measures.values(side, ()) for side in sides], ())
    count = int(sides[0].figures[EVENTS].sum())
    if query.top:
        marks = _largest(query, measures, sides).with_columns(pl.lit(value=False).alias(OTHER))
        sides = [_marked(query, side, marks) for side in sides]
    frame = _compared(query, [measures.values(side, query.keys) for side in sides], query.keys)
    return Rows(frame, frame.height, count, totals.row(0, named=True), measures.others(partials))


def _sides(query: StatsQuery, partials: Partials) -> list[Partials]:
    """The partial aggregates of the range, and of the one that it is compared with, if it is."""
    if query.previous is None:
        return [partials]
    side = pl.col(_SIDE)
    return [partials.filtered(side <= _BOTH), partials.filtered(side >= _BOTH)]


def _largest(query: StatsQuery, measures: Measures, sides: Sequence[Partials]) -> pl.DataFrame:
    """The groups of either range that come first by the first metric in this one."""
    first, labels = query.values[0], list(query.group_by)
    groups = pl.concat([side.figures.select(labels) for side in sides]).unique()
    ranked = groups.join(measures.values(sides[0], labels), on=labels, how="left", nulls_equal=True)
    value = pl.col(first) if query.metrics[0].is_figure else pl.col(first).fill_null(0)
    order = [True, *(False for _ in labels)]
    return (
        ranked.with_columns(value)
        .sort(first, *labels, descending=order, nulls_last=True)
        .head(query.top or 0)
        .select(labels)
    )


def _marked(query: StatsQuery, partials: Partials, marks: pl.DataFrame) -> Partials:
    """The partial aggregates of marked groups, and if they are asked for those of all others under null labels."""
    labels = list(query.group_by)
    other = pl.col(OTHER)
    marked = partials.joined(marks, labels).with_keys(other.fill_null(value=True))
    if not query.other:
        return marked.filtered(~other)
    return marked.with_keys(pl.when(~other).then(pl.col(labels)))


def _compared(query: StatsQuery, sides: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """The rows of this range, with the previous values where there are some: of the bucket in the same place."""
    if len(sides) == 1:
        return sides[0]
    (value,) = query.values
    rows, previous = sides[0], sides[1].rename({value: PREVIOUS})
    if not keys:
        return rows.hstack(previous)
    if "bucket" in keys:
        previous = _in_same_places(query, previous)
    return rows.join(previous, on=list(keys), how="full", coalesce=True, nulls_equal=True).select(
        *keys, value, PREVIOUS
    )


def _in_same_places(query: StatsQuery, previous: pl.DataFrame) -> pl.DataFrame:
    """The previous rows that have a partner, by its bucket."""
    buckets, ends = query.buckets, query.previous
    assert buckets and ends
    (start, end), (first, last) = query.micros, map(micros, ends)
    assert start is not None
    assert end is not None
    pairs = paired(buckets.keys(first, last), buckets.keys(start, end), previous["bucket"].to_physical().unique())
    partners = pl.DataFrame(
        {"bucket": [*pairs], _PARTNER: [*pairs.values()]}, dict.fromkeys(("bucket", _PARTNER), pl.Int64)
    )
    found = previous.join(partners.cast(TIMESTAMP), on="bucket")
    return found.with_columns(pl.col(_PARTNER).alias("bucket"))
