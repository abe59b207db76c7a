"""Every engine gives the same answer: the differential test, written once, which takes every engine."""

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
_FORMATS = ("parquet", "words.parquet", "ndjson", "csv")


@pytest.fixture(params=QUESTIONS)
def engine(request: pytest.FixtureRequest) -> tuple[str, int]:
    """The address of each engine by turns, and how many questions to ask of it."""
    if request.param == "local":
        return "local", QUESTIONS["local"]
    cluster: Cluster = request.getfixturevalue(request.param)
    return cluster.address, QUESTIONS[request.param]


def drawn(when: st.SearchStrategy[datetime], *, fill: bool) -> st.SearchStrategy[tuple[Drawn, list[StatsQuery]]]:
    """A dataset and questions to it; a quoted line break in a CSV is refused, which has a test of its own."""
    asked = questions(when=when) | questions(fill=fill, when=when)
    whole = datasets(_FORMATS, when).filter(has_whole_lines)
    return st.tuples(whole, st.lists(asked, min_size=_ASKED, max_size=_ASKED))


def has_whole_lines(data: Drawn) -> bool:
    """Whether no CSV of a dataset has a line break within quotes."""
    return not any(
        "\n" in str(text) for kind, _, events in data.parts if kind == "csv" for one in events for text in one.values()
    )


def test_drawn_questions(engine: tuple[str, int]) -> None:
    """Any question over any dataset has the bytes that the contract says, from every engine."""
    address, count = engine
    ask = engine_for(read_engine(address))

    @settings(
        max_examples=count // _ASKED,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn(NEAR, fill=True) | drawn(ANY, fill=False))
    def differ(both: tuple[Drawn, list[StatsQuery]]) -> None:
        data, asked = both
        with TemporaryDirectory() as folder:
            data.write(Path(folder))
            for query in asked:
                assert ask(query, Dataset((folder,))).to_json() == oracle.answer(query, data.events), query

    differ()
