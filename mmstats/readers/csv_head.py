"""What stands above the records of a CSV file, and says how they are written: the delimiter and the names."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from mmstats.dialect import Dialect
from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import UTF16_HINT
from mmstats.readers.csv_records import UNCLOSED, decoded, read_records
from mmstats.readers.csv_syntax import CsvSyntax
from mmstats.readers.report import QUOTE_HINT
from mmstats.wording import visible

_OTHERS = ";\t|"  # what separates names where no comma does
_LONGEST_HEAD = 1 << 24
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_RECORD = re.compile(r'(?:"(?:[^"]|"")*"|[^"\r\n])*')  # a quoted name may hold line breaks
_BREAK = re.compile(r"\r\n?|\n")
_JSON = re.compile(
    rb'(?=\s*[\[{])\s*(\[?)\s*(?:\{\s*(?:"[^"]*"\s*:.*)?)?\s*', re.DOTALL
)  # a line that no header is like


@dataclass(frozen=True, slots=True)
class CsvHead:
    """The names of the fields, how the records below are written, and over how many lines and bytes the head goes."""

    names: tuple[str, ...]
    syntax: CsvSyntax
    lines: int
    size: int


def read_head(file: EventFile, stream: BinaryIO, dialect: Dialect, first_bytes: int) -> tuple[CsvHead, bytes] | None:
    """The head of a file, and what was read beyond it; None for a file of nothing.

    At first `first_bytes` are read, and more only while the head goes on. Raises Unreadable for a head that cannot be
    read, and NotEvents for one that does not tell the delimiter or the names.
    """
    data, ended = stream.read(first_bytes), False
    while (head := head_of(file, data, dialect, ended=ended)) is None and not ended:
        more = stream.read(len(data)) if len(data) < _LONGEST_HEAD else b""
        data, ended = data + more, not more
    return (head, data[head.size :]) if head else None


def head_of(file: EventFile, data: bytes, dialect: Dialect, *, ended: bool = True) -> CsvHead | None:
    """The head of a file that begins with these bytes; None where they do not hold all of it.

    Raises as `read_head` does.
    """
    try:
        return _Head(file, data, dialect, ended=ended).read() if data.strip() else None
    except EOFError:
        return None


class _Head:
    """The first bytes of a file, as far as they are looked at. Its methods raise EOFError at their end."""

    def __init__(self, file: EventFile, data: bytes, dialect: Dialect, *, ended: bool) -> None:
        self._file, self._dialect, self._ended = file, dialect, ended
        self._text = data.decode("latin-1")  # which stands for bytes
        self._at = self._lines = 0

    def read(self) -> CsvHead:
        names = self._dialect.names
        said = _SEPARATOR_LINE.fullmatch(self._line()) if self._text[:5].lower().startswith(("sep=", '"sep=')) else None
        if said:
            self._pass_over(said[0])
        given = self._dialect.delimiter or (said and said[1]) or ("\t" if self._file.format.name == "tsv" else "")
        mark = names if isinstance(names, str) else ""
        syntax = CsvSyntax(given or ",", self._dialect.quotes, self._dialect.comment, mark)
        if not isinstance(names, str):
            first = self._line()
            if first.rstrip("\r\n").encode("latin-1") == syntax.delimiter.join(names).encode():  # a header after all
                self._pass_over(first)
            return CsvHead(names, syntax, self._lines, self._at)
        while not (line := self._line().encode("latin-1")).strip(b"\r\n") or line.startswith(syntax.starts):
            if syntax.is_names(line):
                break
            self._pass_over(line.decode("latin-1"))
        if found := _JSON.fullmatch(line):
            form = "json" if found[1] else "ndjson"
            named = self._file.format.name.upper()
            raise Unreadable(f"{self._file}: is JSON, not {named}", hint=f"--input-format {form} reads it")
        return self._marked(syntax, line) if mark else self._first_record(syntax, has_delimiter=bool(given))

    def _line(self) -> str:
        found = _BREAK.search(self._text, self._at)
        # Behind a carriage return at the end there may be a line feed.
        if found and (self._ended or found.end() < len(self._text)):
            return self._text[self._at : found.end()]
        if self._ended and self._at < len(self._text):
            return self._text[self._at :]
        raise EOFError

    def _pass_over(self, text: str) -> None:
        self._at += len(text)
        self._lines += len(_BREAK.findall(text))

    def _marked(self, syntax: CsvSyntax, line: bytes) -> CsvHead:
        if not syntax.is_names(line):
            shown = visible(line.decode("utf-8", "replace").strip()[:60])
            what = f"a line that begins with {syntax.mark!r} must name the fields before {shown!r}"
            raise NotEvents(f"{self._file}: line {self._lines + 1:,}: {what}")
        self._pass_over(line.decode("latin-1"))
        return CsvHead(syntax.names_in(line), syntax, self._lines, self._at)

    def _first_record(self, syntax: CsvSyntax, *, has_delimiter: bool) -> CsvHead:
        first = self._lines + 1
        found = _RECORD.match(self._text, self._at) if syntax.quotes else None
        text = found[0] if found else ""
        if not _BREAK.match(self._text, self._at + len(text)):  # quotes that are not in pairs
            text = self._line()
        if not has_delimiter:
            syntax = replace(syntax, delimiter=self._delimiter(text, first))
        record = next(read_records(io.BytesIO(self._text[self._at :].encode("latin-1")), syntax))
        if record.fault == UNCLOSED and not self._ended:
            raise EOFError
        if record.fault:
            fault = (
                "a quote in the header is never closed" if record.fault == UNCLOSED else f"{record.fault} in the header"
            )
            raise Unreadable(f"{self._file}: line {first:,}: {fault}", hint=QUOTE_HINT)
        self._pass_over(record.text)
        return CsvHead(self._decoded(record.fields, first), syntax, self._lines, self._at)

    def _delimiter(self, header: str, line: int) -> str:
        """What separates the names: a comma, or else the only one of the others that is there."""
        outside = _QUOTED.sub("", header) if self._dialect.quotes else header
        found = [sign for sign in _OTHERS if sign in outside]
        if "," in outside or not found:
            return ","
        if len(found) > 1:
            several = " or ".join(repr(sign) for sign in found)
            fault = f"{self._file}: line {line:,}: the names may be separated by {several}"
            raise NotEvents(fault, hint="--delimiter says by which: one character, or tab")
        return found[0]

    def _decoded(self, names: Sequence[str], line: int) -> tuple[str, ...]:
        if any("\0" in name for name in names):
            fault = f"{self._file}: line {line:,}: the header has NUL characters: it looks like UTF-16"
            raise Unreadable(fault, hint=UTF16_HINT)
        try:
            return tuple(decoded(name) for name in names)
        except UnicodeDecodeError:
            raise Unreadable(f"{self._file}: line {line:,}: the header is not valid UTF-8") from None
