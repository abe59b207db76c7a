"""An import: the sources, which of them are new to the store or have changed, and the run that writes their events."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import polars as pl

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.errors import NotEvents, OutputError, Undecodable
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.files.manifest import Manifest, StoreSource
from mmstats.readers.projection import REQUIRED, Selection
from mmstats.readers.report import ReadReport, merged
from mmstats.readers.schema_groups import by_pyarrow
from mmstats.readers.source import Source, open_source
from mmstats.readers.statistics import read_footer
from mmstats.resources import refused
from mmstats.storage.url import scheme_of
from mmstats.store import CommitConflict, Store, store_module
from mmstats.store.writing import DayWriter, compact
from mmstats.wording import visible

_ATTEMPTS = 8  # of an import that conflicts with others
_DIGEST_BLOCK = 1 << 20


def _ignore(*_: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Functions that an import calls on its way.

    `expect` gets the name of the step that begins and how many bytes it will read, `advance` the number of bytes read
    since the last call, `note` a sentence for the user when the import has to wait.
    """

    expect: Callable[[str, int], None] = _ignore
    advance: Callable[[int], None] = _ignore
    note: Callable[[str], None] = _ignore


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: numbers of sources, the rows they gave, the new manifest, and notices for the user."""

    added: int
    replaced: int
    unchanged: int
    rows: int
    manifest: Manifest
    notices: tuple[str, ...]


def import_events(dataset: Dataset, to: str | Path, callbacks: Callbacks | None = None) -> Imported:
    """Import the events of a dataset into the store at `to`, a folder or a prefix of an object store.

    Sources that the store has are skipped, changed ones replace the rows they gave before. Raises DatasetError when
    something cannot be read, OutputError when the store cannot be written; the store then stays as it was.
    """
    callbacks, location = callbacks or Callbacks(), str(to)
    module = store_module(location)
    everything = replace(dataset, trust_partitions=False)
    with open_source(everything, Selection(EVENT_COLUMNS), callbacks.advance) as source:
        module.check_location(location, dataset.storage_options)
        files = _outside(location, source.files)
        conflicts = 0
        while conflicts < _ATTEMPTS:
            try:
                with module.open_store(location, dataset.storage_options, callbacks.note, dataset.limits) as store:
                    return _Import(dataset, source, store, callbacks).run(files)
            except CommitConflict:
                conflicts += 1
            except Undecodable as undecodable:
                files = by_pyarrow(files, undecodable)
    fault = f"{visible(location)}: other imports came first, {_ATTEMPTS} times"
    raise OutputError(fault, hint="import again when they are done")


def _outside(location: str, files: Iterable[EventFile]) -> Sequence[EventFile]:
    """The files that are not in the store at a location.

    Raises NotEvents for files of another store, which are rewritten and renamed there as it grows.
    """
    within = os.path.realpath(location) + os.sep if scheme_of(location) is None else f"{location.rstrip('/')}/"
    found = [file for file in files if not file.storage.canonical(file.path).startswith(within)]
    for file in found:
        if file.stored:
            folder = visible(file.path.rsplit("/", 2)[0])
            raise NotEvents(f"{folder}: is a store", hint="import what it was imported from")
    if not found:
        raise NotEvents(f"{visible(location)}: no event files but those of the store itself")
    return found


@dataclass(frozen=True, slots=True)
class _FoundSource:
    """A file to import, before its events are read.

    `location`, `digest` and `read_as` are what the manifest will say of it; `identity` is that of its status, by which
    a change during the import is noticed.
    """

    file: EventFile
    location: str
    digest: str
    read_as: str
    identity: str

    def is_imported(self, source: StoreSource | None, *, skip_bad_rows: bool) -> bool:
        """Whether a source of the store has the rows that the file would give, and left none out unless it may."""
        if source is None or (source.digest, source.read_as) != (self.digest, self.read_as):
            return False
        return skip_bad_rows or not source.left_out

    def check_unchanged(self) -> None:
        """Raise Changed when the file has changed since it was found."""
        status = self.file.storage.current_status([self.file.path]).get(self.file.path)
        if status is None or status.identity != self.identity:
            raise changed_error(str(self.file))


def _find_source(file: EventFile, dataset: Dataset, advance: Callable[[int], None]) -> _FoundSource:
    """The source that a file is; `advance` is called with the number of bytes read for the digest.

    A pipe has no location: its digest stands for one. Raises Unreadable for a file that cannot be read.
    """
    identity = file.storage.status(file.path).identity
    digest = _digest(file, advance)
    location = f"-#{digest}" if file.name else file.storage.canonical(file.path)
    read_as = {"map": dict(sorted(dataset.columns.items())), "timestamp_unit": dataset.timestamp_unit}
    read_as["input_format"] = file.format.name
    return _FoundSource(file, location, digest, json.dumps(read_as, separators=(",", ":")), identity)


def _digest(file: EventFile, advance: Callable[[int], None]) -> str:
    """The content identifier that the storage has for a file, or else a digest of its bytes."""
    content_id = file.storage.content_id(file.path)
    if content_id:
        advance(file.size)
        return content_id
    digest = blake2b(digest_size=20)
    try:
        with file.storage.open(file.path) as stream:
            while block := stream.read(_DIGEST_BLOCK):
                digest.update(block)
                advance(len(block))
    except OSError as error:
        raise refused(file, error) from None
    return f"blake2b:{digest.hexdigest()}"


class _Import:
    """One attempt to import files into a store as it is now."""

    def __init__(self, dataset: Dataset, source: Source, store: Store, callbacks: Callbacks) -> None:
        self._dataset, self._source, self._store, self._callbacks = dataset, source, store, callbacks

    def run(self, files: Sequence[EventFile]) -> Imported:
        """Import the files that the store does not have as they are."""
        self._callbacks.expect("checking", _total_bytes(files))
        each = (_find_source(file, self._dataset, self._callbacks.advance) for file in files)
        found = list({one.location: one for one in each}.values())  # two pipes may have the same content
        manifest, report, skip = self._store.manifest, ReadReport(), self._dataset.skip_bad_rows
        imported = {source.location: source for source in manifest.sources}
        new = [one for one in found if not one.is_imported(imported.get(one.location), skip_bad_rows=skip)]
        replaced = {imported[one.location].id for one in new if one.location in imported}
        if new:
            manifest, report = self._write(new, replaced)
        rows = sum(source.rows for source in manifest.sources if source.id >= self._store.manifest.next_source)
        notices = tuple(self._source.notices(report))
        return Imported(len(new) - len(replaced), len(replaced), len(found) - len(new), rows, manifest, notices)

    def _write(self, new: Sequence[_FoundSource], replaced: set[int]) -> tuple[Manifest, ReadReport]:
        """Write the events of new sources, and commit a manifest with them and without the sources replaced."""
        before, limits = self._store.manifest, self._dataset.limits
        self._callbacks.expect("importing", _total_bytes([one.file for one in new]))
        writer = DayWriter(self._store, limits.held_bytes)
        written = [self._write_source(one, number, writer) for number, one in enumerate(new, before.next_source)]
        writer.flush()
        report = merged(report for _, report in written)
        columns = tuple(name for name in EVENT_COLUMNS if name in report.columns or name in before.columns)
        # Of no rows none has what a path leads to.
        has_rows = any(source.rows for source, _ in written)
        if faults := self._source.mapped_to_nothing(columns if has_rows else (*REQUIRED, *columns)):
            raise NotEvents(faults[0])
        remaining = (source for source in before.sources if source.id not in replaced)
        sources = (*remaining, *(source for source, _ in written))
        files = compact([*before.files, *writer.files], replaced, self._store, limits)
        manifest = Manifest(sources, tuple(files), columns, before.next_source + len(new))
        self._store.commit(manifest)
        return manifest, report

    def _write_source(self, found: _FoundSource, number: int, writer: DayWriter) -> tuple[StoreSource, ReadReport]:
        with self._source.blaming([found.file]):
            scan = self._source.scan([found.file])
            progress = _SourceProgress(found.file, self._callbacks.advance)

            def write(batch: pl.DataFrame) -> None:
                writer.add(batch, number)
                progress.add(batch.height)

            scan.for_each_batch(write)
        writer.end_source()
        progress.finish()
        found.check_unchanged()
        report = scan.report()
        left_out = sum(report.bad_rows().values())
        source = StoreSource(number, found.location, found.digest, found.read_as, progress.rows, left_out)
        return source, report


class _SourceProgress:
    """Counts the `rows` read of a source, and calls `advance` with the share of its bytes.

    Text files are left out of that: their reader calls `advance` itself.
    """

    def __init__(self, file: EventFile, advance: Callable[[int], None]) -> None:
        self.rows = 0
        self._advance, self._advanced = advance, 0
        self._bytes = 0 if file.format.is_text else file.size
        self._all_rows = 0
        if file.format.name == "parquet":
            self._all_rows = sum(rows for rows, _ in read_footer(file, ()))

    def add(self, rows: int) -> None:
        """So many more rows have been read."""
        self.rows += rows
        if self._all_rows:
            self._advance_to(self._bytes * min(self.rows, self._all_rows) // self._all_rows)

    def finish(self) -> None:
        """All rows have been read."""
        self._advance_to(self._bytes)

    def _advance_to(self, done: int) -> None:
        self._advance(done - self._advanced)
        self._advanced = done


def _total_bytes(files: Iterable[EventFile]) -> int:
    return sum(file.size for file in files)
