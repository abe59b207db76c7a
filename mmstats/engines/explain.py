"""How the engine on this machine would answer a question, decided as it is when it answers."""

from collections.abc import Iterator

import polars as pl

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines import plan
from mmstats.engines.grouping import grouping_of
from mmstats.engines.ledger import Ledger
from mmstats.engines.partial import partial_of
from mmstats.engines.task import Task, Way, task_of
from mmstats.engines.uses import uses
from mmstats.question.query import StatsQuery
from mmstats.readers.source import Source, open_events
from mmstats.reports import Explanation, Use, count_files


def explain(query: StatsQuery, dataset: Dataset, cache: Cache | None = None) -> Explanation:
    """How `answer` would go about it, told without reading events."""
    with open_events(dataset, plan.wanted_of(query), cache=cache) as source, source.blamed():
        task = task_of(query, source, Ledger(cache, query, dataset) if cache else None)
        columns = plan.columns_of(query, bounded=bool(task.files.cut))
        files = uses(query, source, task)
        steps = _plan(query, source, task) if count_files(files, Use.READ) else ()
        return Explanation("local", False, columns, files, steps)


def _plan(query: StatsQuery, source: Source, task: Task) -> tuple[str, ...]:
    """What the engine is asked to do with the events that are read, a line each."""
    scans = _by_file(query, source, task) if task.way is Way.BY_FILE else [_scan(query, source, task)]
    return tuple(line for scan in scans for line in scan.explain(engine="streaming").splitlines())


def _scan(query: StatsQuery, source: Source, task: Task) -> pl.LazyFrame:
    events = source.events(judging=False)
    if task.way is Way.STATISTICS:
        return plan.answered(query, events.counted()[1])
    frame = events.frame(query.group_by)
    return grouping_of(query, frame, source.shape.limits).of(frame)


def _by_file(query: StatsQuery, source: Source, task: Task) -> Iterator[pl.LazyFrame]:
    partial = partial_of(query, source.shape.limits, stored=source.is_stored)
    for files, whole in ((task.files.whole, True), (task.files.cut_texts, False)):
        if files:
            yield partial.scanned(source.events(files, whole=whole, judging=False).numbered(query.group_by))
    if task.files.cut_others:
        yield partial.of(source.events(task.files.cut_others, judging=False).frame(query.group_by))
