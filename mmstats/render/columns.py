"""The columns of a table and how they share a terminal's width.

Figures stay whole, long labels give way, and where that would cost them too much, bar and share are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mmstats.answer import Stats
from mmstats.render.alphabet import Alphabet
from mmstats.render.labels import shown
from mmstats.render.shares import bars, comparable, has_whole, percentages, values_of
from mmstats.render.widths import cells, share_out, shorten

GAP = 2
_LEAST = 6  # a label cut shorter tells nothing
_COMFORT = 24  # labels are not cut shorter than this for the sake of a percentage or a bar
_SHORTEST_BAR, _LONGEST_BAR = 8, 24


@dataclass(frozen=True)
class Column:
    """A column of a table: its name and texts, to the `right` for figures, `rigid` where none may be cut."""

    name: str
    texts: Sequence[str]
    right: bool = False
    rigid: bool = False
    style: str = ""

    @cached_property
    def width(self) -> int:
        """The cells that its longest text takes."""
        return max(map(cells, (self.name, *self.texts)))

    def least(self, least: int) -> int:
        """The cells it must have where labels are not cut to fewer than `least`."""
        return self.width if self.rigid else min(self.width, least)

    def cut(self, width: int, ellipsis: str) -> "Column":
        """The same column in at most `width` cells."""
        if self.width <= width:
            return self
        texts = [shorten(text, width, ellipsis) for text in self.texts]
        return replace(self, name=shorten(self.name, width, ellipsis), texts=texts)


def label_columns(stats: Stats, alphabet: Alphabet) -> list[Column]:
    """A column for every label; buckets are rigid, because what tells them apart may be at either end."""
    return [
        Column(
            alphabet.spelled(shown(name)),
            [alphabet.spelled(shown(row[name])) for row in stats.rows],
            rigid=name == "bucket",
        )
        for name in stats.labels
    ]


def value_column(stats: Stats, separator: str = ",") -> Column:
    """The values, with `separator` between thousands."""
    texts = [f"{value:,}".replace(",", separator) for value in values_of(stats)]
    return Column("value", texts, right=True, rigid=True)


def fitted(stats: Stats, alphabet: Alphabet, width: int) -> list[Column] | None:
    """The columns of `stats` in `width` cells, with a share and a bar where they help and have room.

    None where labels and value do not fit side by side.
    """
    labels, value = label_columns(stats, alphabet), value_column(stats)
    if comparable(stats):
        figures = [value, *_share(stats)]
        room = width - GAP - _SHORTEST_BAR
        if columns := _side_by_side(labels, figures, room, _COMFORT, alphabet):
            return [*columns, _bar(stats, alphabet, width - GAP - _span(columns))]
        if columns := _side_by_side(labels, figures, width, _COMFORT, alphabet):
            return columns
    return _side_by_side(labels, [value], width, _LEAST, alphabet)


def _side_by_side(
    labels: Sequence[Column], figures: Sequence[Column], room: int, least: int, alphabet: Alphabet
) -> list[Column] | None:
    """`labels`, cut to fit the room beside `figures`; None where one would get fewer than `least` cells."""
    sure = [column.least(least) for column in labels]
    spare = room - sum(sure) - _span(figures) - GAP * len(labels)
    if spare < 0:
        return None
    more = share_out([column.width - width for column, width in zip(labels, sure, strict=True)], spare)
    widths = [width + extra for width, extra in zip(sure, more, strict=True)]
    cut = [column.cut(width, alphabet.ellipsis) for column, width in zip(labels, widths, strict=True)]
    return [*cut, *figures]


def _span(columns: Sequence[Column]) -> int:
    """The cells that `columns` take beside each other."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _share(stats: Stats) -> list[Column]:
    """The share's column, or none where a percentage would mislead."""
    if not has_whole(stats):
        return []
    return [Column("share", percentages(values_of(stats)), right=True, rigid=True)]


def _bar(stats: Stats, alphabet: Alphabet, room: int) -> Column:
    return Column("", bars(values_of(stats), min(room, _LONGEST_BAR), alphabet.marks), style="cyan")
