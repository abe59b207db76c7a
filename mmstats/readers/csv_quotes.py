"""Quotes in CSV, which Arrow takes loosely: it reads on behind a closing quote, and over lines behind an open one.

A field is quoted when its first character is a quote. It ends at a quote that no other follows, and a delimiter or the
end of the record comes next. A quote elsewhere in a field is itself.
"""

import re
from dataclasses import dataclass
from functools import cache

_QUOTE = b'"'
_BREAK = re.compile(rb"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class _Grammar:
    """What records of a delimiter look like: whole ones, one without its line break, and one that may go on."""

    records: re.Pattern[bytes]
    last: re.Pattern[bytes]
    begun: re.Pattern[bytes]


@cache
def _grammar(delimiter: str) -> _Grammar:
    sign = re.escape(delimiter.encode())
    inside = rb'"(?:[^"]++|"")*+'
    field = rb'(?:%s"|[^"%s\r\n][^%s\r\n]*+)?+' % (inside, sign, sign)
    first = rb"(?:%s%s)*+" % (field, sign)
    return _Grammar(
        re.compile(rb"(?:%s%s(?:\r\n?|\n))*+" % (first, field)),
        re.compile(first + field),
        re.compile(rb"%s(?:%s|%s)" % (first, field, inside)),
    )


def is_quoted_rightly(text: bytes, delimiter: str) -> bool:
    """Whether all quotes of some records, the last of which needs no line break, are where they may be."""
    return _QUOTE not in text or _sound_end(text, 0, delimiter, ended=True) == len(text)


class SoundRecords:
    """Passes on whole records as their bytes come, until one has a quote where none may be.

    With `skip` the line that such a record begins on is left out, and it goes on at the next one. A record is held back
    until it is whole, up to `most_bytes`.
    """

    def __init__(self, delimiter: str, most_bytes: int, *, skip: bool) -> None:
        self._delimiter, self._most, self._skip = delimiter, most_bytes, skip
        self._held = b""
        self._leaving_out = False  # the rest of a line
        self.left_out = 0
        self.is_broken = False

    def pass_on(self, data: bytes, *, ended: bool) -> bytes:
        """The records that are whole with these bytes; all that are left where the bytes have ended."""
        data, sound = self._held + data, []
        at = self._behind_line(data, 0) if self._leaving_out else 0
        while at < len(data) and not self.is_broken:
            end = _sound_end(data, at, self._delimiter, ended=ended)
            sound.append(data[at:end])
            at = end
            if not ended and _grammar(self._delimiter).begun.fullmatch(data, at):
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
    grammar = _grammar(delimiter)
    whole = grammar.records.match(data, at)
    end = whole.end() if whole else at
    return len(data) if ended and grammar.last.fullmatch(data, end) else end


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
