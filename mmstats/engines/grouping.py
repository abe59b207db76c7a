"""How a question is answered of all its events at once: by texts, by numbers, or by visitors' marks."""

from typing import Protocol

import polars as pl

from mmstats.engines import grouped, plan
from mmstats.engines.numbers import Numbers
from mmstats.engines.partial import Marks
from mmstats.engines.streaming import collected
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

MANY_LABELS = 5  # from so many on grouping by their texts is slower than numbering these


class Grouping(Protocol):
    """A way to answer a question of all its events."""

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """What the engine is asked to do with the events."""
        ...

    def rows(self, part: pl.LazyFrame) -> plan.Rows:
        """The rows of the answer, by what `of` has given; raises TooWide where labels have too many values."""
        ...


def grouping_of(query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> Grouping:
    """The way to answer the question of these events."""
    if query.metric == "uniques" and not query.exact:
        return Marks(query, events.collect_schema(), limits)
    if query.metric == "count" and len(query.group_by) >= MANY_LABELS:
        return ByNumbers(query, events, limits)
    return ByTexts(query)


class ByTexts:
    """Labels are grouped as they come, by the engine."""

    def __init__(self, query: StatsQuery) -> None:
        self._query = query

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The rows."""
        return plan.answered(self._query, events)

    def rows(self, part: pl.LazyFrame) -> plan.Rows:
        """The rows, found."""
        frame = collected(part)
        return plan.Rows(frame, frame.height)


class ByNumbers:
    """Labels are numbered and packed into one integer, which is counted."""

    def __init__(self, query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> None:
        self._query, self._numbers, self._limits = query, Numbers(query, events.collect_schema()), limits

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The numbers of the labels."""
        return plan.bucketed(self._query, events).select(self._numbers.of_labels())

    def rows(self, part: pl.LazyFrame) -> plan.Rows:
        """The events of each group, counted."""
        return grouped.counted(self._query, self._numbers, part, self._limits)
