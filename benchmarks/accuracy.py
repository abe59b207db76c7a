"""How good the estimate of distinct visitors is: its error over many trials, for each size and each kind of ids.

python benchmarks/accuracy.py            the whole table, 200 to 400 trials each
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import polars as pl
import polars_hash

from mmstats.engines.finish import VALUE
from mmstats.engines.local.plan import answered
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import hashed

TRIALS = {1: 400, 10: 400, 100: 400, 1_000: 400, 10_000: 400, 100_000: 200, 1_000_000: 200}
_ROWS_AT_ONCE = 10_000_000
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
    """The figures of many groups of distinct ids, each group a trial, counted by the plan of a grouped question."""
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
        events = (
            pl.LazyFrame()
            .select(number.alias("number"))
            .select(
                (pl.col("number") // size).cast(pl.String).alias("path"),
                (pl.col("number") + seed * _STRIDE).cast(pl.String).alias("id"),
            )
            .with_columns(hashed(KINDS[kind]).alias("anonymous_id"))
        )
        question = StatsQuery("uniques", group_by=("path",), limit=None)
        yield answered(question, events).collect(engine="streaming")[VALUE]


def main() -> None:
    """Print the figures of every kind and size."""
    for kind in KINDS:
        for size, trials in TRIALS.items():
            print(measure(size, trials, kind), flush=True)


if __name__ == "__main__":
    main()
