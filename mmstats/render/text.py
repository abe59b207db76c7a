"""Text for a terminal: measured in cells, cut, wrapped, in characters that the encoding has; numbers as text."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size, split_graphemes

_HANGUL_FILLER = "\u3164"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The characters that tables are drawn with.

    `marks` fill one cell of a bar, from the smallest part to the whole cell.
    """

    encoding: str
    ellipsis: str = "…"
    rule: str = "─"
    dot: str = "·"
    marks: str = "▏▎▍▌▋▊▉█"

    @classmethod
    def of(cls, encoding: str) -> "Alphabet":
        """Block and line characters where `encoding` is a form of Unicode, else ASCII."""
        if encoding.lower().startswith("utf"):
            return cls(encoding)
        return cls(encoding, ellipsis="..", rule="-", dot="-", marks="#")

    def escape(self, text: str) -> str:
        """`text` with an escape for every character that the encoding lacks."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def cells(text: str) -> int:
    """How many cells `text` takes at most: wide characters two, accents none, joined emoji those of their parts."""
    # Rich counts nothing for what a terminal may join to the character before. Many terminals join nothing, and
    # a row measured too short would wrap there.
    if text.isascii():
        return len(text)
    return cell_len(text.replace("\u200d", "")) + sum(map(_unjoined, text))


@lru_cache(maxsize=4096)
def _unjoined(char: str) -> int:
    """The cells of a skin tone, a spacing vowel sign or a filler, for which Rich counts none."""
    if char == _HANGUL_FILLER:
        return 2
    width = {"Sk": 2, "Mc": 1}.get(unicodedata.category(char), 0)
    return width if width and not get_character_cell_size(char) else 0


def shorten(text: str, width: int, ellipsis: str) -> str:
    """`text` in at most `width` cells; a longer one loses its middle to `ellipsis`."""
    if cells(text) <= width:
        return text
    room = width - cells(ellipsis)
    if room < 0:
        return ellipsis[: max(width, 0)]
    letters = [text[start:end] for start, end, _ in split_graphemes(text)[0]]
    head = "".join(_leading(letters, (room + 1) // 2))
    tail = _leading(reversed(letters), room - cells(head))
    return head + ellipsis + "".join(reversed(tail))


def _leading(letters: Iterable[str], room: int) -> list[str]:
    """As many of the first `letters` as fit `room` cells."""
    taken = []
    for letter in letters:
        room -= cells(letter)
        if room < 0:
            break
        taken.append(letter)
    return taken


def wrap(text: str, width: int, ellipsis: str) -> list[str]:
    """`text` in lines of at most `width` cells, broken at blanks; a longer word is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cells(longer := f"{lines[-1]} {word}") <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width, ellipsis))
    return lines


def size(count: int) -> str:
    """Bytes in the unit that leaves up to three digits before the point: `999 B`, `1.0 kB`, `12.3 MB`."""
    if count < 1000:
        return f"{count} B"
    tenths, unit = count * 10, 0
    while tenths >= 10_000 and unit < len(_UNITS) - 1:
        tenths, unit = (tenths + 500) // 1000, unit + 1
    return f"{tenths // 10:,}.{tenths % 10} {_UNITS[unit]}"


def percentage(part: int, whole: int) -> str:
    """`part` of `whole` to a tenth of a percent; something never rounds to nothing, nor a part to all."""
    if 0 < part * 2000 < whole:
        return "<0.1%"
    if 0 < (whole - part) * 2000 <= whole:
        return ">99.9%"
    tenths = (part * 2000 + whole) // (2 * whole)  # in integers: counts may be larger than a float is exact
    return f"{tenths // 10}.{tenths % 10}%"


def instant(text: str) -> str:
    """An instant in ISO 8601 as pages show it, beside the word UTC: a blank for the T, no Z."""
    return text.removesuffix("Z").replace("T", " ")
