"""Events from CSV and TSV with a header, read strictly: a row has as many fields as the header, or it is at fault.

Arrow's reader is the fast path, since it refuses what others pad. Which row was at fault is found by reading the file
again, record by record (`records`), only after the reader gave up.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import polars as pl

from mmstats.errors import Unreadable
from mmstats.events import records
from mmstats.events.csvbody import Body, Source
from mmstats.events.eventfile import EventFile
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape, Span, Taken, joined, judge, restrict, span_of
from mmstats.events.textfile import open_bytes


class DelimitedText:
    """A file of CSV or TSV as it is read for one question."""

    def __init__(self, file: EventFile, shape: Shape, log: ReadLog) -> None:
        self._file, self._shape, self._log = file, shape, log
        self._delimiter = "\t" if file.format.name == "tsv" else ","
        self._header: list[str] = []
        self._span: Span | None = None
        self._fault = ""  # what the reader gave up on

    def parts(self) -> Generator[Callable[[], Taken]]:
        """How to read each batch of the records below the header.

        What comes of it raises BadRow for a record that cannot be read, unless the log says to leave such records out.
        Raises NotEvents when the header lacks a column that must be there.
        """
        with open_bytes(self._file, self._log.read) as stream:
            first_bytes = self._shape.limits.csv_header_bytes
            found = records.read_header(self._file, stream, self._delimiter, first_bytes)
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
                records.find_unclosed(self._file, self._delimiter)
            else:
                records.find_fault(self._file, self._header, self._shape, self._delimiter)
        except records.UnclosedQuote:
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
        return partial(self._take, events, raw.height, raw.height - frame.height, span_of(frame))

    def _take(self, events: pl.DataFrame, rows: int, left_out: int, span: Span | None) -> Iterator[pl.DataFrame]:
        self._log.rows[self._file.path] += rows
        if left_out and not self._log.skip_bad_rows:
            self._explain("a row cannot be read")
        self._log.leave_out(self._file, left_out)
        self._span = joined(self._span, span)
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
