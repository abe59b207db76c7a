"""An answer from cached partial aggregates, and from the files that are new, have changed or are cut by the range."""

from collections.abc import Sequence

import polars as pl

from mmstats.engines.local.aggregation import mergeable_of, with_bucket
from mmstats.engines.local.partial_cache import CachedPartials, FileRecord, PartialCache
from mmstats.engines.local.strategy import FilesByUse
from mmstats.engines.stages import Rows
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import current_fingerprints
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.pruning import Overlap
from mmstats.readers.report import FileReport, ReadReport, merged
from mmstats.readers.source import Scan, Source


class ByFile:
    """One answer by files; `stored` tells of how many files the partial aggregates were cached."""

    def __init__(self, query: StatsQuery, source: Source, files: FilesByUse) -> None:
        self._query, self._source, self._files = query, source, files
        self._aggregate = mergeable_of(query, source.projection.limits, stored=source.is_stored)
        self._scans: list[Scan] = []
        self._merging: list[pl.LazyFrame] = []
        self._by_path: dict[str, pl.DataFrame] = {}
        self.stored = 0

    def answer(self, cached: CachedPartials, cache: PartialCache) -> tuple[Rows, ReadReport]:
        """The rows of the answer; what it takes to answer sooner the next time is cached."""
        files, fingerprints = self._files, self._source.fingerprints
        self._read_whole(files.whole)
        self._read_each(files.partial_texts, whole=False)
        if files.partial_others or not self._merging:
            self._read_together(files.partial_others, whole=False)
        used = [
            cached.partials[fingerprint]
            for file in files.cached
            if (fingerprint := fingerprints[file.path]) in cached.partials
        ]
        restored = [self._aggregate.from_cache(pl.concat(used)).lazy()] if used else []
        rows = self._aggregate.merged([*restored, *self._merging])
        known = [*files.cached, *files.outside]
        reports = {file.path: cached.records[fingerprints[file.path]].report() for file in known}
        report = merged([ReadReport(reports, tuple(known)), *(scan.report() for scan in self._scans)])
        self._store(cached, report, cache)
        return rows, report

    def _read_whole(self, files: Sequence[EventFile]) -> None:
        """Read files that lie inside the range; the smallest shows whether caching is worth it."""
        limits = self._source.projection.limits
        by_size = sorted(files, key=lambda file: file.size)
        if sum(file.size for file in files) > limits.probe_bytes:
            smallest = by_size.pop(0)
            self._read_each([smallest], whole=True)
            partial = self._by_path[smallest.path]
            all_bytes = partial.estimated_size() * len(files)
            if not _is_worth(partial, smallest, limits) or all_bytes > limits.partials_bytes:
                del self._by_path[smallest.path]
                self._read_together(by_size, whole=True)
                return
        self._read_each(by_size, whole=True)

    def _read_each(self, files: Sequence[EventFile], *, whole: bool) -> None:
        if files:
            events = self._scan(files, whole=whole).numbered(self._query.group_by)
            partials = self._aggregate.by_file(with_bucket(self._query, events))
            by_number = partials.partition_by(FILE, as_dict=True, include_key=False)
            nothing = partials.head(0).drop(FILE)
            self._by_path |= {file.path: by_number.get((number,), nothing) for number, file in enumerate(files)}
            self._merging.append(partials.lazy())

    def _read_together(self, files: Sequence[EventFile], *, whole: bool) -> None:
        events = self._scan(files, whole=whole).frame(self._query.group_by)
        self._merging.append(self._aggregate.partial(with_bucket(self._query, events)))

    def _scan(self, files: Sequence[EventFile], *, whole: bool) -> Scan:
        self._scans.append(self._source.scan(files, whole=whole))
        return self._scans[-1]

    def _store(self, cached: CachedPartials, report: ReadReport, cache: PartialCache) -> None:
        """Cache what was found out of files that are still what they were, beside what is cached of others."""
        fingerprints, limits = self._source.fingerprints, self._source.projection.limits
        read = [file for file in self._source.files if file.path in self._by_path and file.path in fingerprints]
        current = current_fingerprints(read, limits.settle_ns) if read else {}
        records: dict[str, FileRecord] = {}
        partials: dict[str, pl.DataFrame] = {}
        for file in read:
            fingerprint, partial = fingerprints[file.path], self._by_path[file.path]
            found = report.files.get(file.path, FileReport())
            inside = self._source.overlap(file, found.range) is Overlap.INSIDE
            whole = inside and _is_worth(partial, file, limits)
            record = FileRecord(whole, found.range, tuple(sorted(found.columns)), found.bad_rows)
            old = cached.records.get(fingerprint)
            if current.get(file.path) == fingerprint and not (old and (old.whole or old == record)):
                records[fingerprint] = record
                if whole and len(partial):
                    partials[fingerprint] = self._aggregate.to_cache(partial)
        if not records:
            return
        there = set(fingerprints.values())
        kept_records = {known: record for known, record in cached.records.items() if known in there}
        kept_partials = {known: partial for known, partial in cached.partials.items() if known in there}
        if cache.store(CachedPartials(kept_records | records, kept_partials | partials)):
            self.stored = sum(record.whole for record in records.values())


def _is_worth(partial: pl.DataFrame, file: EventFile, limits: Limits) -> bool:
    """Whether a partial aggregate is so much smaller than its file that it is worth caching."""
    return partial.estimated_size() <= max(limits.small_partial_bytes, file.size // limits.partial_share)
