"""A dataset opened for one question: its files found, fingerprinted and pruned, then scanned; a bad file is named."""

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from mmstats.cache import Cache
from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.errors import Changed, DatasetError, Undecodable, Unreadable
from mmstats.files.discovery import current_file, find_files, relisted, special_files
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error, check_found, check_unchanged, file_fingerprints, is_pipe
from mmstats.files.found import FileList
from mmstats.paths import readings
from mmstats.readers.bad_rows import find_bad_rows
from mmstats.readers.column_names import column_names
from mmstats.readers.columnar_file import ENGINE_FAULTS, count_rows, is_stream
from mmstats.readers.nested import BrokenText
from mmstats.readers.path_names import similar_paths
from mmstats.readers.position import MOST_ROWS
from mmstats.readers.projection import REQUIRED, Projection, Selection, keys_in
from mmstats.readers.pruning import FileRange, Overlap, RangeCache, lies_outside, overlap_of, overlaps
from mmstats.readers.report import FileReport, InstantRange, ReadOptions, ReadReport, merged
from mmstats.readers.scan import Scan
from mmstats.readers.schema_groups import by_pyarrow, find_undecodable
from mmstats.resources import lack_in
from mmstats.schemas.lookups import require
from mmstats.storage.errors import is_store_error
from mmstats.wording import did_you_mean, plural, visible

_Result = TypeVar("_Result")


def read_source(
    dataset: Dataset,
    selection: Selection,
    read: "Callable[[Source], _Result]",
    advance: Callable[[int], None] = lambda _: None,
    cache: Cache | None = None,
) -> _Result:
    """What `read` makes of the files that a question may have to read; `advance` is called with numbers of bytes read.

    What came through a pipe is gone afterwards. With a cache, what footers tell of files is cached. Raises NotEvents
    when there are no files, Unreadable when a folder may not be listed, the engine cannot decode a file, or a file
    changed meanwhile.

    A columnar file that the engine cannot decode is read once more, by PyArrow. Where a file changes or goes while it
    is read, the files are found again, and `read` is called once more. An import into a store on disk moves the files
    that it supersedes: for these it is called again with the same files where they are now, and each is moved once. An
    hour later an import removes them, in a bucket too: what came through a pipe stays then, and the store's new
    manifest says which files it has.
    """
    with ExitStack() as pipes:
        found = pipes.enter_context(find_files(dataset))
        has_pipe, again = any(map(is_pipe, dataset.locations)), True
        while True:
            try:
                source = Source(dataset, selection, found, advance, cache)
                with source.blaming(source.files):
                    result = read(source)
                    check_unchanged(source.files)
                    return result
            except Undecodable as fault:
                found = replace(found, files=by_pyarrow(found.files, fault))
            except Changed:
                current = replace(found, files=tuple(map(current_file, found.files)))
                if current == found and again:
                    again = False
                    with suppress(DatasetError):  # what is gone altogether is told by the name it had
                        current = (
                            replace(found, files=relisted(found.files))
                            if has_pipe
                            else pipes.enter_context(find_files(dataset))
                        )
                if current == found:
                    raise
                found = current


@contextmanager
def open_source(
    dataset: Dataset, selection: Selection, advance: Callable[[int], None] = lambda _: None
) -> Iterator["Source"]:
    """The files of a dataset as `read_source` finds them, to be read one by one, each inside `blaming`."""
    with find_files(dataset) as found:
        yield Source(dataset, selection, found, advance, None)


class Source:
    """The files of a dataset that a question may have to read.

    `fingerprints` are by path, of files that can be told from what they may become, where there is a cache. `pruned`
    are files of which the range leaves nothing, as far as that is known before they are opened.
    """

    def __init__(
        self,
        dataset: Dataset,
        selection: Selection,
        found: FileList,
        advance: Callable[[int], None],
        cache: Cache | None,
    ) -> None:
        self.dataset = dataset
        self.projection = projection_of(dataset, selection)
        if dataset.schema and not all(file.stored for file in found.files):
            asked = (*REQUIRED, *selection.read)
            require({name: self.projection.derivations[name] for name in asked}, dataset.geo_database)
        self.options = ReadOptions(dataset.skip_bad_rows, _one_at_a_time(advance))
        self.found = found
        trusted = dataset.trust_partitions
        files = [file for file in found.files if not (trusted and lies_outside(file, selection))]
        self.fingerprints = file_fingerprints(files, dataset.limits.settle_ns) if cache else {}
        ranges = RangeCache(cache, dataset) if cache else None
        self._overlaps = overlaps(files, self.projection, self.fingerprints, ranges)
        self.files = [file for file in files if self._overlaps[file.path][0] is not Overlap.OUTSIDE]
        read = {file.path for file in self.files}
        self.pruned = [file for file in found.files if file.path not in read]
        self._pruned_reports: dict[str, FileReport] = {}
        for file in self.pruned:
            _, known = self._overlaps.get(file.path, (None, None))
            projection = self.projection.as_stored if file.stored else self.projection
            if known:
                self._pruned_reports[file.path] = FileReport(projection.columns_in(file, known.columns))

    def overlap(self, file: EventFile, known: InstantRange | None = None) -> Overlap:
        """Where a file lies to the range, as far as that is known before it is opened, or by the range it has."""
        overlap, _ = self._overlaps[file.path]
        if overlap is Overlap.UNKNOWN and known:
            return overlap_of(FileRange(*known), self.projection.selection)
        return overlap

    def known_ranges(self) -> dict[str, InstantRange | None]:
        """The ranges of files as far as they were known before any was opened, by path."""
        return {path: (known.first, known.last) for path, (_, known) in self._overlaps.items() if known}

    def is_outside_by_folder(self, file: EventFile) -> bool:
        """Whether a file is pruned since its folders, which the user trusts, name a time outside the range."""
        return file.path not in self._overlaps

    def follow(self, files: Sequence[EventFile]) -> int:
        """Have `advance` told of columnar files too, where it is worth it; how many bytes it will be told of in all.

        Of a columnar file these are its bytes as stored, though only a part is read of it: a question is through with
        half of them when it is half through with the file. Streams of Arrow do not tell how many rows they have.
        """
        limits = self.projection.limits
        columnar = [file for file in files if not file.format.is_text]
        size = sum(file.size for file in columnar)
        if size >= max(limits.followed_bytes, limits.followed_file_bytes * len(columnar)):
            with suppress(*ENGINE_FAULTS):  # of a file that the engine cannot read, which PyArrow may
                rows = {file.path: count_rows(file) for file in columnar if not is_stream(file)}
                if sum(rows.values()) < MOST_ROWS:
                    self.options = replace(self.options, rows=rows)
        return sum(file.size for file in files if file.format.is_text or file.path in self.options.rows)

    def scan(self, files: Sequence[EventFile] | None = None, *, whole: bool = False, judge: bool = True) -> Scan:
        """The events selected of some of the files, or of all; of `whole` files the range need not be asked.

        Those that were judged already, or are only planned with, need not be judged.
        """
        projection = self.projection.unbounded if whole else self.projection
        return Scan(self.files if files is None else files, projection, self.options, judge=judge)

    @property
    def is_stored(self) -> bool:
        """Whether all the files are of stores."""
        return all(file.stored for file in self.files)

    @contextmanager
    def blaming(self, files: Sequence[EventFile]) -> Iterator[None]:
        """Inside the block, an engine that cannot decode a file raises Unreadable, naming it; a bug stays a bug."""
        try:
            yield
        except Unreadable:
            check_found(files)
            raise
        except (*ENGINE_FAULTS, OSError, BrokenText) as error:
            fault = self.blame(error, files)
            if fault is None:
                raise
            raise fault from None
        except KeyboardInterrupt:  # the engine's threads may wait for a store, and the end of the process for them
            for storage in {file.storage for file in files}:
                storage.cancel()
            raise

    def blame(self, error: BaseException, files: Sequence[EventFile]) -> DatasetError | None:
        """What an error of the engine comes from: the system, the way to a file, or a file that cannot be decoded.

        None for a bug. Raises Changed for a file that has changed or is gone: what was read may be of two versions.
        """
        if lack := lack_in(error):
            return lack
        if not is_store_error(error):
            check_found(files)
        columnar = [file for file in files if not file.format.is_text]
        if isinstance(error, BrokenText):
            bad = ((file, row) for file in columnar for row in find_bad_rows(file, self.projection))
            file, row = next(bad, (columnar[0], None))
            return row.error(file) if row else changed_error(str(file))
        return find_undecodable(columnar, self.projection, error) if columnar else None

    def report(self, *scanned: ReadReport) -> ReadReport:
        """What is known of all the files: those that were scanned, and those that were pruned."""
        return merged([ReadReport(self._pruned_reports, tuple(self.pruned)), *scanned])

    def notices(self, report: ReadReport) -> list[str]:
        """What a reader of the answer should know of how the events were read, a sentence each."""
        notices = report.notices()
        if count := self.found.special:
            notices.insert(0, f"passed over {special_files(count)}")
        if count := self.found.passed_over:
            notices.insert(0, f"passed over {plural(count, 'file')} of unknown extension")
        return [*notices, *(self.mapped_to_nothing(report.columns) if report.files else [])]

    def mapped_to_nothing(self, found: Collection[str]) -> list[str]:
        """What is wrong with columns of the question whose given names no file has, a sentence each.

        `found` are the event columns that some file has. Names are given by a mapping, and by a schema for the columns
        that must be there.
        """
        mapped, schema = self.projection.mapped, self.projection.schema
        required = [name for name in REQUIRED if schema and name in schema.columns]
        given = [name for name in self.projection.selection.read if name in mapped or name in required]
        lacking = [name for name in given if name in EVENT_COLUMNS and name not in found]
        if not lacking or not self._overlaps:
            return []
        names: Collection[str] = ()
        with suppress(DatasetError, *ENGINE_FAULTS):  # it is read for an offer alone
            names = column_names(self.found.files[0], self.projection)
        return [self._named_nothing(name, names) for name in lacking]

    def _named_nothing(self, column: str, names: Collection[str]) -> str:
        """That no file has what an event column is made of; the first one has columns of these names."""
        raw, *others = self.projection.sources[column]
        file = self.found.files[0]
        spelled = self.projection.as_spelled_in(file, names)
        path = spelled.paths.get(raw) or next(iter(readings(raw)[-1:]), None)
        if path is None or others:
            offer = did_you_mean(raw, names, f"--map {column}={{}}")
            named = self.projection.named(column)
            return f"no file has a column {named} to serve as {column}{offer and f': {visible(offer)}'}"
        near: list[str] = []
        with suppress(DatasetError, *ENGINE_FAULTS, OSError):
            near = similar_paths(path, names, column, file, self.projection)
        offer = (
            " or ".join(f"--map {column}={shlex.quote(visible(one))}" for one in near) if len(near) in {1, 2} else ""
        )
        lacks = "no row that was read has" if raw in spelled.paths else "no file has a column or path"
        return f"{lacks} {visible(raw)!r} to serve as {column}{offer and f': did you mean {offer}?'}"

    def looks_like(self) -> str:
        """What export the files look like, and the flag that reads it; empty where a schema is given, or none fits."""
        from mmstats.schemas.detection import looks_like  # needed only after a mistake

        files = [file for file in self.found.files if not file.stored]
        with suppress(DatasetError, *ENGINE_FAULTS, OSError):  # it is read for an offer alone
            if files and self.projection.schema is None:
                names = column_names(files[0], self.projection)
                return looks_like(keys_in(names), len(names))
        return ""

    def lacks(self, column: str, report: ReadReport) -> bool:
        """Whether there are files that may hold events of the range, and none of them has an event column."""
        return bool(self._overlaps) and column not in report.columns


def projection_of(dataset: Dataset, selection: Selection) -> Projection:
    """How the columns of a dataset become the event columns selected."""
    return Projection(
        selection,
        dataset.columns,
        dataset.timestamp_unit,
        dataset.limits,
        dialect=dataset.dialect,
        schema=dataset.schema,
        geo_database=dataset.geo_database,
    )


def _one_at_a_time(advance: Callable[[int], None]) -> Callable[[int], None]:
    """The same for several threads: it is called by one of them at a time."""
    lock = Lock()

    def locked(count: int) -> None:
        with lock:
            advance(count)

    return locked
