"""Groups as packed integers, which sort and merge faster than texts: codes for labels, and rows from sorted runs."""

from collections.abc import Iterable, Mapping

import polars as pl

from mmstats.engines.local.packing import KEY, KeyLayout, Run, Runs
from mmstats.engines.local.streaming import collect, each_batch
from mmstats.engines.local.time_buckets import key_steps
from mmstats.engines.stages import Rows, within_limit
from mmstats.limits import Limits
from mmstats.question.query import VALUE, StatsQuery


class LabelCodes:
    """Integer codes for the labels of one question, those of Categoricals where there are some; null is 0."""

    def __init__(self, query: StatsQuery, schema: Mapping[str, pl.DataType]) -> None:
        self.names = query.labels
        self._step, self._start = key_steps(query)
        # New categories are for one question, and forgotten with it.
        self._categories = {
            name: dtype if isinstance(dtype := schema[name], pl.Categorical) else pl.Categorical(pl.Categories.random())
            for name in query.group_by
        }
        self._used = [pl.Series(dtype=dtype) for dtype in self._categories.values()]  # the engine drops what none uses

    def encoded(self) -> list[pl.Expr]:
        """The codes of the labels of events that have their bucket."""
        codes = []
        for name in self.names:
            label = pl.col(name)
            if name in self._categories:
                known = label.cast(self._categories[name]).to_physical().cast(pl.UInt32) + 1
                codes.append(known.fill_null(0).alias(name))
            else:
                codes.append(((label.to_physical() - self._start) // self._step).alias(name))
        return codes

    def decoded(self) -> list[pl.Expr]:
        """The labels of rows that have their codes."""
        labels = []
        for name in self.names:
            code = pl.col(name)
            if name in self._categories:
                known = pl.when(code > 0).then(code - 1).cast(pl.UInt32)
                labels.append(known.cat.to(self._categories[name]).cast(pl.String).alias(name))
            else:
                labels.append((code * self._step + self._start).cast(pl.Datetime("us")).alias(name))
        return labels


def count_packed(query: StatsQuery, codes: LabelCodes, events: pl.LazyFrame, limits: Limits) -> Rows:
    """The number of events of every group, by their codes; raises TooWide where these are too wide to pack."""
    runs = Runs(_added, limits)

    def take(batch: pl.DataFrame) -> None:
        layout = runs.widened(KeyLayout.of(batch, query.labels))
        keys = batch.select(layout.packed()).to_series().sort()
        counts = keys.rle().struct.unnest()
        runs.add(layout, counts.select(pl.col("value").alias(KEY), pl.col("len").cast(pl.Int64).alias(VALUE)))

    each_batch(events, take, limits.batch_rows)
    return unpacked_rows(query, codes, runs.pieces())


def _added(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts of equal keys added up, in order."""
    summed = counts.sort(KEY).with_columns(pl.col(VALUE).cum_sum())
    last = summed.filter((pl.col(KEY) != pl.col(KEY).shift(-1)).fill_null(value=True))
    return last.with_columns(pl.col(VALUE).diff().fill_null(pl.col(VALUE)))


def unpacked_rows(query: StatsQuery, codes: LabelCodes, pieces: Iterable[Run]) -> Rows:
    """The rows with their labels, where a limit cuts only those that it may leave; `pieces` have a key and a value."""
    groups = total = 0
    rows = [pl.DataFrame(schema={**dict.fromkeys(query.labels, pl.Int64), VALUE: pl.Int64})]
    for layout, piece in pieces:
        groups += piece.height
        total += int(piece[VALUE].sum())
        columns = layout.columns(pl.col(KEY))
        buckets = columns[:1] if query.interval else []
        rows.append(within_limit(query, piece.with_columns(buckets)).select(*columns, VALUE))
    if not (groups or query.labels):
        return Rows.whole(pl.DataFrame({VALUE: [0]}))
    labelled = pl.concat(rows).lazy().select(*codes.decoded(), VALUE)
    return Rows(collect(labelled), groups, total)
