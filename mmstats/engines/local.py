"""The engine on this machine: Polars, streaming, over files."""

import contextlib
from collections.abc import Callable

import polars as pl

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines import grouped, plan
from mmstats.engines.fill import filled
from mmstats.engines.packing import TooWide
from mmstats.engines.streaming import collected
from mmstats.events.opened import Events, open_events
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery

_MANY_LABELS = 5  # from so many on grouping by their texts is slower than numbering these


def answer(query: StatsQuery, dataset: Dataset, advance: Callable[[int], None] = lambda _: None) -> Stats:
    """What the events of the dataset answer to the question; `advance` is told of bytes read."""
    with open_events(dataset, plan.wanted_of(query), advance) as events, events.blamed():
        rows = _rows(query, events)
    if query.fill:
        frame = filled(query, rows.frame)
        rows = plan.Rows(frame, frame.height)
    shown = plan.ordered(query, rows.frame)
    return Stats(query.metric, query.labels, shown.to_dicts(), rows.groups, _notices(query, events))


def _rows(query: StatsQuery, events: Events) -> plan.Rows:
    if _is_total(query):
        return _whole(_total(query, events))
    frame, pack = events.frame(as_words=query.group_by), _packing(query)
    if pack:
        with contextlib.suppress(TooWide):
            return pack(query, plan.bucketed(query, frame))
    return _whole(collected(plan.answered(query, frame)))


def _whole(frame: pl.DataFrame) -> plan.Rows:
    return plan.Rows(frame, frame.height)


def _packing(query: StatsQuery) -> Callable[[StatsQuery, pl.LazyFrame], plan.Rows] | None:
    """How to answer by packed integers, where that is the better way."""
    if query.metric == "uniques":
        return None if query.exact else grouped.estimated
    return grouped.counted if len(query.group_by) >= _MANY_LABELS else None


def _is_total(query: StatsQuery) -> bool:
    return query.metric == "count" and not query.labels


def _total(query: StatsQuery, events: Events) -> pl.DataFrame:
    """The number of events: what statistics prove, and what is left to count."""
    known, rest = events.counted()
    return collected(plan.answered(query, rest)).select(pl.col(plan.VALUE) + known)


def _notices(query: StatsQuery, events: Events) -> tuple[str, ...]:
    notices = events.notices()
    if query.metric == "uniques" and VISITOR not in events.log.found and events.files:
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    return tuple(notices)
