"""Filters, groups by any column, and what an answer says of itself: in every format, through every door, and pruned."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import mmstats
from mmstats.errors import InvalidParams
from mmstats.question.filters import Filter, Operator, plain_number, read_filter
from mmstats.question.read import read_question
from tests.conftest import WRITERS, Ask
from tests.serving import Serving, serving

READ = {
    "source = google": Filter("source", Operator.IN, ("google",)),
    "source=google": Filter("source", Operator.IN, ("google",)),
    " source != ": Filter("source", Operator.IN, ("",), negated=True),
    "path = /a b": Filter("path", Operator.IN, ("/a b",)),
    "path=a=b": Filter("path", Operator.IN, ("a=b",)),
    "source in a, b ,a": Filter("source", Operator.IN, ("a", "b")),
    "source not in a\\,b,,c": Filter("source", Operator.IN, ("a,b", "", "c"), negated=True),
    "source in": Filter("source", Operator.IN, ("",)),
    "event_name ~ ^sign": Filter("event_name", Operator.MATCHES, ("^sign",)),
    "event_name!~a|b": Filter("event_name", Operator.MATCHES, ("a|b",), negated=True),
    "os is null": Filter("os", Operator.IS_NULL),
    "os is not null": Filter("os", Operator.IS_NULL, negated=True),
    "os = is null": Filter("os", Operator.IN, ("is null",)),
    "properties.amount>=1.50e1": Filter("properties.amount", Operator.AT_LEAST, ("15",)),
    "properties.a-b < -0.0": Filter("properties.a-b", Operator.BELOW, ("0",)),
    'properties."a = b" = c': Filter('properties."a = b"', Operator.IN, ("c",)),
    "properties.items[a key] in x": Filter("properties.items[a key]", Operator.IN, ("x",)),
}


@pytest.mark.parametrize(("text", "asked"), READ.items(), ids=READ)
def test_filters_are_read(text: str, asked: Filter) -> None:
    """A filter is a column, an operator with blanks around it or not, and the rest."""
    assert read_filter(text) == asked


WRONG = ("", "source", "= a", "source google", "source is null a", "timestamp > 1", "properties = a", "properties. = a")


@pytest.mark.parametrize("text", [*WRONG, "os < b", "os > 007", "os > 1234567890123456789", "os in \udcff"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    """What is no filter, of no column, or compares with no number, is a fault of `where`."""
    with pytest.raises(InvalidParams) as refused:
        read_question({"where": [text]})
    assert list(refused.value.field_errors) == ["where"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", "0"), ("-0.00", "0"), ("7", "7"), ("1.50", "1.5"), ("-12e-1", "-1.2"), ("1E2", "100")),
        *(("1e-9", "0.000000001"), ("0.1000000000000", "0.1"), ("0e99999", "0")),
        ("999999999999999999.999999999", "999999999999999999.999999999"),
        *((one, None) for one in ("", "07", "+7", "7.", ".7", "1e18", "1e-10", "0.0000000001", "1e9999999999")),
        *((one, None) for one in ("NaN", "٧", "7\n", "7 ")),
    ],
)
def test_numbers_are_exact_decimals_of_jsons_form(text: str, number: str | None) -> None:
    """A number has JSON's form, and at most 18 digits before and 9 after the point; others are none."""
    assert plain_number(text) == number


EVENTS: list[dict[str, Any]] = [
    {"event_name": "buy", "campaign": "x", "url": "/a", "properties": {"plan": "pro", "amount": 12.5, "a,b": "1"}},
    {"event_name": "buy", "campaign": "y", "url": "/a", "properties": {"plan": "free", "amount": "7"}},
    {"event_name": "buy", "campaign": "", "properties": {"plan": "pro", "amount": "none"}},
    {"event_name": "see", "campaign": "x", "url": "/b", "properties": {"amount": 1e3}},
    {"event_name": "end", "url": "/c"},
]
ANSWERS: dict[str, int] = {
    "campaign = x": 2,
    "campaign != x": 3,
    "campaign =": 1,
    "campaign is null": 1,
    "campaign not in x,y": 2,
    "url ~ [ab]$": 3,
    "url !~ [ab]$": 2,
    "properties.plan = pro": 2,
    "properties.plan != pro": 3,
    "properties.plan is not null": 3,
    "properties.amount > 7": 2,
    "properties.amount >= 7.0": 3,
    "properties.amount < 12.5": 1,
    "properties.absent is null": 5,
    'properties."a,b" in 1,2': 1,
    "user_id is null": 5,
}


@pytest.fixture(params=WRITERS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The events in each format in turn, properties as JSON text."""
    rows = [
        {
            "timestamp": f"2026-05-0{index + 1}",
            "event_name": None,
            "campaign": None,
            "url": None,
            **event,
            "properties": json.dumps(event["properties"]) if "properties" in event else None,
        }
        for index, event in enumerate(EVENTS)
    ]
    path = tmp_path / f"events.{request.param}"
    path.write_bytes(WRITERS[request.param](rows))
    return path


def test_filters_select_in_every_format(ask: Ask, file: Path) -> None:
    """Each operator selects the same events in every format, of columns and of paths, and null as the contract says."""
    assert {text: ask(file, "--where", text).value for text in ANSWERS} == ANSWERS
    assert ask(file, "--where", "campaign = x", "--where", "url = /a").value == 1
    assert ask(file, "--event", "see", "--event", "end").value == 2


def test_groups_by_any_column(ask: Ask, file: Path) -> None:
    """Columns beyond the API's and paths are grouped by, under the keys as they are asked."""
    found = ask(
        file, "--group-by", 'campaign,properties."a,b",properties.plan', "--order", "-campaign,properties.plan"
    ).rows
    keys = ("campaign", 'properties."a,b"', "properties.plan", "value")
    expected = [
        ("y", None, "free", 1),
        ("x", "1", "pro", 1),
        ("x", None, None, 1),
        ("", None, "pro", 1),
        (None, None, None, 1),
    ]
    assert found == [dict(zip(keys, row, strict=True)) for row in expected]


def test_a_visitor_by_itself_is_one(ask: Ask, tmp_path: Path) -> None:
    """Distinct visitors by visitor are one each, and none where there is no id."""
    (tmp_path / "e.csv").write_text(
        "timestamp,event_name,anonymous_id\n2026-05-01,a,v\n2026-05-01,a,v\n2026-05-01,a,\n"
    )
    for exact in ((), ("--exact",)):
        found = ask("e.csv", "--metric", "uniques", "--group-by", "anonymous_id", *exact).rows
        assert found == [{"anonymous_id": "v", "value": 1}, {"anonymous_id": None, "value": 0}]


def test_a_pattern_that_does_not_compile_is_refused(ask: Ask, tmp_path: Path) -> None:
    """The engine's syntax decides what a pattern is, and what is none is a wrong question."""
    (tmp_path / "e.csv").write_text("timestamp,event_name\n2026-05-01,a\n")
    ran = ask("e.csv", "--where", "event_name ~ (a")
    assert (ran.code, ran.error) == (2, "--where has the pattern '(a', which does not compile: unclosed group")


@pytest.mark.parametrize(
    ("where", "read"),
    [
        *(("source = s3", 1), ("source in s0,s9,x", 2), ("source != s3", 9), ("source is null", 0)),
        *(
            ("session_id > 6", 3),
            ("session_id <= 0", 1),
            ("campaign = a", 0),
            ("campaign is null", 10),
            ("source ~ s3", 10),
        ),
    ],
)
def test_statistics_prune_by_filters(ask: Ask, tmp_path: Path, where: str, read: int) -> None:
    """Equality, lists, nulls and comparisons with integers leave out the files that cannot have any such event."""
    for number in range(10):
        frame = pl.DataFrame(
            {"timestamp": ["2026-05-01"] * 3, "event_name": "a", "source": f"s{number}", "session_id": number}
        )
        frame.write_parquet(tmp_path / f"{number}.parquet")
    ran = ask(".", "--where", where, "--group-by", "event_name", "--explain", "--format", "json")
    assert json.loads(ran.out)["files"]["read"] == read
    value = ask(".", "--where", where).value
    assert value == (3 if where == "source ~ s3" else 3 * read)


def test_what_an_answer_says_of_itself(ask: Ask, file: Path) -> None:
    """`--meta` tells the range, the zone, the rows before the limit, how exact the answer is, files and bad rows."""
    asked = ("--from", "2026-05-01", "--group-by", "url", "--limit", "1", "--metric", "uniques", "--meta")
    assert list(ask(file, *asked).answer) == ["metric", "rows", "meta"]
    assert ask(file, *asked).answer["meta"] == {
        "from": "2026-05-01T00:00:00Z",
        "to": None,
        "timezone": "UTC",
        "rows_total": 4,
        "truncated": True,
        "exact": False,
        "relative_error": 0.0055,
        "files": 1,
        "bad_rows": 0,
    }


@pytest.fixture(scope="module")
def server() -> Any:
    """A server with extensions."""
    with serving("--sample", "--no-auth", "--extensions") as started:
        yield started


ASKED: dict[str, dict[str, Any]] = {
    "last=7d&now=2026-05-20T12:00&timezone=America/New_York&interval=day": {
        "last": "7d",
        "now": "2026-05-20T12:00",
        "timezone": "America/New_York",
        "interval": "day",
    },
    "period=2026-05&event=signup&event=purchase&group_by=event_name,properties.plan&order=-event_name&meta=true": {
        "period": "2026-05",
        "event": ["signup", "purchase"],
        "group_by": "event_name,properties.plan",
        "order": ["-event_name"],
        "meta": True,
    },
    "from=2026-05-01&to=2026-06-01&where=country%20in%20DE,FR&where=os!%3DiOS&group_by=campaign&interval=month": {
        "from_": "2026-05-01",
        "to": "2026-06-01",
        "where": ["country in DE,FR", "os != iOS"],
        "group_by": ["campaign"],
        "interval": "month",
    },
}


@pytest.mark.parametrize(("query", "asked"), ASKED.items(), ids=["zone", "period", "filters"])
def test_every_door_gives_the_same_bytes(server: Serving, query: str, asked: dict[str, Any]) -> None:
    """A question with extensions has the same answer over HTTP as in Python."""
    reply = server.request(f"/v1/stats?{query}")
    assert reply.status == 200
    assert reply.body.decode() == mmstats.stats(mmstats.dataset.SAMPLE[0], **asked).to_json()
    assert json.loads(reply.body)["rows"]


def test_extensions_are_unknown_to_a_server_without(server: Serving) -> None:
    """With extensions a range is needed all the same; without them none of it is known, and values stay the API's."""
    assert server.request("/v1/stats?limit=5").faults == {"from": ["is required"], "to": ["is required"]}
    with serving("--sample", "--no-auth") as plain:
        faults = plain.request(
            "/v1/stats?from=yesterday&to=2026-06-01&last=7d&event=a&event=b&interval=month&where=x"
        ).faults
    refused = "is an extension, which this server does not accept (--extensions)"
    assert (faults["last"], faults["where"]) == ([refused], [refused])
    assert faults["event"] == ["may be given only once"]
    assert faults["interval"][0].startswith("must be hour or day or week, not 'month'")
    assert faults["from"][0].startswith("must be an ISO 8601 instant")
