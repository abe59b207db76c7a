"""Sketches as packed integers: the ends of every register that a group's visitors touch, an entry each.

An entry is the register above the value that it was shown, 47 bits; `sketch` tells what these are. Of the entries of a
register only the least and the greatest matter, so that sketches merge by sorting their entries together, or by
showing them all to a table of registers where the groups are so few that there is room for one.
"""

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from mmstats.engines import sketch
from mmstats.engines.local.packed_groups import LabelCodes, unpacked_rows
from mmstats.engines.local.packing import KEY, KeyLayout, Run, Runs
from mmstats.engines.local.streaming import each_batch
from mmstats.engines.stages import Rows
from mmstats.limits import Limits
from mmstats.question.query import VALUE, StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.projection import VISITOR

if TYPE_CHECKING:
    from mmstats.engines.local.dense_registers import RegisterTable

ENTRY = "entry"
BITS = sketch.PRECISION + 1 + 32  # one register more, for ids that are null, whose group must not be lost
_VALUES = 1 << 32
_FIRST = "first of a register"
_LAST = pl.col(_FIRST).shift(-1).fill_null(value=True)  # the next begins


class RegisterEntries:
    """Visitors by label: an entry for each end of each register that a group's visitors touch; labels are codes."""

    def __init__(self, query: StatsQuery, schema: Mapping[str, pl.DataType], limits: Limits) -> None:
        self._query, self._codes, self._limits = query, LabelCodes(query, schema), limits

    def partial(self, events: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
        """The entries of the visitors of some events, not yet condensed; some columns beside."""
        h = pl.col(VISITOR)
        entry = (h % sketch.REGISTERS) * _VALUES + h // _VALUES
        shown = entry.fill_null(sketch.REGISTERS * _VALUES).alias(ENTRY)
        return events.select(*beside, *self._codes.encoded(), shown)

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The entries of files, condensed."""
        entries = self.partial(events, FILE)
        key = pl.col(KEY)
        pieces = [
            keys.select(*layout.columns(key), layout.lowest(key).alias(ENTRY))
            for layout, keys in self._collected((FILE, *self._query.labels), entries).condensed()
        ]
        return pl.concat(pieces) if pieces else entries.head(0).collect()

    def to_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """The entries with texts for codes, which other processes do not know."""
        return partials.select(FILE, *self._codes.decoded(), ENTRY)

    def from_cache(self, partials: pl.DataFrame) -> pl.DataFrame:
        """The entries with codes for texts."""
        return partials.select(*self._codes.encoded(), ENTRY)

    def merged(self, partials: Sequence[pl.LazyFrame]) -> Rows:
        """The estimated visitors of every group; raises TooWide where labels are too wide to pack."""
        entries = [partial.select(*self._query.labels, ENTRY) for partial in partials]
        collected = self._collected(self._query.labels, pl.concat(entries, how="vertical_relaxed"))
        return unpacked_rows(self._query, self._codes, collected.estimates())

    def rows(self, events: pl.LazyFrame) -> Rows:
        """The estimated visitors of all events; raises TooWide as above."""
        return self.merged([self.partial(events)])

    def _collected(self, names: tuple[str, ...], entries: pl.LazyFrame) -> "_Collected":
        """The entries of each group by the columns `names`."""
        collected = _Collected(names, self._limits)
        each_batch(entries.select(*names, ENTRY), collected.take, self._limits.batch_rows)
        return collected


class _Collected:
    """The entries of groups: in a table as long as that has room for all of them, else in sorted runs."""

    def __init__(self, names: tuple[str, ...], limits: Limits) -> None:
        self._names, self._limits = names, limits
        self._runs = Runs(_condense, limits)
        self._table: RegisterTable | None = None
        self._may_fit = True
        self._lock = Lock()

    def take(self, batch: pl.DataFrame) -> None:
        """Take up the entries of a batch, which has labels in columns."""
        layout = self._runs.widened(KeyLayout.of(batch, self._names, BITS))
        keys = batch.select(layout.packed(pl.col(ENTRY)).alias(KEY))
        table = self._table_for(layout, batch.height)
        if table and table.add(layout, keys[KEY]):
            return
        if table:
            self._hand_over(table)
        self._runs.add(layout, _condense(keys))

    def _table_for(self, layout: KeyLayout, rows: int) -> "RegisterTable | None":
        """The table, which is made for the first batch that is full: NumPy loads no sooner than fewer are sorted."""
        with self._lock:
            is_due = self._may_fit and self._table is None and rows >= self._limits.batch_rows
            if is_due and layout.dtype == pl.UInt64():
                from mmstats.engines.local.dense_registers import RegisterTable

                try:
                    self._table = RegisterTable(layout, self._limits)
                except MemoryError:  # as under `ulimit -v`: the table is mapped whole, whatever it comes to take
                    self._may_fit = False
            return self._table

    def _hand_over(self, table: "RegisterTable") -> None:
        """Sort from now on, also what is in the table."""
        with self._lock:
            if self._table is table:
                table.close()
                self._runs.add(*table.entries())
                self._table, self._may_fit = None, False

    def condensed(self) -> Iterator[Run]:
        """The entries that matter, in order; each group is whole in one piece."""
        if self._table:
            self._runs.add(*self._table.entries())
        return self._runs.pieces()

    def estimates(self) -> Iterator[Run]:
        """The estimated number of visitors of each group."""
        if self._table and not self._runs.rows:
            yield self._table.estimates()
            return
        yield from ((layout, _estimate(keys, layout)) for layout, keys in self.condensed())


def _condense(keys: pl.DataFrame) -> pl.DataFrame:
    """The keys that have an entry for their lowest bits, in order; of each group and register the two ends."""
    begins = _with_begins(keys.sort(KEY))
    ends = begins.filter(pl.col(_FIRST) | _LAST).select(KEY)
    return ends.filter((pl.col(KEY) != pl.col(KEY).shift(1)).fill_null(value=True))


def _with_begins(ordered: pl.DataFrame) -> pl.DataFrame:
    """The keys in order, each with whether a register begins with it."""
    register = pl.col(KEY) // _VALUES
    return ordered.with_columns((register != register.shift(1)).fill_null(value=True).alias(_FIRST))


def _estimate(keys: pl.DataFrame, layout: KeyLayout) -> pl.DataFrame:
    """The estimated number of visitors of each group of condensed keys, by the first key of the group."""
    key = pl.col(KEY)
    entry = layout.lowest(key)
    # Of a register's range its last entry is the end and its first the start; one that is both has none.
    weight = _LAST.cast(pl.Int64) - pl.col(_FIRST).cast(pl.Int64)
    weighed = (
        _with_begins(keys)
        .lazy()
        .select(
            layout.first_of_group(key).alias(KEY),
            (entry // _VALUES < sketch.REGISTERS).alias("is a visitor"),
            (weight * (entry % _VALUES).cast(pl.Int64)).alias("range"),
        )
    )
    estimate = sketch.estimate_of(pl.col("is a visitor").sum().cast(pl.Int64), pl.col("range").sum())
    return weighed.group_by(KEY).agg(estimate.alias(VALUE)).collect(engine="streaming")
