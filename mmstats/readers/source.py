"""The files of a dataset that a question may have to read: found, and left out where the range proves them foreign."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.files.discovery import find_files
from mmstats.files.event_file import EventFile, partition_range
from mmstats.files.fingerprint import settled_files
from mmstats.files.listing import Listing, kept_until_read
from mmstats.readers.projection import ColumnMap, Projection, Selection
from mmstats.readers.pruning import FileRange, Overlap, RangeCache, file_ranges, manifest_range, overlap_of
from mmstats.readers.report import ReadLog
from mmstats.readers.scan import Scan, as_found, blamed


def open_events(
    dataset: Dataset, wanted: Selection, advance: Callable[[int], None] = lambda _: None, cache: Cache | None = None
) -> "Source":
    """The events of a dataset that a question wants, found but not yet opened; `advance` is told of bytes read.

    Closed, they leave nothing behind of what came through a pipe. With a cache, what footers tell of files is kept.
    Raises NotEvents when there are none to be found, Unreadable when a folder may not be listed.
    """
    listing = find_files(dataset.locations, dataset.input_format, dataset.storage_options)
    try:
        return Source(dataset, wanted, listing, advance, cache)
    except BaseException:
        listing.close()
        raise


class Source:
    """The files of a dataset that a question may have to read; as a context, closed at its end.

    `known` are the identities of files that can be told from what they may become, by path, where there is a cache;
    `outside` are files of which the range leaves nothing, as far as that is known before they are opened.
    """

    def __init__(
        self,
        dataset: Dataset,
        wanted: Selection,
        listing: Listing,
        advance: Callable[[int], None] = lambda _: None,
        cache: Cache | None = None,
    ) -> None:
        self.shape = Projection(wanted, ColumnMap(dataset.columns), dataset.timestamp_unit, dataset.limits)
        self.log, self._listing = ReadLog(dataset.skip_bad_rows, advance), listing
        self._opened: list[Scan] = []
        trusted = [file for file in listing.files if not (dataset.trust_partitions and _is_foreign(file, wanted))]
        self.known = settled_files(trusted, dataset.limits.settle_ns) if cache else {}
        spans = self._spans(dataset, trusted, cache)
        self._places = {file.path: overlap_of(spans.get(file.path), wanted) for file in trusted}
        self.files = [file for file in trusted if self._places[file.path] is not Overlap.OUTSIDE]
        left = {file.path for file in self.files}
        self.outside = [file for file in listing.files if file.path not in left]
        for file in trusted:
            if self._places[file.path] is Overlap.OUTSIDE:
                shape = self.shape.as_stored() if file.stored else self.shape
                self.log.columns[file.path] = shape.found(file, spans[file.path].columns)

    def _spans(self, dataset: Dataset, files: Sequence[EventFile], cache: Cache | None) -> dict[str, FileRange]:
        stored = {file.path: span for file in files if (span := manifest_range(file))}
        if cache is None or not self.shape.wanted.bounded:
            return stored
        others = [file for file in files if not file.stored]
        return stored | file_ranges(others, self.known, self.shape, RangeCache(cache, dataset))

    def place(self, file: EventFile, span: tuple[int, int] | None = None) -> Overlap:
        """Where a file lies to the range, as far as that is known before it is opened, or by the span it has."""
        place = self._places[file.path]
        return overlap_of(FileRange(*span), self.shape.wanted) if place is Overlap.UNKNOWN and span else place

    def events(self, files: Sequence[EventFile] | None = None, *, whole: bool = False, judging: bool = True) -> "Scan":
        """The events wanted of some of the files, or of all; of `whole` files the range need not be asked.

        Those that are not to be read, but only planned with, need no judging.
        """
        shape = self.shape.unbounded() if whole else self.shape
        events = Scan(self.files if files is None else files, shape, self.log, judging=judging)
        self._opened.append(events)
        return events

    @property
    def is_stored(self) -> bool:
        """Whether all the files are of stores."""
        return all(file.stored for file in self.files)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Inside the block, an engine that cannot decode a file raises Unreadable, naming it; a bug stays a bug.

        After it, an object that was replaced meanwhile does.
        """
        with as_found(self._opened), blamed(self._opened):
            yield

    def notices(self) -> list[str]:
        """What a reader of the answer should know of how the events were read, a sentence each."""
        return notices(self._listing, self.log)

    def lacks(self, column: str) -> bool:
        """Whether there are files, and none of them has an event column."""
        return bool(self._places) and column not in self.log.found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with kept_until_read(self._listing):
            pass


def _is_foreign(file: EventFile, wanted: Selection) -> bool:
    """Whether the folders of a file, which the user trusts, leave nothing of the range."""
    span = partition_range(file.partition)
    if span is None:
        return False
    first, end = span
    return (wanted.end is not None and first >= wanted.end) or (wanted.start is not None and wanted.start >= end)


def notices(listing: Listing, log: ReadLog) -> list[str]:
    """What a reader of an answer should know of how events were read, a sentence each."""
    if not listing.unknown:
        return log.notices()
    others = "1 file" if listing.unknown == 1 else f"{listing.unknown:,} files"
    return [f"passed over {others} of unknown extension", *log.notices()]
