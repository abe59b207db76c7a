"""CSV record by record: to read a header, and to say which record is bad and on what line it begins."""

import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_quotes import closing_quote
from mmstats.readers.path_columns import add_from_texts
from mmstats.readers.projection import Projection, judge_rows, timestamp_fault
from mmstats.readers.report import FoundBadRow

UNCLOSED = "a quote is opened and never closed"
UNESCAPED = "text follows a closing quote"
_LONGEST_HEAD = 1 << 24
_RECORDS = 10_000  # that are judged at once


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, still undecoded (Latin-1 stands for bytes), and where it begins.

    One whose quotes are wrong has a `fault` and no fields; it is the line that it begins on.
    """

    fields: list[str]
    line: int
    offset: int
    text: str
    fault: str = ""


def delimiter_of(file: EventFile) -> str:
    """What separates the fields of a file."""
    return "\t" if file.format.name == "tsv" else ","


def read_records(stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    """Every record that is not blank, in order; behind one whose quotes are wrong it goes on at the next line."""
    lines = _Lines(stream)
    line, offset = 1, 0
    while taken := lines.take():
        fields, fault = _split(taken[0], delimiter)
        while fault == UNCLOSED and (more := lines.take_until_quote()):
            taken += more
            fields, fault = _split("".join(taken), delimiter)
        if fault:
            lines.give_back(taken[1:])
            del taken[1:]
        text = "".join(taken)
        if text.strip("\r\n"):
            yield Record(fields, line, offset, text, fault)
        line, offset = line + len(taken), offset + len(text)


class _Lines:
    """The lines of a stream, which may be given back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = iter(io.TextIOWrapper(stream, encoding="latin-1", newline=""))
        self._returned: deque[str] = deque()

    def take(self) -> list[str]:
        """The next line, none at the end."""
        line = self._returned.popleft() if self._returned else next(self._lines, None)
        return [] if line is None else [line]

    def take_until_quote(self) -> list[str]:
        """The next lines, up to one that has a quote or to the end."""
        taken: list[str] = []
        while more := self.take():
            taken += more
            if '"' in more[0]:
                break
        return taken

    def give_back(self, lines: list[str]) -> None:
        """Have these lines come next."""
        self._returned.extendleft(reversed(lines))


def _split(text: str, delimiter: str) -> tuple[list[str], str]:
    """The fields of a record, or what is wrong with its quotes."""
    record = text.removesuffix("\n").removesuffix("\r")
    if '"' not in record:
        return record.split(delimiter), ""
    fields: list[str] = []
    at = 0
    while True:
        if record.startswith('"', at):
            end = closing_quote(record, at + 1, '"')
            if end < 0:
                return [], UNCLOSED
            fields.append(record[at + 1 : end].replace('""', '"'))
            at = end + 1
        else:
            end = record.find(delimiter, at)
            fields.append(record[at : end if end >= 0 else len(record)])
            at = end if end >= 0 else len(record)
        if at == len(record):
            return fields, ""
        if record[at] != delimiter:
            return [], UNESCAPED
        at += 1


def read_header(file: EventFile, stream: BinaryIO, first_bytes: int) -> tuple[list[str], bytes] | None:
    """The names in the header, and what was read beyond it; None for a file of nothing.

    At first `first_bytes` are read, and more only while the header goes on. Raises Unreadable when the header cannot
    be read.
    """
    delimiter, head = delimiter_of(file), stream.read(first_bytes)
    while _is_cut(rows := list(islice(read_records(io.BytesIO(head), delimiter), 2))) and len(head) < _LONGEST_HEAD:
        more = stream.read(len(head))
        if not more:
            break
        head += more
    if not head.strip():
        return None
    header = rows[0]
    if header.fault:
        where = f"{file}: line {header.line:,}"
        fault = "a quote in the header is never closed" if header.fault == UNCLOSED else f"{header.fault} in the header"
        raise Unreadable(f"{where}: {fault}")
    return _names(file, header), head[header.offset + len(header.text) :]


def _is_cut(rows: list[Record]) -> bool:
    """Whether the header may go on behind the first bytes, of which these are the first records."""
    return len(rows) < 2 or rows[0].fault == UNCLOSED


def _names(file: EventFile, header: Record) -> list[str]:
    try:
        return [_decoded(name) for name in header.fields]
    except UnicodeDecodeError:
        raise Unreadable(f"{file}: line {header.line:,}: the header is not valid UTF-8") from None


def find_bad_records(file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    """The records that have the wrong length, invalid UTF-8 or no instant for a timestamp, in order, as asked for."""
    delimiter = delimiter_of(file)
    with open_bytes(file) as stream:
        records = read_records(stream, delimiter)
        header = next((_names(file, record) for record in records), [])
        projection = projection.as_spelled_in(file, header)
        columns = {name: header.index(name) for name in projection.own_columns if name in header}
        while some := list(islice(records, _RECORDS)):
            reasons = [_fault(record, len(header), columns) for record in some]
            sound = [record for record, reason in zip(some, reasons, strict=True) if not reason]
            # The folders of a file may give all that is read of it: then its records must be counted all the same.
            values: dict[str, list[str | None]] = {"": [None] * len(sound)}
            values |= {name: [_decoded(one.fields[at]) or None for one in sound] for name, at in columns.items()}
            found = add_from_texts(pl.DataFrame(values, schema=dict.fromkeys(values, pl.String)), projection)
            judged = iter(enumerate(judge_rows(found.raw, projection, file.partition)[1] | found.broken))
            for record, reason in zip(some, reasons, strict=True):
                row, bad = (0, True) if reason else next(judged)
                if bad:
                    why = reason or found.faults.get(row)
                    why = why or timestamp_fault(found.raw, projection, file.partition, row)
                    yield FoundBadRow("line", record.line, why)


def _fault(record: Record, expected: int, columns: dict[str, int]) -> str | None:
    """What keeps a record from being read before its values are judged: quotes, length, or bytes that are no text."""
    if record.fault:
        return record.fault
    if len(record.fields) != expected:
        fields = "1 field" if len(record.fields) == 1 else f"{len(record.fields)} fields"
        return f"{fields} where the header has {expected}"
    for name, index in columns.items():
        try:
            _decoded(record.fields[index])
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 in {name}, at byte {error.start + 1} of the field"
    return None


def _decoded(text: str) -> str:
    """The text that a field's bytes are; raises UnicodeDecodeError when they are none."""
    return text.encode("latin-1").decode("utf-8")
