"""Events from CSV and TSV with a header, read strictly: a row has as many fields as the header, or it is bad.

Arrow's reader is the fast path, since it refuses what others pad. Which row was bad is found by reading the file again,
record by record (`csv_records`), only after the reader gave up.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_arrow import arrow_options, columns_to_read, named
from mmstats.readers.csv_bad_records import find_bad_records
from mmstats.readers.csv_body import Body, HeldBody
from mmstats.readers.csv_head import read_head
from mmstats.readers.csv_quotes import SoundRecords
from mmstats.readers.csv_swallowed import first_with_rows
from mmstats.readers.csv_syntax import CsvSyntax
from mmstats.readers.path_columns import add_from_texts
from mmstats.readers.projection import Projection, judge_rows, range_of, select_rows
from mmstats.readers.report import FileReport, InstantRange, ReadOptions, union_range


@dataclass(frozen=True, slots=True)
class CsvBlock:
    """What was read of a block of records: the events selected, its rows, and the range of those that can be read.

    With a `refused` row, no bad row is left out. `seen` are the paths that some row has.
    """

    events: pl.DataFrame
    rows: int
    bad_rows: int
    passed_over: int
    range: InstantRange | None
    refused: bool
    seen: frozenset[str]


class CsvReader:
    """A file of CSV or TSV as it is read for one question."""

    def __init__(self, file: EventFile, projection: Projection, options: ReadOptions) -> None:
        self._file, self._projection, self._options = file, projection, options
        self._headers: set[tuple[str, ...]] = set()
        self._seen: set[str] = set()
        self._rows = self._bad_rows = self._passed_over = 0  # of the blocks that were taken
        self._left_out = 0  # records that are in no block
        self._holds_rows = False  # in a quoted field
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
            found = read_head(self._file, stream, self._projection.dialect, self._projection.limits.csv_header_bytes)
            if found is None:
                return
            head, below = found
            most, skip = self._projection.limits.csv_block_bytes, self._options.skip_bad_rows
            body = Body(stream, below, SoundRecords(head.names, head.syntax, most, skip=skip), head.syntax)
            while True:
                yield from self._below_names(body, head.syntax)
                if not body.records.has_other_names or body.stopped or body.fault:
                    break
                body.go_on()
            self._fault = body.fault or (_BAD_ROW if body.records.is_broken else "")
            self._left_out += body.records.left_out
            self._holds_rows = body.holds_rows

    def _below_names(self, body: Body, syntax: CsvSyntax) -> Iterator[Callable[[], CsvBlock]]:
        """How to read each block of the records below the same names, which a header alone has as well."""
        names = body.records.names
        self._projection.columns_in(self._file, names)  # also of a header alone: is it of events?
        self._headers.add(tuple(names))
        projection = self._projection.as_spelled_in(self._file, names)
        if not body.is_empty():
            for raw in self._raw_blocks(body, names, syntax, projection):
                yield partial(self._read, raw, body, projection)

    def _read(self, raw: pl.DataFrame, body: Body, projection: Projection) -> CsvBlock:
        texts, read = raw, [name for name in raw.columns if name in projection.own_columns]
        if body.has_invalid and read:
            invalid = pl.col(read).str.contains(body.invalid, literal=True).fill_null(value=False)
            texts = raw.filter(~pl.any_horizontal(invalid))
        found = add_from_texts(texts, projection)
        judged = judge_rows(found.raw, projection, self._file.partition, found.broken)
        frame, others = judged.events(), judged.passed_over
        bad_rows = raw.height - frame.height - others
        events = select_rows(frame, projection.selection)
        return CsvBlock(events, raw.height, bad_rows, others, range_of(frame), judged.refused, found.seen)

    def take(self, block: CsvBlock) -> Iterator[pl.DataFrame]:
        """The events of a block; blocks are taken in order.

        Raises BadRow for a record that cannot be read, unless the options say to leave such records out.
        """
        if block.refused or (block.bad_rows and not self._options.skip_bad_rows):
            self._explain(_BAD_ROW)
        self._seen |= block.seen
        self._rows += block.rows
        self._bad_rows += block.bad_rows
        self._passed_over += block.passed_over
        self._range = union_range(self._range, block.range)
        self._tell(self._told + self._projection.limits.csv_block_bytes)
        yield block.events

    def report(self) -> FileReport:
        """What all the records held, once they are taken; raises what is wrong where the reader gave up."""
        if self._fault:
            self._explain(self._fault)
        self._tell(self._file.size)
        headers = (self._projection.columns_in(self._file, names, self._seen) for names in self._headers)
        bad_rows = self._bad_rows + self._left_out
        columns = frozenset[str]().union(*headers)
        swallowing = first_with_rows(self._file, self._projection) if self._holds_rows else 0
        return FileReport(columns, bad_rows, self._rows, self._range, self._passed_over, swallowing)

    def _tell(self, passed: int) -> None:
        """So many bytes of the file are passed, at most; of a compressed one that is told as they are read."""
        more = min(passed, self._file.size) - self._told
        if more and not self._file.format.compression:
            self._told += more
            self._options.advance(more)

    def _explain(self, fault: str) -> None:
        """Raise what is wrong."""
        for found in find_bad_records(self._file, self._projection):
            if found.refused or not self._options.skip_bad_rows:
                raise found.error(self._file)
        if fault == _BAD_ROW:
            raise changed_error(str(self._file))  # and is whole now
        most = self._projection.limits.csv_block_bytes >> 20
        why = f"a row is longer than {most} MiB" if "straddl" in fault else f"cannot be read ({fault})"
        raise Unreadable(f"{self._file}: {why}")

    def _raw_blocks(
        self, body: Body, names: tuple[str, ...], syntax: CsvSyntax, projection: Projection
    ) -> Iterator[pl.DataFrame]:
        import pyarrow as pa  # takes longer to import than a small Parquet question to answer
        from pyarrow import csv

        columns = columns_to_read(self._file, names, projection)
        try:
            with csv.open_csv(
                pa.PythonFile(HeldBody(body), "r"),
                **arrow_options(
                    names,
                    columns,
                    syntax,
                    projection.limits.csv_block_bytes,
                    lambda _: self._on_wrong_length(body),
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

    def _on_wrong_length(self, body: Body) -> str:
        """What Arrow is to do about a record of the wrong length: `skip` it or end in an `error`."""
        if not body.stopped:
            if not self._options.skip_bad_rows:
                return "error"
            self._left_out += 1
        return "skip"


_BAD_ROW = "a row cannot be read"
