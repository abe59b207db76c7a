"""Who computes: one protocol, (question, dataset) to Stats, and from the scheme of an address to its engine."""

from importlib import import_module
from typing import Protocol, cast

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engine_address import LOCAL, EngineAddress
from mmstats.errors import InvalidParams
from mmstats.question.query import StatsQuery
from mmstats.reports import Explanation, Profile
from mmstats.resources import fit_address_space

# By module path, so that an engine is imported only when it is asked. Each module has `engine(address)`.
ENGINES = {"local": "mmstats.engines.local.engine", "sc": "mmstats.engines.spark"}
EXPLAINERS = {"local": "mmstats.engines.local.explain"}


class Engine(Protocol):
    """Answers a question over a dataset.

    What that takes is accounted for, and what is learnt of files may be kept in a cache; an engine that reads nothing
    here keeps nothing.
    """

    def __call__(
        self, query: StatsQuery, dataset: Dataset, profile: Profile | None = ..., cache: Cache | None = ...
    ) -> Stats:
        """The answer; raises DatasetError when the events cannot be had."""
        ...


class Explainer(Protocol):
    """Tells how an engine would answer a question, without reading events."""

    def __call__(self, query: StatsQuery, dataset: Dataset, cache: Cache | None = ...) -> Explanation:
        """What would be read, and the plan; raises DatasetError when the events cannot be had."""
        ...


def explainer_for(address: EngineAddress = LOCAL) -> Explainer:
    """What explains for the engine at an address, imported; raises InvalidParams where it has none."""
    if address.scheme not in EXPLAINERS:
        raise InvalidParams({"explain": [f"tells of the local engine only, not of {address}: add --engine local"]})
    fit_address_space()
    return cast(Explainer, import_module(EXPLAINERS[address.scheme]).explain)


def engine_for(address: EngineAddress = LOCAL) -> Engine:
    """The engine at an address, imported.

    Raises InvalidSettings when what it takes is not installed, or the address may not be used as it is, and
    OutOfResources where this process may not map the memory that the local engine needs.
    """
    if address == LOCAL:
        fit_address_space()
    return cast(Engine, import_module(ENGINES[address.scheme]).engine(address))
