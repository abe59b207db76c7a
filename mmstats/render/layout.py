"""Columns and lines laid out on a console, in sections with a blank line between them."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich.console import Console
from rich.text import Text

from mmstats.render.records import NULL, OTHERS
from mmstats.render.text import Alphabet, cells, shorten, wrap

_DIM = (NULL, OTHERS)
GAP = 2  # cells between two columns


@dataclass(frozen=True)
class Column:
    """A column of a table: figures stand to the `right`, a `rigid` column is never cut.

    `style` is Rich's, of all its texts; where there are `styles`, each text has its own.
    """

    name: str
    texts: Sequence[str]
    right: bool = False
    rigid: bool = False
    style: str = ""
    styles: Sequence[str] = ()

    @cached_property
    def width(self) -> int:
        """The cells of its longest text, the name included."""
        return max(map(cells, (self.name, *self.texts)))

    def narrowest(self, least: int) -> int:
        """The width below which it is not cut, where columns may be cut to `least` cells."""
        return self.width if self.rigid else min(self.width, least)

    def cut(self, width: int, ellipsis: str) -> "Column":
        """The same column in at most `width` cells."""
        if self.width <= width:
            return self
        texts = [shorten(text, width, ellipsis) for text in self.texts]
        return replace(self, name=shorten(self.name, width, ellipsis), texts=texts)


def figures(name: str, texts: Sequence[str]) -> Column:
    """A column of figures: to the right and never cut."""
    return Column(name, texts, right=True, rigid=True)


def span(widths: Sequence[int]) -> int:
    """The cells that columns of these widths take side by side."""
    return sum(widths) + GAP * (len(widths) - 1)


def fit(columns: Sequence[Column], width: int, least: int, ellipsis: str) -> list[Column] | None:
    """`columns` side by side in `width` cells; those that are not rigid give way, down to `least` cells each.

    None where that is not enough.
    """
    narrowest = [column.narrowest(least) for column in columns]
    spare = width - span(narrowest)
    if spare < 0:
        return None
    more = _share_out([column.width - floor for column, floor in zip(columns, narrowest, strict=True)], spare)
    return [column.cut(floor + extra, ellipsis) for column, floor, extra in zip(columns, narrowest, more, strict=True)]


def _share_out(wanted: Sequence[int], room: int) -> list[int]:
    """`room` cells shared among columns: the short get what they want, the long equal parts of the rest."""
    given = [0] * len(wanted)
    for rank, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[index] = min(wanted[index], room // (len(wanted) - rank))
        room -= given[index]
    return given


class Layout:
    """What fits one console: lines and tables of its width and in its alphabet."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.alphabet, self.width = Alphabet.of(console.encoding), console.width

    def lines(self, text: str, style: str = "", indent: int = 0) -> Iterator[Text]:
        """`text` in as many lines as it takes, those after the first indented."""
        for number, line in enumerate(wrap(self.alphabet.escape(text), self.width - indent, self.alphabet.ellipsis)):
            yield Text(" " * (indent if number else 0) + line, style)

    def table(self, *columns: Column) -> Iterator[Text]:
        """A table of `columns`; those that are not rigid are cut to fit, to one cell if need be."""
        escaped = [replace(column, texts=list(map(self.alphabet.escape, column.texts))) for column in columns]
        width = max(self.width, span([column.narrowest(1) for column in escaped]))
        return self.grid(fit(escaped, width, 1, self.alphabet.ellipsis) or escaped)

    def grid(
        self, columns: Sequence[Column], screenful: int = sys.maxsize, *, with_sums: bool = False
    ) -> Iterator[Text]:
        """A header, a rule under every named column, and the rows; `columns` must fit already.

        The header stands again above every `screenful` of rows. Where the last row has sums, a rule is above it.
        """
        rules = [self.alphabet.rule * column.width if column.name else "" for column in columns]
        header = [
            _row(columns, [column.name for column in columns], ["bold"] * len(columns)),
            _row(columns, rules, ["dim"] * len(columns)),
        ]
        yield from header
        last = len(columns[0].texts) - 1
        for number, texts in enumerate(zip(*(column.texts for column in columns), strict=True)):
            if with_sums and number == last:
                yield header[1]
            elif number and number % screenful == 0:
                yield from [Text(), *header]
            styles = [
                "dim" if text.strip() in _DIM else column.styles[number] if column.styles else column.style
                for column, text in zip(columns, texts, strict=True)
            ]
            yield _row(columns, texts, styles)

    def print_sections(self, sections: Iterable[Iterable[Text]]) -> None:
        """Print `sections` with a blank line between them, none for those without lines."""
        for number, section in enumerate(filter(None, map(list, sections))):
            for line in [Text(), *section] if number else section:
                # The line fits. Rich, which measures some texts otherwise, must not wrap it.
                self._console.print(line, soft_wrap=True)


def _row(columns: Sequence[Column], texts: Sequence[str], styles: Sequence[str]) -> Text:
    line = Text()
    for column, text, style in zip(columns, texts, styles, strict=True):
        blanks = " " * (column.width - cells(text))
        line.append(" " * GAP if line else "")
        line.append(blanks if column.right else "").append(text, style).append("" if column.right else blanks)
    line.rstrip()
    return line
