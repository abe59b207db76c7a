"""Quotes in CSV, which Arrow takes loosely: it reads on behind a closing quote, and over lines behind an open one.

A field is quoted when its first character is a quote. It ends at a quote that no other follows, and a delimiter or the
end of the record comes next. A quote elsewhere in a field is itself.
"""

import re
from typing import AnyStr, NamedTuple

from mmstats.readers.csv_syntax import CsvSyntax

_QUOTE = b'"'
_BREAK = re.compile(rb"\r\n?|\n")


def is_quoted_rightly(text: bytes, syntax: CsvSyntax) -> bool:
    """Whether all quotes of some records, the last of which needs no line break, are where they may be."""
    return not syntax.quotes or _QUOTE not in text or _sound_end(text, 0, syntax.delimiter, ended=True) == len(text)


def are_regular(records: bytes, delimiter: str) -> bool:
    """Whether every quote of some sound records opens, closes or is doubled in a quoted field."""
    return _all_regular(records, delimiter, ended=True) == len(records)


class SoundRecords:
    """Passes on whole records as their bytes come, until one has a quote where none may be, or other names come.

    Lines that are no records are left out. With `skip` so is the line that a record begins on which has such a quote,
    and it goes on at the next one. A record is held back until it is whole, up to `most_bytes`.
    """

    def __init__(self, names: tuple[str, ...], syntax: CsvSyntax, most_bytes: int, *, skip: bool) -> None:
        self.names = names
        self._syntax, self._most, self._skip = syntax, most_bytes, skip
        self._held = b""
        self._leaving_out = False  # the rest of a line
        self.left_out = 0
        self.is_broken = False
        self._next_names: tuple[str, ...] | None = None

    @property
    def has_other_names(self) -> bool:
        """Whether other names have come, of the records that are not passed on yet."""
        return self._next_names is not None

    def pass_on(self, data: bytes, *, ended: bool) -> bytes:
        """The records that are whole with these bytes; all that are left where the bytes have ended."""
        if not self._syntax.quotes and not self._syntax.starts:
            return data
        data, sound = self._held + data, []
        at = self._behind_line(data, 0) if self._leaving_out else 0
        while at < len(data) and not self.is_broken and not self.has_other_names:
            if data.startswith(self._syntax.starts, at):
                line = self._line(data, at, ended=ended)
                if not line:
                    break
                self._see(line)
                at += len(line)
                continue
            end = self._sound_end(data, at, ended=ended)
            sound.append(data[at:end])
            at = end
            if data.startswith(self._syntax.starts, at):
                continue
            if not ended and self._may_go_on(data, at):
                if len(data) - at <= self._most:
                    break
                if not self._skip or data.find(_QUOTE, at) < 0:  # too long for whoever reads it, who says so
                    sound.append(data[at:])
                    at = len(data)
            if at < len(data) and self._skip:
                self.left_out += 1
                at = self._behind_line(data, at)
            else:
                self.is_broken = at < len(data)
        self._held = b"" if self.is_broken else data[at:]
        return b"".join(sound)

    def go_on(self) -> None:
        """Pass on the records below the names that have come."""
        self.names, self._next_names = self._next_names or self.names, None

    def _line(self, data: bytes, at: int, *, ended: bool) -> bytes:
        """The line that begins at a place, with its break; empty where it may go on."""
        found = _BREAK.search(data, at)
        if found and (ended or found.end() < len(data)):
            return data[at : found.end()]
        return data[at:] if ended else b""

    def _see(self, line: bytes) -> None:
        """Take note of a line that is no record."""
        if self._syntax.is_names(line) and (names := self._syntax.names_in(line)) != self.names:
            self._next_names = names

    def _sound_end(self, data: bytes, at: int, *, ended: bool) -> int:
        """Where the sound records end that come first, before a line that is none."""
        starts = (found.end() for found in self._syntax.line_of_none.finditer(data, at)) if self._syntax.starts else ()
        for stop in (*starts, len(data)):
            is_last = stop == len(data)
            part = data if is_last else data[:stop]
            if self._syntax.quotes:
                end = _sound_end(part, at, self._syntax.delimiter, ended=ended and is_last)
            else:
                end = len(data) if ended and is_last else max(part.rfind(b"\n", at), part.rfind(b"\r", at), at - 1) + 1
            if end == stop:  # else that line lies in a quoted field
                break
        return end

    def _may_go_on(self, data: bytes, at: int) -> bool:
        return _may_go_on(data, at, self._syntax.delimiter) if self._syntax.quotes else at < len(data)

    def _behind_line(self, data: bytes, at: int) -> int:
        """Where the next line begins, or where the data ends, which the rest of the line follows."""
        found = _BREAK.search(data, at)
        self._leaving_out = found is None
        return found.end() if found else len(data)


def _sound_end(data: bytes, at: int, delimiter: str, *, ended: bool) -> int:
    """Where the sound records end that come first; the last one needs a line break, unless the data has ended."""
    if data.find(_QUOTE, at) < 0:
        return len(data) if ended else max(data.rfind(b"\n", at), data.rfind(b"\r", at), at - 1) + 1
    # Not again behind a record that is not sound, since that would look at all the data once more.
    if at == 0 and (found := _all_regular(data, delimiter, ended=ended)) is not None:
        return found
    scanned = _scan(data, at, delimiter)
    return scanned.last if ended else scanned.end


def _may_go_on(data: bytes, at: int, delimiter: str) -> bool:
    """Whether the data from a place on is the beginning of one record, or all of it but its line break."""
    found = _scan(data, at, delimiter)
    return found.end == at and found.may_go_on


class _Scanned(NamedTuple):
    """Where the sound records end that have a line break, and where they end if the data does not go on.

    What follows the former `may_go_on` unless a quote in it is where none may be.
    """

    end: int
    last: int
    may_go_on: bool


def _scan(data: bytes, at: int, delimiter: str) -> _Scanned:
    """Look at records field by field, from where one begins."""
    # No single pattern for a record: possessive ones match wrongly in Python 3.11.2, and others run back.
    sign = delimiter.encode()
    behind_field = re.compile(rb"[\r\n]|" + re.escape(sign))
    end = at
    while at < len(data):
        if at == end:  # a record begins: those without quotes need no look
            quote = data.find(_QUOTE, at)
            before = len(data) if quote < 0 else quote
            at = end = max(data.rfind(b"\n", at, before), data.rfind(b"\r", at, before), at - 1) + 1
            if at == len(data):
                break
        if data.startswith(_QUOTE, at):
            at = closing_quote(data, at + 1, _QUOTE) + 1
            if at == 0:
                return _Scanned(end, end, may_go_on=True)
        else:
            found = behind_field.search(data, at)
            at = found.start() if found else len(data)
        if data.startswith(sign, at):
            at += len(sign)
        elif at < len(data):
            line_break = _BREAK.match(data, at)
            if line_break is None:
                return _Scanned(end, end, may_go_on=False)
            at = end = line_break.end()
    return _Scanned(end, len(data), may_go_on=True)


def closing_quote(text: AnyStr, at: int, quote: AnyStr) -> int:
    """The place of the first quote from a place on that no other follows, -1 where there is none."""
    while (at := text.find(quote, at)) >= 0 and text.startswith(quote + quote, at):
        at += 2
    return at


def _all_regular(data: bytes, delimiter: str, *, ended: bool) -> int | None:
    """The same where every quote opens, closes or is doubled in a quoted field, told at once; None where one does not.

    Then they open and close by turns, two of them next to each other being one that closes and opens again.
    """
    import numpy as np  # comes with Arrow's reader

    if len(delimiter.encode()) > 1:
        return None
    values = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(values == _QUOTE[0])
    beside = np.zeros(256, bool)
    beside[[_QUOTE[0], *b"\r\n", *delimiter.encode()]] = True
    opening, closing = quotes[::2], quotes[1::2]
    opening, closing = opening[opening > 0], closing[closing + 1 < len(data)]
    if not (beside[values[opening - 1]].all() and beside[values[closing + 1]].all()):
        return None
    if ended and len(quotes) % 2 == 0:
        return len(data)
    before = len(data)
    while True:  # back to the last break that is in no field
        end = max(data.rfind(b"\n", 0, before), data.rfind(b"\r", 0, before)) + 1
        count = int(np.searchsorted(quotes, end))
        if end == 0 or count % 2 == 0:
            return end
        before = int(quotes[count - 1])
