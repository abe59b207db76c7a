"""The bucket that an event is in, as an expression: by the engine in UTC, by a table of clock changes in a zone."""

from functools import lru_cache
from math import gcd
from typing import NamedTuple

import polars as pl

from mmstats.question.buckets import Buckets
from mmstats.question.query import StatsQuery
from mmstats.readers.timestamps import TIMESTAMP

_SECOND, _HOUR, _DAY = 1_000_000, 3_600_000_000, 86_400_000_000
_TRUNCATE = {"minute": "1m", "hour": "1h", "day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
_STEPS = {"minute": 60 * _SECOND, "hour": _HOUR, "week": 7 * _DAY}  # between two keys; of the others a day or more
_USUAL = (0, 36_525 * _DAY)  # a century from 1970 on: the table of other times is made when some come


def bucket_key(buckets: Buckets, instant: pl.Expr) -> pl.Expr:
    """The key of the bucket that an instant is in, as a naive Datetime."""
    if buckets.zone is None:
        return _floored(buckets, instant)
    return instant.map_batches(
        lambda instants: _by_clock(buckets, instants), return_dtype=TIMESTAMP, is_elementwise=True
    )


def _floored(buckets: Buckets, wall: pl.Expr) -> pl.Expr:
    """The start of a bucket on a clock that is never changed; the engine's weeks start on Monday."""
    every = _TRUNCATE[buckets.interval]
    if buckets.interval == "week" and buckets.week_start == "sunday":
        return wall.dt.offset_by("1d").dt.truncate(every).dt.offset_by("-1d")
    return wall.dt.truncate(every)


def _by_clock(buckets: Buckets, instants: pl.Series) -> pl.Series:
    micros = instants.to_physical()
    first, last = micros.min(), micros.max()
    if not isinstance(first, int) or not isinstance(last, int):  # of no events
        return instants
    is_usual = _USUAL[0] <= first and last < _USUAL[1]
    table = _table(buckets, *(_USUAL if is_usual else (first, last + 1)))
    low, high = (int(table["since"].search_sorted(end, side="right")) for end in (first, last))
    lines = table[max(low - 1, 0) : high]
    found = pl.DataFrame({"at": micros})
    if lines.height == 1:
        found = found.with_columns(pl.lit(lines[name].item()).alias(name) for name in lines.columns)
    else:
        found = found.hstack(lines[lines["since"][1:].search_sorted(micros, side="right")])
    at, offset = pl.col("at"), pl.col("offset")
    key = _floored(buckets, (at + offset).cast(TIMESTAMP))
    if buckets.by_clock:
        key = key - offset.cast(pl.Duration("us"))
    by_table = pl.when(at < pl.col("regular")).then(pl.col("first").cast(TIMESTAMP)).otherwise(key)
    return found.select(by_table.alias(instants.name)).to_series()


@lru_cache(16)
def _table(buckets: Buckets, start: int, end: int) -> pl.DataFrame:
    """The stretches between two instants; see `Buckets.stretches`."""
    columns = dict.fromkeys(("since", "offset", "regular", "first"), pl.Int64())
    return pl.DataFrame(buckets.stretches(start, end), columns, orient="row")


class KeySteps(NamedTuple):
    """What keys of buckets are, in microseconds: a multiple of `step` after `origin`."""

    step: int
    origin: int


def key_steps(query: StatsQuery) -> KeySteps:
    """How far the keys of a question's buckets lie apart, at least."""
    buckets = query.buckets
    if buckets is None:
        return KeySteps(1, 0)
    step = _STEPS.get(buckets.interval, _DAY)
    if buckets.zone is None or not buckets.by_clock:
        return KeySteps(step, buckets.origin)
    start, end = query.micros
    if start is None or end is None:
        return KeySteps(_SECOND, 0)  # clocks had odd offsets once
    stretches = buckets.stretches(start, end)
    return KeySteps(gcd(step, *(one.offset for one in stretches), *(one.first for one in stretches[1:])), 0)
