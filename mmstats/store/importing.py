"""Which files of a day stay as they are, which are merged into one, which lose rows of sources that are gone."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import polars as pl

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.errors import OutputError
from mmstats.files.event_file import EventFile
from mmstats.files.manifest import Manifest, StoreFile, StoreSource
from mmstats.limits import Limits
from mmstats.readers.projection import Selection
from mmstats.readers.report import ReadReport, merged
from mmstats.readers.source import Source, open_source
from mmstats.readers.statistics import read_footer
from mmstats.store.home import Home, Overtaken, kind_of
from mmstats.store.sources import FoundSource, found_source, outside
from mmstats.store.writing import DayWriter, rewrite
from mmstats.wording import visible

Rewrite = Callable[[Sequence[StoreFile], set[int]], list[StoreFile]]


def settled(files: Iterable[StoreFile], gone: set[int], rewrite: Rewrite, limits: Limits) -> list[StoreFile]:
    """The files that a store is to have: few in each day, and none with rows of sources that are gone.

    `rewrite` makes one file of several.
    """
    by_day = groupby(sorted(files, key=lambda file: (file.day, file.first, file.name)), key=lambda file: file.day)
    return [file for _, day in by_day for file in _settled_day(list(day), gone, rewrite, limits)]


def _settled_day(files: list[StoreFile], gone: set[int], rewrite: Rewrite, limits: Limits) -> list[StoreFile]:
    alive = [file for file in files if file.sources.keys() - gone]
    merged = _too_many(alive, limits)
    kept: list[StoreFile] = rewrite(merged, gone) if merged else []
    for file in alive:
        if file not in merged:
            kept += rewrite([file], gone) if file.sources.keys() & gone else [file]
    return kept


def _too_many(files: list[StoreFile], limits: Limits) -> list[StoreFile]:
    """The files of a day to make one of."""
    if len(files) > limits.day_files:
        return files
    small = [file for file in files if file.bytes < limits.small_file_bytes]
    return small if len(small) > limits.small_day_files else []


_ATTEMPTS = 8  # of an import that others come before


def _ignore(*_: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how an import goes.

    `expect` is told of the work that begins and how many bytes it will read, `advance` of bytes read, `say` of what
    keeps the import waiting.
    """

    expect: Callable[[str, int], None] = _ignore
    advance: Callable[[int], None] = _ignore
    say: Callable[[str], None] = _ignore


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has done: sources by what became of them, the rows that they gave, and what the store is now."""

    added: int
    replaced: int
    unchanged: int
    rows: int
    store: Manifest
    notices: tuple[str, ...]


def import_events(dataset: Dataset, store: str | Path, watch: Watch | None = None) -> Imported:
    """Take the events of a dataset into a store, a folder or a prefix of an object store.

    Sources that the store has already are passed over, changed ones replace what they gave before. Raises DatasetError
    when something cannot be read, OutputError when the store cannot be written; then it stays as it was.
    """
    watch, store = watch or Watch(), str(store)
    kind = kind_of(store)
    everything = replace(dataset, trust_partitions=False)
    with open_source(everything, Selection(EVENT_COLUMNS), watch.advance, blame=False) as source:
        kind.check_free(store, dataset.storage_options)
        files = outside(source.files, store)
        for _ in range(_ATTEMPTS):
            with (
                suppress(Overtaken),
                kind.opened(store, dataset.storage_options, watch.say, dataset.limits) as home,
            ):
                return _Import(dataset, source, home, watch).run(files)
    fault = f"{visible(store)}: other imports came first, {_ATTEMPTS} times"
    raise OutputError(fault, hint="import again when they are done")


class _Import:
    """One try to import files into a store as it is now."""

    def __init__(self, dataset: Dataset, source: Source, home: Home, watch: Watch) -> None:
        self._dataset, self._source, self._home, self._watch = dataset, source, home, watch
        self._known = {source.location: source for source in home.manifest.sources}

    def run(self, files: Sequence[EventFile]) -> Imported:
        """Import what the store does not have yet."""
        self._watch.expect("checking", _bytes(files))
        each = (found_source(file, self._dataset, self._watch.advance) for file in files)
        found = list({one.location: one for one in each}.values())  # pipes may bring the same twice
        skip = self._dataset.skip_bad_rows
        new = [one for one in found if not one.is_known_as(self._known.get(one.location), skip_bad_rows=skip)]
        old = {one.location: self._known[one.location] for one in new if one.location in self._known}
        manifest, report = self._home.manifest, ReadReport()
        if new:
            manifest, report = self._imported(new, {one.id for one in old.values()})
        rows = sum(one.rows for one in manifest.sources if one.id >= self._home.manifest.next_source)
        notices = tuple(self._source.notices(report))
        return Imported(len(new) - len(old), len(old), len(found) - len(new), rows, manifest, notices)

    def _imported(self, new: Sequence[FoundSource], gone: set[int]) -> tuple[Manifest, ReadReport]:
        before, writer = self._home.manifest, DayWriter(self._home, self._dataset.limits.held_bytes)
        self._watch.expect("importing", _bytes([one.file for one in new]))
        taken = [self._take(one, number, writer) for number, one in enumerate(new, before.next_source)]
        writer.flush()
        report = merged(report for _, report in taken)
        rewritten = partial(rewrite, home=self._home)
        files = settled([*before.files, *writer.files], gone, rewritten, self._dataset.limits)
        kept = [source for source in before.sources if source.id not in gone]
        columns = tuple(name for name in EVENT_COLUMNS if name in report.columns or name in before.columns)
        sources = (*kept, *(source for source, _ in taken))
        manifest = Manifest(sources, tuple(files), columns, before.next_source + len(new))
        self._home.commit(manifest)
        return manifest, report

    def _take(self, found: FoundSource, number: int, writer: DayWriter) -> tuple[StoreSource, ReadReport]:
        file = found.file
        with self._source.blaming([file]):
            scan, progress = self._source.scan([file]), _Progress(file, self._watch.advance)

            def take(batch: pl.DataFrame) -> None:
                writer.add(batch, number)
                progress.advance(batch.height)

            scan.for_each_batch(take)
        writer.end_source()
        progress.finish()
        found.check_unchanged()
        report = scan.report()
        left_out = sum(report.bad_rows().values())
        source = StoreSource(number, found.location, found.digest, found.read_as, progress.rows, left_out)
        return source, report


class _Progress:
    """How far a file of columns has been read, in bytes; text files tell of themselves."""

    def __init__(self, file: EventFile, advance: Callable[[int], None]) -> None:
        self._advance, self._told, self.rows = advance, 0, 0
        self._bytes = 0 if file.format.is_text else _bytes([file])
        self._all = 0
        if file.format.name == "parquet":
            self._all = sum(rows for rows, _ in read_footer(file, ()))

    def advance(self, rows: int) -> None:
        """So many more rows have been read."""
        self.rows += rows
        if self._all:
            self._tell(self._bytes * min(self.rows, self._all) // self._all)

    def finish(self) -> None:
        """The file has been read."""
        self._tell(self._bytes)

    def _tell(self, done: int) -> None:
        self._advance(done - self._told)
        self._told = done


def _bytes(files: Sequence[EventFile]) -> int:
    return sum(file.size for file in files)
