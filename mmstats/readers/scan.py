"""The events of files, opened for one question: formats told apart, one frame of all."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import polars as pl
from polars.io.plugins import register_io_source

from mmstats.errors import DatasetError
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import check_as_found
from mmstats.readers.bad_rows import count_bad_rows
from mmstats.readers.columnar import ENGINE_FAULTS, FILE, ColumnarFiles, group_by_schema
from mmstats.readers.projection import VISITOR, Projection, hashed
from mmstats.readers.report import ReadLog
from mmstats.readers.statistics import count_by_statistics
from mmstats.readers.text_files import read_texts
from mmstats.storage.errors import is_store_error


class Scan:
    """The events of some files that one question wants."""

    def __init__(self, files: Sequence[EventFile], shape: Projection, log: ReadLog, *, judging: bool = True) -> None:
        self.files, self.log, self._shape = files, log, shape
        self._text = [file for file in files if file.format.is_text]
        parts = group_by_schema((file for file in files if not file.format.is_text), shape, log)
        # Each with whether it has rows to leave out: a filter that the good case does not pay for.
        self._parts = [(part, judging and not part.is_stored and count_bad_rows(part, log)) for part in parts]

    def frame(self, as_words: Collection[str] = ()) -> pl.LazyFrame:
        """The wanted columns of the wanted events, lazily; `as_words` those that are Categorical in all the files."""
        words = [name for name in as_words if self._has_words(name)]
        scans = [part.events(part.scan(), leave_out_bad=bad, as_words=words) for part, bad in self._parts]
        return self._with_text(scans)

    def numbered(self, as_words: Collection[str] = ()) -> pl.LazyFrame:
        """The frame with the number of the file that an event is from, its place in `files`, as the column FILE."""
        numbers = {file.path: number for number, file in enumerate(self.files)}
        words = [name for name in as_words if self._has_words(name)]
        scans = [
            part.events(part.scan(with_origin=True), leave_out_bad=bad, as_words=words, numbers=numbers)
            for part, bad in self._parts
        ]
        return self._with_text(scans, numbers)

    def _has_words(self, column: str) -> bool:
        return bool(self._parts) and not self._text and all(part.has_words(column) for part, _ in self._parts)

    def hand_over(self, take: Callable[[pl.DataFrame], None]) -> None:
        """Give all the wanted events to `take`, a bounded number at a time, and read on when it has returned."""
        for part, bad in self._parts:
            part.events(part.scan(), leave_out_bad=bad).sink_batches(take, engine="streaming")
        for frame in self._read_text(None, None, None, None, None):
            take(frame)

    def counted(self) -> tuple[int, pl.LazyFrame]:
        """How many of the wanted events statistics prove, without reading them, and the rest to be counted."""
        known = 0
        frames: list[pl.LazyFrame] = []
        for part, bad in self._parts:
            if bad or not _worth_statistics(part):
                frames.append(part.events(part.scan(), leave_out_bad=bad))
                continue
            proven, rest = count_by_statistics(part)
            known += proven
            frames += rest
        return known, self._with_text(frames)

    def _with_text(self, frames: list[pl.LazyFrame], numbers: Mapping[str, int] | None = None) -> pl.LazyFrame:
        wanted = self._shape.wanted
        if self._text or not frames:
            schema = {**wanted.schema, **({FILE: pl.UInt32()} if numbers is not None else {})}
            text = register_io_source(partial(self._read_text, numbers), schema=pl.Schema(schema))
            frames = [*frames, text.with_columns(hashed(pl.col(VISITOR))) if wanted.hashed else text]
        return pl.concat(frames)

    def _read_text(
        self,
        numbers: Mapping[str, int] | None,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        _rows: int | None,
        _batch: int | None,
    ) -> Iterator[pl.DataFrame]:
        """The events of the text files, in their order, as the engine asks for them."""
        for file, frame in read_texts(self._text, self._shape, self.log):
            numbered = frame if numbers is None else frame.with_columns(_number(numbers[file.path]))
            kept = numbered if predicate is None else numbered.filter(predicate)
            yield kept if columns is None else kept.select(columns)

    def blamed(self, error: BaseException) -> DatasetError | None:
        """What an error of the engine comes from: the way to a file, or the first that it cannot decode, if any."""
        return next((fault for part, _ in self._parts if (fault := part.blamed(error))), None)


@contextmanager
def blamed(opened: Sequence[Scan]) -> Iterator[None]:
    """Inside the block, an engine that cannot decode a file raises Unreadable, naming it; a bug stays a bug."""
    try:
        yield
    except (*ENGINE_FAULTS, OSError) as error:
        if not is_store_error(error):  # what cannot be decoded may be of two versions
            check_as_found(file for events in opened for file in events.files)
        faults = (events.blamed(error) for events in opened)
        fault = next((one for one in faults if one), None)
        if fault is None:
            raise
        raise fault from None
    except KeyboardInterrupt:  # the engine's threads may wait for a store, and the end of the process for them
        for storage in {file.storage for events in opened for file in events.files}:
            storage.cancel()
        raise


def read_through(file: EventFile, shape: Projection, log: ReadLog) -> None:
    """Read all that a question wants of a file, for what the log is told and what is raised of it."""
    events = Scan([file], shape, log)
    with blamed([events]):
        events.hand_over(lambda _: None)


@contextmanager
def as_found(opened: Sequence[Scan]) -> Iterator[None]:
    """After the block, an object that was replaced meanwhile raises Unreadable: what was read may be of both."""
    yield
    check_as_found({file.path: file for events in opened for file in events.files}.values())


def _number(number: int) -> pl.Expr:
    return pl.lit(number, pl.UInt32).alias(FILE)


def _worth_statistics(part: ColumnarFiles) -> bool:
    """Whether counting by statistics may spare reading enough."""
    wanted, files = part.shape.wanted, part.files
    if files[0].format.name != "parquet" or not (wanted.bounded or wanted.event):
        return False  # without a range or event the engine counts by the footers itself
    return sum(file.size for file in files) >= part.shape.limits.statistics_bytes
