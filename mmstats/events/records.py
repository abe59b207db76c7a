"""CSV record by record, to read a header and to say which record is at fault and on what line it begins."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import polars as pl

from mmstats.errors import BadRow, Unreadable
from mmstats.events.location import EventFile
from mmstats.events.rows import SKIP_HINT, Shape, judge, timestamp_fault
from mmstats.events.textfile import open_bytes


class UnclosedQuote(BadRow):
    """A record whose quote is never closed; it begins `offset` bytes after the file's start."""

    def __init__(self, file: EventFile, line: int, offset: int) -> None:
        super().__init__(f"{file}: line {line:,}: a quote is opened and never closed", hint=SKIP_HINT)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, still undecoded (Latin-1 stands for bytes), and where it begins."""

    fields: list[str]
    line: int
    offset: int
    text: str


def read_records(stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    """Every record that is not blank. One whose quote is never closed comes last, as if it were."""
    csv.field_size_limit(sys.maxsize)
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.TextIOWrapper(stream, encoding="latin-1", newline=""):
            taken.append(line)
            yield line

    line, offset = 1, 0
    for fields in csv.reader(lines(), delimiter=delimiter):
        text = "".join(taken)
        if fields:
            yield Record(fields, line, offset, text)
        line, offset = line + len(taken), offset + len(text)
        taken.clear()


def read_header(file: EventFile, stream: BinaryIO, delimiter: str) -> list[str] | None:
    """The names in the header, and the stream left at the first byte below it; None for a file of nothing."""
    head: list[bytes] = []
    while line := stream.readline(1 << 20):
        head.append(line)
        if b"".join(head).strip() and sum(part.count(b'"') for part in head) % 2 == 0:
            break
    if not b"".join(head).strip():
        return None
    try:
        record = next(read_records(io.BytesIO(b"".join(head)), delimiter))
        return [_decode(name) for name in record.fields]
    except UnicodeDecodeError:
        raise Unreadable(f"{file}: line 1: the header is not valid UTF-8") from None
    except csv.Error as error:
        raise Unreadable(f"{file}: line 1: the header cannot be read ({error})") from None


def find_unclosed(file: EventFile, delimiter: str) -> None:
    """Raise UnclosedQuote when the last record's quote is never closed."""
    last = None
    with open_bytes(file) as stream:
        for last in read_records(stream, delimiter):  # noqa: B007 - only the last one matters
            pass
    if last is not None and _unclosed(last.text, delimiter):
        raise UnclosedQuote(file, last.line, last.offset)


def _unclosed(text: str, delimiter: str) -> bool:
    try:
        list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def find_fault(file: EventFile, header: list[str], shape: Shape, delimiter: str) -> None:
    """Raise BadRow for the first record that has the wrong length, invalid UTF-8 or no instant for a timestamp."""
    with open_bytes(file) as stream:
        rows = read_records(stream, delimiter)
        next(rows)
        while some := list(islice(rows, 10_000)):
            _judge(file, some, header, shape)
    find_unclosed(file, delimiter)


def _judge(file: EventFile, some: list[Record], header: list[str], shape: Shape) -> None:
    columns = {name: header.index(name) for name in shape.raw if name in header}
    values: dict[str, list[str | None]] = {name: [] for name in columns}
    fault = None
    for record in some:
        fault = _fault(record, len(header), columns)
        if fault:
            break
        for name, index in columns.items():
            values[name].append(_decode(record.fields[index]) or None)
    raw = pl.DataFrame(values, schema=dict.fromkeys(columns, pl.String))
    _, bad = judge(raw, shape, file.partition)
    if bad.any():
        row = bad.arg_max() or 0
        raise _bad(file, some[row], timestamp_fault(raw, shape, file.partition, row))
    if fault:
        raise _bad(file, some[raw.height], fault)


def _fault(record: Record, expected: int, columns: dict[str, int]) -> str | None:
    if len(record.fields) != expected:
        return f"{len(record.fields)} fields where the header has {expected}"
    for name, index in columns.items():
        try:
            _decode(record.fields[index])
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 in {name}, at byte {error.start + 1} of the field"
    return None


def _bad(file: EventFile, record: Record, fault: str) -> BadRow:
    return BadRow(f"{file}: line {record.line:,}: {fault}", hint=SKIP_HINT)


def _decode(text: str) -> str:
    return text.encode("latin-1").decode("utf-8")
