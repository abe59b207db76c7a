"""The engine on this machine: Polars, streaming, over files."""

import polars as pl

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.engines import Engine, finish
from mmstats.engines.finish import stats_of
from mmstats.engines.local import by_file, plan
from mmstats.engines.local.explain import uses
from mmstats.engines.local.packing import TooWide
from mmstats.engines.local.partial_cache import Ledger
from mmstats.engines.local.partials import partial_of
from mmstats.engines.local.strategy import ByTexts, Task, Way, everything, grouping_of, task_of
from mmstats.engines.local.streaming import collected
from mmstats.question.query import StatsQuery
from mmstats.readers.scan import Scan
from mmstats.readers.source import Source, open_events
from mmstats.reports import Profile


def engine(_: EngineAddress) -> Engine:
    """This engine, which is wherever mmstats is."""
    return answer


def answer(query: StatsQuery, dataset: Dataset, profile: Profile | None = None, cache: Cache | None = None) -> Stats:
    """What the events of the dataset answer to the question; the profile is filled with what that takes.

    What is learnt of each file is kept in the cache, to be read instead of the file when something like it is asked.
    """
    profile = profile or Profile()
    with profile.phase("find files"):
        source = open_events(dataset, plan.wanted_of(query), profile.advance, cache)
    with source, source.blamed():
        ledger = Ledger(cache, query, dataset) if cache else None
        with profile.phase("find files"):
            task = task_of(query, source, ledger)
        with profile.phase("read and group"):
            try:
                rows = _rows(query, source, task, ledger)
            except TooWide:
                task = everything(source)
                source.log.begin_anew()
                texts = ByTexts(query)
                rows = texts.rows(texts.of(source.events().frame(query.group_by)))
        profile.files_stored = ledger.learnt if ledger else 0
        if profile.with_files:
            profile.files = uses(query, source, task)
    with profile.phase("order"):
        return stats_of(query, rows, source)


def _rows(query: StatsQuery, source: Source, task: Task, ledger: Ledger | None) -> finish.Rows:
    """All rows of the answer; raises TooWide where labels have too many values for packing."""
    if task.way is Way.STATISTICS:
        return _total(query, source.events())
    if task.way is Way.BY_FILE and ledger:
        partial = partial_of(query, source.shape.limits, stored=source.is_stored)
        return by_file.answered(query, source, task, partial, ledger)
    events = source.events().frame(query.group_by)
    grouping = grouping_of(query, events, source.shape.limits)
    return grouping.rows(grouping.of(events))


def _total(query: StatsQuery, events: Scan) -> finish.Rows:
    """The number of events: what statistics prove, and what is left to count."""
    known, rest = events.counted()
    return finish.Rows(collected(plan.answered(query, rest)).select(pl.col(finish.VALUE) + known), 1)
