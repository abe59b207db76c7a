"""How far a scan of columnar files is: the engine numbers their rows, and each batch tells the number of its last row.

A filter leaves rows their numbers, so that a question that selects few of the events is as far as one that takes all.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import Lock

import polars as pl

from mmstats.files.event_file import EventFile

MOST_ROWS = (1 << 32) - 1  # of one scan: the engine numbers no more, and a row too many would end the process


class Position:
    """How far one scan of some files is, in bytes of the files as they are stored, whatever is read of them.

    `rows` are the numbers of rows of the files. `advance` is called with the bytes passed since the last call, from
    threads of the engine.
    """

    def __init__(self, files: Sequence[EventFile], rows: Sequence[int], advance: Callable[[int], None]) -> None:
        self._rows = [0, *accumulate(rows)]
        self._bytes = [0, *accumulate(file.size for file in files)]
        self._advance, self._lock, self._told = advance, Lock(), 0

    def told_by(self, value: pl.Expr, number: pl.Expr) -> pl.Expr:
        """A value of the rows, as it is; whoever computes it tells by the `number` of the row where the scan is."""

        def pass_on(columns: Sequence[pl.Series]) -> pl.Series:
            values, numbers = columns
            if len(numbers):
                self._reach(numbers[-1] + 1)
            # A constant comes as a single value for all rows.
            return values if len(values) == len(numbers) else values.new_from_index(0, len(numbers))

        return pl.map_batches([value, number], pass_on, return_dtype=pl.dtype_of(value), is_elementwise=True)

    def _reach(self, rows: int) -> None:
        """So many rows of the files are passed: all of the first ones, and a share of the bytes of the next."""
        file = bisect_right(self._rows, rows) - 1
        passed = self._bytes[file]
        if file + 1 < len(self._rows):
            size, count = self._bytes[file + 1] - passed, self._rows[file + 1] - self._rows[file]
            passed += size * (rows - self._rows[file]) // count
        with self._lock:  # batches may come in any order
            if passed > self._told:
                self._advance(passed - self._told)
                self._told = passed
