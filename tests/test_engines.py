"""Every engine gives the same answer: the differential test, written once, which takes every engine."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.question.query import StatsQuery
from tests import oracle
from tests.clusters import Cluster
from tests.drawn import ANY, NEAR, Drawn, datasets, questions

QUESTIONS = {"local": 210, "spark": 30, "sail": 90}
_ASKED = 10  # of each dataset
_PARQUET = ("parquet", "words.parquet")
_FORMATS = {"local": (*_PARQUET, "ndjson", "csv"), "spark": _PARQUET, "sail": _PARQUET}


@pytest.fixture(params=QUESTIONS)
def engine(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The name and the address of each engine by turns."""
    if request.param == "local":
        return "local", "local"
    cluster: Cluster = request.getfixturevalue(request.param)
    return request.param, cluster.address


def drawn(
    formats: Sequence[str], when: st.SearchStrategy[datetime], *, fill: bool
) -> st.SearchStrategy[tuple[Drawn, list[StatsQuery]]]:
    """A dataset in some formats and questions to it."""
    asked = questions(when=when) | questions(fill=fill, when=when)
    return st.tuples(datasets(formats, when), st.lists(asked, min_size=_ASKED, max_size=_ASKED))


def test_drawn_questions(engine: tuple[str, str]) -> None:
    """Any question over any dataset has the bytes that the contract says, from every engine."""
    name, address = engine
    formats = _FORMATS[name]
    ask = engine_for(read_engine(address))

    @settings(
        max_examples=QUESTIONS[name] // _ASKED,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn(formats, NEAR, fill=True) | drawn(formats, ANY, fill=False))
    def differ(both: tuple[Drawn, list[StatsQuery]]) -> None:
        data, asked = both
        with TemporaryDirectory() as folder:
            data.write(Path(folder))
            for query in asked:
                assert ask(query, Dataset((folder,))).to_json() == oracle.answer(query, data.events), query

    differ()
