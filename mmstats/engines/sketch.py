"""Approximate distinct counting by a sketch that merges, as lazy expressions.

The sketch. Each id is hashed to 64 bits, h = XXH64 of its UTF-8 bytes with seed 42 (which is Spark's `xxhash64`, so
that every engine can build the same sketch). The low p = 14 bits choose one of m = 2^p registers, the high 32 bits are
a value v, uniform on 0 … 2^32 − 1. A register keeps the smallest and the largest v it has seen. Minimum and maximum do
not depend on order, repetition or grouping of the rows, so neither does the sketch, and sketches of parts merge by the
minimum of minima and the maximum of maxima.

The estimate. Let n distinct ids fall on the registers as a Poisson process of rate λ = n/m on the unit interval each,
a value v standing for v/2^32. What a register shows has the likelihood: e^−λ when it is empty; λ·e^−λ when it shows one
value, which is one point and nothing elsewhere; λ²·e^−λ(1−d) when it shows two at distance d, which is a point at both
ends, anything between them and nothing on the 1 − d outside. With c1 registers that show one value, c2 that show two
and S = Σ d over the latter,

    log L = (c1 + 2·c2)·ln λ − λ·(m − S)

has its maximum at λ̂ = (c1 + 2·c2)/(m − S), hence n̂ = m·(c1 + 2·c2)/(m − S). With few ids S is near 0 and c1 + 2·c2 is
their number, so the estimate is exact, but for a register that three of them share: of 100 ids that is one group in
1,660. With many it rests on 2·m independent spacings, the two outer ones of each register, which are exponential: its
standard error is 1/√(2·m) = 0.55 % and its bias 1/(2·m). There is no table of biases and no switch between small and
large ranges.

S is summed in integers, as Σ (max − min), and the quotient rounded half up in integers, so that no order of addition
moves the result. (HyperLogLog, Flajolet et al. 2007, keeps of the smallest value only its leading zeros; keeping it
whole, and the largest as well, halves the variance of its best estimators for the same number of registers.)
"""

import polars as pl

PRECISION = 14
RELATIVE_ERROR = 0.0055  # the standard error, as it is told
REGISTERS = 1 << PRECISION
_VALUES = 1 << 32

REGISTER, VALUE, LOW, HIGH = "register", "register value", "register low", "register high"


def registers(events: pl.LazyFrame, keys: list[str], h: pl.Expr) -> pl.LazyFrame:
    """The registers that each group touches by the hashes `h` of ids, with the ends of their values.

    A null id touches the null register, so that a group of nothing else is not lost.
    """
    return events.select(*keys, register(h), value(h)).group_by(*keys, REGISTER).agg(ends())


def register(h: pl.Expr) -> pl.Expr:
    """The register that a hash chooses."""
    return (h & (REGISTERS - 1)).cast(pl.UInt16).alias(REGISTER)


def value(h: pl.Expr) -> pl.Expr:
    """The value that a hash shows its register."""
    return (h // _VALUES).cast(pl.UInt32).alias(VALUE)


def ends() -> list[pl.Expr]:
    """What a register keeps of the values that it is shown."""
    return [pl.col(VALUE).min().alias(LOW), pl.col(VALUE).max().alias(HIGH)]


def estimate() -> pl.Expr:
    """The estimated number of distinct ids of a group's registers, as an integer."""
    span = pl.col(HIGH).cast(pl.Int64) - pl.col(LOW).cast(pl.Int64)
    return estimate_of(pl.col(LOW).count().cast(pl.Int64) + (span > 0).sum().cast(pl.Int64), span.sum())


def estimate_of(shown: pl.Expr, spans: pl.Expr) -> pl.Expr:
    """The estimate from c1 + 2·c2, the number of ends that registers show, and from S in the 2^32 parts of d."""
    # m·2^32 − Σ(max − min); at least m, since no span reaches 2^32. All products stay below 2^63.
    free = REGISTERS * _VALUES - spans
    return (2 * shown * (REGISTERS * _VALUES) + free) // (2 * free)
