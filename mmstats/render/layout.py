"""Sections of lines and tables below each other, as wide as a terminal is."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mmstats.render.alphabet import Alphabet
from mmstats.render.columns import GAP, Column
from mmstats.render.table import grid, print_line
from mmstats.render.widths import share_out, wrap

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def print_sections(sections: Iterable[Iterable[Text]], console: Console) -> None:
    """Print sections with a blank line between them, none for those without lines."""
    for number, section in enumerate(filter(None, map(list, sections))):
        if number:
            print_line(console, Text())
        for line in section:
            print_line(console, line)


class Layout:
    """How texts and tables are laid out for one width and one encoding."""

    def __init__(self, alphabet: Alphabet, width: int) -> None:
        self._alphabet, self._width = alphabet, width

    def lines(self, text: str, style: str = "", indent: int = 0) -> Iterator[Text]:
        """`text` in as many lines as it takes, those after the first indented."""
        spelled = self._alphabet.spelled(text)
        for number, line in enumerate(wrap(spelled, self._width - indent, self._alphabet.ellipsis)):
            yield Text(" " * (indent if number else 0) + line, style)

    def table(self, *columns: Column) -> Iterator[Text]:
        """A table of columns, those that are not rigid cut to fit."""
        spelled = [
            Column(one.name, list(map(self._alphabet.spelled, one.texts)), one.right, one.rigid) for one in columns
        ]
        loose = [one for one in spelled if not one.rigid]
        room = self._width - GAP * (len(spelled) - 1) - sum(one.width for one in spelled if one.rigid)
        widths = iter(share_out([one.width for one in loose], max(room, len(loose))))
        cut = [one if one.rigid else one.cut(next(widths), self._alphabet.ellipsis) for one in spelled]
        return grid(cut, self._alphabet.rule)


def figures(name: str, texts: Sequence[str]) -> Column:
    """A column of figures."""
    return Column(name, texts, right=True, rigid=True)


def plural(count: int, noun: str) -> str:
    """So many of something: `1 file`, `1,200 files`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: int) -> str:
    """Bytes in the unit that leaves up to three digits before the point: `999 B`, `1.0 kB`, `12.3 MB`."""
    if count < 1000:
        return f"{count} B"
    tenths, unit = count * 10, 0
    while tenths >= 10_000 and unit < len(_UNITS) - 1:
        tenths, unit = (tenths + 500) // 1000, unit + 1
    return f"{tenths // 10:,}.{tenths % 10} {_UNITS[unit]}"
