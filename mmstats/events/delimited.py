"""Events from CSV and TSV with a header, read strictly: a row has as many fields as the header, or it is at fault.

Arrow's reader is the fast path, since it refuses what others pad. Which row was at fault is found by reading the file
again, record by record (`records`), only after the reader gave up.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import polars as pl

from mmstats.errors import Unreadable
from mmstats.events import records
from mmstats.events.location import EventFile
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
    end = _readable_end(file, delimiter, log)
    with open_bytes(file, log.advance) as stream:
        header = records.read_header(file, stream, delimiter)
        body = _Body(stream, end)
        if header is None or body.is_empty():
            return
        log.found |= shape.found(file, header)
        columns = _columns(file, header, shape)
        try:
            for raw in _batches(body, header, columns, delimiter, _counter(file, log)):
                yield _events(raw, file, shape, log)
        except _Fault as fault:
            records.find_fault(file, header, shape, delimiter)
            raise Unreadable(f"{file}: {fault}", hint=f"no row may be longer than {_BLOCK >> 20} MiB") from None
    if body.quotes % 2 and not log.skip_bad_rows:
        records.find_unclosed(file, delimiter)


class _Fault(Exception):
    """The reader gave up on a row; which one is still to be found."""


def _events(raw: pl.DataFrame, file: EventFile, shape: Shape, log: ReadLog) -> pl.DataFrame:
    """The events wanted of a batch of raw fields."""
    texts = raw
    if log.skip_bad_rows:
        texts = raw.select(pl.all().cast(pl.String, strict=False))
        valid = pl.all_horizontal(texts[name].is_not_null() | raw[name].is_null() for name in raw.columns)
        texts = texts.filter(valid)
    frame, bad = judge(texts, shape, file.partition)
    if bad.any():
        if not log.skip_bad_rows:
            raise _Fault("a timestamp is no instant")
        frame = frame.filter(~bad)
    log.leave_out(file, raw.height - frame.height)
    return restrict(frame, shape.wanted)


def _columns(file: EventFile, header: list[str], shape: Shape) -> dict[str, str]:
    """The raw columns to read, each with its position as the reader names it."""
    for name in shape.raw:
        if header.count(name) > 1:
            raise Unreadable(f"{file}: the header has {name!r} {header.count(name)} times", hint="rename one of them")
    return {name: f"f{header.index(name)}" for name in shape.raw if name in header}


def _counter(file: EventFile, log: ReadLog) -> Callable[[Any], str] | None:
    """What the reader calls for a record of the wrong length: leave it out and count it; None to give up instead."""

    def leave_out(_: object) -> str:
        log.leave_out(file, 1)
        return "skip"

    return leave_out if log.skip_bad_rows else None


def _batches(
    body: "_Body",
    header: list[str],
    columns: dict[str, str],
    delimiter: str,
    on_wrong_length: Callable[[Any], str] | None,
) -> Iterator[pl.DataFrame]:
    import pyarrow as pa  # takes longer to import than a small Parquet question to answer
    from pyarrow import csv

    # Undecoded where bad rows are left out, so that invalid UTF-8 costs its own row only.
    kind = pa.binary() if on_wrong_length else pa.string()
    try:
        with csv.open_csv(
            pa.PythonFile(body, "r"),
            read_options=csv.ReadOptions(
                column_names=[f"f{index}" for index in range(len(header))], block_size=_BLOCK, use_threads=False
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_wrong_length
            ),
            convert_options=csv.ConvertOptions(
                include_columns=list(columns.values()),
                column_types=dict.fromkeys(columns.values(), kind),
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
        raise _Fault(str(error)) from None


def _readable_end(file: EventFile, delimiter: str, log: ReadLog) -> int | None:
    """Where to stop reading when bad rows are left out: before a last record whose quote is never closed."""
    if not log.skip_bad_rows:
        return None
    with open_bytes(file) as stream:
        body = _Body(stream, None)
        while body.read(_BLOCK):
            pass
    if body.quotes % 2 == 0:
        return None
    try:
        records.find_unclosed(file, delimiter)
    except records.UnclosedQuote as fault:
        log.leave_out(file, 1)
        return fault.offset
    return None


class _Body:
    """The bytes below a header as the reader takes them, their quotes counted, up to an end if there is one."""

    closed = False

    def __init__(self, stream: BinaryIO, end: int | None) -> None:
        self._stream, self._left = stream, end
        self.quotes = 0

    def is_empty(self) -> bool:
        """Whether there is nothing left to read."""
        return self._left == 0 or not self._stream.peek(1)  # type: ignore[attr-defined]

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if self._left is not None:
            size = min(size, self._left) if size >= 0 else self._left
        data = self._stream.read(size)
        if self._left is not None:
            self._left -= len(data)
        self.quotes += data.count(b'"')
        return data
