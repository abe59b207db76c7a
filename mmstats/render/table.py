"""An answer as a table for a terminal: labels, values, shares of the total, bars, and a caption.

Figures stay whole, long labels give way, and where that would cost labels too much, bar and share are left out.
Labels look as in `label_text`, buckets as short as their interval allows. Colour only repeats what the characters say.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from mmstats.answer import Stats, Value
from mmstats.question.buckets import Buckets
from mmstats.question.filters import Filter, told
from mmstats.question.ranges import UTC_NAME, micros, range_text
from mmstats.render.layout import GAP, Column, Layout, fit, span
from mmstats.render.records import OTHERS, label_text
from mmstats.render.text import Alphabet, cells, shorten, wrap
from mmstats.render.value_columns import bars, count_key, has_parts, shown_rows, value_columns
from mmstats.wording import plural, visible

_LEAST = 6  # a label cut shorter tells nothing
_COMFORT = 24  # labels are not cut shorter than this to make room for a percentage or a bar
_SHORTEST_BAR, _LONGEST_BAR = 8, 24
_BESIDE_ROWS = 4  # lines of a screen: the header and its rule, a blank one, and a pager's prompt
_FEWEST_ROWS = 10  # between two headers
_TOTAL = "total"
_CUT = " *"  # behind a bucket that the range cuts


@dataclass(frozen=True, slots=True)
class Caption:
    """The question as the lines under a table tell it.

    `start` is inclusive and `end` exclusive, both aware, None for no bound, and told by the clock of the `timezone`.
    `filters` and `buckets` are those of the question, `more` says how to get the rows that the limit cut, `data` what
    the data is, where that is not said in the question, and `previous` is the range that this one is compared with.
    """

    start: datetime | None = None
    end: datetime | None = None
    filters: tuple[Filter, ...] = ()
    buckets: Buckets | None = None
    timezone: str = UTC_NAME
    more: str = ""
    data: str = ""
    previous: tuple[datetime, datetime] | None = None

    def lines(self, stats: Stats, layout: Layout) -> Iterator[Text]:
        """What marks mean; metric, filters, range, rows and total; and what the limit cut off."""
        cut = {row["bucket"] for row in stats.rows if self.cuts(row.get("bucket"))}
        if cut and self.buckets:
            those = f"this {self.buckets.interval}" if len(cut) == 1 else f"each of these {self.buckets.interval}s"
            yield from layout.lines(f"{_CUT.strip()} only part of {those} lies in the range", "dim")
        metric = stats.metric if isinstance(stats.metric, str) else ", ".join(stats.metric)
        parts = [visible(metric), *(visible(told(one)) for one in self.filters)]
        parts.append(range_text(self.start, self.end, self.timezone) or "all events" * (not self.filters))
        if self.previous:
            parts.append(f"compared with {range_text(*self.previous, self.timezone)}")
        if not stats.truncated:
            parts.append(plural(len(stats.rows), "row") if stats.rows else "no rows")
            parts.append(f"total {stats.total:,}" if has_parts(stats) else "")
        parts.append(self.data)
        yield from layout.lines(f" {layout.alphabet.dot} ".join(filter(None, parts)), "dim")
        if stats.truncated:
            parts = [f"{len(stats.rows):,} of {stats.groups:,} rows", _rest(stats), self.more]
            yield from layout.lines("; ".join(filter(None, parts)))

    def cuts(self, bucket: Value) -> bool:
        """Whether the range has only a part of the bucket that begins at `bucket`."""
        if self.buckets is None or bucket is None:
            return False
        try:
            label = datetime.fromisoformat(str(bucket))
        except ValueError:  # of a year beside the calendar
            return False
        begin = micros(label if label.tzinfo else label.replace(tzinfo=UTC))
        late = self.end is not None and micros(self.end) < self.buckets.end(self.buckets.key(begin))
        return late or (self.start is not None and begin < micros(self.start))


def _rest(stats: Stats) -> str:
    """The total and what the rows that the limit cut have of it, where values add up."""
    if stats.total is None:
        return ""
    cut = stats.groups - len(stats.rows)
    rest = f"the other {cut:,} rows together" if cut > 1 else "the other row"
    counted = sum(count for row in stats.rows if isinstance(count := row[count_key(stats)], int))
    return f"total {stats.total:,}, {rest} {stats.total - counted:,}"


def print_table(stats: Stats, caption: Caption, console: Console, screen: int | None = None) -> None:
    """Print `stats` as wide as `console` allows, one line per row, and `caption` below.

    A terminal too narrow for labels and value side by side gets a line for each label instead. Where the table is
    longer than a `screen` of so many lines, every screenful of it has its header.
    """
    layout = Layout(console)
    screenful = max(screen - _BESIDE_ROWS, _FEWEST_ROWS) if screen else sys.maxsize
    columns = _columns(stats, caption, layout, screenful)
    with_sums = len(shown_rows(stats)) > len(stats.rows)
    rows = layout.grid(columns, screenful, with_sums=with_sums) if columns else _records(stats, caption, layout)
    layout.print_sections([rows, caption.lines(stats, layout)])


def _columns(stats: Stats, caption: Caption, layout: Layout, screenful: int) -> list[Column] | None:
    """Labels and values, with share and bar where they help and have room; None where not even the former fit."""
    alphabet = layout.alphabet
    labels, plain = _label_columns(stats, caption, alphabet), value_columns(stats, with_share=False)
    if "bucket" in stats.labels:
        labels[0] = replace(labels[0], texts=_once(labels[0].texts, screenful))
    columns = [*labels, *value_columns(stats, with_share=has_parts(stats))]
    room = layout.width - GAP - _SHORTEST_BAR
    if bars(stats, _LONGEST_BAR, alphabet.marks) and (fitted := fit(columns, room, _COMFORT, alphabet.ellipsis)):
        longest = min(layout.width - GAP - span([column.width for column in fitted]), _LONGEST_BAR)
        drawn = bars(stats, longest, alphabet.marks)
        return [*fitted, *([drawn] if drawn else [])]
    return fit(columns, layout.width, _COMFORT, alphabet.ellipsis) or fit(
        [*labels, *plain], layout.width, _LEAST, alphabet.ellipsis
    )


def _label_columns(stats: Stats, caption: Caption, alphabet: Alphabet) -> list[Column]:
    """A column per label; buckets are rigid, because what tells two apart may be at either end.

    The first grouped one tells the row of other groups, and the first of all tells totals.
    """
    columns = []
    for name in stats.labels:
        if name == "bucket":
            texts = [_bucket_text(str(row[name]), caption) for row in stats.rows]
        else:
            is_first = name == next(one for one in stats.labels if one != "bucket")
            others = OTHERS if is_first else ""
            texts = [others if row.get("other") is True else _label(row[name], alphabet) for row in stats.rows]
        if len(shown_rows(stats)) > len(texts):
            texts.append(_TOTAL if name == stats.labels[0] else "")
        columns.append(Column(alphabet.escape(label_text(name)), texts, rigid=name == "bucket"))
    return columns


def _label(value: Value, alphabet: Alphabet) -> str:
    return alphabet.escape(label_text(value if value is None else str(value)))


def _bucket_text(label: str, caption: Caption) -> str:
    """A bucket's date, of hours and minutes with the time, and a mark where the range cuts it."""
    by_clock = caption.buckets is not None and caption.buckets.by_clock
    short = f"{label[:16]}{label[19:]}" if by_clock else label[:10]
    return short + _CUT * caption.cuts(label)


def _once(texts: Sequence[str], screenful: int) -> list[str]:
    """The texts, each only where it begins and on top of a screenful."""
    return ["" if n % screenful and text == texts[n - 1] else text for n, text in enumerate(texts)]


def _records(stats: Stats, caption: Caption, layout: Layout) -> Iterator[Text]:
    """The rows below each other, a line for each label and each value; without rows the columns' names."""
    values = value_columns(stats, with_share=False)
    if any(cells(f"{value.name} ") + value.width > layout.width for value in values):
        values = value_columns(stats, with_share=False, separator="")
    columns = [*_label_columns(stats, caption, layout.alphabet), *values]
    if not stats.rows:
        yield from layout.lines(" ".join(column.name for column in columns))
    # The names take a third of the width at most, and nothing where the longest value needs it all.
    longest = max(cells(column.name) for column in columns)
    names = max(0, min(longest, layout.width // 3, layout.width - 1 - max(value.width for value in values)))
    for number in range(len(columns[0].texts)):
        if number:
            yield Text()
        for column in columns:
            yield from _entry(column.name, column.texts[number].rstrip(), names, layout)


def _entry(name: str, text: str, width: int, layout: Layout) -> Iterator[Text]:
    """`name` in `width` cells, and beside it the lines of its text."""
    ellipsis = layout.alphabet.ellipsis
    start = shorten(name, width, ellipsis).ljust(width)
    for line in wrap(text, layout.width - width - bool(width), ellipsis):
        yield Text.assemble((start, "bold"), " " if start else "", line)
        start = " " * len(start)
