"""The engine on this machine: Polars, streaming, over files."""

import polars as pl

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engineaddress import EngineAddress
from mmstats.engines import Engine, grouped, incremental, plan
from mmstats.engines.fill import filled
from mmstats.engines.ledger import Ledger
from mmstats.engines.notices import notices_of
from mmstats.engines.packing import TooWide
from mmstats.engines.partial import Marks, partial_of
from mmstats.engines.streaming import collected
from mmstats.engines.task import MANY_LABELS, Task, Way, everything, task_of
from mmstats.engines.uses import uses
from mmstats.events.opened import Events
from mmstats.events.source import Source, open_events
from mmstats.query import StatsQuery
from mmstats.work import Account


def engine(_: EngineAddress) -> Engine:
    """This engine, which is wherever mmstats is."""
    return answer


def answer(query: StatsQuery, dataset: Dataset, account: Account | None = None, cache: Cache | None = None) -> Stats:
    """What the events of the dataset answer to the question; the account is filled with what that takes.

    What is learnt of each file is kept in the cache, to be read instead of the file when something like it is asked.
    """
    account = account or Account()
    with account.phase("find files"):
        source = open_events(dataset, plan.wanted_of(query), account.advance, cache)
    with source, source.blamed():
        ledger = Ledger(cache, query, dataset) if cache else None
        with account.phase("find files"):
            task = task_of(query, source, ledger)
        with account.phase("read and group"):
            try:
                rows = _rows(query, source, task, ledger)
            except TooWide:
                task = everything(source)
                source.log.begin_anew()
                rows = _whole(collected(plan.answered(query, source.events().frame(query.group_by))))
        account.kept = ledger.learnt if ledger else 0
        if account.itemized:
            account.files = uses(query, source, task)
    with account.phase("order"):
        if query.fill:
            frame = filled(query, rows.frame)
            rows = plan.Rows(frame, frame.height)
        shown = plan.ordered(query, rows.frame)
        return Stats(query.metric, query.labels, shown.to_dicts(), rows.groups, notices_of(query, source))


def _rows(query: StatsQuery, source: Source, task: Task, ledger: Ledger | None) -> plan.Rows:
    """All rows of the answer; raises TooWide where labels have too many values for packing."""
    if task.way is Way.STATISTICS:
        return _whole(_total(query, source.events()))
    if task.way is Way.BY_FILE and ledger:
        return incremental.answered(query, source, task, partial_of(query, stored=source.is_stored), ledger)
    return _at_once(query, source.events().frame(query.group_by))


def _total(query: StatsQuery, events: Events) -> pl.DataFrame:
    """The number of events: what statistics prove, and what is left to count."""
    known, rest = events.counted()
    return collected(plan.answered(query, rest)).select(pl.col(plan.VALUE) + known)


def _at_once(query: StatsQuery, events: pl.LazyFrame) -> plan.Rows:
    """All rows of the answer, of all events at once; raises TooWide where labels have too many values for packing."""
    if query.metric == "uniques" and not query.exact:
        marks = Marks(query, events.collect_schema())
        return marks.finished([marks.of(events)])
    if query.metric == "count" and len(query.group_by) >= MANY_LABELS:
        return grouped.counted(query, plan.bucketed(query, events))
    return _whole(collected(plan.answered(query, events)))


def _whole(frame: pl.DataFrame) -> plan.Rows:
    return plan.Rows(frame, frame.height)
