"""Columns of a declared type: how each Parquet or Arrow type becomes an instant or a text, and which values it bars.

A range is turned into spans of the column's own integers, so that it can be held against a row group's statistics.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from mmstats.events.schema import TIMESTAMP, Wanted
from mmstats.events.timestamps import from_integers, parse_text

Span = tuple[int, int]  # from the first integer to before the second

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
_NANOS = {"d": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_INT64 = (-(2**63), 2**63)
_YEARS = (-62_135_596_800, 253_402_300_800)  # the years 1 to 9999 in seconds
_MAGNITUDES = (("s", 0, 10**11), ("ms", 10**11, 10**14), ("us", 10**14, 10**17), ("ns", 10**17, 2**63))


def is_instant(dtype: pl.DataType) -> bool:
    """Whether values of this type are instants, or epochs, without being parsed."""
    return dtype.is_integer() or isinstance(dtype, pl.Datetime | pl.Date)


def instant(source: pl.Expr, dtype: pl.DataType, unit: str | None) -> pl.Expr:
    """The instants of a column, null where a value is none."""
    if isinstance(dtype, pl.Datetime):
        naive = source.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else source
        return naive.dt.cast_time_unit("us")
    if isinstance(dtype, pl.Date):
        return source.cast(TIMESTAMP)
    if dtype.is_integer():
        return from_integers(source.cast(pl.Int64, strict=False), unit)
    return text(source, dtype).map_batches(
        lambda values: parse_text(values, unit), return_dtype=TIMESTAMP, is_elementwise=True
    )


def no_instant(source: pl.Expr, dtype: pl.DataType, unit: str | None) -> pl.Expr:
    """Whether a value is no instant, told from statistics where they can tell."""
    if not is_instant(dtype):
        return instant(source, dtype, unit).is_null()
    if not dtype.is_integer():
        return source.is_null()
    valid = _within(source, _clipped(_epoch_spans(unit, _YEARS[0] * 10**9, _YEARS[1] * 10**9), dtype))
    return source.is_null() | ~valid


def in_range(source: pl.Expr, dtype: pl.DataType, wanted: Wanted, unit: str | None) -> pl.Expr:
    """Whether an instant lies in the range wanted."""
    if not is_instant(dtype):
        return wanted.in_range(instant(source, dtype, unit))
    cast = None if dtype.is_integer() else dtype
    return _within(source, range_spans(dtype, wanted, unit), cast)


def range_spans(dtype: pl.DataType, wanted: Wanted, unit: str | None) -> list[Span]:
    """The range wanted in the integers that a column of this type stores."""
    start = _YEARS[0] * 10**9 if wanted.start is None else _nanos(wanted.start)
    end = _YEARS[1] * 10**9 if wanted.end is None else _nanos(wanted.end)
    if isinstance(dtype, pl.Datetime):
        return _clipped([_scaled(start, end, dtype.time_unit)], dtype)
    if isinstance(dtype, pl.Date):
        return _clipped([_scaled(start, end, "d")], dtype)
    return _clipped(_epoch_spans(unit, start, end), dtype)


def _nanos(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def _scaled(start: int, end: int, unit: str) -> Span:
    """From the first whole unit at or after `start` to the first at or after `end`, both in nanoseconds."""
    return -(-start // _NANOS[unit]), -(-end // _NANOS[unit])


def _epoch_spans(unit: str | None, start: int, end: int) -> list[Span]:
    """The epochs between two instants: of one unit, or in each magnitude of the unit that it says."""
    if unit:
        return [_scaled(start, end, unit)]
    spans = []
    for named, small, large in _MAGNITUDES:
        low, high = _scaled(start, end, named)
        spans.append((max(low, small), min(high, large)))
        spans.append((max(low, 1 - large), min(high, 1 - small)))
    # Zero belongs to both signs of the seconds: one span, as are all that touch.
    return _joined(spans)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def _clipped(spans: Sequence[Span], dtype: pl.DataType) -> list[Span]:
    """The spans without what a column of this type cannot hold."""
    least, beyond = _INT64
    if dtype.is_integer():
        bits = int(str(dtype).lstrip("UInt"))
        least, beyond = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if dtype.is_signed_integer() else (0, 2**bits)
    return _joined([(max(low, least), min(high, beyond)) for low, high in spans])


def _within(source: pl.Expr, spans: Sequence[Span], cast: pl.DataType | None = None) -> pl.Expr:
    """Whether a stored integer lies in one of the spans; `cast` is the type it is compared as."""

    def bound(value: int) -> pl.Expr:
        return pl.lit(value).cast(cast) if cast else pl.lit(value)

    inside = [
        pl.all_horizontal([source >= bound(low)] * (low > _INT64[0]) + [source < bound(high)] * (high < _INT64[1]))
        for low, high in spans
    ]
    return pl.any_horizontal(inside) if inside else pl.lit(value=False)


def text(source: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column as text: numbers decimal, nested values as JSON; bytes that are not UTF-8 give null."""
    if isinstance(dtype, pl.String):
        return source
    if isinstance(dtype, pl.Binary):
        return source.cast(pl.String, strict=False)
    if dtype.is_nested():
        return source.map_batches(_as_json, return_dtype=pl.String, is_elementwise=True)
    return source.cast(pl.String)


def no_text(source: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Whether a value that is there has no text, or None where every value of the type has one."""
    if isinstance(dtype, pl.Binary):
        return source.is_not_null() & text(source, dtype).is_null()
    return None


def _as_json(values: pl.Series) -> pl.Series:
    return pl.Series(
        [
            None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
            for value in values.to_list()
        ],
        dtype=pl.String,
    )
