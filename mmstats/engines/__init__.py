"""Who computes: one protocol, (question, dataset) to Stats, and one visible table from scheme to engine."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.query import StatsQuery

# By module path, so that an engine is imported only when it is asked.
ENGINES = {"local": "mmstats.engines.local"}


class Engine(Protocol):
    """Answers a question over a dataset; `advance` is told of bytes read, and what is learnt may be kept in a cache."""

    def __call__(
        self, query: StatsQuery, dataset: Dataset, advance: Callable[[int], None] = ..., cache: Cache | None = ...
    ) -> Stats:
        """The answer; raises DatasetError when the events cannot be had."""
        ...


def engine_for(scheme: str = "local") -> Engine:
    """The engine of a scheme, imported."""
    return cast(Engine, import_module(ENGINES[scheme]).answer)
