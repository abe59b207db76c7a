"""The columns of a table that say how many: values, the share of all events, changes, and bars.

Where the answer has totals, they are the last of the texts of each column.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from mmstats.answer import Row, Stats, Value
from mmstats.render.layout import Column, figures
from mmstats.render.records import NULL
from mmstats.render.text import percentage

Number = int | Decimal
_SIGN_STYLES = {"+": "green", "-": "red"}


def shown_rows(stats: Stats) -> list[Row]:
    """The rows, and the totals where they are asked for and are not the only row."""
    return [*stats.rows, *([stats.totals] if stats.totals and stats.labels else [])]


def count_key(stats: Stats) -> str:
    """The key of the number of events in a row, empty where events are not counted."""
    if stats.metric == "count":
        return stats.values[0]
    return "count" if "count" in stats.metric and not isinstance(stats.metric, str) else ""


def has_parts(stats: Stats) -> bool:
    """Whether the rows are parts of all events, so that their shares say something: not one row of all."""
    key = count_key(stats)
    if not key or not stats.rows or stats.total is None:
        return False
    return stats.truncated or [row[key] for row in stats.rows] != [stats.total]


def value_columns(stats: Stats, *, with_share: bool, separator: str = ",") -> list[Column]:
    """A column for each value, with `separator` between thousands, and one for shares behind that of counts."""
    rows, columns = shown_rows(stats), []
    for key in stats.values:
        values = [row[key] for row in rows]
        if key == "change" and key in stats.decimals:
            columns.append(_changes(values))
            continue
        columns.append(figures(key, _aligned([_number_text(value, separator) for value in values])))
        if with_share and stats.total and key == count_key(stats):
            columns.append(figures("share", [percentage(int(value or 0), stats.total) for value in _numbers(values)]))
    return columns


def bars(stats: Stats, width: int, marks: str) -> Column | None:
    """A bar for each row, `width` cells for the largest value, at least one mark for what is not zero.

    None where bars say nothing: for several metrics, fewer than two rows, and values below zero.
    """
    values = [row[stats.values[0]] for row in stats.rows]
    numbers = _numbers(value or 0 for value in values)
    largest = max(numbers, default=0)
    if not isinstance(stats.metric, str) or len(numbers) < 2 or not largest or min(numbers) < 0:
        return None
    texts = [_bar(number, largest, width, marks) for number in numbers]
    return Column("", [*texts, *[""] * (len(shown_rows(stats)) - len(texts))], style="cyan")


def _bar(number: Number, largest: Number, width: int, marks: str) -> str:
    steps = max(int(number * width * len(marks) // largest), 1 if number else 0)
    full, part = divmod(steps, len(marks))
    return marks[-1] * full + (marks[part - 1] if part else "")


def _numbers(values: Iterable[Value]) -> list[Number]:
    return [value for value in values if isinstance(value, int | Decimal)]


def _number_text(value: Value, separator: str) -> str:
    if not isinstance(value, int | Decimal):
        return NULL
    return f"{value:,f}".replace(",", separator) if isinstance(value, Decimal) else f"{value:,}".replace(",", separator)


def _aligned(texts: Sequence[str]) -> list[str]:
    """Numbers with blanks behind them, so that their points stand below each other."""
    fractions = [text.partition(".")[1] + text.partition(".")[2] for text in texts]
    longest = max(map(len, fractions), default=0)
    return [text + " " * (longest - len(fraction)) for text, fraction in zip(texts, fractions, strict=True)]


def _changes(values: Sequence[Value]) -> Column:
    """Changes in percent, with their sign and its colour."""
    numbers = [value if isinstance(value, Decimal) else None for value in values]
    texts = [NULL if number is None else f"{number * 100:{'+' if number else ''},.2f}%" for number in numbers]
    styles = [_SIGN_STYLES.get(text[0], "") if number else "" for text, number in zip(texts, numbers, strict=True)]
    return Column("change", texts, right=True, rigid=True, styles=styles)
