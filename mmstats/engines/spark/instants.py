"""Instants as microseconds since the epoch, in whole numbers: no calendar or time zone of a cluster has a say.

The same forms as `events.timestamps` reads and the same rounding, but for numbers with an exponent, which are null
here and so come to be judged by the other engine.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F

from mmstats.question.instants import PATTERN

_ISO = re.sub(r"\?P<[a-z]+>", "", PATTERN).removesuffix("$") + r"\z"
_INTEGER = r"^-?[0-9]{1,19}\z"
_NUMBER = r"^-?[0-9]{1,19}(?:\.[0-9]*)?\z"
_BELOW = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
_MICROS = {"s": (1_000_000, 6), "ms": (1_000, 3), "us": (1, 0)}
_INT64 = 2**63 - 1
_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001 - naive means UTC here
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1  # the years 1 to 9999


def floored(number: Column, size: int) -> Column:
    """The greatest multiple of `size` that is not above a whole number."""
    return number - F.pmod(number, F.lit(size).cast("bigint"))


def whole(number: Column, size: int) -> Column:
    """How many times `size` is in a whole number, rounded down."""
    by = F.lit(size).cast("bigint")
    below = (number < 0) & (F.pmod(number, by) != 0)  # where `div` has cut off a rest towards zero
    return F.call_function("div", number, by) - below.cast("bigint")


def in_years(micros: Column) -> Column:
    """Null outside the years 1 to 9999."""
    return F.when(micros.between(_long(FIRST), _long(LAST)), micros)


def between(micros: Column, start: datetime | None, end: datetime | None) -> Column:
    """Whether an instant lies from `start` to before `end`, both naive and in UTC, None for no bound."""
    first = FIRST if start is None else (start - _EPOCH) // _MICROSECOND
    last = LAST if end is None else (end - _EPOCH) // _MICROSECOND - 1
    return micros.between(_long(first), _long(last))


def of_text(text: Column, unit: str | None) -> Column:
    """What texts name: ISO 8601, or epochs of `unit`, by default each of the unit its magnitude says; of any year."""
    instant = F.when(text.rlike(_ISO), _iso(text))
    instant = instant.when(text.rlike(_INTEGER), _of_integers(text.try_cast("bigint"), unit))
    return instant.when(text.rlike(_NUMBER), _of_numbers(text, unit))


def of_integers(value: Column, unit: str | None) -> Column:
    """The instants of integer epochs, of `unit` or each of the unit its magnitude says."""
    return in_years(_of_integers(value, unit))


def _long(number: int) -> Column:
    return F.lit(number).cast("bigint")


def _of_integers(value: Column, unit: str | None) -> Column:
    def micros(unit: str) -> Column:
        if unit == "ns":
            return whole(value, 1000)
        scale = _MICROS[unit][0]
        return _fitting(value, scale) * _long(scale)

    return _by_magnitude(value, micros, unit)


def _of_numbers(text: Column, unit: str | None) -> Column:
    """The instants of decimal numbers, floored: a negative one with a rest lies one below its truncation."""
    value = F.regexp_extract(text, "[0-9]+", 0).try_cast("bigint")
    digits = F.regexp_extract(text, r"\.([0-9]*)", 1)

    def micros(unit: str) -> Column:
        if unit == "ns":
            size, rest = whole(value, 1000), (F.pmod(value, _long(1000)) != 0) | digits.rlike("[1-9]")
        else:
            scale, places = _MICROS[unit]
            size = _fitting(value, scale) * _long(scale) + _fraction(digits, places)
            rest = F.substring(digits, places + 1, 1_000_000).rlike("[1-9]")
        return F.when(text.startswith("-"), -size - rest.cast("bigint")).otherwise(size)

    return _by_magnitude(value, micros, unit)


def _fitting(value: Column, scale: int) -> Column:
    """Null where `value` times `scale`, and a fraction of it, would leave 64 bits."""
    bound = _INT64 // scale - 1
    return F.when(value.between(_long(-bound), _long(bound)), value)


def _by_magnitude(value: Column, micros: Callable[[str], Column], unit: str | None) -> Column:
    if unit:
        return micros(unit)
    instant: Column | None = None
    for bound, smaller in _BELOW:
        small = value.between(_long(1 - bound), _long(bound - 1))
        instant = F.when(small, micros(smaller)) if instant is None else instant.when(small, micros(smaller))
    assert instant is not None
    return instant.otherwise(micros("ns"))


def _fraction(digits: Column, places: int) -> Column:
    """The first decimal digits as a whole number; none is zero."""
    return F.rpad(F.substring(digits, 1, places), places, "0").cast("bigint") if places else _long(0)


def _iso(text: Column) -> Column:
    """The instant of a text that has the form of one; null for a day that is not in the calendar."""
    rest = F.substring(text, 17, 1_000_000)  # behind hours and minutes
    has_second = rest.startswith(":")
    fraction = F.regexp_extract(rest, "[.,]([0-9]+)", 1)
    zone = F.regexp_replace(F.regexp_extract(rest, r"[+-][0-9:]+\z", 0), "[+-]", "")
    minutes = _number(zone, 1) * _long(60) + _number(F.replace(zone, F.lit(":"), F.lit("")), 3)
    offset = F.when(rest.rlike(r"-[0-9:]+\z"), -minutes).otherwise(minutes)
    days = F.unix_date(F.substring(text, 1, 10).try_cast("date")).cast("bigint")
    clock = _number(text, 12) * _long(60) + _number(text, 15) - offset
    second = F.when(has_second, _number(rest, 2)).otherwise(_long(0))
    micros = (days * _long(1440) + clock) * _long(60 * SECOND) + second * _long(SECOND) + _fraction(fraction, 6)
    return F.when(has_second | (fraction == ""), micros)


def _number(text: Column, first: int) -> Column:
    """The two digits at a place, zero where the text ends before it: a cast that fails takes a server very long."""
    return F.rpad(F.substring(text, first, 2), 2, "0").try_cast("bigint")
