"""The engine on this machine: Polars, streaming, over files."""

import contextlib
import time
from collections.abc import Callable

import polars as pl

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines import plan
from mmstats.engines.fill import filled
from mmstats.events.opened import Events, open_events
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery


def answer(query: StatsQuery, dataset: Dataset, advance: Callable[[int], None] = lambda _: None) -> Stats:
    """What the events of the dataset answer to the question; `advance` is told of bytes read."""
    with open_events(dataset, plan.wanted_of(query), advance) as events, events.blamed():
        rows = _total(query, events) if _is_total(query) else _collect(plan.answered(query, events.frame()))
    rows = filled(query, rows) if query.fill else rows
    shown = plan.ordered(query, rows)
    return Stats(query.metric, query.labels, shown.to_dicts(), rows.height, _notices(query, events))


def _is_total(query: StatsQuery) -> bool:
    return query.metric == "count" and not query.labels


def _total(query: StatsQuery, events: Events) -> pl.DataFrame:
    """The number of events: what statistics prove, and what is left to count."""
    known, rest = events.counted()
    return _collect(plan.answered(query, rest)).select(pl.col(plan.VALUE) + known)


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(0)  # Python raises for the same signal once more, which would cut our cleaning up short
        raise


def _notices(query: StatsQuery, events: Events) -> tuple[str, ...]:
    notices = events.notices()
    if query.metric == "uniques" and VISITOR not in events.log.found and events.files:
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    return tuple(notices)
