"""Labels of groups as integers while they are counted, since these pack and group faster than texts."""

from collections.abc import Mapping

import polars as pl

from mmstats.question.query import StatsQuery

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
