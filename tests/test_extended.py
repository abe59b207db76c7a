"""Whole questions with extensions: the bytes of the answer against plain Python, over formats, splits and the cache."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from tests import oracle
from tests.drawn import CHANGES, FORMATS, Drawn, datasets, edges, extended

AT_CHANGES = edges(CHANGES)


def agree(drawn: Drawn, query: StatsQuery, dataset: Dataset, cache: Cache | None = None) -> None:
    """Compare the product's bytes with the oracle's."""
    stats = answer(query, dataset, cache=cache)
    assert stats.to_json() == oracle.answer(query, drawn.events)


@pytest.mark.parametrize("kind", FORMATS)
def test_extended_answers_are_the_contracts_in_each_format(kind: str) -> None:
    """Any question with extensions gives the oracle's bytes, in each format and split over files."""

    @given(datasets((kind,), AT_CHANGES), st.lists(extended(AT_CHANGES), min_size=2, max_size=2))
    @settings(max_examples=30)
    def answers(drawn: Drawn, asked: list[StatsQuery]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            drawn.write(Path(folder))
            for query in asked:
                agree(drawn, query, Dataset((folder,)))

    answers()


@given(datasets(when=AT_CHANGES), st.lists(extended(AT_CHANGES), min_size=2, max_size=3))
@settings(max_examples=40)
def test_extended_answers_are_the_same_from_the_cache(drawn: Drawn, asked: list[StatsQuery]) -> None:
    """A question asked again of partial aggregates that another range or filter has left gives the oracle's bytes."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as kept:
        drawn.write(Path(folder))
        dataset, cache = Dataset((folder,), limits=Limits(settle_ns=-(10**12))), Cache(Path(kept))
        for query in [*asked, *asked]:
            agree(drawn, query, dataset, cache)
