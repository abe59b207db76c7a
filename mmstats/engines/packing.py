"""Several integers packed into one, which sorts as they do one after the other; a layout says where each lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

_NARROW, _WIDE = 64, 128


class TooWide(Exception):
    """What is to be packed takes more than 128 bits."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a frame, each with the least value it has and the bits that the others above it take.

    The first column is the highest. The lowest bits are of one more integer, `below` bits wide.
    """

    names: tuple[str, ...]
    lows: tuple[int, ...]
    widths: tuple[int, ...]
    below: int = 0

    @classmethod
    def of(cls, frame: pl.DataFrame, names: Sequence[str], below: int = 0) -> "Layout":
        """The layout that takes the fewest bits for the columns of a frame, which must have rows and no nulls."""
        if not names:
            return cls((), (), (), below)
        ends = frame.select(pl.col(names).min().name.prefix("low "), pl.col(names).max().name.prefix("high "))
        low, high = ([int(ends.item(0, f"{end} {name}")) for name in names] for end in ("low", "high"))
        return cls(tuple(names), tuple(low), _widths(low, high), below)

    @classmethod
    def over(cls, layouts: Iterable["Layout"]) -> "Layout":
        """The layout that has room for what each of several has; they are of the same columns."""
        several = list(layouts)
        low = [min(lows) for lows in zip(*(one.lows for one in several), strict=True)]
        high = [max(highs) for highs in zip(*(one._highs for one in several), strict=True)]
        return cls(several[0].names, tuple(low), _widths(low, high), several[0].below)

    @property
    def _highs(self) -> list[int]:
        return [low + (1 << width) - 1 for low, width in zip(self.lows, self.widths, strict=True)]

    @property
    def dtype(self) -> pl.DataType:
        """The type of the packed integer; raises TooWide where there is none."""
        bits = self.below + sum(self.widths)
        if bits > _WIDE:
            raise TooWide
        return pl.UInt64() if bits <= _NARROW else pl.UInt128()

    def packed(self, below: pl.Expr | None = None) -> pl.Expr:
        """The columns packed, above `below` where there are bits for it."""
        dtype, shift = self.dtype, self.below + sum(self.widths)
        parts = [] if below is None else [below.cast(dtype)]
        for name, low, width in zip(self.names, self.lows, self.widths, strict=True):
            shift -= width
            if width or not parts:  # never nothing, which would be a single row
                parts.append((pl.col(name) - low).cast(dtype) * _power(shift, dtype))
        return reduce(pl.Expr.__add__, parts)

    def columns(self, key: pl.Expr) -> list[pl.Expr]:
        """The columns of packed integers."""
        dtype, shift, found = self.dtype, self.below + sum(self.widths), []
        for name, low, width in zip(self.names, self.lows, self.widths, strict=True):
            shift -= width
            field = (key // _power(shift, dtype)) % _power(width, dtype) if width else key * 0
            found.append((field.cast(pl.Int64) + low).alias(name))
        return found

    def lowest(self, key: pl.Expr) -> pl.Expr:
        """The integer below the columns of packed integers."""
        return (key % _power(self.below, self.dtype)).cast(pl.UInt64) if sum(self.widths) else key

    def first_of_group(self, key: pl.Expr) -> pl.Expr:
        """The least packed integer that has the same columns."""
        return key - self.lowest(key).cast(self.dtype)

    def repacked(self, keys: pl.Series, wider: "Layout") -> pl.Series:
        """Packed integers in a layout with more room; their order stays."""
        if wider == self:
            return keys
        key = pl.col(keys.name)
        columns = keys.to_frame().lazy().select(*self.columns(key), self.lowest(key).alias(""))
        return columns.select(wider.packed(pl.col("")).alias(keys.name)).collect(engine="streaming").to_series()


def _widths(low: Sequence[int], high: Sequence[int]) -> tuple[int, ...]:
    return tuple((last - first).bit_length() for first, last in zip(low, high, strict=True))


def _power(bits: int, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(1 << bits, dtype)
