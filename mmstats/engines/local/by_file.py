"""An answer from the parts that are kept of files, and from the files that are new, have changed or are cut."""

from collections.abc import Sequence

import polars as pl

from mmstats.engines import finish
from mmstats.engines.local.partial_cache import Kept, Ledger, Record
from mmstats.engines.local.partials import Partial
from mmstats.engines.local.strategy import Task
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import still_settled
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.pruning import Overlap
from mmstats.readers.source import Source


def answered(query: StatsQuery, source: Source, task: Task, partial: Partial, ledger: Ledger) -> finish.Rows:
    """The answer; what it takes to answer sooner the next time is kept."""
    kept, files = task.kept, task.files
    for file in (*files.used, *files.passed):
        record = kept.records[source.known[file.path]]
        source.log.columns[file.path] = set(record.found)
        source.log.leave_out(file, record.bad_rows)
    reading = _Reading(source, partial, query.group_by)
    reading.read_whole(files.whole)
    reading.read_cut(files.cut_texts, files.cut_others)
    used = [kept.parts[known] for file in files.used if (known := source.known[file.path]) in kept.parts]
    restored = [partial.restored(pl.concat(used)).lazy()] if used else []
    rows = partial.finished([*restored, *reading.parts])
    _keep(source, kept, reading.learnt(), ledger)
    return rows


class _Reading:
    """What is read of the files that no part is kept of; `parts` are what the answer needs of it."""

    def __init__(self, source: Source, partial: Partial, words: Sequence[str]) -> None:
        self._source, self._partial, self._words = source, partial, words
        self.parts: list[pl.LazyFrame] = []
        self._by_file: dict[str, pl.DataFrame] = {}

    def read_whole(self, files: Sequence[EventFile]) -> None:
        """Read files that lie inside the range; of the smallest it is seen whether keeping parts is worth it."""
        limits = self._source.shape.limits
        by_size = sorted(files, key=lambda file: file.size)
        if sum(file.size for file in files) > limits.probe_bytes:
            smallest = by_size.pop(0)
            self._read_by_file([smallest], whole=True)
            part = self._by_file[smallest.path]
            all_bytes = part.estimated_size() * len(files)
            if not _is_worth(part, smallest, limits) or all_bytes > limits.partials_bytes:
                del self._by_file[smallest.path]
                self._read_at_once(by_size, whole=True)
                return
        self._read_by_file(by_size, whole=True)

    def read_cut(self, texts: Sequence[EventFile], others: Sequence[EventFile]) -> None:
        """Read files that may not lie inside the range; of texts it is known once they have been read."""
        self._read_by_file(texts, whole=False)
        if others or not self.parts:
            self._read_at_once(others, whole=False)

    def _read_by_file(self, files: Sequence[EventFile], *, whole: bool) -> None:
        if files:
            parts = self._partial.by_file(self._source.events(files, whole=whole).numbered(self._words))
            by_number = parts.partition_by(FILE, as_dict=True, include_key=False)
            nothing, paths = parts.head(0).drop(FILE), [file.path for file in files]
            self._by_file |= {path: by_number.get((number,), nothing) for number, path in enumerate(paths)}
            self.parts.append(parts.lazy())

    def _read_at_once(self, files: Sequence[EventFile], *, whole: bool) -> None:
        self.parts.append(self._partial.of(self._source.events(files, whole=whole).frame(self._words)))

    def learnt(self) -> Kept:
        """The records and parts of the files that were read one by one and are still what they were."""
        records, parts = {}, {}
        read = [file for file in self._source.files if file.path in self._by_file]
        settle_ns = self._source.shape.limits.settle_ns
        still = still_settled((file for file in read if file.path in self._source.known), settle_ns)
        for file in read:
            known, part = self._source.known.get(file.path), self._by_file[file.path]
            if known is None or still.get(file.path) != known:
                continue
            record = self._record(file, part)
            records[known] = record
            if record.whole and len(part):
                parts[known] = self._partial.to_keep(part)
        return Kept(records, parts)

    def _record(self, file: EventFile, part: pl.DataFrame) -> Record:
        source, span = self._source, self._source.log.spans.get(file.path)
        whole = source.place(file, span) is Overlap.INSIDE and _is_worth(part, file, source.shape.limits)
        found = tuple(sorted(source.log.columns.get(file.path, ())))
        return Record(whole, span, found, source.log.bad_rows[str(file)])


def _is_worth(part: pl.DataFrame, file: EventFile, limits: Limits) -> bool:
    """Whether a part is so much smaller than its file that it is worth keeping."""
    return part.estimated_size() <= max(limits.small_partial_bytes, file.size // limits.partial_share)


def _keep(source: Source, kept: Kept, learnt: Kept, ledger: Ledger) -> None:
    """Keep what was learnt beside what is kept of files that are still there."""
    new = {
        known: record for known, record in learnt.records.items() if not _says_as_much(kept.records.get(known), record)
    }
    if not new:
        return
    there = set(source.known.values())
    records = {known: record for known, record in kept.records.items() if known in there} | new
    parts = {known: part for known, part in kept.parts.items() if known in there}
    parts |= {known: part for known, part in learnt.parts.items() if known in new}
    if ledger.write(Kept(records, parts)):
        ledger.learnt = sum(record.whole for record in new.values())


def _says_as_much(old: Record | None, new: Record) -> bool:
    """Whether a record that is kept says as much as a new one."""
    return old is not None and (old.whole or old == new)
