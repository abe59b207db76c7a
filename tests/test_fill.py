"""Rows of 0 for buckets without events: against plain Python, and at the edges of what a range can be."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import InvalidParams
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from tests import oracle
from tests.drawn import NEAR, Drawn, datasets, questions, write

PLACES = ("a", "b", None)
LIMITS = Limits()


def ask(folder: Path, moments: Sequence[str], limits: Limits = LIMITS, **texts: str) -> Stats:
    """The filled answer over events at some moments, whose source goes a, b, null and again."""
    events = [
        {"timestamp": datetime.fromisoformat(moment), "event_name": "e", "source": PLACES[index % 3]}
        for index, moment in enumerate(moments)
    ]
    write(folder / "events.parquet", events)
    query = read_question({"fill": ["true"], **{name.rstrip("_"): [text] for name, text in texts.items()}})
    return answer(query, Dataset((str(folder),), limits=limits))


def rows_of(stats: Stats) -> list[tuple[str | int | None, ...]]:
    """The rows without their keys."""
    return [tuple(row.values()) for row in stats.rows]


@given(datasets(("parquet", "csv"), NEAR), st.lists(questions(fill=True, when=NEAR), min_size=3, max_size=3))
@settings(max_examples=50)
def test_filled_answers_are_the_oracles(drawn: Drawn, asking: list[StatsQuery]) -> None:
    """Any question filled gives the oracle's bytes: a row for every group and every bucket of the range."""
    with tempfile.TemporaryDirectory() as folder:
        drawn.write(Path(folder))
        for query in asking:
            stats = answer(query, Dataset((folder,)))
            assert stats.to_json() == oracle.answer(query, drawn.events)
            assert stats.groups == len(oracle.filled(query, drawn.events))


def test_filling_adds_the_missing_buckets(tmp_path: Path) -> None:
    """Without bounds, every bucket between the first and the last with events has a row."""
    found = ask(tmp_path, ["2026-05-01T10:00:00", "2026-05-01T13:59:00"], interval="hour")
    assert rows_of(found) == [
        ("2026-05-01 10:00:00", 1),
        ("2026-05-01 11:00:00", 0),
        ("2026-05-01 12:00:00", 0),
        ("2026-05-01 13:00:00", 1),
    ]


def test_bounds_are_the_ends(tmp_path: Path) -> None:
    """With bounds, the bucket of `from` is the first and that of the last microsecond before `to` the last."""
    found = ask(tmp_path, ["2026-05-03T10:00:00"], interval="day", from_="2026-05-02T18:00:00Z", to="2026-05-05")
    assert rows_of(found) == [("2026-05-02 00:00:00", 0), ("2026-05-03 00:00:00", 1), ("2026-05-04 00:00:00", 0)]
    later = ask(tmp_path, ["2026-05-03T10:00:00"], interval="day", from_="2026-05-03", to="2026-05-05T00:00:00.000001")
    assert [bucket for bucket, _ in rows_of(later)][-1] == "2026-05-05 00:00:00"


def test_weeks_are_filled_from_monday(tmp_path: Path) -> None:
    """Filled weeks start on Monday, as those with events do."""
    found = ask(tmp_path, ["2026-05-17T23:00:00"], interval="week", from_="2026-05-03", to="2026-05-18")
    assert rows_of(found) == [("2026-04-27 00:00:00", 0), ("2026-05-04 00:00:00", 0), ("2026-05-11 00:00:00", 1)]


def test_every_group_is_filled(tmp_path: Path) -> None:
    """Each group of the answer, null among them, has a row in each bucket, in the contract's order."""
    moments = ["2026-05-01", "2026-05-01", "2026-05-03"]
    assert rows_of(ask(tmp_path, moments, interval="day", group_by="source")) == [
        ("2026-05-01 00:00:00", "a", 1),
        ("2026-05-01 00:00:00", "b", 1),
        ("2026-05-01 00:00:00", None, 0),
        ("2026-05-02 00:00:00", "a", 0),
        ("2026-05-02 00:00:00", "b", 0),
        ("2026-05-02 00:00:00", None, 0),
        ("2026-05-03 00:00:00", None, 1),
        ("2026-05-03 00:00:00", "a", 0),
        ("2026-05-03 00:00:00", "b", 0),
    ]


def test_limit_cuts_what_was_filled(tmp_path: Path) -> None:
    """The limit counts filled rows too, and the answer knows how many there were."""
    found = ask(tmp_path, ["2026-05-01", "2026-05-31"], interval="day", limit="5")
    assert (len(found.rows), found.groups, found.truncated) == (5, 31, True)


@pytest.mark.parametrize(
    ("bounds", "rows"),
    [
        ({}, 0),
        ({"from_": "2026-05-01"}, 0),
        ({"to": "2026-05-04"}, 0),
        ({"to": "0001-01-01"}, 0),
        ({"from_": "2026-05-01", "to": "2026-05-04"}, 3),
        ({"from_": "0001-01-01", "to": "0001-01-01T00:00:00.000001"}, 1),
        ({"from_": "9999-12-31T23:59:59.999998Z", "to": "9999-12-31T23:59:59.999999Z"}, 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("interval", ["hour", "day", "week"])
def test_nothing_matched_is_filled_between_two_bounds(
    tmp_path: Path, bounds: dict[str, str], rows: int, interval: str
) -> None:
    """When nothing matched, a range with both ends is all zeros, an open one is empty, and groups there are none."""
    found = ask(tmp_path, ["2026-06-01"], event="x", interval=interval, **bounds)
    assert {row["value"] for row in found.rows} <= {0}
    if interval == "day":
        assert len(found.rows) == rows
    assert bool(found.rows) == bool(rows)
    assert ask(tmp_path, ["2026-06-01"], event="x", interval=interval, group_by="os", **bounds).rows == []


def test_visitors_are_filled_too(tmp_path: Path) -> None:
    """Buckets without visitors have 0, and stay 64-bit integers."""
    found = ask(tmp_path, ["2026-05-01", "2026-05-03"], metric="uniques", interval="day")
    assert [value for _, value in rows_of(found)] == [0, 0, 0]
    assert found.to_polars()["value"].dtype.is_integer()


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    """A range that would make more than a million rows is refused before they are made, with a way out."""
    with pytest.raises(InvalidParams) as refused:
        ask(tmp_path, ["2026-05-01"], interval="hour", from_="0001-01-01", to="9999-12-31")
    assert refused.value.field_errors == {"fill": ["would make 87,649,392 rows, more than 1,000,000"]}
    assert "longer interval" in refused.value.hint


def test_a_million_rows_are_the_most(tmp_path: Path) -> None:
    """Exactly as many rows as are allowed are made, one more is refused."""
    moments, limits = ["2026-05-01", "2026-05-03", "2026-05-02"], Limits(filled_rows=6)
    assert len(ask(tmp_path, moments[:2], limits, interval="day", group_by="source").rows) == 6
    with pytest.raises(InvalidParams):
        ask(tmp_path, moments, limits, interval="day", group_by="source")


def test_the_program_never_fills_unasked(tmp_path: Path) -> None:
    """Without the extension, buckets without events have no row."""
    ask(tmp_path, ["2026-05-01", "2026-05-03"], interval="day")
    plain = StatsQuery(interval="day", start=datetime(2026, 4, 1, tzinfo=UTC))
    assert len(answer(plain, Dataset((str(tmp_path),))).rows) == 2
