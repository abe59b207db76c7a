"""Column expressions: values as text, and timestamps as whole microseconds since the epoch.

Whole numbers leave the cluster's own calendar and time zone no say. Timestamps have the forms and the rounding of
`events.timestamps`, but for numbers with an exponent: these are null here, so that the local engine judges them.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

import polars as pl
from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F

from mmstats.question.instants import EPOCH_BELOW, EPOCH_MICROS, PATTERN
from mmstats.readers.projection import Selection
from mmstats.readers.timestamps import CALENDAR, IN_UTC, TimestampForm
from mmstats.readers.types import IntegerRange, calendar_ranges, is_instant, stored_ranges

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000  # in microseconds
_FIRST, _LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1  # the years 1 to 9999
_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001 - naive means UTC here
_ISO = re.sub(r"\?P<[a-z]+>", "", PATTERN).removesuffix("$") + r"\z"
_INTEGER, _NUMBER = r"^-?[0-9]{1,19}\z", r"^-?[0-9]{1,19}(?:\.[0-9]*)?\z"
_INT64 = 2**63 - 1


def quoted(name: str) -> str:
    """A column's name in backticks, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def column(name: str) -> Column:
    """The column of exactly this name."""
    return F.col(quoted(name))


def is_string(dtype: pl.DataType) -> bool:
    """Whether values are stored as strings, which nobody has checked to be UTF-8."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def instant(source: Column, dtype: pl.DataType, unit: str | None, *, nanos_as_long: bool) -> Column:
    """The instants of a column that has them, in microseconds, null where a value is none; `unit` is that of epochs."""
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        if nanos_as_long:
            return _floor_div(source, 1000)
        # Before the epoch the server rounds up, to a microsecond that has not come yet.
        micros = F.unix_micros(source.cast("timestamp"))
        return F.when(F.timestamp_micros(micros) > source, micros - 1).otherwise(micros)
    if isinstance(dtype, pl.Datetime):
        return _in_years(F.unix_micros(source.cast("timestamp")))
    if isinstance(dtype, pl.Date):
        return _in_years(F.unix_date(source).cast("bigint") * _long(DAY))
    return _in_years(_from_integers(source.try_cast("bigint"), unit))


def instant_of_text(text: Column, unit: str | None) -> Column:
    """The instants that texts name: ISO 8601, or epochs of `unit`, by default by magnitude; of any year."""
    text = F.when(text.rlike(IN_UTC.removesuffix("$") + r"\z"), F.regexp_replace(text, " (UTC|Z)$", "")).otherwise(text)
    if unit is None:  # digits of a date are no epoch: null here, so that the local engine judges them
        text = F.when(~text.rlike(CALENDAR.removesuffix("$") + r"\z"), text)
    named = F.when(text.rlike(_ISO), _from_iso(text))
    named = named.when(text.rlike(_INTEGER), _from_integers(text.try_cast("bigint"), unit))
    return named.when(text.rlike(_NUMBER), _from_decimals(text, unit))


def between(micros: Column, start: datetime | None, end: datetime | None) -> Column:
    """Whether an instant lies from `start` to before `end`, both naive and in UTC, None for no bound."""
    first = _FIRST if start is None else (start - _EPOCH) // _MICROSECOND
    last = _LAST if end is None else (end - _EPOCH) // _MICROSECOND - 1
    return micros.between(_long(first), _long(last))


def stored_in_range(
    source: Column, dtype: pl.DataType | None, selection: Selection, form: TimestampForm
) -> Column | None:
    """Whether a stored value lies in the range, as statistics can tell without reading it; None where they cannot."""
    is_told = dtype is not None and is_instant(dtype, form) and dtype != pl.UInt64
    if dtype is None or not is_told or getattr(dtype, "time_unit", "") == "ns":
        return None
    return _within(source, stored_ranges(dtype, selection, form), dtype)


def may_be_calendar(source: Column, dtype: pl.DataType | None, form: TimestampForm) -> Column:
    """Whether the digits of a stored integer may be a date of the calendar."""
    return F.lit(False) if dtype is None else _within(source, calendar_ranges(dtype, form), dtype)


def _within(source: Column, ranges: Sequence[IntegerRange], dtype: pl.DataType) -> Column:
    inside = [source.between(_stored(first, dtype), _stored(end - 1, dtype)) for first, end in ranges]
    return reduce(or_, inside, F.lit(False))


def floor_to(number: Column, size: int) -> Column:
    """The greatest multiple of `size` that is not above a whole number."""
    return number - F.pmod(number, _long(size))


def _floor_div(number: Column, size: int) -> Column:
    """A whole number divided by `size`, rounded down."""
    below = (number < 0) & (F.pmod(number, _long(size)) != 0)  # where `div` rounds towards zero
    return F.call_function("div", number, _long(size)) - below.cast("bigint")


def _long(number: int) -> Column:
    return F.lit(number).cast("bigint")


def _stored(number: int, dtype: pl.DataType) -> Column:
    """An integer as a stored value of its type."""
    if isinstance(dtype, pl.Datetime):
        return F.timestamp_micros(_long(number * (1000 if dtype.time_unit == "ms" else 1)))
    if isinstance(dtype, pl.Date):
        return F.lit(date(1970, 1, 1) + timedelta(days=number))
    return _long(number)


def _in_years(micros: Column) -> Column:
    """Null outside the years 1 to 9999."""
    return F.when(micros.between(_long(_FIRST), _long(_LAST)), micros)


def _from_integers(value: Column, unit: str | None) -> Column:
    def micros(unit: str) -> Column:
        if unit == "ns":
            return _floor_div(value, 1000)
        scale = EPOCH_MICROS[unit][0]
        return _fitting(value, scale) * _long(scale)

    return _by_magnitude(value, micros, unit)


def _from_decimals(text: Column, unit: str | None) -> Column:
    """The instants of decimal numbers, floored: a negative one with a rest lies one below its truncation."""
    value = F.regexp_extract(text, "[0-9]+", 0).try_cast("bigint")
    digits = F.regexp_extract(text, r"\.([0-9]*)", 1)

    def micros(unit: str) -> Column:
        if unit == "ns":
            size, rest = _floor_div(value, 1000), (F.pmod(value, _long(1000)) != 0) | digits.rlike("[1-9]")
        else:
            scale, places = EPOCH_MICROS[unit]
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
    found = micros("ns")
    for bound, smaller in reversed(EPOCH_BELOW):
        found = F.when(value.between(_long(1 - bound), _long(bound - 1)), micros(smaller)).otherwise(found)
    return found


def _fraction(digits: Column, places: int) -> Column:
    """The first decimal digits as a whole number; none is zero."""
    return F.rpad(F.substring(digits, 1, places), places, "0").cast("bigint") if places else _long(0)


def _from_iso(text: Column) -> Column:
    """The instant of a text that has the form of one; null for a day that is not in the calendar."""

    def digits(text: Column, first: int) -> Column:
        # Two at a place, zero where the text ends before it: a cast that fails takes a server very long.
        return F.rpad(F.substring(text, first, 2), 2, "0").try_cast("bigint")

    rest = F.substring(text, 17, 1_000_000)  # behind hours and minutes
    has_second = rest.startswith(":")
    second = F.when(has_second, digits(rest, 2)).otherwise(_long(0))
    fraction = F.regexp_extract(rest, "[.,]([0-9]+)", 1)
    zone = F.replace(F.regexp_extract(rest, r"[+-][0-9:]+\z", 0), F.lit(":"), F.lit(""))
    offset = digits(zone, 2) * _long(60) + digits(zone, 4)
    clock = digits(text, 12) * _long(60) + digits(text, 15)
    utc = clock + F.when(zone.startswith("-"), offset).otherwise(-offset)
    days = F.unix_date(F.substring(text, 1, 10).try_cast("date")).cast("bigint")
    seconds = (days * _long(1440) + utc) * _long(60) + second
    return F.when(has_second | (fraction == ""), seconds * _long(SECOND) + _fraction(fraction, 6))
