"""Columns of a declared type: how each Parquet or Arrow type becomes an instant, and which values it bars.

A range becomes ranges of the column's own integers, to be compared with a row group's statistics.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import pairwise

import polars as pl

from mmstats.question.instants import EPOCH_BELOW
from mmstats.readers import value_text
from mmstats.readers.projection import Selection
from mmstats.readers.timestamps import (
    CALENDAR_DAYS,
    CALENDAR_SECONDS,
    TIMESTAMP,
    TimestampForm,
    from_integers,
    in_years,
    naive_utc,
    parse_text,
)

IntegerRange = tuple[int, int]  # from the first integer to before the second

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
_NANOS = {"d": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_YEARS = (-62_135_596_800, 253_402_300_800)  # the years 1 to 9999 in seconds
_BEYOND = 2**63
_EPOCH_RANGES = tuple(
    (unit, least, below) for (least, _), (below, unit) in pairwise(((0, ""), *EPOCH_BELOW, (_BEYOND, "ns")))
)


def is_instant(dtype: pl.DataType, form: TimestampForm) -> bool:
    """Whether values of this type are instants, or epochs, without being parsed."""
    return (dtype.is_integer() and form.format is None) or isinstance(dtype, pl.Datetime | pl.Date)


def instant(source: pl.Expr, dtype: pl.DataType, form: TimestampForm) -> pl.Expr:
    """The instants of a column, null where a value is none."""
    if isinstance(dtype, pl.Datetime):
        naive = naive_utc(source, dtype)
        return naive.dt.cast_time_unit("us") if dtype.time_unit == "ns" else in_years(naive.dt.cast_time_unit("us"))
    if isinstance(dtype, pl.Date):
        return source.cast(TIMESTAMP)
    if is_instant(dtype, form):
        return from_integers(source.cast(pl.Int64, strict=False), form.unit)
    parse = partial(parse_text, form=form)
    return value_text.text(source, dtype).map_batches(parse, return_dtype=TIMESTAMP, is_elementwise=True)


def no_instant(source: pl.Expr, dtype: pl.DataType, form: TimestampForm) -> pl.Expr:
    """Whether a value is no instant, told from statistics where they can tell."""
    if not is_instant(dtype, form):
        return instant(source, dtype, form).is_null()
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        return source.is_null()  # 64 bits of nanoseconds end in the year 2262
    bad = source.is_null() | ~in_range(source, dtype, Selection(()), form)
    return bad | is_calendar(source, dtype, form) if may_be_calendar(dtype, form) else bad


def may_be_calendar(dtype: pl.DataType, form: TimestampForm) -> bool:
    """Whether values of this type may be digits of a calendar date that look like epochs."""
    return dtype.is_integer() and form.is_open and _limits(dtype)[1] > CALENDAR_DAYS[0]


def calendar_ranges(dtype: pl.DataType, form: TimestampForm) -> list[IntegerRange]:
    """The stored integers among which are those whose digits are a date of the calendar."""
    return _clipped([CALENDAR_DAYS, CALENDAR_SECONDS], dtype) if may_be_calendar(dtype, form) else []


def is_calendar(source: pl.Expr, dtype: pl.DataType, form: TimestampForm) -> pl.Expr:
    """Whether the digits of an integer are a date of the calendar, told from statistics where they can tell."""
    value = source.cast(pl.Int64, strict=False)
    is_day = value < CALENDAR_SECONDS[0]
    day, clock = pl.when(is_day).then(value).otherwise(value // 10**6), pl.when(is_day).then(0).otherwise(value % 10**6)
    month, last = day // 100 % 100, _last_day(day // 10_000, day // 100 % 100)
    in_month = (month >= 1) & (month <= 12) & (day % 100 >= 1) & (day % 100 <= last)
    in_day = (clock < 240_000) & (clock // 100 % 100 < 60) & (clock % 100 < 60)
    return _within(source, calendar_ranges(dtype, form), dtype) & in_month & in_day


def _last_day(year: pl.Expr, month: pl.Expr) -> pl.Expr:
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    february = pl.when(is_leap).then(29).otherwise(28)
    return pl.when(month == 2).then(february).when(month.is_in([4, 6, 9, 11])).then(30).otherwise(31)


def in_range(source: pl.Expr, dtype: pl.DataType, selection: Selection, form: TimestampForm) -> pl.Expr:
    """Whether an instant lies in the range selected."""
    if not is_instant(dtype, form):
        return selection.in_range(instant(source, dtype, form))
    if isinstance(dtype, pl.Datetime) and dtype.time_zone and not _has_literals(dtype.time_zone):
        source, dtype = naive_utc(source, dtype), pl.Datetime(dtype.time_unit)
    return _within(source, stored_ranges(dtype, selection, form), dtype)


@cache
def _has_literals(zone: str) -> bool:
    """Whether the engine makes instants of a zone to compare with: not of an offset such as +05:30, or of no zone."""
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us", zone)))
    except pl.exceptions.PolarsError:
        return False
    return True


def stored_ranges(dtype: pl.DataType, selection: Selection, form: TimestampForm) -> list[IntegerRange]:
    """The range selected in the integers that a column of this type stores."""
    start = _YEARS[0] * 10**9 if selection.start is None else _nanos(selection.start)
    end = _YEARS[1] * 10**9 if selection.end is None else _nanos(selection.end)
    if isinstance(dtype, pl.Datetime):
        return _clipped([_scaled(start, end, dtype.time_unit)], dtype)
    if isinstance(dtype, pl.Date):
        return _clipped([_scaled(start, end, "d")], dtype)
    return _clipped(_epoch_ranges(form.unit, start, end), dtype)


def _nanos(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def _scaled(start: int, end: int, unit: str) -> IntegerRange:
    """From the first whole unit at or after `start` to the first at or after `end`, both in nanoseconds."""
    return -(-start // _NANOS[unit]), -(-end // _NANOS[unit])


def _epoch_ranges(unit: str | None, start: int, end: int) -> list[IntegerRange]:
    """The epochs between two instants: of one unit, or in each magnitude of the unit that it says."""
    if unit:
        low, high = _scaled(start, end, unit)
        return [(max(low, -_BEYOND), min(high, _BEYOND))]  # instants are read as signed integers of 64 bits
    ranges = []
    for named, small, large in _EPOCH_RANGES:
        low, high = _scaled(start, end, named)
        ranges.append((max(low, small), min(high, large)))
        least = -large if large == _BEYOND else 1 - large  # 64 bits hold one negative integer more
        ranges.append((max(low, least), min(high, 1 - small)))
    # Zero belongs to both signs of the seconds: one range, as are all that touch.
    return _joined(ranges)


def _joined(ranges: Sequence[IntegerRange]) -> list[IntegerRange]:
    joined: list[IntegerRange] = []
    for low, high in sorted(one for one in ranges if one[0] < one[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def _clipped(ranges: Sequence[IntegerRange], dtype: pl.DataType) -> list[IntegerRange]:
    """The ranges without what a column of this type cannot hold."""
    least, beyond = _limits(dtype)
    return _joined([(max(low, least), min(high, beyond)) for low, high in ranges])


def _limits(dtype: pl.DataType) -> IntegerRange:
    """The integers that a column of this type can hold."""
    bits = {"Date": 32}.get(str(dtype), 64) if dtype.is_temporal() else int(str(dtype).lstrip("UInt"))
    return (0, 2**bits) if dtype.is_unsigned_integer() else (-(2 ** (bits - 1)), 2 ** (bits - 1))


def _within(source: pl.Expr, ranges: Sequence[IntegerRange], dtype: pl.DataType) -> pl.Expr:
    """Whether a stored integer lies in one of the ranges, compared as its own type, or statistics could not tell."""
    least, beyond = _limits(dtype)

    def inside(low: int, high: int) -> pl.Expr:
        after = [source >= pl.lit(low).cast(dtype)] if low > least else []
        before = [source < pl.lit(high).cast(dtype)] if high < beyond else []
        return pl.all_horizontal(*after, *before) if after or before else source.is_not_null()

    return pl.any_horizontal([inside(*one) for one in ranges]) if ranges else pl.lit(value=False)
