"""Sketches as sorted integers: the ends of every register that a group's visitors touch, a mark each.

A mark is the register above the value that it was shown, 47 bits; `sketch` tells what these are. Of the marks of a
register only the least and the greatest matter, so that sketches merge by sorting their marks together.
"""

import polars as pl

from mmstats.engines import sketch
from mmstats.engines.local.packing import KEY, Layout

MARK = "mark"
BITS = sketch.PRECISION + 1 + 32  # one register more, for ids that are null, whose group must not be lost
_VALUES = 1 << 32
_FIRST = "first of a register"
_LAST = pl.col(_FIRST).shift(-1).fill_null(value=True)  # the next begins


def mark(h: pl.Expr) -> pl.Expr:
    """The mark of a visitor, of his hash."""
    found = (h % sketch.REGISTERS) * _VALUES + h // _VALUES
    return found.fill_null(sketch.REGISTERS * _VALUES).alias(MARK)


def condensed(keys: pl.DataFrame) -> pl.DataFrame:
    """The keys that have a mark for their lowest bits, in order; of each group and register the two ends."""
    begins = _begins(keys.sort(KEY))
    ends = begins.filter(pl.col(_FIRST) | _LAST).select(KEY)
    return ends.filter((pl.col(KEY) != pl.col(KEY).shift(1)).fill_null(value=True))


def _begins(ordered: pl.DataFrame) -> pl.DataFrame:
    """The keys in order, each with whether a register begins with it."""
    register = pl.col(KEY) // _VALUES
    return ordered.with_columns((register != register.shift(1)).fill_null(value=True).alias(_FIRST))


def estimated(keys: pl.DataFrame, layout: Layout, value: str) -> pl.DataFrame:
    """The estimated number of visitors of each group of condensed keys, as `value`, by the first key of the group."""
    key = pl.col(KEY)
    shown = layout.lowest(key)
    # Of a register's span its last mark is the end and its first the start; one that is both has none.
    weight = _LAST.cast(pl.Int64) - pl.col(_FIRST).cast(pl.Int64)
    weighed = (
        _begins(keys)
        .lazy()
        .select(
            layout.first_of_group(key).alias(KEY),
            (shown // _VALUES < sketch.REGISTERS).alias("is a visitor"),
            (weight * (shown % _VALUES).cast(pl.Int64)).alias("span"),
        )
    )
    estimate = sketch.estimate_of(pl.col("is a visitor").sum().cast(pl.Int64), pl.col("span").sum())
    return weighed.group_by(KEY).agg(estimate.alias(value)).collect(engine="streaming")
