"""How good the estimate of distinct visitors is: its error over many trials, for each size and each kind of ids.

python benchmarks/accuracy.py            the whole table, 200 to 400 trials each
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import polars as pl
import polars_hash

from mmstats.engines import sketch

TRIALS = {1: 400, 10: 400, 100: 400, 1_000: 400, 10_000: 400, 100_000: 200, 1_000_000: 200}
_ROWS_AT_ONCE = 2_000_000  # so that registers stay in the processor's cache
# What a seed moves: the numbers that the ids are made of.
_STRIDE = 1_000_000_007


def _digest() -> pl.Expr:
    digest: pl.Expr = polars_hash.col("id").nchash.md5()
    return digest


def _uuid() -> pl.Expr:
    digest = _digest()
    ends = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    return pl.concat_str([digest.str.slice(start, length) for start, length in ends], separator="-")


KINDS: dict[str, pl.Expr] = {
    "sequential": pl.col("id"),
    "uuid": _uuid(),
    "hex digest": _digest(),
    "long prefix": pl.lit("https://example.com/visitors/by/the/name/of/" * 3) + pl.col("id"),
}


@dataclass(frozen=True)
class Figures:
    """The relative errors of the estimate of `size` distinct ids over a number of trials."""

    kind: str
    size: int
    trials: int
    exact: float
    rmse: float
    mean: float
    worst: float

    def __str__(self) -> str:
        return (
            f"{self.kind:12} n = {self.size:9,}  {self.trials} trials  exact {self.exact:6.1%}  "
            f"RMSE {self.rmse:.3%}  mean {self.mean:+.3%}  worst {self.worst:.3%}"
        )


def measure(size: int, trials: int, kind: str, seed: int = 0) -> Figures:
    """The figures of many groups of distinct ids, each group a trial, as the sketch estimates it."""
    errors = [estimate / size - 1 for estimates in _estimates(size, trials, kind, seed) for estimate in estimates]
    assert len(errors) == trials
    return Figures(
        kind,
        size,
        trials,
        exact=errors.count(0) / trials,
        rmse=sqrt(fmean(error**2 for error in errors)),
        mean=fmean(errors),
        worst=max(map(abs, errors)),
    )


def _estimates(size: int, trials: int, kind: str, seed: int) -> Iterator[pl.Series]:
    at_once = max(1, _ROWS_AT_ONCE // size)
    for first in range(0, trials, at_once):
        number = pl.int_range(first * size, min(first + at_once, trials) * size, dtype=pl.Int64)
        ids = (
            pl.LazyFrame()
            .select(number.alias("number"))
            .select(
                (pl.col("number") // size).cast(pl.UInt32).alias("trial"),
                (pl.col("number") + seed * _STRIDE).cast(pl.String).alias("id"),
            )
            .select("trial", KINDS[kind].alias("id"))
        )
        registers = sketch.registers(ids, ["trial"], polars_hash.col("id").nchash.xxhash64(seed=42))
        yield registers.group_by("trial").agg(sketch.estimate().alias("n")).collect(engine="streaming")["n"]


def main() -> None:
    """Print the figures of every kind and size."""
    for kind in KINDS:
        for size, trials in TRIALS.items():
            print(measure(size, trials, kind), flush=True)


if __name__ == "__main__":
    main()
