"""What the server writes down: one line a request, readable by machines, in which nobody else can write."""

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmstats.serve.log import open_log
from tests.serving import KEY, SECRET, Serving, environment, question, serving, stop, until


@pytest.fixture(scope="module")
def machine() -> Iterator[Serving]:
    """A server whose log is JSON, in which every line is."""
    with serving("--sample", "--log-format", "json", "--cors-origin", "https://app.example") as running:
        yield running
        assert all(json.loads(line)["event"] for line in running.log().splitlines())


def log_line(server: Serving, request: str) -> dict[str, Any]:
    """The one line of the JSON log that is of the request with this id."""

    def found() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in server.log().splitlines()]
        return [line for line in lines if line.get("request_id") == request]

    (line,) = until(found)
    return line


def test_a_request_is_one_line_with_all_its_fields(machine: Serving) -> None:
    """A request's line says what was asked and what came of it, and where the answer came from."""
    seen = []
    tag = machine.stats(group_by="os").headers["ETag"]
    for request, headers in (("hit", {}), ("known", {"If-None-Match": tag})):
        machine.request(question(group_by="os"), {"X-Request-Id": request, **headers})
        seen.append(log_line(machine, request))
    machine.request(question(group_by="country"), {"X-Request-Id": "first"})
    seen.append(log_line(machine, "first"))
    for line in seen:
        assert line.keys() >= {"timestamp", "level", "event", "method", "path", "status", "ms", "cache", "request_id"}
        assert (line["event"], line["level"], line["method"], line["path"]) == ("request", "info", "GET", "/v1/stats")
        assert line["ms"] >= 0
    assert [line["cache"] for line in seen] == ["hit", "not modified", "miss"]
    assert [line["status"] for line in seen] == [200, 304, 200]
    assert seen[0]["rows"] == len(machine.stats(group_by="os").json["rows"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/stats", {}, 400),
        ("GET", "/v1/stats", {"Authorization": "x"}, 401),
        ("GET", "/none", {}, 404),
        ("POST", "/v1/stats", {}, 405),
        ("GET", "/healthz", {"Host": "evil.example"}, 400),
        ("GET", "/healthz", {"Origin": "https://evil.example"}, 403),
        ("OPTIONS", "/v1/stats", {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}, 204),
        ("HEAD", "/healthz", {}, 200),
    ],
)
def test_what_is_refused_is_written_down_too(
    machine: Serving, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Every request that is one is written down with its status, and the reply names its id."""
    reply = machine.request(path, headers, method=method)
    line = log_line(machine, reply.headers["X-Request-Id"])
    assert (line["method"], line["path"], line["status"], reply.status) == (method, path, status, status)


@pytest.mark.parametrize("given", ["abc", "A-b_9.c", "x" * 64, "0191e7a2-1c1e-7b5c-9d44-5b7d8f5a2f10"])
def test_a_sane_request_id_is_taken_over(machine: Serving, given: str) -> None:
    """A client's own request id comes back to it and stands in the log."""
    assert machine.request("/healthz", {"X-Request-Id": given}).headers["X-Request-Id"] == given
    assert log_line(machine, given)["path"] == "/healthz"


@pytest.mark.parametrize(
    "given", ["x" * 65, "", "a b", "a\tb", 'a"b', "a=b", "é", "\x7f", "a,b", "{}", "../x"], ids=ascii
)
def test_any_other_request_id_is_replaced(machine: Serving, given: str) -> None:
    """An id that is too long or of other characters is replaced by one of the server's own."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + given.encode() + b"\r\n\r\n"
    reply = machine.raw(sent=request)
    if reply.status == 200:
        assert reply.headers["X-Request-Id"] not in ("", given)
        assert log_line(machine, reply.headers["X-Request-Id"])["status"] == 200
    else:
        assert reply.error == (400, "invalid_params")


INJECTIONS = {
    "line break": ("/a%0Atimestamp=x%20event=request", "/a\\ntimestamp=x event=request"),
    "carriage return": ("/a%0D%0Ab", "/a\\r\\nb"),
    "escape": ("/%1B%5B2J", "/\\x1b[2J"),
    "null": ("/%00", "/\\x00"),
    "C1 control": ("/%C2%9B", "/\\x9b"),
    "line separator": ("/%E2%80%A8", "/\\u2028"),
    "right to left": ("/%E2%80%AE", "/\\u202e"),
    "quote": ("/%22%20status=200", '/" status=200'),
}


@pytest.mark.parametrize(("path", "shown"), INJECTIONS.values(), ids=INJECTIONS)
def test_a_path_cannot_write_in_the_log(machine: Serving, server: Serving, path: str, shown: str) -> None:
    """Whatever a path holds, its request is one line, of text as of JSON, that says what was asked."""
    request = "injected-" + path.encode().hex()[:40]
    machine.request(path, {"X-Request-Id": request})
    assert log_line(machine, request)["path"] == shown
    server.request(path, {"X-Request-Id": request})
    (line,) = until(lambda: [line for line in server.log().split("\n") if line.endswith(f"request_id={request}")])
    assert line.startswith("timestamp=")
    assert line.isprintable()
    assert " status=404 " in line


# Clears a screen as an escape and as a C1 control, turns the reading round, and begins two lines.
EVIL = "a\x1b[2J\x9b2J\u202e\u2028\nlevel=info b"
GOOD = '{"timestamp":"2026-05-01","event_name":"a"}\n'
FAULTS = {
    "ndjson": f'{GOOD}{{"x\x1b[2J": \x1b[2J}}\n',
    "jsonl": json.dumps({"timestamp": EVIL, "event_name": "a"}),
    "json": f'[{GOOD}, {{"\x1b": \x1b]',
    "csv": f'timestamp,event_name\n"{EVIL}",a\n',
    "tsv": "timestamp\t\x1b[2Jevent_nam\x9be\n2026-05-01\ta\n",
    "parquet": "PAR1\x1b[2J\x1b[2JPAR1",
    "arrow": "ARROW1\x1b[2J" * 4,
    "csv.gz": "\x1f\x1b[2J" * 4,
    "csv.zst": "\x1b[2J" * 4,
}


def is_clean(log: str) -> bool:
    """Whether every line of a log is one that the server began, and acts on no terminal."""
    return all(line.isprintable() and line.startswith(("timestamp=", "{")) for line in log.split("\n")[:-1])


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_dataset_cannot_write_in_the_log(tmp_path: Path, form: str) -> None:
    """What a file is called and what it holds reaches the log, and the client, only with its controls escaped."""
    (tmp_path / "good.ndjson").write_text(GOOD)
    with serving("--data", str(tmp_path), "--log-format", form) as running:
        for extension, content in FAULTS.items():
            file = tmp_path / f"{EVIL}.{extension}"
            file.write_text(content)
            reply = until(lambda: reply if (reply := running.stats()).status != 200 else None)
            assert reply.error == (502, "upstream_failed")
            assert "a\\x1b[2J\\x9b2J\\u202e\\u2028\\nlevel=info b." in reply.json["details"]["message"]
            assert reply.json["details"]["message"].isprintable()
            until(lambda sought=reply.headers["X-Request-Id"]: sought in running.log())  # type: ignore[misc]
            file.unlink()
            until(lambda: running.stats().status == 200)
        assert running.log().count("upstream_failed") >= len(FAULTS)
        assert is_clean(running.log())


@pytest.mark.parametrize("form", ["text", "json"])
def test_bad_rows_left_out_cannot_write_in_the_log(tmp_path: Path, form: str) -> None:
    """The notice of rows that were left out names their file with its controls escaped."""
    (tmp_path / f"{EVIL}.csv").write_text(FAULTS["csv"])
    with serving("--data", str(tmp_path), "--skip-bad-rows", "--log-format", form) as running:
        assert running.stats().json["rows"] == [{"value": 0}]
        until(lambda: "2J" in running.log())
        assert is_clean(running.log())


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_text_can_write_in_the_log(form: str) -> None:
    """Whatever a message, a traceback or a record of a library quotes, each is one line without controls or keys."""
    written = io.StringIO()
    log = open_log(form, written)
    try:
        raise ValueError(f"{EVIL} {KEY}")
    except ValueError as error:
        log.error("bug", path=EVIL, exc_info=error)
        logging.getLogger("asyncio").exception("failed with %s", f"{EVIL} {KEY}")
    log.warning("notice", message=f"{EVIL} {KEY}")
    lines = written.getvalue().splitlines()
    assert len(lines) == 3
    assert is_clean(written.getvalue())
    assert SECRET not in written.getvalue()
    if form == "json":
        assert json.loads(lines[0])["exception"].startswith("Traceback (most recent call last):\n  File ")
        assert json.loads(lines[2])["message"].startswith("a\\x1b[2J\\x9b2J\\u202e\\u2028\\nlevel=info b ")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


STYLE = re.compile(r"\x1b\[[0-9]*m")


def test_no_text_acts_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal nothing but the log's own colours acts on it, and without colours nothing; keys are hidden."""
    for variable, styled in (("NO_COLOR", False), ("COLORS", True)):
        monkeypatch.setenv(variable, "1")
        monkeypatch.setenv("TERM", "xterm")
        written = Terminal()
        log = open_log(None, written)
        fields = dict.fromkeys(("method", "path", "query", "error", "message", "notice"), f"{EVIL} {KEY}")
        log.info("request", **fields, status=502, ms=1234.5678, rows=1, cache="miss", request_id="a")
        try:
            raise ValueError(f"{EVIL} {KEY}")
        except ValueError as error:
            log.error("bug", path=EVIL, exc_info=error)
        assert bool(STYLE.search(written.getvalue())) == styled
        lines = STYLE.sub("", written.getvalue()).split("\n")
        assert all(line.isprintable() for line in lines)
        assert SECRET not in written.getvalue()
        assert re.match(r"\d\d:\d\d:\d\d 502   1,234\.6 ms a\\x1b\[2J.* 1 row miss a", lines[0])
        assert lines[1].endswith("bug path=a\\x1b[2J\\x9b2J\\u202e\\u2028\\nlevel=info b")
        assert lines[2] == "Traceback (most recent call last):"
        monkeypatch.delenv(variable)


def test_on_a_terminal_a_request_is_a_line_for_eyes(tmp_path: Path) -> None:
    """A terminal is shown time, status, duration, method, what was asked, decoded, rows and notices."""
    (tmp_path / "bad.csv").write_text("timestamp,event_name\n2026-05-01,a b\nnever,c\n")
    primary, terminal = pty.openpty()
    command = [sys.executable, "-m", "mmstats", "serve", "--data", str(tmp_path), "--skip-bad-rows", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=terminal, text=True, env=environment(str(tmp_path), TERM="xterm")
    ) as process:
        os.close(terminal)
        assert process.stdout
        own = Serving(process.stdout.readline().strip(), process, tmp_path / "unused")
        long = own.stats(event="a b", group_by="source,path", limit="7")
        own.stats(event="x" * 2000)
        own.request("/none")
        shown = ""
        while "/none" not in shown:
            shown += os.read(primary, 1 << 16).decode()
        stop(own)
    os.close(primary)
    assert long.status == 200
    assert "\x1b[32m200\x1b[0m" in shown
    assert "\x1b[33m404\x1b[0m" in shown
    started, *lines = STYLE.sub("", shown).splitlines()
    assert re.fullmatch(rf"\d\d:\d\d:\d\d started url={own.url} files=1 pid={process.pid}", started)
    beginning = r"\d\d:\d\d:\d\d {} +[0-9.,]+ ms GET  {}"
    target = r"/v1/stats\?from=2000-01-01&to=2100-01-01&event="
    notice = r"1 row miss .*bad\.csv.*"
    assert re.fullmatch(beginning.format(200, target + r"a b&group_by=source,path&limit=7 ") + notice, lines[0])
    assert re.fullmatch(beginning.format(200, target + r"x{40,60}… ") + notice, lines[1])
    assert re.fullmatch(beginning.format(404, "/none not_found"), lines[2])


def test_what_was_asked_is_written_down_decoded(machine: Serving) -> None:
    """A machine's line has the query as well, decoded, and cut when it is long."""
    for given, written in (("a%20b=%0Ac+d", "a b=\\nc d"), ("a=" + "b" * 50_000, "a=" + "b" * 498)):
        reply = machine.request(f"/none?{given}")
        assert log_line(machine, reply.headers["X-Request-Id"])["query"] == written


def test_a_long_path_is_cut(machine: Serving) -> None:
    """A path of many thousands of characters does not fill the log."""
    reply = machine.request("/" + "a" * 50_000)
    assert reply.error == (404, "not_found")
    assert len(log_line(machine, reply.headers["X-Request-Id"])["path"]) <= 1000


def test_an_unknown_method_is_one_kind_in_the_metrics(machine: Serving) -> None:
    """Methods and paths of a client's invention do not grow the metrics."""
    for index in range(3):
        machine.request(f"/invented/{index}", method=f"INVENT{index}")
    text = machine.request("/metrics").body.decode().lower()
    assert "invent" not in text
    assert 'mmstats_http_requests_total{method="other",path="other",status="404"} 3.0' in text


def test_no_log_shows_a_key(machine: Serving, server: Serving) -> None:
    """After answers and refusals of every kind, no log has any of the key in it."""
    for running in (machine, server):
        for headers in ({}, {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY}!"}, {"Origin": KEY}):
            for path in (
                question(event=KEY),
                question(event="x" * 430 + f" {KEY}"),
                "/none?" + KEY.replace("_", "%5f"),
            ):
                reply = running.request(path, headers)
                assert SECRET not in reply.body.decode()
                until(lambda sought=reply.headers["X-Request-Id"], running=running: sought in running.log())  # type: ignore[misc]
        assert SECRET[:8] not in running.log()
