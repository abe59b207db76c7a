"""How large each row is beside the others: percentages where they are true, bars where they help."""

from collections.abc import Sequence

from mmstats.answer import Stats


def values_of(stats: Stats) -> list[int]:
    """The values of all rows, in their order."""
    return [value for row in stats.rows if isinstance(value := row["value"], int)]


def comparable(stats: Stats) -> bool:
    """Whether there is something to compare: more than one row, and more than zeroes."""
    return len(stats.rows) > 1 and any(values_of(stats))


def has_whole(stats: Stats) -> bool:
    """Whether the rows are the parts of one whole, so that a percentage of it says something true.

    One visitor may be in many groups, a truncated answer lacks a part of unknown size, and with buckets it
    would be unclear whether the bucket or the range is the whole.
    """
    return stats.metric == "count" and not stats.truncated and "bucket" not in stats.labels


def percentages(values: Sequence[int]) -> list[str]:
    """Each value's part of their sum to a tenth of a percent, never rounded to nothing or to all."""
    total = sum(values)
    return [_percentage(value, total) for value in values]


def _percentage(value: int, total: int) -> str:
    if 0 < value * 2000 < total:
        return "<0.1%"
    if 0 < (total - value) * 2000 <= total:
        return ">99.9%"
    tenths = (value * 2000 + total) // (2 * total)  # in integers: counts may be larger than a float is exact
    return f"{tenths // 10}.{tenths % 10}%"


def bars(values: Sequence[int], width: int, marks: str) -> list[str]:
    """A bar for each value, `width` cells for the largest, at least one mark for what is not zero."""
    most = max(values, default=0) or 1
    return [_bar(max(value * width * len(marks) // most, 1 if value else 0), marks) for value in values]


def _bar(steps: int, marks: str) -> str:
    full, part = divmod(steps, len(marks))
    return marks[-1] * full + (marks[part - 1] if part else "")
