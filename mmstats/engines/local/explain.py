"""What is done with each file of a source to answer a question, as a user is told of it."""

from collections.abc import Iterator

import polars as pl

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local import plan
from mmstats.engines.local.partial_cache import Ledger
from mmstats.engines.local.partials import partial_of
from mmstats.engines.local.strategy import Task, Way, grouping_of, task_of
from mmstats.files.event_file import EventFile
from mmstats.question.query import StatsQuery
from mmstats.readers.pruning import Reach, reaches
from mmstats.readers.source import Source, open_events
from mmstats.readers.statistics import Verdict
from mmstats.reports import Explanation, FileUse, Use, count_files


def uses(query: StatsQuery, source: Source, task: Task) -> tuple[FileUse, ...]:
    """Every file that was found, in order of path; of text files the rows are those read so far, None before that."""
    reached = _reached(query, source, task)
    kept = {file.path for file in task.files.used}
    found = [*source.files, *source.outside]
    return tuple(_use(file, reached.get(file.path), source, kept) for file in sorted(found, key=lambda file: file.path))


def _reached(query: StatsQuery, source: Source, task: Task) -> dict[str, Reach]:
    columns, some = plan.columns_of(query), {Verdict.SOME, Verdict.ALL}
    if task.way is Way.STATISTICS and source.events(judging=False).counted()[0]:
        some = {Verdict.SOME}
    whole = reaches(task.files.whole, source.shape.unbounded(), plan.columns_of(query, bounded=False), some)
    return whole | reaches(task.files.cut, source.shape, columns, some)


def _use(file: EventFile, reach: Reach | None, source: Source, kept: set[str]) -> FileUse:
    if reach is None or reach.is_nothing:
        return FileUse(str(file), Use.CACHED if file.path in kept else Use.PRUNED, file.size)
    rows = source.log.rows.get(file.path) if file.format.is_text else reach.rows
    return FileUse(str(file), Use.READ, file.size, reach.bytes, rows)


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
