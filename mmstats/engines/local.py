"""The engine on this machine: Polars, streaming, over files."""

import contextlib
from collections.abc import Callable

import polars as pl

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines import grouped, incremental, plan
from mmstats.engines.fill import filled
from mmstats.engines.ledger import Ledger
from mmstats.engines.packing import TooWide
from mmstats.engines.partial import Counts, Marks, Partial
from mmstats.engines.streaming import collected
from mmstats.events.opened import Events
from mmstats.events.source import Source, open_events
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery

_MANY_LABELS = 5  # from so many on grouping by their texts is slower than numbering these


def answer(
    query: StatsQuery, dataset: Dataset, advance: Callable[[int], None] = lambda _: None, cache: Cache | None = None
) -> Stats:
    """What the events of the dataset answer to the question; `advance` is told of bytes read.

    What is learnt of each file is kept in the cache, to be read instead of the file when something like it is asked.
    """
    with open_events(dataset, plan.wanted_of(query), advance, cache) as source, source.blamed():
        rows = _rows(query, source, Ledger(cache, query, dataset) if cache else None)
    if query.fill:
        frame = filled(query, rows.frame)
        rows = plan.Rows(frame, frame.height)
    shown = plan.ordered(query, rows.frame)
    return Stats(query.metric, query.labels, shown.to_dicts(), rows.groups, _notices(query, source))


def _rows(query: StatsQuery, source: Source, ledger: Ledger | None) -> plan.Rows:
    if _is_total(query) and not any(file.format.is_text for file in source.files):
        return _whole(_total(query, source.events()))
    with contextlib.suppress(TooWide):
        if ledger and len(source.files) > 1 and not query.exact and len(query.group_by) < _MANY_LABELS:
            return incremental.answered(query, source, _partial(query, source), ledger)
        return _at_once(query, source.events().frame(query.group_by))
    return _whole(collected(plan.answered(query, source.events().frame(query.group_by))))


def _is_total(query: StatsQuery) -> bool:
    return query.metric == "count" and not query.labels


def _total(query: StatsQuery, events: Events) -> pl.DataFrame:
    """The number of events: what statistics prove, and what is left to count."""
    known, rest = events.counted()
    return collected(plan.answered(query, rest)).select(pl.col(plan.VALUE) + known)


def _partial(query: StatsQuery, source: Source) -> Partial:
    """How files answer the question one by one."""
    if query.metric == "count":
        return Counts(query)
    words = pl.Categorical() if all(file.stored for file in source.files) else pl.String()
    return Marks(query, dict.fromkeys(query.group_by, words))


def _at_once(query: StatsQuery, events: pl.LazyFrame) -> plan.Rows:
    """All rows of the answer, of all events at once; raises TooWide where labels have too many values for packing."""
    if query.metric == "uniques" and not query.exact:
        marks = Marks(query, events.collect_schema())
        return marks.finished([marks.of(events)])
    if query.metric == "count" and len(query.group_by) >= _MANY_LABELS:
        return grouped.counted(query, plan.bucketed(query, events))
    return _whole(collected(plan.answered(query, events)))


def _whole(frame: pl.DataFrame) -> plan.Rows:
    return plan.Rows(frame, frame.height)


def _notices(query: StatsQuery, source: Source) -> tuple[str, ...]:
    notices = source.notices()
    if query.metric == "uniques" and source.lacks(VISITOR):
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    return tuple(notices)
