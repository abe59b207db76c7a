"""How a question is answered over a source: decided before any event is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from mmstats.engines.local.aggregation import MANY_LABELS
from mmstats.engines.local.partial_cache import CachedPartials, PartialCache
from mmstats.files.event_file import EventFile
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import VISITOR
from mmstats.readers.pruning import Overlap
from mmstats.readers.source import Source


class Strategy(Enum):
    """How a question is answered."""

    STATISTICS = "what statistics prove is not read"
    BY_FILE = "file by file, and the partial aggregate of each is cached"
    TOGETHER = "all files at once"


@dataclass(frozen=True, slots=True)
class FilesByUse:
    """The files of a source by what has to be done with them.

    - `cached`: their partial aggregates are in the cache.
    - `outside`: the cache knows that all their events lie outside the range.
    - `whole`: all their events lie inside the range.
    - `partial`: the range may cut them, or nothing is known of their events.
    """

    cached: list[EventFile] = field(default_factory=list)
    outside: list[EventFile] = field(default_factory=list)
    whole: list[EventFile] = field(default_factory=list)
    partial: list[EventFile] = field(default_factory=list)

    @property
    def partial_texts(self) -> Sequence[EventFile]:
        """Text files that the range may cut: whether it does is known once they have been read, each by itself."""
        return [file for file in self.partial if file.format.is_text]

    @property
    def partial_others(self) -> Sequence[EventFile]:
        """Other files that the range may cut, which are read together."""
        return [file for file in self.partial if not file.format.is_text]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The strategy for a question, what is cached for it, and what has to be done with each file."""

    strategy: Strategy
    cached: CachedPartials
    files: FilesByUse


def plan_read(query: StatsQuery, source: Source, cache: PartialCache | None) -> ReadPlan:
    """What has to be done to answer a question over a source."""
    if not query.is_plain:
        return read_together(source)
    if query.metric == "count" and not query.labels and not any(file.format.is_text for file in source.files):
        return read_together(source, Strategy.STATISTICS)
    by_file = len(source.files) > 1 and not (query.exact or VISITOR in query.group_by)
    by_file = by_file and len(query.group_by) < MANY_LABELS
    if cache is None or not by_file:
        return read_together(source)
    cached, files = cache.find(), FilesByUse()
    for file in source.files:
        record = cached.records.get(source.fingerprints.get(file.path, ""))
        overlap = source.overlap(file, record.range if record else None)
        if overlap is Overlap.OUTSIDE:
            files.outside.append(file)
        elif overlap is Overlap.INSIDE:
            (files.cached if record and record.whole else files.whole).append(file)
        else:
            files.partial.append(file)
    return ReadPlan(Strategy.BY_FILE, cached, files)


def read_together(source: Source, strategy: Strategy = Strategy.TOGETHER) -> ReadPlan:
    """To read all files, whatever is cached of them."""
    return ReadPlan(strategy, CachedPartials(), FilesByUse(partial=source.files))
