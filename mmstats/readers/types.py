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
from mmstats.readers.timestamps import TIMESTAMP, from_integers, in_years, naive_utc, parse_text

IntegerRange = tuple[int, int]  # from the first integer to before the second

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
_NANOS = {"d": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_YEARS = (-62_135_596_800, 253_402_300_800)  # the years 1 to 9999 in seconds
_BEYOND = 2**63
_EPOCH_RANGES = tuple(
    (unit, least, below) for (least, _), (below, unit) in pairwise(((0, ""), *EPOCH_BELOW, (_BEYOND, "ns")))
)


def is_instant(dtype: pl.DataType) -> bool:
    """Whether values of this type are instants, or epochs, without being parsed."""
    return dtype.is_integer() or isinstance(dtype, pl.Datetime | pl.Date)


def instant(source: pl.Expr, dtype: pl.DataType, unit: str | None) -> pl.Expr:
    """The instants of a column, null where a value is none."""
    if isinstance(dtype, pl.Datetime):
        naive = naive_utc(source, dtype)
        return naive.dt.cast_time_unit("us") if dtype.time_unit == "ns" else in_years(naive.dt.cast_time_unit("us"))
    if isinstance(dtype, pl.Date):
        return source.cast(TIMESTAMP)
    if dtype.is_integer():
        return from_integers(source.cast(pl.Int64, strict=False), unit)
    parse = partial(parse_text, unit=unit)
    return value_text.text(source, dtype).map_batches(parse, return_dtype=TIMESTAMP, is_elementwise=True)


def no_instant(source: pl.Expr, dtype: pl.DataType, unit: str | None) -> pl.Expr:
    """Whether a value is no instant, told from statistics where they can tell."""
    if not is_instant(dtype):
        return instant(source, dtype, unit).is_null()
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        return source.is_null()  # 64 bits of nanoseconds end in the year 2262
    return source.is_null() | ~in_range(source, dtype, Selection(()), unit)


def in_range(source: pl.Expr, dtype: pl.DataType, selection: Selection, unit: str | None) -> pl.Expr:
    """Whether an instant lies in the range selected."""
    if not is_instant(dtype):
        return selection.in_range(instant(source, dtype, unit))
    if isinstance(dtype, pl.Datetime) and dtype.time_zone and not _has_literals(dtype.time_zone):
        source, dtype = naive_utc(source, dtype), pl.Datetime(dtype.time_unit)
    return _within(source, stored_ranges(dtype, selection, unit), dtype)


@cache
def _has_literals(zone: str) -> bool:
    """Whether the engine makes instants of a zone to compare with: not of an offset such as +05:30, or of no zone."""
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us", zone)))
    except pl.exceptions.PolarsError:
        return False
    return True


def stored_ranges(dtype: pl.DataType, selection: Selection, unit: str | None) -> list[IntegerRange]:
    """The range selected in the integers that a column of this type stores."""
    start = _YEARS[0] * 10**9 if selection.start is None else _nanos(selection.start)
    end = _YEARS[1] * 10**9 if selection.end is None else _nanos(selection.end)
    if isinstance(dtype, pl.Datetime):
        return _clipped([_scaled(start, end, dtype.time_unit)], dtype)
    if isinstance(dtype, pl.Date):
        return _clipped([_scaled(start, end, "d")], dtype)
    return _clipped(_epoch_ranges(unit, start, end), dtype)


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
