"""How a question is answered of all its events at once: by texts, by numbers, or by visitors' marks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import polars as pl

from mmstats.engines import finish
from mmstats.engines.local import packed_groups, plan
from mmstats.engines.local.packed_groups import Numbers
from mmstats.engines.local.partial_cache import Kept, Ledger
from mmstats.engines.local.partials import Marks
from mmstats.engines.local.streaming import collected
from mmstats.files.event_file import EventFile
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.pruning import Overlap
from mmstats.readers.source import Source

MANY_LABELS = 5  # from so many on grouping by their texts is slower than numbering these


class Grouping(Protocol):
    """A way to answer a question of all its events."""

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """What the engine is asked to do with the events."""
        ...

    def rows(self, part: pl.LazyFrame) -> finish.Rows:
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

    def rows(self, part: pl.LazyFrame) -> finish.Rows:
        """The rows, found."""
        frame = collected(part)
        return finish.Rows(frame, frame.height)


class ByNumbers:
    """Labels are numbered and packed into one integer, which is counted."""

    def __init__(self, query: StatsQuery, events: pl.LazyFrame, limits: Limits) -> None:
        self._query, self._numbers, self._limits = query, Numbers(query, events.collect_schema()), limits

    def of(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The numbers of the labels."""
        return plan.bucketed(self._query, events).select(self._numbers.of_labels())

    def rows(self, part: pl.LazyFrame) -> finish.Rows:
        """The events of each group, counted."""
        return packed_groups.counted(self._query, self._numbers, part, self._limits)


class Way(Enum):
    """How a question is answered."""

    STATISTICS = "what statistics prove is not read"
    BY_FILE = "file by file, and what is learnt of each is kept"
    AT_ONCE = "all files at once"


@dataclass(frozen=True, slots=True)
class Sorted:
    """The files of a source by what has to be done with them.

    The parts of `used` are kept; of `passed` it is known that the range leaves none of their events; `whole` ones lie
    inside the range, and `cut` ones may not.
    """

    used: list[EventFile] = field(default_factory=list)
    passed: list[EventFile] = field(default_factory=list)
    whole: list[EventFile] = field(default_factory=list)
    cut: list[EventFile] = field(default_factory=list)

    @property
    def cut_texts(self) -> Sequence[EventFile]:
        """Texts that may be cut: whether they are is known once they have been read, so that they are kept by file."""
        return [file for file in self.cut if file.format.is_text]

    @property
    def cut_others(self) -> Sequence[EventFile]:
        """Other files that may be cut, which are read at once."""
        return [file for file in self.cut if not file.format.is_text]


@dataclass(frozen=True, slots=True)
class Task:
    """The way to answer a question, what is kept to answer it by, and what has to be done with each file."""

    way: Way
    kept: Kept
    files: Sorted


def task_of(query: StatsQuery, source: Source, ledger: Ledger | None) -> Task:
    """What has to be done to answer a question over a source."""
    way = _way(query, source, ledger)
    if way is not Way.BY_FILE or ledger is None:
        return everything(source, way)
    kept = ledger.read()
    return Task(way, kept, _sorted_out(source, kept))


def everything(source: Source, way: Way = Way.AT_ONCE) -> Task:
    """To read all files, whatever is kept of them."""
    return Task(way, Kept({}, {}), Sorted(cut=source.files))


def _way(query: StatsQuery, source: Source, ledger: Ledger | None) -> Way:
    if query.metric == "count" and not query.labels and not any(file.format.is_text for file in source.files):
        return Way.STATISTICS
    if ledger and len(source.files) > 1 and not query.exact and len(query.group_by) < MANY_LABELS:
        return Way.BY_FILE
    return Way.AT_ONCE


def _sorted_out(source: Source, kept: Kept) -> Sorted:
    """What has to be done with each file of a source."""
    files = Sorted()
    for file in source.files:
        record = kept.records.get(source.known.get(file.path, ""))
        place = source.place(file, record.span if record else None)
        if place is Overlap.OUTSIDE:
            files.passed.append(file)
        elif place is Overlap.INSIDE:
            (files.used if record and record.whole else files.whole).append(file)
        else:
            files.cut.append(file)
    return files
