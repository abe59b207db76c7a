"""The exact decimals of an answer, from the whole numbers that engines compute with."""

from collections.abc import Mapping
from decimal import Decimal

from mmstats.answer import Row, Value
from mmstats.question.query import CHANGE, PREVIOUS, StatsQuery

DIGITS = 9  # after the point of a figure
_CHANGE_DIGITS = 4


def change_of(value: Value, previous: Value) -> int | None:
    """By what part of the previous value a value differs from it, in ten-thousandths, rounded half-even.

    None where one of them is null, and where the previous one is 0.
    """
    if not isinstance(value, int) or not isinstance(previous, int) or not previous:
        return None
    from fractions import Fraction  # only comparisons need it

    return round(Fraction((value - previous) * 10**_CHANGE_DIGITS, previous))


def with_decimals(query: StatsQuery, row: Mapping[str, Value]) -> Row:
    """A row, or all that rows come to, with decimals for figures, and the change where ranges are compared."""
    found: Row = dict(row)
    if query.previous:
        found[CHANGE] = _decimal(change_of(row[query.values[0]], row[PREVIOUS]), _CHANGE_DIGITS)
    for key in query.figures:
        found[key] = _decimal(row[key], DIGITS)
    return found


def _decimal(units: Value, digits: int) -> Decimal | None:
    """So many units of the last digit after the point, without trailing zeros."""
    if not isinstance(units, int):
        return None
    whole, rest = divmod(abs(units), 10**digits)
    fraction = f"{rest:0{digits}}".rstrip("0")
    return Decimal(f"{'-' if units < 0 else ''}{whole}{fraction and '.' + fraction}")
