"""CSV record by record, to read a header and to say which record is at fault and on what line it begins."""

import csv
import io
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import polars as pl

from mmstats.errors import BadRow, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.projection import SKIP_HINT, Projection, judge, timestamp_fault

_LONGEST_HEAD = 1 << 24


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, still undecoded (Latin-1 stands for bytes), and where it begins."""

    fields: list[str]
    line: int
    offset: int
    text: str


class UnclosedQuote(BadRow):
    """A record whose quote is never closed; it is the file's last."""

    def __init__(self, file: EventFile, record: Record) -> None:
        self.line, self.what = record.line, "a quote is opened and never closed"
        super().__init__(f"{file}: line {self.line:,}: {self.what}", hint=SKIP_HINT)


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


def read_header(file: EventFile, stream: BinaryIO, delimiter: str, first_bytes: int) -> tuple[list[str], bytes] | None:
    """The names in the header, and what was read beyond it; None for a file of nothing.

    So many bytes are read first, and twice as many as long as the header is not whole.

    Raises Unreadable when the header cannot be read.
    """
    found = read_head(file, stream, delimiter, first_bytes)
    return (found[0], found[2]) if found else None


def read_head(
    file: EventFile, stream: BinaryIO, delimiter: str, first_bytes: int
) -> tuple[list[str], str, bytes] | None:
    """The names in the header, the whole record that they are in, and what was read beyond; None for a file of nothing.

    Raises Unreadable when the header cannot be read.
    """
    head = stream.read(first_bytes)
    while len(rows := list(islice(read_records(io.BytesIO(head), delimiter), 2))) < 2 and len(head) < _LONGEST_HEAD:
        more = stream.read(len(head))
        if not more:
            break
        head += more
    if not head.strip():
        return None
    if len(rows) < 2 and _unclosed(rows[0].text, delimiter):
        raise Unreadable(f"{file}: line {rows[0].line:,}: a quote in the header is never closed")
    try:
        names, text = [decoded(name) for name in rows[0].fields], decoded(rows[0].text)
        return names, text, head[rows[0].offset + len(rows[0].text) :]
    except UnicodeDecodeError:
        raise Unreadable(f"{file}: line {rows[0].line:,}: the header is not valid UTF-8") from None


def find_unclosed(file: EventFile, delimiter: str) -> None:
    """Raise UnclosedQuote when the last record's quote is never closed."""
    with open_bytes(file) as stream:
        last = list(deque(read_records(stream, delimiter), maxlen=1))
    _refuse_unclosed(file, last, delimiter)


def _refuse_unclosed(file: EventFile, records: list[Record], delimiter: str) -> None:
    for record in records:
        if _unclosed(record.text, delimiter):
            raise UnclosedQuote(file, record)


def _unclosed(text: str, delimiter: str) -> bool:
    """Whether what follows a record would belong to it."""
    *_, last = csv.reader(io.StringIO(text + "\nend", newline=""), delimiter=delimiter)
    return last != ["end"]


def find_fault(file: EventFile, header: list[str], shape: Projection, delimiter: str) -> None:
    """Raise BadRow for the first record that has the wrong length, invalid UTF-8 or no instant for a timestamp."""
    with open_bytes(file) as stream:
        rows = read_records(stream, delimiter)
        next(rows)
        last: list[Record] = []
        while some := list(islice(rows, 10_000)):
            _judge(file, some, header, shape, delimiter)
            last = some[-1:]
    _refuse_unclosed(file, last, delimiter)


def _judge(file: EventFile, some: list[Record], header: list[str], shape: Projection, delimiter: str) -> None:
    columns = {name: header.index(name) for name in shape.raw if name in header}
    values: dict[str, list[str | None]] = {name: [] for name in columns}
    fault = None
    for record in some:
        fault = fault_of(record, len(header), columns)
        if fault:
            break
        for name, index in columns.items():
            values[name].append(decoded(record.fields[index]) or None)
    raw = pl.DataFrame(values, schema=dict.fromkeys(columns, pl.String))
    _, bad = judge(raw, shape, file.partition)
    if bad.any():
        row = bad.arg_max() or 0
        raise _bad(file, some[row], timestamp_fault(raw, shape, file.partition, row))
    if fault:
        _refuse_unclosed(file, some[raw.height : raw.height + 1], delimiter)
        raise _bad(file, some[raw.height], fault)


def fault_of(record: Record, expected: int, columns: dict[str, int]) -> str | None:
    """What keeps a record from being read before its values are looked at: its length, or bytes that are not UTF-8."""
    if len(record.fields) != expected:
        fields = "1 field" if len(record.fields) == 1 else f"{len(record.fields)} fields"
        return f"{fields} where the header has {expected}"
    for name, index in columns.items():
        try:
            decoded(record.fields[index])
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 in {name}, at byte {error.start + 1} of the field"
    return None


def _bad(file: EventFile, record: Record, fault: str) -> BadRow:
    return BadRow(f"{file}: line {record.line:,}: {fault}", hint=SKIP_HINT)


def decoded(text: str) -> str:
    """The text that a field's bytes are; raises UnicodeDecodeError when they are none."""
    return text.encode("latin-1").decode("utf-8")
