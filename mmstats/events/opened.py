"""The events of a dataset, opened for one question: files found, formats told apart, one frame of all."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import polars as pl
from polars.io.plugins import register_io_source

from mmstats.dataset import Dataset
from mmstats.errors import Unreadable
from mmstats.events.columnar import judge
from mmstats.events.delimited import read_delimited
from mmstats.events.eventfile import EventFile
from mmstats.events.hive import span_of
from mmstats.events.listing import Listing
from mmstats.events.location import find_files
from mmstats.events.ndjson import read_json
from mmstats.events.part import ENGINE_FAULTS, Part, parts_of
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape
from mmstats.events.schema import ColumnMap, Wanted
from mmstats.events.statistics import counted
from mmstats.events.visitor import VISITOR, hashed

_READERS: dict[str, Callable[[EventFile, Shape, ReadLog], Iterator[pl.DataFrame]]] = {
    "ndjson": read_json,
    "json": read_json,
    "csv": read_delimited,
    "tsv": read_delimited,
}
# Below this many bytes reading a column costs less than loading the reader of statistics.
_WORTH_STATISTICS = 1 << 20


def open_events(dataset: Dataset, wanted: Wanted, advance: Callable[[int], None] = lambda _: None) -> "Events":
    """The events of a dataset that a question wants, found but not yet read; `advance` is told of bytes read.

    Closed, they leave nothing behind of what came through a pipe. Raises NotEvents when there are none to be found,
    Unreadable when a folder may not be listed.
    """
    listing = find_files(dataset.locations, dataset.input_format)
    files = [file for file in listing.files if _meets(file, wanted, trust_partitions=dataset.trust_partitions)]
    shape = Shape(wanted, ColumnMap(dataset.columns), dataset.timestamp_unit)
    try:
        return Events(files, shape, ReadLog(dataset.skip_bad_rows, advance), listing)
    except BaseException:
        listing.close()
        raise


@contextmanager
def kept_until_read(listing: Listing) -> Iterator[Listing]:
    """Remove what came through a pipe at the end of the block, however it ends."""
    try:
        yield listing
    finally:
        listing.close()


def _meets(file: EventFile, wanted: Wanted, *, trust_partitions: bool) -> bool:
    """Whether what a store's manifest says of a file, or its folders where they are trusted, leave any of the range."""
    if file.stored:
        return (wanted.end is None or file.stored.first < wanted.end) and (
            wanted.start is None or wanted.start <= file.stored.last
        )
    span = span_of(file.partition) if trust_partitions else None
    if span is None:
        return True
    first, end = span
    return (wanted.end is None or first < wanted.end) and (wanted.start is None or wanted.start < end)


class Events:
    """The events of a dataset that one question wants; as a context, they are closed at its end."""

    def __init__(self, files: Sequence[EventFile], shape: Shape, log: ReadLog, listing: Listing) -> None:
        self.files, self.log = files, log
        self._shape, self._unknown = shape, listing.unknown
        self._listing = listing
        self._text = [file for file in files if file.format.is_text]
        parts = parts_of((file for file in files if not file.format.is_text), shape, log)
        # Each with whether it has rows to leave out: a filter that the good case does not pay for.
        self._parts = [(part, not part.is_stored and judge(part, log)) for part in parts]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with kept_until_read(self._listing):
            pass

    def frame(self, as_words: Collection[str] = ()) -> pl.LazyFrame:
        """The wanted columns of the wanted events, lazily; `as_words` those that are Categorical in all the files."""
        words = [name for name in as_words if self._has_words(name)]
        scans = [part.events(part.scan(), leave_out_bad=bad, as_words=words) for part, bad in self._parts]
        return self._with_text(scans)

    def _has_words(self, column: str) -> bool:
        return bool(self._parts) and not self._text and all(part.has_words(column) for part, _ in self._parts)

    def hand_over(self, take: Callable[[pl.DataFrame], None]) -> None:
        """Give all the wanted events to `take`, a bounded number at a time, and read on when it has returned."""
        for part, bad in self._parts:
            part.events(part.scan(), leave_out_bad=bad).sink_batches(take, engine="streaming")
        for frame in self._read_text(None, None, None, None):
            take(frame)

    def counted(self) -> tuple[int, pl.LazyFrame]:
        """How many of the wanted events statistics prove, without reading them, and the rest to be counted."""
        known = 0
        frames: list[pl.LazyFrame] = []
        for part, bad in self._parts:
            if bad or not _worth_statistics(part):
                frames.append(part.events(part.scan(), leave_out_bad=bad))
                continue
            proven, rest = counted(part)
            known += proven
            frames += rest
        return known, self._with_text(frames)

    def _with_text(self, frames: list[pl.LazyFrame]) -> pl.LazyFrame:
        wanted = self._shape.wanted
        if self._text or not frames:
            text = register_io_source(self._read_text, schema=pl.Schema(wanted.schema))
            frames = [*frames, text.with_columns(hashed(pl.col(VISITOR))) if wanted.hashed else text]
        return pl.concat(frames)

    def _read_text(
        self, columns: list[str] | None, predicate: pl.Expr | None, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        """The events of the text files, one after the other, as the engine asks for them."""
        for file in self._text:
            for frame in _READERS[file.format.name](file, self._shape, self.log):
                kept = frame if predicate is None else frame.filter(predicate)
                yield kept if columns is None else kept.select(columns)

    def notices(self) -> list[str]:
        """What a reader of the answer should know of how the events were read, a sentence each."""
        if not self._unknown:
            return self.log.notices()
        others = "1 file" if self._unknown == 1 else f"{self._unknown:,} files"
        return [f"passed over {others} of unknown extension", *self.log.notices()]

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Inside the block, an engine that cannot decode a file raises Unreadable, naming it; a bug stays a bug."""
        try:
            yield
        except (*ENGINE_FAULTS, OSError):
            blamed = self._blame()
            if blamed is None:
                raise
            raise blamed from None

    def _blame(self) -> Unreadable | None:
        return next((fault for part, _ in self._parts if (fault := part.undecoded())), None)


def _worth_statistics(part: Part) -> bool:
    """Whether counting by statistics may spare reading enough."""
    wanted, files = part.shape.wanted, part.files
    if files[0].format.name != "parquet" or not (wanted.bounded or wanted.event):
        return False  # without a range or event the engine counts by the footers itself
    return sum(Path(file.path).stat().st_size for file in files) >= _WORTH_STATISTICS
