"""The same question gets the same bytes over HTTP as through the other doors."""

import http.client
import random
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmstats
from mmstats.question.instants import parse_instant
from mmstats.question.parameters import DIMENSIONS, INTERVALS, METRICS
from tests.drawn import AWKWARD, COLUMNS, FORMATS, NEAR, TEXTS, write
from tests.serving import RANGE, Serving, environment, serving

Texts = dict[str, str]
MONDAY = datetime(2026, 5, 4)  # noqa: DTZ001 - UTC, as all here
INSTANTS = (
    "0001-01-01",
    "1969-12-31T23:59:59.999999Z",
    "2026-05-03",
    "2026-05-04T02:30:00+02:30",
    "2026-05-04 00:00:00",
    "2026-05-04T00:00:00.0000001Z",
    "2026-05-05T10:11",
    "2026-05-06T00:00:00,5-0530",
    "2026-05-07T01:02:03.999999Z",
    "9999-12-31T23:59:59.999999Z",
)


def events(seed: int) -> list[dict[str, object]]:
    """Four hundred events of a week, in whose columns nulls, quotes and the edges of Unicode meet."""
    draw = random.Random(seed)
    texts = (*TEXTS, *AWKWARD)
    names = [text for text in texts if text]
    found: list[dict[str, object]] = []
    for _ in range(400):
        when = MONDAY + timedelta(hours=draw.randrange(-24, 144), microseconds=draw.choice((0, 0, 1, 3_599_999_999)))
        columns = {name: draw.choice(texts) for name in COLUMNS if name not in {"timestamp", "event_name"}}
        found.append({"timestamp": when, "event_name": draw.choice(names), **columns})
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a file in every format."""
    folder = tmp_path_factory.mktemp("events")
    for seed, kind in enumerate(FORMATS):
        write(folder / f"events.{kind}", events(seed))
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> Iterator[Serving]:
    """A server of the dataset."""
    with serving("--data", str(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def extended(folder: Path) -> Iterator[Serving]:
    """A server of the dataset that accepts extensions."""
    with serving("--data", str(folder), "--extensions") as server:
        yield server


@st.composite
def asked(draw: st.DrawFn, instants: st.SearchStrategy[str]) -> Texts:
    """The parameters of a question that is right, as a client writes them."""
    range_ = draw(st.lists(instants, min_size=2, max_size=2, unique_by=parse_instant))
    texts = dict(zip(("from", "to"), sorted(range_, key=parse_instant), strict=True))
    names = draw(st.lists(st.sampled_from(DIMENSIONS), max_size=4))
    others = {
        "metric": st.sampled_from(METRICS),
        "event": st.sampled_from([text for text in (*TEXTS, *AWKWARD, "of nobody") if text]),
        "group_by": st.sampled_from([",", " , ", ", "]).map(lambda comma: comma.join(names)),
        "interval": st.sampled_from(INTERVALS),
        "limit": st.sampled_from(("1", "3", "007", "100", "1000")),
    }
    for name, strategy in others.items():
        if draw(st.sampled_from((True, False, False) if name == "event" else (True, False))):
            texts[name] = draw(strategy)
    return dict(draw(st.permutations(list(texts.items()))))


WRITTEN = NEAR.map(lambda moment: moment.replace(tzinfo=UTC).isoformat())


def python_door(folder: Path, texts: Texts, **beyond: bool) -> mmstats.Stats:
    """The answer to the question through the Python door."""
    limit = None if beyond.get("all") else int(texts.get("limit", "100"))
    return mmstats.stats(
        folder,
        metric=texts.get("metric", "count"),
        from_=texts["from"],
        to=texts["to"],
        event=texts.get("event"),
        group_by=texts.get("group_by", ""),
        interval=texts.get("interval"),
        limit=limit,
        exact=beyond.get("exact", False),
        fill=beyond.get("fill", False),
    )


def agree(client: http.client.HTTPConnection, server: Serving, path: str, expected: mmstats.Stats) -> None:
    """Compare what the server sends, on a connection that is kept, with the other door's answer."""
    client.request("GET", path, headers=server.headers)
    reply = client.getresponse()
    body = reply.read()
    assert (reply.status, body) == (200, expected.to_json().encode())
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Mmstats-Truncated"] == ("true" if expected.truncated else None)


def test_any_question_gets_the_bytes_of_the_python_door(plain: Serving, folder: Path) -> None:
    """Any question gets the bytes of the Python door, and the header exactly when the limit cut rows off."""
    client = http.client.HTTPConnection("127.0.0.1", plain.port)

    @given(asked(st.sampled_from(INSTANTS) | WRITTEN), st.booleans())
    @settings(max_examples=100)
    def answers(texts: Texts, blanks: bool) -> None:
        quote = urllib.parse.quote_plus if blanks else urllib.parse.quote
        path = "/v1/stats?" + urllib.parse.urlencode(texts, quote_via=quote)
        agree(client, plain, path, python_door(folder, texts))

    with closing(client):
        answers()


def test_extensions_answer_as_the_python_door_does(extended: Serving, folder: Path) -> None:
    """With --extensions, `all`, `exact` and `fill` mean what they do elsewhere, and `false` means unasked."""
    client = http.client.HTTPConnection("127.0.0.1", extended.port)

    @given(asked(WRITTEN), st.sets(st.sampled_from(("all", "exact", "fill"))), st.booleans())
    @settings(max_examples=50)
    def answers(texts: Texts, beyond: set[str], others: bool) -> None:
        if "all" in beyond:
            texts.pop("limit", None)
        if "exact" in beyond:
            texts["metric"] = "uniques"
        if "fill" in beyond:
            texts.setdefault("interval", "day")
        switches = {name: "true" if name in beyond else "false" for name in ("all", "exact", "fill")}
        sent = {**texts, **{name: value for name, value in switches.items() if value == "true" or others}}
        path = "/v1/stats?" + urllib.parse.urlencode(sent)
        agree(client, extended, path, python_door(folder, texts, **dict.fromkeys(beyond, True)))

    with closing(client):
        answers()


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"event": 'say "x"', "group_by": "path,os"},
        {"metric": "uniques", "group_by": "source", "interval": "week", "limit": "3"},
        {"from": "2026-05-03T23:00:00+02:00", "to": "2026-05-09", "interval": "hour", "limit": "1000"},
        {"from": "1999-01-01", "to": "1999-01-02", "group_by": "browser"},
    ],
    ids=["plain", "quotes", "truncated uniques", "hours", "nothing"],
)
def test_the_command_line_writes_the_same_bytes(
    plain: Serving, folder: Path, tmp_path: Path, texts: dict[str, str]
) -> None:
    """The bytes of `mmstats query --format json`, without their final newline, are the body over HTTP."""
    texts = {**RANGE, **texts}
    flags = [part for name, text in texts.items() for part in ("--" + name.replace("_", "-"), text)]
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(folder), "--format", "json", *flags]
    ran = subprocess.run(command, capture_output=True, check=True, env=environment(str(tmp_path)))
    reply = plain.request("/v1/stats?" + urllib.parse.urlencode(texts))
    assert reply.body + b"\n" == ran.stdout
    assert (reply.headers["Mmstats-Truncated"] == "true") == (b"rows" in ran.stderr)
