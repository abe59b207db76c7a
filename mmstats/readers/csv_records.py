"""CSV record by record, each with the line that it begins on: to read a header, and to find what is bad."""

import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mmstats.readers.csv_quotes import closing_quote
from mmstats.readers.csv_syntax import CsvSyntax

UNCLOSED = "a quote is opened and never closed"
UNESCAPED = "text follows a closing quote"


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, still undecoded (Latin-1 stands for bytes), and the line that it begins on.

    One whose quotes are wrong has a `fault` and no fields; it is that line. A line of names is no record.
    """

    fields: list[str]
    line: int
    text: str
    fault: str = ""
    is_names: bool = False


def read_records(stream: BinaryIO, syntax: CsvSyntax, lines_before: int = 0) -> Iterator[Record]:
    """Every record below so many lines that is neither blank nor a comment, in order, and every line of names.

    Behind a record whose quotes are wrong it goes on at the next line.
    """
    lines = _Lines(stream)
    for _ in range(lines_before):
        lines.take()
    starts = tuple(start.decode("latin-1") for start in syntax.starts)
    line = lines_before + 1
    while taken := lines.take():
        is_record = not taken[0].startswith(starts)
        is_names = not is_record and syntax.is_names(taken[0].encode("latin-1"))
        fields, fault = fields_of(taken[0], syntax) if is_record else ([], "")
        while fault == UNCLOSED and (more := lines.take_until_quote()):
            taken += more
            fields, fault = fields_of("".join(taken), syntax)
        if fault:
            lines.give_back(taken[1:])
            del taken[1:]
        text = "".join(taken)
        if is_names or (is_record and text.strip("\r\n")):
            yield Record(fields, line, text, fault, is_names)
        line += len(taken)


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


def fields_of(text: str, syntax: CsvSyntax) -> tuple[list[str], str]:
    """The fields of a record, or what is wrong with its quotes."""
    record, delimiter = text.removesuffix("\n").removesuffix("\r"), syntax.delimiter
    if not syntax.quotes or '"' not in record:
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


def decoded(text: str) -> str:
    """The text that a field's bytes are; raises UnicodeDecodeError when they are none."""
    return text.encode("latin-1").decode("utf-8")
