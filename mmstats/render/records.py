"""An answer on a terminal too narrow for a table: row by row, a line for each label and one for the value."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from mmstats.answer import Stats
from mmstats.render.alphabet import Alphabet
from mmstats.render.columns import Column, label_columns, value_column
from mmstats.render.widths import cells, shorten, wrap


def records(stats: Stats, alphabet: Alphabet, width: int) -> Iterator[Text]:
    """The rows of `stats` below each other in `width` cells, an empty line between; no rows: the names."""
    columns = [*label_columns(stats, alphabet), _value_column(stats, width)]
    names = _name_width(columns, width)
    if not stats.rows:
        yield from map(Text, wrap(" ".join(column.name for column in columns), width, alphabet.ellipsis))
    for number in range(len(stats.rows)):
        if number:
            yield Text()
        for column in columns:
            name = shorten(column.name, names, alphabet.ellipsis)
            lines = wrap(column.texts[number], width - names - bool(names), alphabet.ellipsis)
            yield from _entry(name.ljust(names), lines)


def _value_column(stats: Stats, width: int) -> Column:
    """The values, their thousands together where there is no room to set them apart."""
    column = value_column(stats)
    return column if cells("value ") + column.width <= width else value_column(stats, separator="")


def _name_width(columns: Sequence[Column], width: int) -> int:
    """The cells for names: a third of `width` at most, and none where the longest value needs them all."""
    longest = max(cells(column.name) for column in columns)
    return max(0, min(longest, width // 3, width - 1 - columns[-1].width))


def _entry(name: str, lines: Sequence[str]) -> Iterator[Text]:
    """`name` and the lines of its text beside it."""
    for number, line in enumerate(lines):
        start = name if number == 0 else " " * len(name)
        yield Text.assemble((start, "bold"), " " if name else "", line)
