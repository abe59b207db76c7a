"""Registers as a dense table: an entry finds its register by its place, and nothing is sorted.

The table has all registers of each group, both ends of a register side by side, so that an entry touches one line of
the processor's cache. Both ends are kept as maxima, the lowest value as its complement: a register that shows nothing
is zeros then, which the system gives without writing them, so that only groups that come take memory.

NumPy's `maximum.at` shows a register one entry after the other in compiled code. It holds the interpreter's lock; the
threads of the engine scan on meanwhile.
"""

from collections.abc import Iterator
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmstats.engines import sketch
from mmstats.engines.local.packing import KEY, KeyLayout, Run
from mmstats.limits import Limits
from mmstats.question.query import VALUE

_Keys = NDArray[np.uint64]
_Ends = NDArray[np.uint32]
_REGISTERS = sketch.REGISTERS + 1  # the last one is shown by ids that are null
_PLACE_BYTES = _REGISTERS * 2 * 4
_BLOCK = 1 << 14  # keys at once, so that what is computed of them stays in the processor's cache
_PLACES = 32  # places at once, likewise
_BUCKETS = 3  # times as many groups as the first batch has, at least, have to fit where there are buckets of time


class RegisterTable:
    """The registers of a bounded number of groups, by 64-bit keys of a group above an entry; threads may share it."""

    def __init__(self, layout: KeyLayout, limits: Limits) -> None:
        self._layout = layout
        self._capacity = limits.table_bytes // _PLACE_BYTES
        self._ends = np.zeros((self._capacity, _REGISTERS, 2), np.uint32)
        self._groups = np.zeros(0, np.int64)  # by place
        self._places = self._numbered()
        self._is_closed = False
        self._lock = Lock()

    def _numbered(self) -> NDArray[np.int64]:
        """The place of each group, -1 for none."""
        places = np.full(1 << sum(self._layout.widths), -1, np.int64)
        places[self._groups] = np.arange(len(self._groups))
        return places

    def add(self, layout: KeyLayout, keys: pl.Series) -> bool:
        """Take up keys; False where there is no room for their groups, or where the table is closed.

        Of two layouts that keys come in, one has room for the other. Where there is no room, some of the keys may be
        taken up all the same: that does no harm, since an entry may be repeated.
        """
        with self._lock:
            if self._is_closed or layout.dtype != pl.UInt64():
                return False
            self._widen(KeyLayout.over((self._layout, layout)))
            left = self._add(layout.repacked(keys, self._layout).to_numpy())
            if len(left):
                if not self._give_places(left):
                    return False
                self._add(left)
            return True

    def _widen(self, layout: KeyLayout) -> None:
        if layout != self._layout:
            keys = pl.Series(KEY, self._groups.view(np.uint64) << self._layout.below)
            self._groups = (self._layout.repacked(keys, layout).to_numpy() >> layout.below).view(np.int64)
            self._layout = layout
            self._places = self._numbered()

    def _add(self, keys: _Keys) -> _Keys:
        """Take up keys; those are left whose groups have no place."""
        ends, left = self._ends.reshape(-1), [keys[:0]]
        for at in range(0, len(keys), _BLOCK):
            block = keys[at : at + _BLOCK]
            places = self._places[(block >> self._layout.below).view(np.int64)]
            if places.min() < 0:
                left.append(block[places < 0])
                block, places = block[places >= 0], places[places >= 0]
            values = block.astype(np.uint32)
            registers = (block >> 32).view(np.int64) & (2 * sketch.REGISTERS - 1)
            low = 2 * (places * _REGISTERS + registers)
            np.maximum.at(ends, low, ~values)
            np.maximum.at(ends, low + 1, values)
        return np.concatenate(left)

    def _give_places(self, keys: _Keys) -> bool:
        """Give a place to each group of keys, which has none; False where there are too few."""
        groups = np.flatnonzero(np.bincount((keys >> self._layout.below).view(np.int64)))
        first, end = len(self._groups), len(self._groups) + len(groups)
        # One bucket follows on the other: those of the first batch are a small part of all groups.
        most = self._capacity // _BUCKETS if not first and "bucket" in self._layout.names else self._capacity
        if end > most:
            return False
        self._places[groups] = np.arange(first, end)
        self._groups = np.concatenate((self._groups, groups))
        return True

    def _by_places(self, order: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], _Ends, _Ends]]:
        """The groups at some places, a few at once, and the complement of the lowest and the highest value of each."""
        for at in range(0, len(order), _PLACES):
            some = order[at : at + _PLACES]
            yield self._groups[some], self._ends[some, :, 0], self._ends[some, :, 1]

    def close(self) -> None:
        """Take up nothing more."""
        with self._lock:
            self._is_closed = True

    def entries(self) -> Run:
        """The entries of all groups, condensed."""
        found = [np.zeros(0, np.uint64)]
        registers = np.arange(_REGISTERS, dtype=np.uint64) << 32
        for groups, low, high in self._by_places(np.argsort(self._groups)):
            keys = (groups.view(np.uint64) << self._layout.below)[:, None] + registers
            shows, differ = (low | high) > 0, ~low != high
            both = np.stack((keys + ~low, keys + high), axis=2)
            found.append(both[np.stack((shows, shows & differ), axis=2)])
        return self._layout, pl.DataFrame({KEY: np.concatenate(found)})

    def estimates(self) -> Run:
        """The estimated number of visitors of each group, by a key of the group."""
        found = [np.zeros((0, 2), np.int64)]
        for _, low, high in self._by_places(np.arange(len(self._groups))):
            # In 32 bits this is the distance of the ends, and 1 where nothing is shown; the last register is of nulls.
            span = (low + high + np.uint32(1))[:, :-1]
            empty = ((low | high)[:, :-1] == 0).sum(axis=1)
            shown = 2 * (sketch.REGISTERS - empty) - (span == 0).sum(axis=1)
            found.append(np.stack((shown, span.sum(axis=1, dtype=np.int64) - empty), axis=1))
        shown, spans = np.concatenate(found).T
        keys = self._groups.view(np.uint64) << self._layout.below
        estimate = sketch.estimate_of(pl.col("shown"), pl.col("spans")).alias(VALUE)
        return self._layout, pl.DataFrame({KEY: keys, "shown": shown, "spans": spans}).select(KEY, estimate)
