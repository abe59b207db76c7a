"""An answer from cached partial aggregates, and from the files that are new, have changed or are cut by the range.

These are read in batches, and what was read is saved as it goes: a question that is stopped, by an interrupt or a
server's time limit, goes on from there when it is asked again.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mmstats.engines.local.aggregation import mergeable_of, with_bucket
from mmstats.engines.local.partial_cache import CachedPartials, FileRecord, PartialCache, renumbered
from mmstats.engines.local.strategy import ReadPlan
from mmstats.engines.stages import Rows
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import current_fingerprints
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.pruning import Overlap
from mmstats.readers.report import FileReport, ReadReport, merged
from mmstats.readers.scan import Scan
from mmstats.readers.source import Source
from mmstats.save_pace import SavePace


@dataclass(frozen=True, slots=True)
class _Batch:
    """Files that were read, each by itself; the rows of `partials` have as FILE the place of theirs among `files`."""

    files: Sequence[EventFile]
    partials: pl.DataFrame
    report: ReadReport

    def sizes(self) -> list[float]:
        """The bytes of each file's partial aggregate."""
        row_bytes = self.partials.estimated_size() / max(self.partials.height, 1)
        counts = dict(self.partials.group_by(FILE).len().iter_rows())
        return [counts.get(place, 0) * row_bytes for place in range(len(self.files))]


class ByFile:
    """One answer by files; `stored` tells of how many files the partial aggregates were cached."""

    def __init__(self, query: StatsQuery, source: Source, work: ReadPlan, cache: PartialCache) -> None:
        self._query, self._source, self._cache = query, source, cache
        self._cached, self._files, self._limits = work.cached, work.files, source.projection.limits
        self._aggregate = mergeable_of(query, self._limits, stored=source.is_stored)
        self._pace = SavePace(self._limits.save_seconds)
        self._scans: list[Scan] = []
        self._merging: list[pl.LazyFrame] = []
        self._unsaved: list[_Batch] = []
        self.stored = 0

    def answer(self) -> tuple[Rows, ReadReport]:
        """The rows of the answer; what it takes to answer sooner the next time is cached."""
        files, fingerprints = self._files, self._source.fingerprints
        try:
            self._read_whole(files.whole)
            self._read_each(files.partial_texts, whole=False)
        finally:
            self._save()
        if files.partial_others or not self._merging:
            self._read_together(files.partial_others, whole=False)
        used = self._cached.of(fingerprints[file.path] for file in files.cached).partials
        restored = [] if used is None else [self._aggregate.from_cache(used).lazy()]
        rows = self._aggregate.merged([*restored, *self._merging])
        known = [*files.cached, *files.outside]
        reports = {file.path: self._cached.records[fingerprints[file.path]].report() for file in known}
        return rows, merged([ReadReport(reports, tuple(known)), *(scan.report() for scan in self._scans)])

    def _read_whole(self, files: Sequence[EventFile]) -> None:
        """Read files that lie inside the range; the smallest shows whether caching is worth it."""
        by_size = sorted(files, key=lambda file: file.size)
        if sum(file.size for file in files) > self._limits.probe_bytes:
            smallest = by_size.pop(0)
            batch = self._read_batch([smallest], whole=True)
            (size,) = batch.sizes()
            if not _is_worth(size, smallest, self._limits) or size * len(files) > self._limits.partials_bytes:
                self._read_together(by_size, whole=True)
                return
            self._unsaved.append(batch)
        self._read_each(by_size, whole=True)

    def _read_each(self, files: Sequence[EventFile], *, whole: bool) -> None:
        """Read files in batches, the next one twice as large as long as one takes less time than passes between saves.

        Fewer and larger ones are read sooner: each begins and ends with a core that waits.
        """
        done, scale = 0, 1
        while done < len(files):
            start = time.monotonic()
            batch = list(_first(files[done:], scale * self._limits.batch_files, scale * self._limits.batch_bytes))
            self._unsaved.append(self._read_batch(batch, whole=whole))
            done += len(batch)
            if time.monotonic() - start < self._limits.save_seconds:
                scale *= 2
            if self._pace.is_due():
                with self._pace.saving():
                    self._save()

    def _read_batch(self, files: Sequence[EventFile], *, whole: bool) -> _Batch:
        scan = self._scan(files, whole=whole)
        partials = self._aggregate.by_file(with_bucket(self._query, scan.numbered(self._query.group_by)))
        self._merging.append(partials.lazy())
        return _Batch(files, partials, scan.report())

    def _read_together(self, files: Sequence[EventFile], *, whole: bool) -> None:
        events = self._scan(files, whole=whole).frame(self._query.group_by)
        self._merging.append(self._aggregate.partial(with_bucket(self._query, events)))

    def _scan(self, files: Sequence[EventFile], *, whole: bool) -> Scan:
        self._scans.append(self._source.scan(files, whole=whole))
        return self._scans[-1]

    def _save(self) -> None:
        """Cache what was found since the last time, beside what is cached of other files that are there.

        That is looked up again: another process may have added to it meanwhile.
        """
        found = CachedPartials()
        for batch in self._unsaved:
            found = found.joined(self._to_cache(batch))
        self._unsaved = []
        if found.records:
            kept = self._cache.find().of(self._source.fingerprints.values())
            if self._cache.store(kept.joined(found)):
                self.stored += sum(record.whole for record in found.records.values())

    def _to_cache(self, batch: _Batch) -> CachedPartials:
        """What is worth caching of files that are still what they were."""
        fingerprints = self._source.fingerprints
        current = current_fingerprints((one for one in batch.files if one.path in fingerprints), self._limits.settle_ns)
        records: dict[str, FileRecord] = {}
        numbers: list[int | None] = [None] * len(batch.files)
        for place, (file, size) in enumerate(zip(batch.files, batch.sizes(), strict=True)):
            found = batch.report.files.get(file.path, FileReport())
            inside = self._source.overlap(file, found.range) is Overlap.INSIDE
            whole = inside and _is_worth(size, file, self._limits)
            columns = tuple(sorted(found.columns))
            counts = (found.bad_rows, found.passed_over, found.swallowing)
            record = FileRecord(whole, found.range, columns, *counts)
            fingerprint = fingerprints.get(file.path)
            old = self._cached.records.get(fingerprint or "")
            if fingerprint and current.get(file.path) == fingerprint and not (old and (old.whole or old == record)):
                numbers[place] = len(records) if whole else None
                records[fingerprint] = record
        return CachedPartials(records, self._aggregate.to_cache(renumbered(batch.partials, numbers)))


def _first(files: Iterable[EventFile], count: int, size: int) -> Iterator[EventFile]:
    """The first of some files: at least one, at most so many, and of so many bytes."""
    for place, file in enumerate(files):
        size -= file.size
        if place and (place >= count or size < 0):
            return
        yield file


def _is_worth(size: float, file: EventFile, limits: Limits) -> bool:
    """Whether a partial aggregate of so many bytes is so much smaller than its file that it is worth caching."""
    return size <= max(limits.small_partial_bytes, file.size // limits.partial_share)
