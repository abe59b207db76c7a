"""An answer as a table for a terminal: labels, values, shares where they are true, bars, and a caption.

Figures stay whole, long labels give way, and where that would cost labels too much, bar and share are left out.
Labels look as in `label_text`. Colour only repeats what the characters say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from mmstats.answer import Stats
from mmstats.render.layout import GAP, Column, Layout, figures, fit, span
from mmstats.render.records import label_text
from mmstats.render.text import Alphabet, cells, percentage, shorten, wrap
from mmstats.wording import visible

_LEAST = 6  # a label cut shorter tells nothing
_COMFORT = 24  # labels are not cut shorter than this to make room for a percentage or a bar
_SHORTEST_BAR, _LONGEST_BAR = 8, 24


@dataclass(frozen=True, slots=True)
class Caption:
    """The question as the line under a table tells it.

    `start` is inclusive and `end` exclusive, both aware, None for no bound; `event` is None for all events.
    """

    start: datetime | None = None
    end: datetime | None = None
    event: str | None = None

    def sentence(self, stats: Stats, dot: str) -> str:
        """Metric, event, range and number of rows, set apart by `dot`; control characters are escaped."""
        event = "" if self.event is None else f'event "{visible(self.event)}"'
        rows = {0: "no rows", 1: "1 row"}.get(len(stats.rows), f"{len(stats.rows):,} rows")
        if stats.truncated:
            rows = f"{len(stats.rows):,} of {stats.groups:,} rows"
        return f" {dot} ".join(part for part in (stats.metric, event, self._range(), rows) if part)

    def _range(self) -> str:
        if self.start and self.end:
            return f"{_utc(self.start)} to {_utc(self.end)} UTC"
        if self.start:
            return f"since {_utc(self.start)} UTC"
        if self.end:
            return f"before {_utc(self.end)} UTC"
        return "all events" if self.event is None else ""


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def print_table(stats: Stats, caption: Caption, console: Console) -> None:
    """Print `stats` as wide as `console` allows, one line per row, and `caption` below.

    A terminal too narrow for labels and value side by side gets a line for each label instead.
    """
    layout = Layout(console)
    columns = _columns(stats, layout)
    rows = layout.grid(columns) if columns else _records(stats, layout)
    layout.print_sections([rows, layout.lines(caption.sentence(stats, layout.alphabet.dot), "dim")])


def _columns(stats: Stats, layout: Layout) -> list[Column] | None:
    """Labels and value, with share and bar where they help and have room; None where not even the former fit."""
    values, alphabet = _values(stats), layout.alphabet
    labels, value = _label_columns(stats, alphabet), _value_column(stats)
    if len(values) > 1 and any(values):
        columns = [*labels, value]
        if _has_whole(stats):
            total = sum(values)
            columns.append(figures("share", [percentage(value, total) for value in values]))
        room = layout.width - GAP - _SHORTEST_BAR
        if fitted := fit(columns, room, _COMFORT, alphabet.ellipsis):
            longest = min(layout.width - GAP - span([column.width for column in fitted]), _LONGEST_BAR)
            return [*fitted, Column("", _bars(values, longest, alphabet.marks), style="cyan")]
        if fitted := fit(columns, layout.width, _COMFORT, alphabet.ellipsis):
            return fitted
    return fit([*labels, value], layout.width, _LEAST, alphabet.ellipsis)


def _values(stats: Stats) -> list[int]:
    return [value for row in stats.rows if isinstance(value := row["value"], int)]


def _label_columns(stats: Stats, alphabet: Alphabet) -> list[Column]:
    """A column per label; buckets are rigid, because what tells two apart may be at either end."""
    return [
        Column(
            alphabet.escape(label_text(name)),
            [alphabet.escape(label_text(row[name])) for row in stats.rows],
            rigid=name == "bucket",
        )
        for name in stats.labels
    ]


def _value_column(stats: Stats, separator: str = ",") -> Column:
    """The values, with `separator` between thousands."""
    return figures("value", [f"{value:,}".replace(",", separator) for value in _values(stats)])


def _has_whole(stats: Stats) -> bool:
    """Whether the rows are the parts of one whole, so that a percentage of it is true.

    One visitor may be in many groups, a truncated answer lacks a part of unknown size, and with buckets it
    would be unclear whether the bucket or the range is the whole.
    """
    return stats.metric == "count" and not stats.truncated and "bucket" not in stats.labels


def _bars(values: Sequence[int], width: int, marks: str) -> list[str]:
    """A bar per value, `width` cells for the largest, at least one mark for what is not zero."""
    bars, largest = [], max(values)
    for value in values:
        steps = max(value * width * len(marks) // largest, 1 if value else 0)
        full, part = divmod(steps, len(marks))
        bars.append(marks[-1] * full + (marks[part - 1] if part else ""))
    return bars


def _records(stats: Stats, layout: Layout) -> Iterator[Text]:
    """The rows below each other, a line per label and one for the value; without rows the columns' names."""
    value = _value_column(stats)
    if cells("value ") + value.width > layout.width:
        value = _value_column(stats, separator="")
    columns = [*_label_columns(stats, layout.alphabet), value]
    if not stats.rows:
        yield from layout.lines(" ".join(column.name for column in columns))
    # The names take a third of the width at most, and nothing where the longest value needs it all.
    longest = max(cells(column.name) for column in columns)
    names = max(0, min(longest, layout.width // 3, layout.width - 1 - value.width))
    for number in range(len(stats.rows)):
        if number:
            yield Text()
        for column in columns:
            yield from _entry(column.name, column.texts[number], names, layout)


def _entry(name: str, text: str, width: int, layout: Layout) -> Iterator[Text]:
    """`name` in `width` cells, and beside it the lines of its text."""
    ellipsis = layout.alphabet.ellipsis
    start = shorten(name, width, ellipsis).ljust(width)
    for line in wrap(text, layout.width - width - bool(width), ellipsis):
        yield Text.assemble((start, "bold"), " " if start else "", line)
        start = " " * len(start)
