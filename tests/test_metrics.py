"""Metrics: exact decimals, distinct ids of each kind, lists of metrics, and what is wrong with them."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import mmstats
from mmstats.dataset import SAMPLE
from mmstats.errors import InvalidParams
from mmstats.question.metrics import metrics_of
from mmstats.question.read import read_question
from tests.conftest import Ask
from tests.serving import RANGE, serving

FIGURES = ("sum:campaign", "avg:campaign", "min:campaign", "max:campaign")


def written(folder: Path, texts: Sequence[str | None]) -> Path:
    """A file of events with these texts for campaigns."""
    frame = pl.DataFrame({"timestamp": ["2026-05-01"] * len(texts), "event_name": ["e"] * len(texts)})
    frame.with_columns(pl.Series("campaign", texts, pl.String)).write_parquet(folder / "events.parquet")
    return folder / "events.parquet"


def figures(folder: Path, *texts: str | None) -> list[str]:
    """Sum, average, minimum and maximum as JSON writes them."""
    answer = mmstats.stats(written(folder, texts), metric=FIGURES).to_json()
    found = json.loads(answer, parse_float=str, parse_int=str)["rows"][0]
    return [found[name] for name in FIGURES]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["0.1", "0.2"], ["0.3", "0.15", "0.1", "0.2"]),
        (["1", "2", "2"], ["5", "1.666666667", "1", "2"]),
        (["0.000000001", "0.000000002"], ["0.000000003", "0.000000002", "0.000000001", "0.000000002"]),
        (["0.000000001", "0"], ["0.000000001", "0", "0", "0.000000001"]),
        (["-0.000000001", "-0.000000002"], ["-0.000000003", "-0.000000002", "-0.000000002", "-0.000000001"]),
        (["1e3", "2.50E+1", "15e-1"], ["1026.5", "342.166666667", "1.5", "1000"]),
        (["-0", "-0.0", "0e5"], ["0", "0", "0", "0"]),
        (
            ["999999999999999999.999999999"] * 3,
            ["2999999999999999999.999999997", *["999999999999999999.999999999"] * 3],
        ),
        (
            ["12345678901234567.25", "-12345678901234567"],
            ["0.25", "0.125", "-12345678901234567", "12345678901234567.25"],
        ),
        (["1e18", "007", "1.", ".5", "+1", "NaN", "x", "", "1e-10", None], [None, None, None, None]),
        ([], [None, None, None, None]),
    ],
    ids=str,
)
def test_figures_are_exact_decimals(texts: list[str | None], expected: list[str | None], tmp_path: Path) -> None:
    """As written, summed exactly, averages rounded half-even, in plain notation without trailing zeros."""
    assert figures(tmp_path, *texts) == expected


def test_sums_of_many_numbers_are_exact(tmp_path: Path) -> None:
    """A sum has all its digits, however many numbers there are."""
    count = 300_000
    assert figures(tmp_path, *["999999999999999999.999999999", "0.1"] * count)[0] == (
        f"{Decimal('1000000000000000000.099999999') * count:f}".rstrip("0")
    )


def test_numbers_are_of_type_decimal_in_python(tmp_path: Path) -> None:
    """Figures and changes are decimals, counts integers, and a data frame has them so."""
    stats = mmstats.stats(written(tmp_path, ["1.5", "x"]), metric=["count", "sum:campaign", "users"])
    assert stats.rows == [{"count": 2, "sum:campaign": Decimal("1.5"), "users": 0}]
    assert isinstance(stats.rows[0]["sum:campaign"], Decimal)
    assert stats.to_polars().schema == {"count": pl.Int64, "sum:campaign": pl.Decimal(38, 9), "users": pl.Int64}
    assert stats.metric == ("count", "sum:campaign", "users")


AMOUNTS = (
    "12345678901234567.25",
    "0.1",
    '"0.20"',
    "1e2",
    "null",
    "[1]",
    '"x"',
    "1.0000000001",
    "999999999999999999.000000001",
)


def nested(folder: Path) -> dict[str, Path]:
    """The same events with amounts among their properties: in objects of JSON, and in JSON text."""
    properties = [f'{{"amount":{one},"note":"a, b"}}' for one in AMOUNTS]
    objects = [f'{{"timestamp":"2026-05-01","event_name":"e","properties":{one}}}' for one in properties]
    texts = pl.DataFrame({"timestamp": ["2026-05-01"] * 9, "event_name": ["e"] * 9, "properties": properties})
    files = {kind: folder / kind / f"events.{kind}" for kind in ("ndjson", "json", "csv", "parquet", "arrow")}
    for file in files.values():
        file.parent.mkdir()
    files["ndjson"].write_text("\n".join(objects))
    files["json"].write_text(f"[{','.join(objects)}]")
    texts.write_csv(files["csv"])
    texts.write_parquet(files["parquet"])
    texts.write_ipc(files["arrow"])
    return files


def test_digits_of_json_are_read_as_written(tmp_path: Path) -> None:
    """In objects and in JSON text, also those beyond a double's precision; labels stay as they are everywhere."""
    metric = ["sum:properties.amount", "max:properties.amount", 'min:properties."amount"', "count"]
    answers = {kind: mmstats.stats(file, metric=metric).to_json() for kind, file in nested(tmp_path).items()}
    assert set(answers.values()) == {
        '{"metric":["sum:properties.amount","max:properties.amount","min:properties.\\"amount\\"","count"],"rows":['
        '{"sum:properties.amount":1012345678901234666.550000001,"max:properties.amount":999999999999999999.000000001,'
        '"min:properties.\\"amount\\"":0.1,"count":9}]}'
    }


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("properties.amount >= 999999999999999999.999999999", 1),
        ("properties.amount < 999999999999999999.999999999", 2),
        ("properties.amount <= 123456789.123456789", 1),
        ("properties.amount > 123456789.123456789", 2),
    ],
)
def test_filters_compare_the_digits_that_metrics_count(tmp_path: Path, asked: str, count: int) -> None:
    """A number beyond a double's precision is compared as it is written, in objects and in JSON text."""
    amounts = ("999999999999999999.999999999", "999999999999999999.999999998", "123456789.123456789")
    objects = [f'{{"amount":{amount}}}' for amount in amounts]
    texts = pl.DataFrame({"timestamp": ["2026-05-01"] * 3, "event_name": ["e"] * 3, "properties": objects})
    files = [tmp_path / f"events.{kind}" for kind in ("ndjson", "csv", "parquet", "arrow")]
    lines = (f'{{"timestamp":"2026-05-01","event_name":"e","properties":{one}}}\n' for one in objects)
    files[0].write_text("".join(lines))
    texts.write_csv(files[1])
    texts.write_parquet(files[2])
    texts.write_ipc(files[3])
    assert [mmstats.stats(file, where=asked).rows for file in files] == [[{"value": count}]] * 4


def test_a_column_is_a_label_and_a_number_at_once(tmp_path: Path) -> None:
    """A label is told as a double tells it, the digits of the same value are summed as they are written."""
    (tmp_path / "events.ndjson").write_text(
        '{"timestamp":"2026-05-01","event_name":"e","campaign":12345678901234567.25}'
    )
    stats = mmstats.stats(tmp_path / "events.ndjson", metric="sum:campaign", group_by="campaign")
    assert stats.rows == [{"campaign": "12345678901234568", "value": Decimal("12345678901234567.25")}]


def test_values_that_are_no_numbers_are_told_of(tmp_path: Path, ask: Ask) -> None:
    """On stderr, by their column, once for all metrics of it; null is none of them."""
    file = written(tmp_path, ["1", "x", "", None])
    ran = ask(file, "--metric", "sum:campaign,max:campaign,avg:url", "--json")
    assert ran.err.splitlines() == [
        "warning: the data has no column 'url', so no numbers to count: --map url=COLUMN names it",
        "warning: 2 values of campaign are no numbers, and left out of its figures",
    ]


def test_a_path_that_no_event_has_is_told_of(tmp_path: Path, ask: Ask) -> None:
    """A warning names it, since all that is asked of it is null."""
    (tmp_path / "events.ndjson").write_text('{"timestamp":"2026-05-01","event_name":"e","properties":{"amount":1}}')
    ran = ask(tmp_path / "events.ndjson", "--metric", "sum:properties.amuont")
    assert ran.rows == [{"value": None}]
    assert ran.err == "warning: the data has no properties.amuont, so no numbers to count\n"


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--metric=users"], "the metric users"),
        (["--metric=sum:url,count"], "the metric sum:url,count"),
        (["--group-by=source", "--top=3"], "the largest groups (top)"),
        (["--period=2026-05", "--compare=year"], "comparisons (compare)"),
        (["--totals"], "totals"),
    ],
    ids=str,
)
def test_a_cluster_is_not_asked_for_any_of_it(flags: list[str], what: str, tmp_path: Path, ask: Ask) -> None:
    """The question is refused before anything is connected to, never answered wrongly."""
    ran = ask(written(tmp_path, ["1"]), "--engine=sc://127.0.0.1:1", *flags)
    assert (ran.code, ran.error) == (4, f"the engine on a cluster does not answer {what} yet")


def test_every_kind_of_id_is_counted(tmp_path: Path) -> None:
    """Visitors, users and sessions by their own columns; null is nobody, an empty text is somebody."""
    ids = {"anonymous_id": ["a", "b", None, ""], "user_id": ["u", "u", "u", None], "session_id": ["", None, "", ""]}
    frame = pl.DataFrame({"timestamp": ["2026-05-01"] * 4, "event_name": ["e"] * 4, **ids})
    frame.write_csv(tmp_path / "events.csv")
    frame.write_parquet(tmp_path / "events.parquet")
    for exact in (False, True):
        stats = mmstats.stats(tmp_path / "events.parquet", metric="uniques,users,sessions", exact=exact)
        assert stats.rows == [{"uniques": 3, "users": 1, "sessions": 1}]


def faults(**texts: str) -> dict[str, list[str]]:
    """What is wrong with each parameter of a question."""
    with pytest.raises(InvalidParams) as refused:
        read_question({name: [text] for name, text in texts.items()})
    return refused.value.field_errors


KNOWN = "metrics: count, uniques, users, sessions, sum:COLUMN, avg:COLUMN, min:COLUMN, max:COLUMN"


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("", ["must not be empty"]),
        (
            "cuont,uniqes",
            [
                "has the unknown metric 'cuont'; did you mean count?",
                "has the unknown metric 'uniqes'; did you mean uniques?",
            ],
        ),
        ("count,count", ["names 'count' twice"]),
        ("count,", [f"has the unknown metric ''; {KNOWN}"]),
        ("median:campaign", [f"has the unknown metric 'median:campaign'; {KNOWN}"]),
        ("mean:campaign", ["has the unknown metric 'mean:campaign'; did you mean avg:campaign?"]),
        ("sum", ["has 'sum' without a column; the form is sum:COLUMN"]),
        ("sum:", ["has 'sum:' without a column; the form is sum:COLUMN"]),
        ("sum:campain", ["has the unknown column 'campain'; did you mean campaign?"]),
    ],
)
def test_all_that_is_wrong_with_metrics_is_said(metric: str, expected: list[str]) -> None:
    """Each unknown one with what is near, and a repeated one."""
    assert faults(metric=metric) == {"metric": expected}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"top": "5"}, {"top": ["needs a grouping; group_by names columns"]}),
        ({"top": "0", "group_by": "os"}, {"top": ["must be an integer from 1 to 1000, not '0'"]}),
        (
            {"top": "5", "group_by": "os", "limit": "3"},
            {"limit": ["cannot be given with the largest groups, which have no limit"]},
        ),
        ({"other": "true", "group_by": "os"}, {"other": ["needs the largest groups; top says how many"]}),
        ({"compare": "last"}, {"compare": ["must be previous or year, not 'last'"]}),
        (
            {"exact": "true", "metric": "count,sum:campaign"},
            {"exact": ["needs a metric that is estimated: uniques, users or sessions"]},
        ),
        ({"order": "count"}, {"order": ["has 'count', which is no key of a row; keys: value"]}),
        (
            {"order": "value", "metric": "count,users"},
            {"order": ["has 'value', which is no key of a row; keys: count, users"]},
        ),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(texts: dict[str, str], expected: dict[str, list[str]]) -> None:
    """Each with what it needs, or what it cannot stand beside."""
    assert faults(**texts) == expected


def test_a_comma_in_quotes_does_not_separate() -> None:
    """A path may hold commas within quotes."""
    assert [one.name for one in metrics_of('count, sum:properties."a, b" ,users')] == [
        "count",
        'sum:properties."a, b"',
        "users",
    ]


QUESTIONS = (
    {"metric": "count,uniques,users,sessions", "group_by": "source", "totals": "true"},
    {"metric": "uniques", "group_by": "source,medium", "top": "2", "other": "true", "totals": "true", "meta": "true"},
    {"group_by": "country", "top": "3", "other": "true", "compare": "previous", "interval": "week", "fill": "true"},
    {"metric": "sum:campaign", "compare": "year", "interval": "day", "order": "-change", "totals": "true"},
)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_every_door_gives_the_same_bytes(question: dict[str, str], ask: Ask) -> None:
    """The command line, also from the cache, Python, and HTTP where it is told to take extensions."""
    asked = {"from": "2026-05-11", "to": "2026-05-25", **question}
    flags = [f"--{name}" if text == "true" else f"--{name.replace('_', '-')}={text}" for name, text in asked.items()]
    first = ask(SAMPLE[0], "--json", *flags)
    again = ask(SAMPLE[0], "--json", *flags)
    texts = {"from_" if name == "from" else name: text == "true" or text for name, text in asked.items()}
    texts |= {"top": int(question["top"])} if "top" in question else {}
    with serving("--sample", "--extensions") as server:
        body = server.stats(**asked).body.decode()
    assert first.out == again.out == body + "\n" == mmstats.stats(SAMPLE[0], **texts).to_json() + "\n"


def test_a_server_without_extensions_knows_none_of_it() -> None:
    """They are unknown parameters there, and other metrics no choice."""
    with serving("--sample") as server:
        reply = server.stats(**RANGE, metric="users", top="3", totals="true")
    refused = "is an extension, which this server does not accept (--extensions)"
    assert reply.faults == {"metric": ["must be count or uniques, not 'users'"], "top": [refused], "totals": [refused]}
