"""Distinct visitors of groups with one label: label and register packed into one integer, which groups fastest.

On 20 M events, visitors by country took 0.4 of the time that grouping by text and register does, by path 0.8.
"""

import polars as pl

from mmstats.engines import sketch

# The places of a label: one for each register, and one for ids that are null, whose group must not be lost.
_PLACES = 2 * sketch.REGISTERS
_HOUR = 3_600_000_000  # the shortest bucket, in the microseconds of timestamps
_PACKED, _CODE = "packed", "code"


def estimated(events: pl.LazyFrame, key: str, h: pl.Expr, value: str) -> pl.LazyFrame:
    """The estimated number of distinct ids, hashed to `h`, of each group of `key`, a text or a bucket, as `value`."""
    code, label = _of_bucket(key) if key == "bucket" else _of_text(key)
    place = sketch.register(h).cast(pl.Int64).fill_null(sketch.REGISTERS)
    return (
        events.select((code * _PLACES + place).alias(_PACKED), sketch.value(h))
        .group_by(_PACKED)
        .agg(sketch.ends())
        .group_by((pl.col(_PACKED) // _PLACES).alias(_CODE))
        .agg(sketch.estimate().alias(value))
        .select(label.alias(key), value)
    )


def _of_bucket(key: str) -> tuple[pl.Expr, pl.Expr]:
    """The integer for a bucket, and the bucket for an integer."""
    return pl.col(key).to_physical() // _HOUR, (pl.col(_CODE) * _HOUR).cast(pl.Datetime("us"))


def _of_text(key: str) -> tuple[pl.Expr, pl.Expr]:
    """The integer for a text, −1 for null, and the text for an integer."""
    words = pl.Categorical(pl.Categories.random())  # numbered anew for every question, and forgotten with it
    code = pl.col(key).cast(words).to_physical().cast(pl.Int64).fill_null(-1)
    known = pl.when(pl.col(_CODE) >= 0).then(pl.col(_CODE)).cast(pl.UInt32)
    return code, known.cat.to(words).cast(pl.String)
