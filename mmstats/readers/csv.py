"""The bytes below a CSV header as Arrow's reader takes them: valid UTF-8, and with an end that can be told."""

import atexit
import codecs
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, BinaryIO
from weakref import WeakSet

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers import csv_records
from mmstats.readers.projection import InstantRange, Projection, Taken, instant_range, judge, restrict, union_range
from mmstats.readers.report import ReadLog

_UNDECODED = re.compile("[\udc80-\udcff]+")


_PATIENCE = 1  # seconds


class Body:
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


class Source:
    """A body as Arrow holds it, whose own threads read ahead."""

    closed = False

    def __init__(self, body: Body) -> None:
        self._body = body
        _held.add(self)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        return self._body.read(size)


_held: WeakSet[Source] = WeakSet()


@atexit.register
def _let_go() -> None:
    """Wait until Arrow holds nothing: a thread of it that still needs the interpreter then would hang or break it."""
    end = time.monotonic() + _PATIENCE
    while _held and time.monotonic() < end:
        time.sleep(0.001)


class DelimitedText:
    """A file of CSV or TSV as it is read for one question."""

    def __init__(self, file: EventFile, shape: Projection, log: ReadLog) -> None:
        self._file, self._shape, self._log = file, shape, log
        self._delimiter = "\t" if file.format.name == "tsv" else ","
        self._header: list[str] = []
        self._span: InstantRange | None = None
        self._fault = ""  # what the reader gave up on

    def parts(self) -> Generator[Callable[[], Taken]]:
        """How to read each batch of the records below the header.

        What comes of it raises BadRow for a record that cannot be read, unless the log says to leave such records out.
        Raises NotEvents when the header lacks a column that must be there.
        """
        with open_bytes(self._file, self._log.read) as stream:
            first_bytes = self._shape.limits.csv_header_bytes
            found = csv_records.read_header(self._file, stream, self._delimiter, first_bytes)
            if found is None:
                return
            self._header, below = found
            body = Body(stream, below, len(self._header), self._delimiter)
            if body.is_empty():
                return
            self._log.columns[self._file.path] = self._shape.found(self._file, self._header)
            for raw in self._closed(body):
                yield partial(self._read, raw, body)

    def end(self) -> None:
        """Take note of what all the records held, or raise what is wrong with one at which the reader gave up."""
        if self._fault:
            self._explain(self._fault)
        self._log.spans[self._file.path] = self._span

    def _explain(self, fault: str) -> None:
        """Raise what is wrong; a quote that is never closed is left out where bad rows are, being the last of them."""
        try:
            if self._log.skip_bad_rows:
                csv_records.find_unclosed(self._file, self._delimiter)
            else:
                csv_records.find_fault(self._file, self._header, self._shape, self._delimiter)
        except csv_records.UnclosedQuote:
            if not self._log.skip_bad_rows:
                raise
            self._log.leave_out(self._file, 1)
        else:
            most = self._shape.limits.csv_block_bytes >> 20
            why = f"a row is longer than {most} MiB" if "straddl" in fault else f"cannot be read ({fault})"
            raise Unreadable(f"{self._file}: {why}") from None

    def _closed(self, body: Body) -> Iterator[pl.DataFrame]:
        """The batches of raw fields, the last one without a record whose quote is never closed."""
        held = None
        for raw in self._batches(body):
            if held is not None:
                yield held
            held = raw
        self._fault = body.fault
        if held is None or body.fault or not body.swallows_its_end:
            yield from () if held is None else (held,)
        elif self._log.skip_bad_rows:
            self._log.leave_out(self._file, 1)
            yield held.head(-1)
        else:
            self._fault = "a quote is never closed"

    def _read(self, raw: pl.DataFrame, body: Body) -> Taken:
        """The events wanted of a batch of raw fields."""
        texts = raw
        if body.has_invalid:
            texts = raw.filter(
                ~pl.any_horizontal(pl.all().str.contains(body.invalid, literal=True).fill_null(value=False))
            )
        frame, bad = judge(texts, self._shape, self._file.partition)
        if bad.any():
            frame = frame.filter(~bad)
        events = restrict(frame, self._shape.wanted)
        return partial(self._take, events, raw.height, raw.height - frame.height, instant_range(frame))

    def _take(
        self, events: pl.DataFrame, rows: int, left_out: int, span: InstantRange | None
    ) -> Iterator[pl.DataFrame]:
        self._log.rows[self._file.path] += rows
        if left_out and not self._log.skip_bad_rows:
            self._explain("a row cannot be read")
        self._log.leave_out(self._file, left_out)
        self._span = union_range(self._span, span)
        yield events

    def _columns(self) -> dict[str, str]:
        """The raw columns to read, each with its position as Arrow names it."""
        for name in self._shape.raw:
            times = self._header.count(name)
            if times > 1:
                raise Unreadable(f"{self._file}: the header has {name!r} {times} times", hint="rename one of them")
        return {name: f"f{self._header.index(name)}" for name in self._shape.raw if name in self._header}

    def _on_wrong_length(self, body: Body, row: Any) -> str:
        """What Arrow is to do about a record of the wrong length: `skip` it or end in an `error`."""
        if not body.stopped and not body.take_end(row.text):
            if not self._log.skip_bad_rows:
                return "error"
            self._log.leave_out(self._file, 1)
        return "skip"

    def _batches(self, body: Body) -> Iterator[pl.DataFrame]:
        import pyarrow as pa  # takes longer to import than a small Parquet question to answer
        from pyarrow import csv

        columns, size = self._columns(), self._shape.limits.csv_block_bytes
        names = [f"f{index}" for index in range(len(self._header))]
        try:
            with csv.open_csv(
                pa.PythonFile(Source(body), "r"),
                read_options=csv.ReadOptions(column_names=names, block_size=size, use_threads=False),
                parse_options=csv.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=lambda row: self._on_wrong_length(body, row),
                ),
                convert_options=csv.ConvertOptions(
                    include_columns=list(columns.values()),
                    column_types=dict.fromkeys(columns.values(), pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) as reader:
                try:
                    for batch in reader:
                        frame = pl.from_arrow(batch)
                        assert isinstance(frame, pl.DataFrame)
                        yield frame.rename({position: name for name, position in columns.items()})
                except GeneratorExit:
                    body.stop()
                    deque(reader, maxlen=0)  # ends Arrow's own thread, which reads ahead
                    raise
        except pa.ArrowInvalid as error:
            body.fault = str(error)  # raised when the batches before it are through
