"""How the engine on this machine would answer a question, and what is done with each file."""

from collections.abc import Iterator

import polars as pl

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.aggregation import TextGroups, aggregate_of, columns_of, mergeable_of, with_bucket
from mmstats.engines.local.partial_cache import PartialCache
from mmstats.engines.local.strategy import ReadPlan, Strategy, plan_read
from mmstats.engines.stages import selection_of
from mmstats.files.event_file import EventFile
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.pruning import ReadEstimate, estimate_reads
from mmstats.readers.report import ReadReport
from mmstats.readers.source import Source, read_source
from mmstats.readers.statistics import Match
from mmstats.reports import COUNTED, Explanation, FileUse, Use, count_files

# Why a file is not read, or only its footer.
_OTHER_FOLDER = "folder outside the range"
_OTHER_TIME = "outside the range"
_NO_MATCH = "no match by statistics"
_KNOWN_COUNT = "counted by statistics"
_FOOTER = "counted by its footer"


def explain(query: StatsQuery, dataset: Dataset, cache: Cache | None = None) -> Explanation:
    """How `answer` would go about it, told without reading events."""
    dataset = dataset.in_zone(query.timezone)

    def read(source: Source) -> Explanation:
        work = plan_read(query, source, PartialCache(cache, query, dataset) if cache else None)
        columns = columns_of(query, bounded=bool(work.files.partial))
        files = file_uses(query, source, work, ReadReport())
        scans = _scans(query, source, work) if count_files(files, Use.READ) else ()
        steps = tuple(line for scan in scans for line in scan.explain(engine="streaming").splitlines())
        return Explanation("local", False, query.start, query.end, query.timezone, columns, files, steps)

    return read_source(dataset, selection_of(query), read, cache=cache)


def _scans(query: StatsQuery, source: Source, work: ReadPlan) -> Iterator[pl.LazyFrame]:
    """What the engine is asked to do with the events that are read."""
    limits = source.projection.limits
    if work.strategy is not Strategy.BY_FILE:
        scan = source.scan(judge=False)
        if work.strategy is Strategy.STATISTICS:
            yield TextGroups(query).partial(scan.count_by_statistics()[1])
        else:
            events = with_bucket(query, scan.frame(query.group_by))
            if query.is_plain:
                yield aggregate_of(query, events, limits).partial(events)
            else:
                from mmstats.engines.local.derived_rows import measures_of, with_side  # only few questions need it

                yield measures_of(query, limits).prepared(with_side(query, events))
        return
    mergeable = mergeable_of(query, limits, stored=source.is_stored)
    for files, whole in ((work.files.whole, True), (work.files.partial_texts, False)):
        if files:
            events = source.scan(files, whole=whole, judge=False).numbered(query.group_by)
            yield mergeable.partial(with_bucket(query, events), FILE)
    if work.files.partial_others:
        events = source.scan(work.files.partial_others, judge=False).frame(query.group_by)
        yield mergeable.partial(with_bucket(query, events))


def file_uses(query: StatsQuery, source: Source, work: ReadPlan, report: ReadReport) -> tuple[FileUse, ...]:
    """Every file that was found, in order of path; of text files the rows are those that the report has of them."""
    matches = {Match.SOME, Match.ALL}
    if work.strategy is Strategy.STATISTICS and source.scan(judge=False).count_by_statistics()[0]:
        matches = {Match.SOME}
    unbounded = columns_of(query, bounded=False)
    reads = estimate_reads(work.files.whole, source.projection.unbounded, unbounded, matches)
    reads |= estimate_reads(work.files.partial, source.projection, columns_of(query), matches)
    whys = {file.path: _OTHER_FOLDER if source.is_outside_by_folder(file) else _OTHER_TIME for file in source.pruned}
    whys |= dict.fromkeys((file.path for file in work.files.outside), _OTHER_TIME)
    by_statistics = _KNOWN_COUNT if work.strategy is Strategy.STATISTICS else _NO_MATCH
    whys |= {path: by_statistics for path, read in reads.items() if read.pruned}
    cached = {file.path for file in work.files.cached}
    uses = []
    for file in sorted([*source.files, *source.pruned], key=lambda file: file.path):
        if file.path in cached:
            uses.append(FileUse(str(file), Use.CACHED, file.size, why=COUNTED))
        elif file.path in whys:
            uses.append(FileUse(str(file), Use.PRUNED, file.size, why=whys[file.path]))
        else:
            uses.append(_read(file, reads[file.path], report))
    return tuple(uses)


def _read(file: EventFile, read: ReadEstimate, report: ReadReport) -> FileUse:
    if file.format.is_text:
        known = report.files.get(file.path)
        return FileUse(str(file), Use.READ, file.size, read.bytes, known.rows if known else None)
    return FileUse(str(file), Use.READ, file.size, read.bytes, read.rows, "" if read.bytes or read.rows else _FOOTER)
