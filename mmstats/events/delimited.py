"""Events from CSV and TSV with a header, read strictly: a row has as many fields as the header, or it is at fault.

Arrow's reader is the fast path, since it refuses what others pad. Which row was at fault is found by reading the file
again, record by record (`records`), only after the reader gave up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from mmstats.errors import Unreadable
from mmstats.events import records
from mmstats.events.csvbody import Body
from mmstats.events.eventfile import EventFile
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape, judge, restrict
from mmstats.events.textfile import open_bytes

_BLOCK = 8 << 20  # no record may be longer


def read_delimited(file: EventFile, shape: Shape, log: ReadLog) -> Iterator[pl.DataFrame]:
    """The events wanted, batch by batch.

    Raises BadRow for a record that cannot be read, unless the log says to leave such records out, and NotEvents when
    the header lacks a column that must be there.
    """
    delimiter = "\t" if file.format.name == "tsv" else ","
    with open_bytes(file, log.advance) as stream:
        found = records.read_header(file, stream, delimiter)
        if found is None:
            return
        header, below = found
        body = Body(stream, below, len(header), delimiter)
        if body.is_empty():
            return
        log.found |= shape.found(file, header)
        reader = _Reader(file, header, shape, log, delimiter)
        try:
            yield from reader.events(body)
        except _Fault as fault:
            reader.explain(fault)


class _Fault(Exception):
    """The reader gave up on a row; which one is still to be found."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the records below one file's header."""

    file: EventFile
    header: list[str]
    shape: Shape
    log: ReadLog
    delimiter: str

    def explain(self, fault: _Fault) -> None:
        """Raise what is wrong; a quote that is never closed is left out where bad rows are, being the last of them."""
        try:
            if self.log.skip_bad_rows:
                records.find_unclosed(self.file, self.delimiter)
            else:
                records.find_fault(self.file, self.header, self.shape, self.delimiter)
        except records.UnclosedQuote:
            if not self.log.skip_bad_rows:
                raise
            self.log.leave_out(self.file, 1)
        else:
            why = f"a row is longer than {_BLOCK >> 20} MiB" if "straddl" in str(fault) else f"cannot be read ({fault})"
            raise Unreadable(f"{self.file}: {why}") from None

    def events(self, body: Body) -> Iterator[pl.DataFrame]:
        """The events wanted of each batch; of the last one without a record whose quote is never closed."""
        held = None
        for raw in self._batches(body):
            if held is not None:
                yield self._wanted(held, body)
            held = raw
        if held is not None:
            yield self._wanted(self._closed(held, body), body)
        if body.fault:
            raise _Fault(body.fault)

    def _closed(self, last: pl.DataFrame, body: Body) -> pl.DataFrame:
        if body.fault or not body.swallows_its_end:
            return last
        self._leave_out(1, "a quote is never closed")
        return last.head(-1)

    def _leave_out(self, rows: int, fault: str) -> None:
        if rows and not self.log.skip_bad_rows:
            raise _Fault(fault)
        self.log.leave_out(self.file, rows)

    def _wanted(self, raw: pl.DataFrame, body: Body) -> pl.DataFrame:
        """The events wanted of a batch of raw fields."""
        texts = raw
        if body.has_invalid:
            texts = raw.filter(
                ~pl.any_horizontal(pl.all().str.contains(body.invalid, literal=True).fill_null(value=False))
            )
        frame, bad = judge(texts, self.shape, self.file.partition)
        if bad.any():
            frame = frame.filter(~bad)
        self._leave_out(raw.height - frame.height, "a row cannot be read")
        return restrict(frame, self.shape.wanted)

    def _columns(self) -> dict[str, str]:
        """The raw columns to read, each with its position as Arrow names it."""
        for name in self.shape.raw:
            times = self.header.count(name)
            if times > 1:
                raise Unreadable(f"{self.file}: the header has {name!r} {times} times", hint="rename one of them")
        return {name: f"f{self.header.index(name)}" for name in self.shape.raw if name in self.header}

    def _on_wrong_length(self, body: Body, row: Any) -> str:
        """What Arrow is to do about a record of the wrong length: `skip` it or end in an `error`."""
        if not body.take_end(row.text):
            if not self.log.skip_bad_rows:
                return "error"
            self.log.leave_out(self.file, 1)
        return "skip"

    def _batches(self, body: Body) -> Iterator[pl.DataFrame]:
        import pyarrow as pa  # takes longer to import than a small Parquet question to answer
        from pyarrow import csv

        columns = self._columns()
        names = [f"f{index}" for index in range(len(self.header))]
        try:
            with csv.open_csv(
                pa.PythonFile(body, "r"),
                read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
                parse_options=csv.ParseOptions(
                    delimiter=self.delimiter,
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
                for batch in reader:
                    frame = pl.from_arrow(batch)
                    assert isinstance(frame, pl.DataFrame)
                    yield frame.rename({position: name for name, position in columns.items()})
        except pa.ArrowInvalid as error:
            body.fault = str(error)  # raised when the batches before it are through
