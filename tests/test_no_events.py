"""Beside an answer without events stands what may be wrong: the event's name, or the range; the answer stays itself."""

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import mmstats
from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.read import read_question
from tests.conftest import WRITERS, Ask, ndjson
from tests.seaweed import Seaweed, known
from tests.serving import serving, until

NAMES = ("signup", "signup", "$pageview", "purchase", None)
ROWS = [
    {"timestamp": f"2026-05-0{day}T12:00:00Z", "event_name": name, "country": "DE"} for day, name in enumerate(NAMES, 1)
]
SIGNUP = "the data has no event 'Signup': did you mean 'signup'?"
LATER = "no event is in the range: the data's first is at 2026-05-01T12:00:00Z, its last at 2026-05-05T12:00:00Z"
NOTHING = "the data has no events"


def notices(location: object, **question: object) -> list[str]:
    """What the Python door says beside an answer, once it is sure that it is one of no events."""
    stats = mmstats.stats(str(location), **question)  # type: ignore[arg-type]
    assert not any(row["value"] for row in stats.rows)
    return list(stats.notices)


@pytest.mark.parametrize("metric", ["count", "uniques"])
@pytest.mark.parametrize("extension", WRITERS)
def test_every_kind_of_file_offers_the_nearest_event(tmp_path: Path, extension: str, metric: str) -> None:
    """An event that the data lacks is named with the nearest that it has, whatever the data is written in."""
    rows = [{**row, "anonymous_id": "a"} for row in ROWS]
    (tmp_path / f"one.{extension}").write_bytes(WRITERS[extension](rows))
    (tmp_path / f"two.{extension}").write_bytes(WRITERS[extension](rows[:1]))
    assert notices(tmp_path, metric=metric, event="Signup") == [SIGNUP]
    assert notices(tmp_path, metric=metric, event="Signup", group_by="country") == [SIGNUP]
    assert notices(tmp_path, metric=metric, event="$pagview", from_="2026-05-02", interval="day") == [
        "the data has no event '$pagview': did you mean '$pageview'?"
    ]


@pytest.mark.parametrize("extension", WRITERS)
def test_every_kind_of_file_says_its_range(tmp_path: Path, extension: str) -> None:
    """A range before or after all events is said with the first and the last instant of all the files."""
    (tmp_path / f"one.{extension}").write_bytes(WRITERS[extension](ROWS[:3]))
    (tmp_path / f"two.{extension}").write_bytes(WRITERS[extension](ROWS[3:]))
    assert notices(tmp_path, from_="2026-05-05T12:00:00.000001Z") == [LATER]
    assert notices(tmp_path, to="2026-05-01T12:00:00Z", event="signup", group_by="country") == [LATER]
    assert notices(tmp_path, to="2020-01-01", event="Signup", interval="day") == [LATER, SIGNUP]
    assert notices(tmp_path, to="2020-01-01", event="signup") == [LATER]
    assert notices(tmp_path, from_="2026-05-02T13:00:00Z", to="2026-05-02T14:00:00Z") == []


def test_a_range_and_the_one_compared_with_may_lie_around_all_events(tmp_path: Path) -> None:
    """It is said where no event is in either of two ranges, though all are between them; not where one has some."""
    (tmp_path / "a.ndjson").write_bytes(ndjson(ROWS))
    assert notices(tmp_path, period="2026-06", compare="year") == [LATER]
    assert notices(tmp_path, period="2027-05", compare="year", event="Signup") == [SIGNUP]


def test_instants_that_footers_tell_are_those_of_the_data(tmp_path: Path) -> None:
    """Parquet with typed instants says the same range, with microseconds where there are some."""
    instants = pl.Series(["2026-05-01T12:00:00.000001", "2026-05-05T12:00:00"]).str.to_datetime(time_unit="ns")
    pl.DataFrame({"timestamp": instants, "event_name": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    assert notices(tmp_path, to="2020-01-01") == [LATER.replace("12:00:00Z, its", "12:00:00.000001Z, its")]


def test_an_answer_with_events_is_not_commented(tmp_path: Path) -> None:
    """Nothing is said where something matches, where an event has no visitors, or where only the range lacks it."""
    (tmp_path / "a.ndjson").write_bytes(ndjson(ROWS))
    assert mmstats.stats(tmp_path, event="signup").notices == ()
    assert notices(tmp_path, event="signup", from_="2026-05-03") == []
    visitors = [{**row, "anonymous_id": None} for row in ROWS] + [{**ROWS[0], "anonymous_id": "a"}]
    (tmp_path / "a.ndjson").write_bytes(ndjson(visitors))
    assert notices(tmp_path, metric="uniques", event="purchase") == []
    assert notices(tmp_path, metric="uniques", event="purchase", group_by="country") == []


@pytest.mark.parametrize("content", [b"", b"timestamp,event_name\n"], ids=["an empty file", "a header alone"])
def test_data_of_no_events_is_said_to_have_none(tmp_path: Path, content: bytes) -> None:
    """Whatever is asked of data without events, that is what is said, once."""
    (tmp_path / "a.csv").write_bytes(content)
    for question in ({}, {"event": "a"}, {"from_": "2026-05-01"}, {"event": "a", "to": "2026-05-01"}):
        assert notices(tmp_path, **question) == [NOTHING]


def test_without_a_near_name_some_are_listed(tmp_path: Path) -> None:
    """Where no name is like the one asked for, the most frequent are listed, safe to show and cut where long."""
    names = ["view"] * 9 + ["\x1b[2J"] * 8 + ["x" * 500] * 7 + ["c"] * 6 + ["d"] * 5 + ["e", "f"]
    (tmp_path / "a.ndjson").write_bytes(ndjson([{"timestamp": "2026-05-01", "event_name": name} for name in names]))
    assert notices(tmp_path, event="purchase") == [
        f"the data has no event 'purchase'; it has 'view', '\\x1b[2J', '{'x' * 100}…', 'c', 'd' and 2 more"
    ]


@pytest.mark.usefixtures("later")
def test_an_answer_of_the_cache_says_it_again(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of an answer is said of it when it comes from the cache, and where only parts of it do."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    for number, row in enumerate(ROWS):
        (data / f"{number}.ndjson").write_bytes(ndjson([row]))
    assert ask(data, "--event", "Signup").err == f"warning: {SIGNUP}\n"
    again = ask(data, "--event", "Signup", "--stats")
    assert (again.err.splitlines()[0], again.rows) == (f"warning: {SIGNUP}", [{"value": 0}])
    assert "the answer was cached" in again.err
    assert ask(data, "--from", "2026-05-01", "--to", "2026-05-09", "--group-by", "country").rows[0]["value"] == 5
    assert ask(data, "--from", "2027-05-01", "--to", "2027-05-09", "--group-by", "country").err == f"warning: {LATER}\n"


def test_a_store_says_it_by_its_manifest(ask: Ask, tmp_path: Path) -> None:
    """A store offers names and range as the files that it was imported from do."""
    (tmp_path / "a.ndjson").write_bytes(ndjson(ROWS))
    assert run(["import", str(tmp_path / "a.ndjson"), "--to", str(tmp_path / "store")]) == 0
    assert ask(tmp_path / "store", "--event", "Signup").err == f"warning: {SIGNUP}\n"
    assert ask(tmp_path / "store", "--to", "2020-01-01").err == f"warning: {LATER}\n"


def test_an_object_store_says_it_too(s3: Seaweed) -> None:
    """Objects of every format offer names and range as files do."""
    with known(s3):
        for extension in ("parquet", "csv.gz", "arrow"):
            there = s3.put(f"no-events/{extension}/a.{extension}", WRITERS[extension](ROWS))
            assert notices(there, event="Signup", to="2020-01-01") == [LATER, SIGNUP]


def test_standard_input_says_it_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What came through a pipe is looked at again, although it cannot be sent again; stdout has the answer alone."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(ndjson(ROWS)))))
    assert run(["query", "--data", "-", "--event", "Signup"]) == 0
    assert capsys.readouterr() == ('{"metric":"count","rows":[{"value":0}]}\n', f"warning: {SIGNUP}\n")


def test_a_server_says_it_in_its_log(tmp_path: Path) -> None:
    """Over HTTP the answer and its headers are what they always are, and the log has the sentence."""
    (tmp_path / "a.ndjson").write_bytes(ndjson(ROWS))
    with serving("--data", str(tmp_path)) as server:
        reply = server.stats(event="Signup")
        assert (reply.status, reply.body) == (200, b'{"metric":"count","rows":[{"value":0}]}')
        assert until(lambda: [line for line in server.log().splitlines() if SIGNUP in line])


def test_what_the_question_does_not_read_cannot_fail_it(tmp_path: Path) -> None:
    """A damaged file and a bad row outside what is asked leave the answer as it is; only the reasons may be missing."""
    for day in ("2026-05-01", "2026-05-02"):
        (tmp_path / f"day={day}").mkdir()
    (tmp_path / "day=2026-05-01" / "a.parquet").write_bytes(b"PAR1 damaged PAR1")
    (tmp_path / "day=2026-05-02" / "a.ndjson").write_bytes(ndjson(ROWS[1:2]))
    question = {"from_": "2026-05-02", "to": "2026-05-03", "trust_partitions": True}
    assert mmstats.stats(tmp_path, **question, event="signup").rows == [{"value": 1}]  # type: ignore[arg-type]
    assert notices(tmp_path, **question, event="Signup") == []
    (tmp_path / "day=2026-05-01" / "a.parquet").unlink()
    (tmp_path / "day=2026-05-01" / "a.ndjson").write_bytes(b"broken\n" + ndjson(ROWS[:1]))
    assert notices(tmp_path, **question, event="Signup") == [SIGNUP]


@pytest.mark.parametrize("extension", ["ndjson", "parquet", "arrow"])
def test_only_so_much_is_read_for_it(tmp_path: Path, extension: str) -> None:
    """Beyond a bound the nearest name is of a part of the data, and said to be, or nothing is known at all."""
    for number in range(3):
        (tmp_path / f"{number}.{extension}").write_bytes(WRITERS[extension](ROWS[:2]))
    query = read_question({"event": ["Signup"], "from": ["2020-01-01"], "to": ["2020-01-02"]})

    def said(**limits: int) -> list[str]:
        return list(answer(query, Dataset((str(tmp_path),), limits=Limits(**limits))).notices)

    size = (tmp_path / f"0.{extension}").stat().st_size
    partly = "the part of the data that was looked at has no event 'Signup': did you mean 'signup'?"
    assert [LATER.replace("05T", "02T"), SIGNUP] == said()
    assert partly in said(no_events_bytes=size if extension == "arrow" else 200)
    assert partly not in said(no_events_bytes=0) or extension == "ndjson"
    assert said(no_events_files=0)[-1:] == [SIGNUP]
