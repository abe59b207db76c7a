"""What is wrong with a question over HTTP: all of it at once, in the envelope, and never passed over."""

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmstats.question.parameters import DIMENSIONS
from tests.serving import KEY, RANGE, Serving, serving

WHEN = "from=2026-05-01&to=2026-06-01"
LIMIT = "must be an integer from 1 to 1000, not "
NO_RANGE = "must be before the end of the range, and "
ALLOWED = list(DIMENSIONS)

FAULTS = {
    "nothing given": ("", {"from": ["is required"], "to": ["is required"]}),
    "no from": ("to=2026-05-01", {"from": ["is required"]}),
    "no to": ("from=2026-05-01", {"to": ["is required"]}),
    "limit 0": (f"{WHEN}&limit=0", {"limit": [LIMIT + "'0'"]}),
    "limit 1001": (f"{WHEN}&limit=1001", {"limit": [LIMIT + "'1001'"]}),
    "limit with a sign": (f"{WHEN}&limit=%2B5", {"limit": [LIMIT + "'+5'"]}),
    "limit with a bare plus": (f"{WHEN}&limit=+5", {"limit": [LIMIT + "' 5'"]}),
    "limit below": (f"{WHEN}&limit=-1", {"limit": [LIMIT + "'-1'"]}),
    "limit as Python writes it": (f"{WHEN}&limit=1_0", {"limit": [LIMIT + "'1_0'"]}),
    "limit fraction": (f"{WHEN}&limit=1.0", {"limit": [LIMIT + "'1.0'"]}),
    "limit in Arabic digits": (f"{WHEN}&limit=%D9%A1%D9%A0", {"limit": [LIMIT + "'١٠'"]}),
    "empty limit": (f"{WHEN}&limit=", {"limit": ["must not be empty"]}),
    "empty event": (f"{WHEN}&event=", {"event": ["must not be empty"]}),
    "event without =": (f"{WHEN}&event", {"event": ["must not be empty"]}),
    "empty from": ("from=&to=2026-05-01", {"from": ["must not be empty"]}),
    "from is to": (
        "from=2026-05-01&to=2026-05-01",
        {"from": [NO_RANGE + "2026-05-01 is not before 2026-05-01; the end of the range is exclusive"]},
    ),
    "from after to by offset": (
        "from=2026-05-01T00:00:00-02:00&to=2026-05-01T01:00:00Z",
        {
            "from": [
                NO_RANGE + "2026-05-01T02:00:00Z is not before 2026-05-01T01:00:00Z; "
                "did you mean from 2026-05-01T01:00:00Z to 2026-05-01T02:00:00Z?"
            ]
        },
    ),
    "lost plus": (
        "from=2026-05-01T00:00:00+02:00&to=2026-06-01",
        {
            "from": [
                "has a blank before the offset in '2026-05-01T00:00:00 02:00': "
                "a '+' must be percent-encoded as %2B in a URL"
            ]
        },
    ),
    "twice": (f"{WHEN}&limit=1&limit=1", {"limit": ["may be given only once"]}),
    "group_by twice": (f"{WHEN}&group_by=os&group_by=path", {"group_by": ["may be given only once"]}),
    "group_by twice, once empty": (f"{WHEN}&group_by=os&group_by=", {"group_by": ["may be given only once"]}),
    "unknown": (f"{WHEN}&groupby=os", {"groupby": ["is not a parameter; did you mean group_by?"]}),
    "another case": (f"{WHEN}&Metric=count", {"Metric": ["is not a parameter; did you mean metric?"]}),
    "like nothing": (
        f"{WHEN}&zzz=1",
        {"zzz": ["is not a parameter; known: metric, from, to, event, group_by, interval, limit"]},
    ),
    "the key in the URL": (
        f"{WHEN}&api_key=x",
        {"api_key": ["is not a parameter; known: metric, from, to, event, group_by, interval, limit"]},
    ),
    "no name": (
        f"{WHEN}&=1",
        {"": ["is not a parameter; known: metric, from, to, event, group_by, interval, limit"]},
    ),
    "metric": (f"{WHEN}&metric=sum", {"metric": ["must be count or uniques, not 'sum'"]}),
    "interval": (
        f"{WHEN}&interval=dya",
        {"interval": ["must be hour or day or week, not 'dya'; did you mean day?"]},
    ),
    "event is no UTF-8": (f"{WHEN}&event=%FF", {"event": ["must be valid UTF-8"]}),
    "event is a surrogate": (f"{WHEN}&event=%ED%A0%80", {"event": ["must be valid UTF-8"]}),
    "extension": (
        f"{WHEN}&exact=true",
        {"exact": ["is an extension, which this server does not accept (--extensions)"]},
    ),
    "extension turned off": (
        f"{WHEN}&all=false",
        {"all": ["is an extension, which this server does not accept (--extensions)"]},
    ),
    "both codes": (
        f"{WHEN}&limit=0&group_by=campaign,os,%3Cb%3E",
        {"limit": [LIMIT + "'0'"], "group_by": ["has the unknown column 'campaign'", "has the unknown column '<b>'"]},
    ),
    "group_by twice and unknown": (
        f"{WHEN}&group_by=os&group_by=x",
        {"group_by": ["may be given only once", "has the unknown column 'x'"]},
    ),
    "everything": (
        "from=x&to=2026-13-01&metric=&event=&group_by=x&interval=year&limit=x&foo=1",
        {
            "from": ["must be an ISO 8601 instant such as 2026-05-01 or 2026-05-01T00:00:00Z, not 'x'"],
            "to": ["is not a date and time between the years 1 and 9999: '2026-13-01'"],
            "metric": ["must not be empty"],
            "event": ["must not be empty"],
            "group_by": ["has the unknown column 'x'"],
            "interval": ["must be hour or day or week, not 'year'"],
            "limit": [LIMIT + "'x'"],
            "foo": ["is not a parameter; known: metric, from, to, event, group_by, interval, limit"],
        },
    ),
}


@pytest.mark.parametrize(("query", "faults"), FAULTS.values(), ids=FAULTS)
def test_every_wrong_parameter_is_named(server: Serving, query: str, faults: dict[str, list[str]]) -> None:
    """A question is refused with all that is wrong with it, each fault under its parameter's name."""
    assert server.request(f"/v1/stats?{query}").faults == faults


def test_a_limit_of_ten_thousand_digits_is_refused(server: Serving) -> None:
    """A number too long to be computed with is a wrong limit like any other; zeros in front change nothing."""
    assert list(server.request(f"/v1/stats?{WHEN}&limit={'9' * 10_000}").faults) == ["limit"]
    assert server.request(f"/v1/stats?{WHEN}&limit={'0' * 10_000}1").status == 200


@pytest.mark.parametrize("name", ["%FF", "%00", "%1B%5B2J", "%F0%9F%98%80", "%22%0A", "a%FFb"])
def test_a_name_of_any_bytes_is_unknown(server: Serving, name: str) -> None:
    """A parameter whose name is no text, or acts on a terminal, is refused as unknown in valid JSON."""
    faults = server.request(f"/v1/stats?{WHEN}&{name}=1").faults
    assert list(faults) == [urllib.parse.unquote(name, errors="surrogateescape")]


@pytest.mark.parametrize("event", ["%00", "%1B%5B2J", "%0D%0A", "%E2%80%AE", "%20", "null"])
def test_an_event_may_be_any_text(server: Serving, event: str) -> None:
    """Every text is a possible event name, of which the sample has none."""
    assert server.request(f"/v1/stats?{WHEN}&event={event}").body == b'{"metric":"count","rows":[{"value":0}]}'


@pytest.mark.parametrize(
    ("group_by", "invalid"),
    [
        ("campaign", ["campaign"]),
        ("os,Source,path,x,x", ["Source", "x"]),
        ("os,", [""]),
        ("os%00", ["os\0"]),
        ("%FF", ["\udcff"]),
    ],
)
def test_unknown_columns_are_refused_with_what_is_allowed(server: Serving, group_by: str, invalid: list[str]) -> None:
    """Columns outside the allow-list have a code of their own, which repeats the list at the top level."""
    reply = server.request(f"/v1/stats?{WHEN}&group_by={group_by}")
    assert reply.error == (400, "invalid_group_by")
    assert reply.json["details"] == {"allowed": ALLOWED, "invalid": invalid}
    assert list(reply.json.items())[2:] == [("allowed", ALLOWED)]


def test_blanks_and_repeats_in_group_by_are_no_fault(server: Serving) -> None:
    """Names are trimmed and collapsed, and a group_by of nothing but blanks groups by nothing."""
    plain = server.stats(group_by="os,source")
    assert plain.json["rows"][0].keys() == {"os", "source", "value"}
    assert server.stats(group_by=" os , source,os ").body == plain.body
    assert server.stats(group_by=" ").body == server.stats().body


def test_a_thousand_parameters_are_too_many(server: Serving) -> None:
    """So many parameters that reading them would be work are refused."""
    assert list(server.request("/v1/stats?" + "a=1&" * 2000).faults) == ["query"]


@pytest.fixture(scope="module")
def extended() -> Iterator[Serving]:
    """A server that accepts extensions."""
    with serving("--sample", "--extensions") as running:
        yield running


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("exact=1", {"exact": ["must be true or false"]}),
        ("exact=True", {"exact": ["must be true or false"]}),
        ("exact=", {"exact": ["must be true or false"]}),
        ("all=true&all=true", {"all": ["may be given only once"]}),
        ("all=true&limit=5", {"limit": ["cannot be given when all rows are asked for"]}),
        ("fill=true", {"fill": ["needs an interval"]}),
        ("exact=true", {"exact": ["needs a metric that is estimated: uniques, users or sessions"]}),
        ("exact=true&metric=count", {"exact": ["needs a metric that is estimated: uniques, users or sessions"]}),
    ],
)
def test_extensions_are_as_strict(extended: Serving, query: str, faults: dict[str, list[str]]) -> None:
    """An extension is `true` or `false`, given once, and at odds with what contradicts it."""
    assert extended.request(f"/v1/stats?{WHEN}&{query}").faults == faults


def test_authentication_comes_before_validation_before_the_data(tmp_path: Path) -> None:
    """Without a key nothing is said of the question, and with a wrong question nothing of the data."""
    file = tmp_path / "events.ndjson"
    file.write_text('{"timestamp":"2026-05-01","event_name":"e"}\n')
    with serving("--data", str(file)) as running:
        file.unlink()
        wrong, right = "/v1/stats?limit=0", "/v1/stats?" + urllib.parse.urlencode(RANGE)
        assert running.request(wrong, key=False).error == (401, "missing_bearer_token")
        assert running.request(wrong, {"Authorization": f"Bearer {KEY}x"}).error == (401, "invalid_api_key")
        assert running.request(wrong).error == (400, "invalid_params")
        assert running.request(right).error == (502, "upstream_failed")
