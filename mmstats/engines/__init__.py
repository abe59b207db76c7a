"""Who computes: one protocol, (question, dataset) to Stats, and one visible table from scheme to engine."""

from importlib import import_module
from typing import Protocol, cast

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.query import StatsQuery
from mmstats.work import Account, Explanation

# By module path, so that an engine is imported only when it is asked.
ENGINES = {"local": "mmstats.engines.local"}


class Engine(Protocol):
    """Answers a question over a dataset; what that takes is accounted for, what is learnt may be kept in a cache."""

    def __call__(
        self, query: StatsQuery, dataset: Dataset, account: Account | None = ..., cache: Cache | None = ...
    ) -> Stats:
        """The answer; raises DatasetError when the events cannot be had."""
        ...


class Explainer(Protocol):
    """Tells how an engine would answer a question, without reading events."""

    def __call__(self, query: StatsQuery, dataset: Dataset, cache: Cache | None = ...) -> Explanation:
        """What would be read, and the plan; raises DatasetError when the events cannot be had."""
        ...


def explainer_for(scheme: str = "local") -> Explainer:
    """What explains for the engine of a scheme, imported."""
    return cast(Explainer, import_module(ENGINES[scheme]).explain)


def engine_for(scheme: str = "local") -> Engine:
    """The engine of a scheme, imported."""
    return cast(Engine, import_module(ENGINES[scheme]).answer)
