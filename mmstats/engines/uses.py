"""What is done with each file of a source to answer a question, as a user is told of it."""

from mmstats.engines import plan
from mmstats.engines.task import Task, Way
from mmstats.files.event_file import EventFile
from mmstats.question.query import StatsQuery
from mmstats.readers.pruning import Reach, reaches
from mmstats.readers.source import Source
from mmstats.readers.statistics import Verdict
from mmstats.reports import FileUse, Use


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
        return FileUse(str(file), Use.KEPT if file.path in kept else Use.OUTSIDE, file.size)
    rows = source.log.rows.get(file.path) if file.format.is_text else reach.rows
    return FileUse(str(file), Use.READ, file.size, reach.bytes, rows)
