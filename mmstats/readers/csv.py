"""Events from CSV and TSV with a header, read strictly: a row has as many fields as the header, or it is bad.

Arrow's reader is the fast path, since it refuses what others pad. Which row was bad is found by reading the file again,
record by record (`csv_records`), only after the reader gave up.
"""

import atexit
import codecs
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO
from weakref import WeakSet

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_arrow import arrow_options, columns_to_read, named
from mmstats.readers.csv_records import UNCLOSED, delimiter_of, find_bad_records, read_header
from mmstats.readers.projection import Projection, judge_rows, range_of, select_rows
from mmstats.readers.report import FileReport, InstantRange, ReadOptions, union_range


@dataclass(frozen=True, slots=True)
class CsvBlock:
    """What was read of a block of records: the events selected, its rows, and the range of those that can be read."""

    events: pl.DataFrame
    rows: int
    bad_rows: int
    range: InstantRange | None


class CsvReader:
    """A file of CSV or TSV as it is read for one question."""

    def __init__(self, file: EventFile, projection: Projection, options: ReadOptions) -> None:
        self._file, self._projection, self._options = file, projection, options
        self._delimiter = delimiter_of(file)
        self._columns: frozenset[str] = frozenset()
        self._rows = self._bad_rows = 0  # of the blocks that were taken
        self._left_out = 0  # records that are in no block
        self._range: InstantRange | None = None
        self._fault = ""  # what the reader gave up on
        self._told = 0  # bytes of the file

    def blocks(self) -> Generator[Callable[[], CsvBlock]]:
        """How to read each block of the records below the header, in order; any thread may do so, several at once.

        Raises NotEvents when the header lacks a column that must be there.
        """
        # Arrow reads up to 256 MB ahead. Of a file that is not compressed it is known how much its blocks are of it.
        as_read = (self._options.advance,) if self._file.format.compression else ()
        with open_bytes(self._file, *as_read) as stream:
            found = read_header(self._file, stream, self._projection.limits.csv_header_bytes)
            if found is None:
                return
            header, below = found
            self._columns = self._projection.columns_in(self._file, header)  # also of a header alone: is it of events?
            self._projection = self._projection.as_spelled_in(self._file, header)
            body = _Body(stream, below, len(header), self._delimiter)
            if body.is_empty():
                return
            for raw in self._without_unclosed(body, header):
                yield partial(self._read, raw, body)

    def _read(self, raw: pl.DataFrame, body: "_Body") -> CsvBlock:
        texts, read = raw, [name for name in raw.columns if name in self._projection.raw]
        if body.has_invalid and read:
            invalid = pl.col(read).str.contains(body.invalid, literal=True).fill_null(value=False)
            texts = raw.filter(~pl.any_horizontal(invalid))
        frame, bad = judge_rows(texts, self._projection, self._file.partition)
        if bad.any():
            frame = frame.filter(~bad)
        events = select_rows(frame, self._projection.selection)
        return CsvBlock(events, raw.height, raw.height - frame.height, range_of(frame))

    def take(self, block: CsvBlock) -> Iterator[pl.DataFrame]:
        """The events of a block; blocks are taken in order.

        Raises BadRow for a record that cannot be read, unless the options say to leave such records out.
        """
        if block.bad_rows and not self._options.skip_bad_rows:
            self._explain(_BAD_ROW)
        self._rows += block.rows
        self._bad_rows += block.bad_rows
        self._range = union_range(self._range, block.range)
        self._tell(self._told + self._projection.limits.csv_block_bytes)
        yield block.events

    def report(self) -> FileReport:
        """What all the records held, once they are taken; raises what is wrong where the reader gave up."""
        if self._fault:
            self._explain(self._fault)
        self._tell(self._file.size)
        return FileReport(self._columns, self._bad_rows + self._left_out, self._rows, self._range)

    def _tell(self, passed: int) -> None:
        """So many bytes of the file are passed, at most; of a compressed one that is told as they are read."""
        more = min(passed, self._file.size) - self._told
        if more and not self._file.format.compression:
            self._told += more
            self._options.advance(more)

    def _explain(self, fault: str) -> None:
        """Raise what is wrong; a quote that is never closed is left out where bad rows are, being the last of them."""
        for found in find_bad_records(self._file, self._projection):
            if not self._options.skip_bad_rows:
                raise found.error(self._file)
            if found.reason == UNCLOSED:
                self._bad_rows += 1
                return
        if fault == _BAD_ROW:
            raise changed_error(str(self._file))  # and is whole now
        most = self._projection.limits.csv_block_bytes >> 20
        why = f"a row is longer than {most} MiB" if "straddl" in fault else f"cannot be read ({fault})"
        raise Unreadable(f"{self._file}: {why}")

    def _without_unclosed(self, body: "_Body", header: list[str]) -> Iterator[pl.DataFrame]:
        """The blocks of raw fields, the last one without a record whose quote is never closed."""
        held = None
        for raw in self._raw_blocks(body, header):
            if held is not None:
                yield held
            held = raw
        self._fault = body.fault
        if held is None or body.fault or not body.swallows_its_end:
            yield from () if held is None else (held,)
        elif self._options.skip_bad_rows:
            self._left_out += 1
            yield held.head(-1)
        else:
            self._fault = "a quote is never closed"

    def _raw_blocks(self, body: "_Body", header: list[str]) -> Iterator[pl.DataFrame]:
        import pyarrow as pa  # takes longer to import than a small Parquet question to answer
        from pyarrow import csv

        columns = columns_to_read(self._file, header, self._projection)
        try:
            with csv.open_csv(
                pa.PythonFile(_HeldBody(body), "r"),
                **arrow_options(
                    header,
                    columns,
                    self._delimiter,
                    self._projection.limits.csv_block_bytes,
                    lambda row: self._on_wrong_length(body, row),
                ),
            ) as reader:
                try:
                    for batch in reader:
                        yield named(batch, columns)
                except GeneratorExit:
                    body.stop()
                    deque(reader, maxlen=0)  # ends Arrow's own thread, which reads ahead
                    raise
        except pa.ArrowInvalid as error:
            body.fault = str(error)  # raised when the blocks before it are through

    def _on_wrong_length(self, body: "_Body", row: Any) -> str:
        """What Arrow is to do about a record of the wrong length: `skip` it or end in an `error`."""
        if not body.stopped and not body.take_end(row.text):
            if not self._options.skip_bad_rows:
                return "error"
            self._left_out += 1
        return "skip"


_BAD_ROW = "a row cannot be read"
_UNDECODED = re.compile("[\udc80-\udcff]+")
_EXIT_SECONDS = 1  # that the end of the process waits for Arrow's threads


class _Body:
    """A stream of CSV records.

    Below a header of so many `fields`, `read` is what was already read of the stream. Bytes that are not UTF-8 come as
    `invalid`, since they concern only a question that reads them. A last record is added, of one field more than the
    header has. Where the reader does not meet it, a quote was never closed: Arrow closes it in silence.
    """

    fault = ""  # what the reader gave up on
    stopped = False  # nobody wants the records any more

    def __init__(self, stream: BinaryIO, read: bytes, fields: int, delimiter: str) -> None:
        token = secrets.token_hex(8)  # what nobody can know, no data can hold
        self.invalid = f"\ufdd0{token}"
        self._stream, self._end = stream, delimiter.join([f"\ufdd1{token}"] * (fields + 1))
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ended = self._met = False
        self.has_invalid = False
        self._ready = self._as_utf8(read)

    def is_empty(self) -> bool:
        """Whether there is nothing left to read."""
        return not self._ready and not self._stream.peek(1)  # type: ignore[attr-defined]

    def take_end(self, record: str) -> bool:
        """Whether a record of the wrong length is the one that was added; notes where that one was found."""
        if record.endswith(self._end):
            self._met = True
        return record == self._end

    @property
    def swallows_its_end(self) -> bool:
        """Once everything is read: whether the last record, of the right length, goes on beyond the end."""
        return self._ended and not self._met

    def stop(self) -> None:
        """Have nothing more to read, so that whoever reads ahead comes to an end."""
        self.stopped = self._ended = True
        self._ready = b""

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        while len(self._ready) < size and not self._ended:
            data = self._stream.read(size - len(self._ready))
            self._ready += self._as_utf8(data) if data else self._last()
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _last(self) -> bytes:
        self._ended = True
        return self._as_utf8(b"", final=True) + f"\n{self._end}\n".encode()

    def _as_utf8(self, data: bytes, *, final: bool = False) -> bytes:
        if data.isascii() and not final and not self._decoder.getstate()[0]:
            return data
        text = self._decoder.decode(data, final)
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.has_invalid = True
            return _UNDECODED.sub(self.invalid, text).encode()


class _HeldBody:
    """A body as Arrow holds it, whose own threads read ahead."""

    closed = False

    def __init__(self, body: _Body) -> None:
        self._body = body
        _held.add(self)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        return self._body.read(size)


_held: WeakSet[_HeldBody] = WeakSet()


@atexit.register
def _wait_for_arrow() -> None:
    """Wait until Arrow holds nothing: a thread of it that still needs the interpreter then would hang or break it."""
    end = time.monotonic() + _EXIT_SECONDS
    while _held and time.monotonic() < end:
        time.sleep(0.001)
