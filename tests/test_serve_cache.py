"""Answers cached while the dataset stays as it is, and no longer; answers compressed."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.serving import Reply, Serving, environment, question, serving, until

PATH = question(group_by="path", limit="1000")


def line(name: str) -> str:
    """An event as NDJSON."""
    return f'{{"timestamp":"2026-05-01","event_name":"{name}"}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of two files of one event each."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson").write_text(line(name))
    return tmp_path


@pytest.fixture
def changing(folder: Path) -> Iterator[Serving]:
    """A server of a dataset that its test changes."""
    with serving("--data", str(folder)) as running:
        yield running


def settled(server: Serving) -> Reply:
    """The answer once it has an ETag: the files were written so long ago that any change to them shows."""
    return until(lambda: reply if (reply := server.stats(group_by="event_name")).headers["ETag"] else None)


def test_an_answer_names_its_state(server: Serving) -> None:
    """The same question has the same ETag, also from a server started anew; another question has another."""
    tags = [server.stats(**asked).headers["ETag"] for asked in ({}, {}, {"limit": "1"}, {"metric": "uniques"})]
    assert tags[0] == tags[1]
    assert len(set(tags)) == 3
    with serving("--sample") as another:
        assert another.stats().headers["ETag"] == tags[0]


@pytest.mark.parametrize(
    "form",
    ["{}", 'W/"x", {}', '"x",{} , "y"', "*", "strong", "comma"],
    ids=["exact", "second", "between", "any", "strong", "a comma in another"],
)
def test_a_known_answer_is_not_sent_again(server: Serving, form: str) -> None:
    """A client that names the answer it has, in any form, gets 304: its headers and no body."""
    first = server.request(PATH)
    tag = first.headers["ETag"]
    named = {"strong": tag.removeprefix("W/"), "comma": f'"a,b", {tag}'}.get(form, form.format(tag))
    reply = server.request(PATH, {"If-None-Match": named})
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["ETag"] == tag
    assert reply.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize("named", ['"x"', 'W/"x"', "", "{}x", "**"])
def test_another_answer_is_sent(server: Serving, named: str) -> None:
    """A client that names another answer, or nothing that is one, is sent the answer."""
    first = server.request(PATH)
    reply = server.request(PATH, {"If-None-Match": named.format(first.headers["ETag"].strip('W/"'))})
    assert (reply.status, reply.body) == (200, first.body)


def test_only_those_with_a_key_learn_what_has_not_changed(server: Serving) -> None:
    """If-None-Match is looked at after the key and the question."""
    assert server.request(PATH, {"If-None-Match": "*"}, key=False).error == (401, "missing_bearer_token")
    assert server.request(PATH + "&limit=0", {"If-None-Match": "*"}).error == (400, "invalid_params")


def test_a_question_asked_again_is_a_hit(changing: Serving) -> None:
    """The second time, and however the same question is written, the answer is had from memory."""
    first = settled(changing)
    before = changing.metric('mmstats_answers_total{cache="hit"}')
    asked = "/v1/stats?to=2100-01-01T00:00:00Z&limit=100&group_by=%20event_name,event_name&from=2000-01-01T00:00"
    assert changing.request(asked, {"X-Request-Id": "again"}).body == first.body
    assert changing.metric('mmstats_answers_total{cache="hit"}') == before + 1
    (line,) = until(lambda: [line for line in changing.requests() if line["request_id"] == "again"])
    assert (line["cache"], line["rows"]) == ("hit", "2")
    assert changing.metric("mmstats_kept_bytes") > len(first.body)


def _rewritten_in_place(folder: Path) -> None:
    """Another event of the same length, and the time of the change set back."""
    file = folder / "a.ndjson"
    status = file.stat()
    file.write_text(line("z"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "file added": (lambda folder: (folder / "c.ndjson").write_text(line("c")), ["a", "b", "c"]),
    "file deleted": (lambda folder: (folder / "b.ndjson").unlink(), ["a"]),
    "event added": (lambda folder: (folder / "b.ndjson").write_text(line("b") + line("c")), ["a", "b", "c"]),
    "file replaced": (lambda folder: (folder / "b.ndjson").replace(folder / "a.ndjson"), ["b"]),
    "event changed, time set back": (_rewritten_in_place, ["b", "z"]),
}


@pytest.mark.parametrize(("change", "names"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(changing: Serving, folder: Path, change: Callable[[Path], object], names: list[str]) -> None:
    """Whatever changes in the dataset soon changes the answer and its ETag."""
    first = settled(changing)
    change(folder)
    until(lambda: changing.stats(group_by="event_name").body != first.body)
    then = settled(changing)
    assert [row["event_name"] for row in then.json["rows"]] == names
    assert then.headers["ETag"] != first.headers["ETag"]
    assert changing.request(question(group_by="event_name"), {"If-None-Match": first.headers["ETag"]}).status == 200


def test_a_file_still_warm_has_no_etag(changing: Serving, folder: Path) -> None:
    """While a file may change once more without showing it, answers are right and nobody may cache them."""
    before = settled(changing).body

    def asked() -> Reply | None:
        os.utime(folder / "a.ndjson", (1_000_000_000, 1_000_000_000))  # in whole seconds, as coarse clocks have it
        reply = changing.request(question(group_by="event_name"), {"If-None-Match": "*"})
        return reply if reply.status == 200 else None

    reply = until(asked)
    assert (reply.headers["ETag"], reply.headers["Cache-Control"], reply.body) == (None, "no-store", before)


def test_a_dataset_that_vanishes_and_comes_back(changing: Serving, folder: Path) -> None:
    """Without its files the dataset cannot be read, nor is the server ready; with them it answers again."""
    whole = settled(changing).body
    for name in ("a", "b"):
        (folder / f"{name}.ndjson").unlink()
    gone = until(lambda: found if (found := changing.stats(group_by="event_name")).status != 200 else None)
    assert gone.error == (502, "upstream_failed")
    assert changing.request("/readyz").error == (503, "upstream_failed")
    assert changing.request("/healthz").status == 200
    for name in ("a", "b"):
        (folder / f"{name}.ndjson").write_text(line(name))
    assert (
        until(lambda: found if (found := changing.stats(group_by="event_name")).status == 200 else None).body == whole
    )
    assert changing.request("/readyz").status == 200


def test_a_row_that_cannot_be_read_is_the_datasets_fault(folder: Path) -> None:
    """A question over a bad row is refused, naming file and line, until the row is gone; --skip-bad-rows answers."""
    bad = folder / "bad.csv"
    bad.write_text("timestamp,event_name\n2026-05-01,c\n2026-05-01\n")
    with serving("--data", str(folder)) as strict:
        reply = strict.stats()
        assert reply.error == (502, "upstream_failed")
        assert "bad.csv" in reply.json["details"]["message"]
        assert "line 3" in reply.json["details"]["message"]
        assert "ETag" not in reply.headers
        bad.unlink()
        until(lambda: strict.stats().json.get("rows") == [{"value": 2}])
    bad.write_text("timestamp,event_name\n2026-05-01,c\n2026-05-01\n")
    with serving("--data", str(folder), "--skip-bad-rows") as lenient:
        assert lenient.stats().json["rows"] == [{"value": 3}]
        lenient.stats()
        for line in until(lambda: lines if len(lines := lenient.requests()) == 2 else None):
            assert line["level"] == "warning"
            assert "bad.csv" in line["notice"]


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "x-gzip", "*", "br, gzip;q=0.5", "gzip, deflate, br, zstd"])
def test_answers_are_compressed_for_those_who_ask(server: Serving, accepted: str) -> None:
    """A client that accepts gzip gets the same bytes, compressed, and caches are told that this was why."""
    plain = server.request(PATH)
    assert "Content-Encoding" not in plain.headers
    reply = server.request(PATH, {"Accept-Encoding": accepted})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(reply.body) == plain.body
    assert len(reply.body) == int(reply.headers["Content-Length"]) < len(plain.body)
    assert "accept-encoding" in reply.headers["Vary"].lower()
    assert server.request(PATH, {"Accept-Encoding": accepted, "If-None-Match": reply.headers["ETag"]}).status == 304


@pytest.mark.parametrize(
    "accepted",
    ["", "identity", "gzip;q=0", "br, gzip; q=0.000", "br, deflate", "*;q=0", "*, GZIP;Q=0", "identity, gzip;q=0.5"],
)
def test_answers_are_plain_for_the_others(server: Serving, accepted: str) -> None:
    """A client that does not accept gzip, refuses it or would rather do without gets the answer as it is."""
    reply = server.request(PATH, {"Accept-Encoding": accepted})
    assert "Content-Encoding" not in reply.headers
    assert reply.json["metric"] == "count"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_says_that_it_depends_on_what_is_accepted(server: Serving, method: str) -> None:
    """Caches are told so of large and small answers, of errors and of 304, compressed or not."""
    tag = server.request(PATH).headers["ETag"]
    for path in (PATH, question(), "/healthz", "/v1/stats", "/none", "/openapi.json"):
        for headers in ({}, {"Accept-Encoding": "gzip"}, {"If-None-Match": tag}, {"Host": "evil.example"}):
            assert server.request(path, headers, method=method).headers["Vary"] == "Accept-Encoding"


def test_a_server_fills_the_users_cache(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Partial aggregates go to the cache folder, once the files have not changed for a while; answers stay right."""
    environ = {"MMSTATS_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    limits = map(str, count(1))

    def entries() -> int:
        """How many entries the cache has, by the command line."""
        command = [sys.executable, "-m", "mmstats", "cache", "info"]
        ran = subprocess.run(command, capture_output=True, check=True, env=environment(str(folder), **environ))
        return int(json.loads(ran.stdout)["entries"])

    with serving("--data", str(folder), environment=environ) as running:
        until(lambda: running.stats(limit=next(limits)).status == 200 and entries())
        rows = running.stats(group_by="event_name").json["rows"]
    assert rows == [{"event_name": "a", "value": 1}, {"event_name": "b", "value": 1}]
