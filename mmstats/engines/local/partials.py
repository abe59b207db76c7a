"""What is kept of some events to answer a question: counts, or marks of visitors, by label; parts of them add up."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from mmstats.engines import finish
from mmstats.engines.local import packed_groups, plan, registers
from mmstats.engines.local.packed_groups import Numbers
from mmstats.engines.local.packing import KEY, Layout
from mmstats.engines.local.streaming import collected
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE


class Partial(Protocol):
    """A way to answer a question by parts."""

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The part that some events are."""
        ...

    def scanned(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """What `by_file` has the engine do with events that have their `file`."""
        ...

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The parts that files are, each row with its `file`."""
        ...

    def to_keep(self, parts: pl.DataFrame) -> pl.DataFrame:
        """Parts of files as they may be kept for another process."""
        ...

    def restored(self, parts: pl.DataFrame) -> pl.DataFrame:
        """Parts of files that were kept."""
        ...

    def finished(self, parts: Sequence[pl.LazyFrame]) -> finish.Rows:
        """The answer that all parts together are."""
        ...


def partial_of(query: StatsQuery, limits: Limits, *, stored: bool) -> Partial:
    """How files answer the question one by one; the labels of `stored` ones are Categoricals."""
    if query.metric == "count":
        return Counts(query)
    return Marks(query, dict.fromkeys(query.group_by, pl.Categorical() if stored else pl.String()), limits)


class Counts:
    """Events counted by label; a row for each group."""

    def __init__(self, query: StatsQuery) -> None:
        self._query = query
        self._columns = [*query.labels, finish.VALUE]

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The counts of some events."""
        return plan.answered(self._query, events)

    def scanned(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The counts of files, lazily."""
        return plan.counted(self._query, events, FILE)

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The counts of files."""
        return collected(self.scanned(events))

    def to_keep(self, parts: pl.DataFrame) -> pl.DataFrame:
        """The counts, as they are."""
        return parts

    def restored(self, parts: pl.DataFrame) -> pl.DataFrame:
        """The counts, as they were."""
        return parts

    def finished(self, parts: Sequence[pl.LazyFrame]) -> finish.Rows:
        """The counts added up."""
        rows = collected(plan.summed(self._query, pl.concat([part.select(self._columns) for part in parts])))
        return finish.Rows(rows, rows.height)


class Marks:
    """Visitors' marks by label, as numbers; a row for each end of each register that a group's visitors touch."""

    def __init__(self, query: StatsQuery, schema: Mapping[str, pl.DataType], limits: Limits) -> None:
        self._query, self._numbers, self._limits = query, Numbers(query, schema), limits

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The marks of the visitors of some events, not yet condensed."""
        return packed_groups.marked(self._numbers, plan.bucketed(self._query, events))

    def scanned(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The marks of files, not yet condensed."""
        return packed_groups.marked(self._numbers, plan.bucketed(self._query, events), FILE)

    def by_file(self, events: pl.LazyFrame) -> pl.DataFrame:
        """The marks of files, condensed."""
        names = (FILE, *self._query.labels)
        visits = self.scanned(events)
        runs = packed_groups.condensed(names, visits, self._limits)
        pieces = [_unpacked(layout, keys) for layout, keys in runs.pieces()]
        return pl.concat(pieces) if pieces else visits.head(0).collect()

    def to_keep(self, parts: pl.DataFrame) -> pl.DataFrame:
        """The marks with texts for numbers."""
        return parts.select(*self._numbers.to_labels(), registers.MARK)

    def restored(self, parts: pl.DataFrame) -> pl.DataFrame:
        """The marks with numbers for texts."""
        return parts.select(*self._numbers.of_labels(), registers.MARK)

    def finished(self, parts: Sequence[pl.LazyFrame]) -> finish.Rows:
        """The visitors that the marks of all parts tell of."""
        visits = [part.select(*self._query.labels, registers.MARK) for part in parts]
        together = pl.concat(visits, how="vertical_relaxed")
        return packed_groups.estimated(self._query, self._numbers, together, self._limits)

    def rows(self, part: pl.LazyFrame) -> finish.Rows:
        """The visitors that the marks of one part tell of."""
        return self.finished([part])


def _unpacked(layout: Layout, keys: pl.DataFrame) -> pl.DataFrame:
    key = pl.col(KEY)
    return keys.select(*layout.columns(key), layout.lowest(key).alias(registers.MARK))
