"""Packed integers kept in order while events stream by: runs, which merge by sorting again, some groups at a time."""

from collections.abc import Callable, Iterator
from threading import Lock

import polars as pl

from mmstats.engines.packing import Layout
from mmstats.limits import Limits

KEY = "key"

Run = tuple[Layout, pl.DataFrame]


class Runs:
    """Frames sorted by a packed `key`, each with the layout of its keys.

    `condensed` sorts a frame and keeps of each group what matters; of some frames together it keeps the same as of
    what it has kept of each.
    """

    def __init__(self, condensed: Callable[[pl.DataFrame], pl.DataFrame], limits: Limits) -> None:
        self._condensed, self._limits = condensed, limits
        self._runs: list[Run] = []
        self._rows, self._enough = 0, limits.run_rows
        self._lock = Lock()

    def add(self, layout: Layout, run: pl.DataFrame) -> None:
        """Take up a frame that is condensed."""
        with self._lock:
            self._runs.append((layout, run))
            self._rows += run.height
            if self._rows > self._enough:
                self._runs = list(self.pieces())
                self._rows = sum(run.height for _, run in self._runs)
                self._enough = max(self._limits.run_rows, 2 * self._rows)

    def pieces(self) -> Iterator[Run]:
        """All of it, condensed and of one layout; each group is whole in one piece, and groups come in order."""
        if not self._runs:
            return
        layout = Layout.over(of for of, _ in self._runs)
        runs = [run.with_columns(of.repacked(run[KEY], layout)) for of, run in self._runs]
        if len(runs) == 1:
            yield layout, runs[0]
            return
        borders = self._borders(layout, runs)
        cuts = [[0, *run[KEY].search_sorted(borders).to_list(), run.height] for run in runs]
        for at in range(len(borders) + 1):
            parts = [run[cut[at] : cut[at + 1]] for run, cut in zip(runs, cuts, strict=True)]
            yield layout, self._condensed(pl.concat(parts))

    def _borders(self, layout: Layout, runs: list[pl.DataFrame]) -> pl.Series:
        """The keys at which pieces begin, but for the first; they are the first of their groups."""
        pieces = -(-self._rows // self._limits.merge_rows)
        step = max(1, self._limits.merge_rows // self._limits.merge_samples)
        samples = pl.concat([run[KEY].gather_every(step) for run in runs]).sort()
        inner = samples.gather([len(samples) * at // pieces for at in range(1, pieces)])
        return inner.to_frame().select(layout.first_of_group(pl.col(KEY)).unique(maintain_order=True)).to_series()
