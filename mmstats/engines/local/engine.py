"""The engine on this machine: Polars, streaming, over files."""

from collections.abc import Sequence

import polars as pl

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.engines import Engine
from mmstats.engines.local.aggregation import TextGroups, aggregate_of, with_bucket
from mmstats.engines.local.by_file import ByFile
from mmstats.engines.local.explain import file_uses
from mmstats.engines.local.packing import TooWide
from mmstats.engines.local.partial_cache import PartialCache
from mmstats.engines.local.strategy import ReadPlan, Strategy, plan_read, read_together
from mmstats.engines.stages import Rows, selection_of, stats_of
from mmstats.errors import Changed, DatasetError
from mmstats.files.event_file import EventFile
from mmstats.question.query import VALUE, StatsQuery
from mmstats.readers.report import ReadReport
from mmstats.readers.source import Source, read_source
from mmstats.reports import Profile


def engine(_: EngineAddress) -> Engine:
    """This engine, which is wherever mmstats is."""
    return answer


def answer(query: StatsQuery, dataset: Dataset, profile: Profile | None = None, cache: Cache | None = None) -> Stats:
    """What the events of the dataset answer to the question; the profile is filled with what that takes.

    With a cache, partial aggregates of files are cached, to be read instead of the files when something like it is
    asked again.

    `read_source` finds the files and calls `read` with them; `Source.scan` reads schemas and statistics and looks for
    bad rows; `rows` collects the lazy frame, which reads the events.
    """
    profile, dataset = profile or Profile(), dataset.in_zone(query.timezone)

    def read(source: Source) -> Stats:
        partials = PartialCache(cache, query, dataset) if cache else None
        work = plan_read(query, source, partials)
        profile.begin("read and group")
        _expect(source, [*work.files.whole, *work.files.partial], profile)
        try:
            rows, report = _rows(query, source, work, partials, profile)
        except TooWide:
            work = read_together(source)
            _expect(source, source.files, profile)
            scan = source.scan()
            rows = TextGroups(query).rows(with_bucket(query, scan.frame(query.group_by)))
            report = scan.report()
        if profile.with_files:
            profile.files = file_uses(query, source, work, report)
        profile.begin("order")
        stats = stats_of(query, rows, source, source.report(report))
        profile.begin("")
        return stats

    profile.begin("find files")
    return read_source(dataset, selection_of(query), read, profile.advance, cache)


def _expect(source: Source, files: Sequence[EventFile], profile: Profile) -> None:
    """Say how much there is to read of some files, where somebody watches."""
    if profile.expect and (size := source.follow(files)):
        profile.expect(size)


def _rows(
    query: StatsQuery, source: Source, work: ReadPlan, partials: PartialCache | None, profile: Profile
) -> tuple[Rows, ReadReport]:
    """All rows of the answer; raises TooWide where labels have too many values for packing."""
    if work.strategy is Strategy.BY_FILE and partials:
        by_file = ByFile(query, source, work, partials)
        try:
            return by_file.answer()
        except Changed:
            raise
        except DatasetError:
            # It has read files in an order of its own. Which of several faults is named must not depend on the cache.
            work = read_together(source)
        finally:
            profile.files_stored = by_file.stored
    scan = source.scan()
    if work.strategy is Strategy.STATISTICS:
        known, rest = scan.count_by_statistics()
        total = TextGroups(query).rows(rest).frame.select(pl.col(VALUE) + known)
        return Rows.whole(total), scan.report()
    events = with_bucket(query, scan.frame(query.group_by))
    if not query.is_plain:
        from mmstats.engines.local import derived_rows

        return derived_rows.rows_of(query, events, source.projection.limits), scan.report()
    return aggregate_of(query, events, source.projection.limits).rows(events), scan.report()
