"""Several integers packed into one, which sorts as they do one after the other; a layout says where each lies."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from threading import Lock

import polars as pl

from mmstats.limits import Limits

_NARROW, _WIDE = 64, 128


class TooWide(Exception):
    """What is to be packed takes more than 128 bits."""


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """Columns of a frame, each with the least value it has and the bits that the others above it take.

    The first column is the highest. The lowest bits are of one more integer, `below` bits wide.
    """

    names: tuple[str, ...]
    lows: tuple[int, ...]
    widths: tuple[int, ...]
    below: int = 0

    @classmethod
    def of(cls, frame: pl.DataFrame, names: Sequence[str], below: int = 0) -> "KeyLayout":
        """The layout that takes the fewest bits for the columns of a frame, which must have rows and no nulls."""
        if not names:
            return cls((), (), (), below)
        ends = frame.select(pl.col(names).min().name.prefix("low "), pl.col(names).max().name.prefix("high "))
        low, high = ([int(ends.item(0, f"{end} {name}")) for name in names] for end in ("low", "high"))
        return cls(tuple(names), tuple(low), _widths(low, high), below)

    @classmethod
    def over(cls, layouts: Iterable["KeyLayout"]) -> "KeyLayout":
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

    def repacked(self, keys: pl.Series, wider: "KeyLayout") -> pl.Series:
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


KEY = "key"

Run = tuple[KeyLayout, pl.DataFrame]


class Runs:
    """Frames sorted by a packed `key`, each with the layout of its keys.

    `condensed` sorts a frame and keeps of each group what matters; of some frames together it keeps the same as of
    what it has kept of each. `rows` are those that it holds.
    """

    def __init__(self, condensed: Callable[[pl.DataFrame], pl.DataFrame], limits: Limits) -> None:
        self._condensed, self._limits = condensed, limits
        self._runs: list[Run] = []
        self._layout: KeyLayout | None = None
        self.rows, self._enough = 0, limits.run_rows
        self._lock = Lock()

    def widened(self, layout: KeyLayout) -> KeyLayout:
        """The layout for keys that have another one: with room for all that came before, so that few are repacked."""
        with self._lock:
            self._layout = KeyLayout.over((self._layout or layout, layout))
            return self._layout

    def add(self, layout: KeyLayout, run: pl.DataFrame) -> None:
        """Take up a frame that is condensed."""
        with self._lock:
            self._runs.append((layout, run))
            self.rows += run.height
            if self.rows > self._enough:
                self._runs = list(self.pieces())
                self.rows = sum(run.height for _, run in self._runs)
                self._enough = max(self._limits.run_rows, 2 * self.rows)

    def pieces(self) -> Iterator[Run]:
        """All of it, condensed and of one layout; each group is whole in one piece, and groups come in order."""
        if not self._runs:
            return
        layout = KeyLayout.over(of for of, _ in self._runs)
        for at, (of, run) in enumerate(self._runs):  # one by one, since all of them twice would take twice the memory
            self._runs[at] = layout, run.with_columns(of.repacked(run[KEY], layout))
        runs = [run for _, run in self._runs]
        if len(runs) == 1:
            yield layout, runs[0]
            return
        borders = self._borders(layout, runs)
        cuts = [[0, *run[KEY].search_sorted(borders).to_list(), run.height] for run in runs]
        for at in range(len(borders) + 1):
            parts = [run[cut[at] : cut[at + 1]] for run, cut in zip(runs, cuts, strict=True)]
            yield layout, self._condensed(pl.concat(parts))

    def _borders(self, layout: KeyLayout, runs: list[pl.DataFrame]) -> pl.Series:
        """The keys at which pieces begin, but for the first; they are the first of their groups."""
        pieces = -(-self.rows // self._limits.merge_rows)
        step = max(1, self._limits.merge_rows // self._limits.merge_samples)
        samples = pl.concat([run[KEY].gather_every(step) for run in runs]).sort()
        inner = samples.gather([len(samples) * at // pieces for at in range(1, pieces)])
        return inner.to_frame().select(layout.first_of_group(pl.col(KEY)).unique(maintain_order=True)).to_series()
