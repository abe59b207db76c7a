"""The answer's bytes against the contract in plain Python, over drawn events, questions, formats and splits."""

import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.question.parameters import DIMENSIONS
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from tests import oracle
from tests.drawn import FORMATS, TEXTS, Drawn, datasets, questions, write
from tests.oracle import Event


def ask(location: Path, **texts: str) -> Stats:
    """The answer to a question asked in texts."""
    return answer(read_question({name.rstrip("_"): [text] for name, text in texts.items()}), Dataset((str(location),)))


def event(moment: str, name: str = "e", **columns: str | None) -> Event:
    """One event."""
    return {"timestamp": datetime.fromisoformat(moment), "event_name": name, **columns}


@pytest.fixture(params=FORMATS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write events, in each format in turn."""
    return tmp_path / f"events.{request.param}"


def agree(drawn: Drawn, query: StatsQuery) -> None:
    """Compare the product's bytes with the oracle's."""
    with tempfile.TemporaryDirectory() as folder:
        drawn.write(Path(folder))
        stats = answer(query, Dataset((folder,)))
    assert stats.to_json() == oracle.answer(query, drawn.events)
    found = oracle.values(query, drawn.events)
    assert stats.groups == len(found)
    assert stats.total == (sum(found.values()) if query.metric == "count" else None)
    assert stats.truncated == (query.limit is not None and len(found) > query.limit)


@pytest.mark.parametrize("kind", FORMATS)
def test_answers_are_the_contracts_in_each_format(kind: str) -> None:
    """Any question over any events gives the oracle's bytes, in each format and split over files."""

    @given(datasets((kind,)), questions())
    @settings(max_examples=60)
    def answers(drawn: Drawn, query: StatsQuery) -> None:
        agree(drawn, query)

    answers()


@given(datasets(), questions())
@settings(max_examples=100)
def test_answers_are_the_contracts_over_mixed_formats(drawn: Drawn, query: StatsQuery) -> None:
    """Any question gives the oracle's bytes when the files of the dataset differ in format and columns."""
    agree(drawn, query)


def sql(query: StatsQuery, files: str) -> str:
    """The question as SQL."""
    keys = [f'"{name}"' for name in query.group_by]
    if query.interval:
        keys.insert(0, f"strftime(date_trunc('{query.interval}', timestamp), '%Y-%m-%d %H:%M:%S') AS bucket")
    value = "count(*)" if query.metric == "count" else "count(DISTINCT anonymous_id)"
    where = [f"timestamp >= '{query.start:%Y-%m-%d %H:%M:%S.%f}'"] if query.start else []
    where += [f"timestamp < '{query.end:%Y-%m-%d %H:%M:%S.%f}'"] if query.end else []
    where += [f"event_name = '{name}'" for name in query.events]
    order = ["bucket"] if query.interval else []
    order += ["value DESC", *(f'"{name}" ASC NULLS LAST' for name in query.group_by)]
    return (
        f"SELECT {', '.join([*keys, f'{value} AS value'])} FROM read_parquet('{files}', union_by_name = true)"
        + (f" WHERE {' AND '.join(where)}" if where else "")
        + (" GROUP BY ALL" if keys else "")
        + f" ORDER BY {', '.join(order)}"
        + (f" LIMIT {query.limit}" if query.limit else "")
    )


@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=4),
    st.sampled_from([None, "hour", "day", "week"]),
    st.sampled_from(["count", "uniques"]),
    st.sampled_from([5, 100, None]),
)
@settings(max_examples=25)
def test_answers_are_those_of_a_database(
    seed: int, columns: list[str], interval: str | None, metric: str, limit: int | None
) -> None:
    """Over a thousand events in Parquet, a database asked the same in SQL gives the same rows in the same order."""
    events = random_events(1000, seed)
    start = datetime(2026, 5, 1 + seed % 9, seed % 24, tzinfo=UTC)
    query = StatsQuery(
        metric=metric,
        start=start,
        end=start + timedelta(days=seed % 20 + 1, microseconds=seed),
        events=("a",) if seed % 3 == 0 else (),
        group_by=tuple(columns),
        interval=interval,
        limit=limit,
        exact=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        for index in range(3):
            write(Path(folder) / f"{index}.parquet", events[index::3])
        stats = answer(query, Dataset((folder,)))
        expected = duckdb.connect().execute(sql(query, f"{folder}/*.parquet")).fetchall()
    assert [tuple(row.values()) for row in stats.rows] == expected


def random_events(count: int, seed: int) -> list[Event]:
    """Events of three weeks, many on an edge of an hour."""
    draw = random.Random(seed)
    start = datetime.fromisoformat("2026-05-01")
    return [
        {
            "timestamp": start + timedelta(hours=draw.randrange(500), microseconds=draw.choice((-1, 0, 1, 77_777_777))),
            "event_name": draw.choice(TEXTS),
            "anonymous_id": draw.choice((None, "", *map(str, range(200)))),
            **{name: draw.choice(TEXTS[: 3 + index]) for index, name in enumerate(DIMENSIONS[1:])},
        }
        for _ in range(count)
    ]


QUESTIONS = (
    StatsQuery(),
    StatsQuery(group_by=("path",), limit=3),
    StatsQuery(group_by=("path", "os", "source"), limit=None),
    StatsQuery(interval="hour", group_by=("browser",), limit=None),
    StatsQuery("uniques", interval="week", group_by=DIMENSIONS, limit=1000),
    StatsQuery("uniques", events=("a",), group_by=("country", "path"), exact=True),
    StatsQuery("uniques", start=datetime(2026, 5, 6, tzinfo=UTC), interval="day"),
)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """The same few thousand events for every arrangement."""
    return random_events(4000, 7)


@pytest.fixture(scope="module")
def arrangements(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The events in one file, in many of mixed formats, and in reverse."""
    folders = [tmp_path_factory.mktemp(name) for name in ("whole", "split", "reversed")]
    write(folders[0] / "all.parquet", events)
    for index in range(9):
        write(folders[1] / f"{index}.{FORMATS[index % len(FORMATS)]}", events[index::9])
    write(folders[2] / "all.arrow", events[::-1])
    return folders


@pytest.mark.parametrize("query", QUESTIONS, ids=lambda query: f"{query.metric}-{'-'.join(query.labels)[:40]}")
def test_splits_and_orders_do_not_move_an_answer(
    query: StatsQuery, arrangements: list[Path], events: list[Event]
) -> None:
    """The same events in one file, in many, and in another order give the same bytes, which are the oracle's."""
    found = {answer(query, Dataset((str(folder),))).to_json() for folder in arrangements}
    whole = {answer(query, Dataset(tuple(map(str, reversed(arrangements[1:2]))))).to_json()}
    assert found == whole
    if query.metric == "count" or query.exact:
        assert found == {oracle.answer(query, events)}


SCRIPT = """
import sys
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from tests.test_answers import QUESTIONS
for query in QUESTIONS:
    sys.stdout.buffer.write(answer(query, Dataset((sys.argv[1],))).to_json().encode() + b"\\n")
"""


def test_threads_do_not_move_an_answer(arrangements: list[Path]) -> None:
    """One, two or five threads give the same bytes, twice over."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)],
            env={**environment, "POLARS_MAX_THREADS": threads},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for threads, folder in (("1", arrangements[1]), ("2", arrangements[0]), ("5", arrangements[1]))
    }
    assert len(answers) == 1
    assert answers == {
        b"".join(answer(query, Dataset((str(arrangements[0]),))).to_json().encode() + b"\n" for query in QUESTIONS)
    }


def test_weeks_start_on_monday(file: Path) -> None:
    """A Sunday's last microsecond belongs to the week before, Monday's first to its own."""
    write(file, [event("2026-05-03T23:59:59.999999"), event("2026-05-04T00:00:00"), event("2026-05-10T23:59:59")])
    assert ask(file, interval="week").rows == [
        {"bucket": "2026-04-27 00:00:00", "value": 1},
        {"bucket": "2026-05-04 00:00:00", "value": 2},
    ]


@pytest.mark.parametrize(
    ("interval", "bucket"),
    [("hour", "2026-05-06 10:00:00"), ("day", "2026-05-06 00:00:00"), ("week", "2026-05-04 00:00:00")],
)
def test_first_bucket_keeps_its_start(file: Path, interval: str, bucket: str) -> None:
    """A first bucket that begins before `from` counts only what is in the range, and keeps its own start as label."""
    write(file, [event("2026-05-04T00:00:00"), event("2026-05-06T10:29:59.999999"), event("2026-05-06T10:30:00")])
    assert ask(file, interval=interval, from_="2026-05-06T10:30:00Z").rows == [{"bucket": bucket, "value": 1}]


def test_buckets_without_events_give_no_row(file: Path) -> None:
    """Between two events, empty days give nothing."""
    write(file, [event("2026-05-01T00:00:00"), event("2026-05-09T00:00:00")])
    found = ask(file, interval="day", from_="2026-04-01", to="2026-06-01")
    assert [row["bucket"] for row in found.rows] == ["2026-05-01 00:00:00", "2026-05-09 00:00:00"]


def test_from_is_inclusive_and_to_exclusive_to_the_microsecond(file: Path) -> None:
    """An event at `from` counts, one at `to` does not, and a microsecond decides."""
    moments = ("2026-05-01T00:00:00", "2026-05-01T00:00:00.000001", "2026-05-01T12:00:00", "2026-05-02T00:00:00")
    write(file, [event(moment) for moment in moments])
    assert ask(file, from_="2026-05-01", to="2026-05-02").rows == [{"value": 3}]
    assert ask(file, from_="2026-05-01T00:00:00.000001", to="2026-05-02").rows == [{"value": 2}]
    assert ask(file, from_="2026-05-01", to="2026-05-02T00:00:00.000001").rows == [{"value": 4}]
    assert ask(file, from_="2026-05-01T02:00:00+02:00", to="2026-05-01T00:00:00.000001").rows == [{"value": 1}]


@pytest.mark.parametrize("metric", ["count", "uniques"])
@pytest.mark.parametrize("there", [True, False], ids=["events", "no-events"])
def test_nothing_matched_is_one_zero_or_no_rows(file: Path, metric: str, there: bool) -> None:
    """With neither grouping nor interval the answer to nothing is one row of 0, else no rows at all."""
    write(file, [event("2026-05-01", anonymous_id="v")] if there else [])
    assert ask(file, metric=metric, event="x").to_json() == f'{{"metric":"{metric}","rows":[{{"value":0}}]}}'
    for by in ({"group_by": "os"}, {"interval": "day"}, {"interval": "hour", "group_by": "os,path"}):
        assert ask(file, metric=metric, event="x", **by).to_json() == f'{{"metric":"{metric}","rows":[]}}'


def test_a_column_the_data_lacks_is_null_throughout(file: Path) -> None:
    """Grouping by a column that no file has gives one group of JSON null."""
    write(file, [event("2026-05-01")] * 3, ["timestamp", "event_name"])
    found = ask(file, group_by="country,event_name")
    assert found.to_json() == '{"metric":"count","rows":[{"country":null,"event_name":"e","value":3}]}'


def test_null_and_empty_are_different_groups(file: Path) -> None:
    """A null group is null and comes last among equals; an empty string stays one and comes first."""
    write(file, [event("2026-05-01", os=os) for os in (None, "", "x", None, "", "x")])
    assert [row["os"] for row in ask(file, group_by="os").rows] == ["", "x", None]


def test_equal_values_are_ordered_by_code_point(file: Path) -> None:
    """Labels are compared by Unicode code point: neither by UTF-16 unit, nor by language, nor without case."""
    texts = [text for text in TEXTS if text is not None]
    write(file, [event("2026-05-01", path=path) for path in reversed(texts)])
    assert [row["path"] for row in ask(file, group_by="path").rows] == sorted(texts)


def test_order_is_bucket_value_then_labels(file: Path) -> None:
    """Buckets ascend before values descend before labels ascend, each column in the order asked."""
    seen = [("04", "b", "x"), ("04", "a", "y"), ("04", "a", "x"), ("03", "z", "z"), ("04", "b", "y"), ("04", "b", "y")]
    write(file, [event(f"2026-05-{day}", source=source, medium=medium) for day, source, medium in seen])

    def order(group_by: str) -> list[str]:
        return ["".join(map(str, list(row.values())[1:])) for row in ask(file, interval="day", group_by=group_by).rows]

    assert order("source,medium") == ["zz1", "by2", "ax1", "ay1", "bx1"]
    assert order("medium,source") == ["zz1", "yb2", "xa1", "xb1", "ya1"]


def test_limit_cuts_after_ordering(file: Path) -> None:
    """The limit keeps the first rows of the whole order, and the answer knows how many there were."""
    write(file, [event("2026-05-01", path=str(number)) for number in range(1, 150) for _ in range(number)])
    found = ask(file, group_by="path", limit="2")
    assert found.rows == [{"path": "149", "value": 149}, {"path": "148", "value": 148}]
    assert (found.groups, found.truncated) == (149, True)
    default = ask(file, group_by="path")
    assert (len(default.rows), default.truncated) == (100, True)
    assert ask(file, group_by="path", limit="149").truncated is False


def test_event_is_exact_and_case_sensitive(file: Path) -> None:
    """Only events of exactly the name count: no case folding, no trimming, no normal forms."""
    names = ["signup", "Signup", "signup ", "sign", "caf\u00e9", "cafe\u0301"]
    write(file, [event("2026-05-01", name) for name in names])
    assert [ask(file, event=name).rows for name in names] == [[{"value": 1}]] * len(names)


def test_duplicate_events_count_twice(file: Path) -> None:
    """Nothing is deduplicated by event_id."""
    write(file, [event("2026-05-01", event_id="1")] * 2, ["timestamp", "event_name", "event_id"])
    assert ask(file).rows == [{"value": 2}]


def test_buckets_reach_both_ends_of_the_calendar(file: Path) -> None:
    """The first instant of year 1 and the last of 9999 are counted, each in its bucket."""
    write(file, [event("0001-01-01T00:00:00"), event("9999-12-31T23:59:59.999999")])
    labels = {
        interval: [row["bucket"] for row in ask(file, interval=interval).rows] for interval in ("hour", "day", "week")
    }
    assert labels == {
        "hour": ["0001-01-01 00:00:00", "9999-12-31 23:00:00"],
        "day": ["0001-01-01 00:00:00", "9999-12-31 00:00:00"],
        "week": ["0001-01-01 00:00:00", "9999-12-27 00:00:00"],
    }


def test_json_is_compact_and_unescaped(file: Path) -> None:
    """JSON has no blanks, keeps non-ASCII as it is, escapes what it must, and ends without a newline."""
    write(file, [event("2026-05-01", path='/\u00fc/\U0001f600"\\\n\u2028')])
    found = ask(file, group_by="path").to_json()
    assert found == '{"metric":"count","rows":[{"path":"/\u00fc/\U0001f600\\"\\\\\\n\u2028","value":1}]}'


def test_answer_is_deterministic_over_questions_that_repeat(arrangements: list[Path]) -> None:
    """Asked twenty times, a question with many equal values gives one answer."""
    query = replace(QUESTIONS[2], limit=50)
    assert len({answer(query, Dataset((str(arrangements[1]),))).to_json() for _ in range(20)}) == 1
