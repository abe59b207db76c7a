"""Labels of groups as integers while they are counted, since these pack and group faster than texts."""

from collections.abc import Iterable, Mapping

import polars as pl

from mmstats.engines import finish
from mmstats.engines.local import registers
from mmstats.engines.local.packing import KEY, Layout, Run, Runs
from mmstats.engines.local.streaming import collected, each_batch
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import VISITOR

_HOUR = 3_600_000_000  # in the microseconds of timestamps
# The length of a bucket, and where after 1970 began the first that starts there: a Monday's week on 5 January.
_STEPS = {"hour": (_HOUR, 0), "day": (24 * _HOUR, 0), "week": (7 * 24 * _HOUR, 4 * 24 * _HOUR)}


class Numbers:
    """The labels of one question, numbered as they are met, or as they come, being Categoricals; null is 0 of them."""

    def __init__(self, query: StatsQuery, schema: Mapping[str, pl.DataType]) -> None:
        self.names = query.labels
        self._step, self._start = _STEPS[query.interval] if query.interval else (0, 0)
        self._words = {name: _words(schema[name]) for name in query.group_by}
        self._kept = [pl.Series(dtype=words) for words in self._words.values()]  # the engine drops what none uses

    def of_labels(self) -> list[pl.Expr]:
        """The numbers of the labels of events that have their bucket."""
        return [self._number(name).alias(name) for name in self.names]

    def _number(self, name: str) -> pl.Expr:
        label = pl.col(name)
        if name not in self._words:
            return (label.to_physical() - self._start) // self._step
        return (label.cast(self._words[name]).to_physical().cast(pl.UInt32) + 1).fill_null(0)

    def to_labels(self) -> list[pl.Expr]:
        """The labels of rows that have their numbers."""
        return [self._label(name).alias(name) for name in self.names]

    def _label(self, name: str) -> pl.Expr:
        number = pl.col(name)
        if name not in self._words:
            return (number * self._step + self._start).cast(pl.Datetime("us"))
        known = pl.when(number > 0).then(number - 1).cast(pl.UInt32)
        return known.cat.to(self._words[name]).cast(pl.String)


def _words(dtype: pl.DataType) -> pl.Categorical:
    """The words of a column that has some, or else new ones, for one question and forgotten with it."""
    return dtype if isinstance(dtype, pl.Categorical) else pl.Categorical(pl.Categories.random())


def marked(numbers: Numbers, events: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
    """The numbers of the labels and the mark of every event's visitor, and some columns beside."""
    return events.select(*beside, *numbers.of_labels(), registers.mark(pl.col(VISITOR)))


def condensed(names: tuple[str, ...], visits: pl.LazyFrame, limits: Limits) -> Runs:
    """The marks that matter of each group by the columns `names`; raises TooWide where they are too wide to pack."""
    runs = Runs(registers.condensed, limits)

    def take(batch: pl.DataFrame) -> None:
        layout = Layout.of(batch, names, registers.BITS)
        keys = batch.select(layout.packed(pl.col(registers.MARK)).alias(KEY))
        runs.add(layout, registers.condensed(keys))

    each_batch(visits.select(*names, registers.MARK), take, limits.batch_rows)
    return runs


def estimated(query: StatsQuery, numbers: Numbers, visits: pl.LazyFrame, limits: Limits) -> finish.Rows:
    """The estimated visitors of every group, of their marks; raises TooWide as `condensed` does."""
    runs = condensed(query.labels, visits, limits)
    pieces = ((layout, registers.estimated(keys, layout, finish.VALUE)) for layout, keys in runs.pieces())
    return _labelled(query, numbers, pieces)


def counted(query: StatsQuery, numbers: Numbers, events: pl.LazyFrame, limits: Limits) -> finish.Rows:
    """The number of events of every group, of their numbers; raises TooWide where these are too wide to pack."""
    runs = Runs(_added, limits)

    def take(batch: pl.DataFrame) -> None:
        layout = Layout.of(batch, query.labels)
        keys = batch.select(layout.packed()).to_series().sort()
        counts = keys.rle().struct.unnest()
        runs.add(layout, counts.select(pl.col("value").alias(KEY), pl.col("len").cast(pl.Int64).alias(finish.VALUE)))

    each_batch(events, take, limits.batch_rows)
    return _labelled(query, numbers, runs.pieces())


def _added(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts of equal keys added up, in order."""
    summed = counts.sort(KEY).with_columns(pl.col(finish.VALUE).cum_sum())
    last = summed.filter((pl.col(KEY) != pl.col(KEY).shift(-1)).fill_null(value=True))
    return last.with_columns(pl.col(finish.VALUE).diff().fill_null(pl.col(finish.VALUE)))


def _labelled(query: StatsQuery, numbers: Numbers, pieces: Iterable[Run]) -> finish.Rows:
    """The rows with their labels, where a limit cuts only those that it may leave; `pieces` have a key and a value."""
    groups = 0
    likely = [pl.DataFrame(schema={**dict.fromkeys(query.labels, pl.Int64), finish.VALUE: pl.Int64})]
    for layout, rows in pieces:
        groups += rows.height
        columns = layout.columns(pl.col(KEY))
        buckets = columns[:1] if query.interval else []
        kept = finish.likely(query, rows.with_columns(buckets))
        likely.append(kept.select(*columns, finish.VALUE))
    if not (groups or query.labels):
        return finish.Rows(pl.DataFrame({finish.VALUE: [0]}), 1)
    labelled = pl.concat(likely).lazy().select(*numbers.to_labels(), finish.VALUE)
    return finish.Rows(collected(labelled), groups)
