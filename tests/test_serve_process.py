"""The server as a process: how it starts or does not, how it stops, and that nothing of it is left."""

import ipaddress
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import KEY, Serving, alive, ended, environment, question, serving, start, stop, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
COMMAND = [sys.executable, "-m", "mmstats", "serve"]


def listens(server: Serving) -> bool:
    """Whether the server still takes up connections."""
    try:
        server.connect().close()
    except ConnectionError:
        return False
    return True


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Serving]:
    """A server that its test ends."""
    running = start(["--sample"], {}, str(tmp_path))
    yield running
    stop(running, signal.SIGKILL)  # where the test could not


@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_in_order(own: Serving, by: signal.Signals, code: int) -> None:
    """A signal ends the server with its exit code, without a word beside the log, and none of its processes stay."""
    assert own.stats().status == 200
    workers = own.workers()
    assert workers
    assert stop(own, by) == code
    until(lambda: not any(map(alive, workers)))
    assert f"event=stopped signal={by.name}" in own.log()
    assert all(line.startswith("timestamp=") for line in own.log().splitlines())
    assert "level=error" not in own.log()


@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_query_under_way_is_answered_before_the_end(own: Serving, by: signal.Signals, code: int) -> None:
    """At a signal, the query that runs is answered whole; new clients are not taken up; then the server ends."""
    with ThreadPoolExecutor() as pool, own.frozen():
        reply = pool.submit(own.stats, group_by="path", limit="1000")
        until(lambda: own.metric("mmstats_queries_running") == 1)
        own.process.send_signal(by)
        until(lambda: not listens(own))
        assert own.process.poll() is None
    assert reply.result().status == 200
    assert reply.result().json["metric"] == "count"
    assert ended(own) == code


def test_a_second_interrupt_ends_it_at_once(own: Serving) -> None:
    """Whoever interrupts twice does not wait for the query that runs, and leaves no process behind."""
    with ThreadPoolExecutor() as pool, own.frozen():
        workers = own.workers()
        reply = pool.submit(
            own.raw, f"GET {question(limit='2')} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}"
        )
        until(lambda: own.metric("mmstats_queries_running") == 1)
        own.process.send_signal(signal.SIGINT)
        until(lambda: not listens(own))
        assert stop(own, signal.SIGINT) == 130
        assert reply.exception() or reply.result().status != 200
    until(lambda: not any(map(alive, workers)))


@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_right_after_the_start_ends_it_in_order(tmp_path: Path, by: signal.Signals, code: int) -> None:
    """From the moment that the server says where it is, a signal ends it in order."""
    for _ in range(5):
        assert stop(start(["--sample"], {}, str(tmp_path)), by) == code


def test_an_idle_connection_does_not_hold_up_the_end(own: Serving) -> None:
    """Clients that keep a connection open without asking do not keep the server from stopping."""
    with own.connect(), own.connect() as half:
        half.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert own.stats().status == 200
        assert stop(own) == 0


def test_killed_it_leaves_no_process(own: Serving) -> None:
    """When the system ends the server without warning, its processes end too, the busy one with its query."""
    with own.frozen(), own.connect() as client:
        workers = own.workers()
        client.sendall(f"GET {question(limit='3')} HTTP/1.1\r\nHost: localhost\r\n".encode())
        client.sendall(f"Authorization: Bearer {KEY}\r\n\r\n".encode())
        until(lambda: own.metric("mmstats_queries_running") == 1)
        assert stop(own, signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not any(map(alive, workers)))


def test_the_server_process_holds_no_engine(server: Serving) -> None:
    """What serves connections never loads the engine: only the processes that answer questions do."""
    assert server.stats(metric="uniques", limit="5").status == 200
    assert server.stats(limit="0").status == 400
    libraries = {process: Path(f"/proc/{process}/maps").read_text() for process in server.workers()}
    assert any("polars" in text for text in libraries.values())
    own = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert ".so" in own
    assert not [name for name in ("polars", "pyarrow", "libarrow") if name in own]


def refused(folder: Path, *arguments: str, **environ: str) -> tuple[int, list[str]]:
    """The exit code of a server that does not start and what it says, one line of which is the error."""
    environ = environment(str(folder), **environ)
    command = [*COMMAND, *arguments]
    ran = subprocess.run(command, capture_output=True, check=False, text=True, env=environ, cwd=folder, timeout=60)
    error, *hints = ran.stderr.splitlines()
    assert ran.stdout == ""
    assert error.startswith("error: ")
    assert all(hint.startswith("hint: ") for hint in hints) and len(hints) <= 1
    return ran.returncode, [error, *hints]


def test_a_port_that_is_taken_is_said(tmp_path: Path, server: Serving) -> None:
    """A port that somebody else listens on ends it with 5 and a way out."""
    code, (error, hint) = refused(tmp_path, "--sample", "--port", str(server.port))
    assert code == 5
    assert f"127.0.0.1 port {server.port}: Address already in use" in error
    assert "--port 0" in hint


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere.parquet"], 3, "nowhere.parquet"),
        (["--data", "empty"], 3, "empty"),
        (["--data", "pipe.ndjson"], 3, "a pipe can be read only once"),
        ([], 2, "--sample"),
        (["--data", "-"], 2, "must not be '-'"),
        (["--data", ""], 2, "must not be empty"),
        (["--sample", "--data", "x"], 2, "cannot be given with --data"),
        (["--sample", "--host", "no.such.host.invalid"], 5, "no.such.host.invalid"),
        (["--sample", "--host", "192.0.2.1", "--port", "0"], 5, "192.0.2.1"),
        (["--sample", "--prot", "1"], 2, "--port"),
        (["--sample", "extra"], 2, "--sample cannot be given with --data"),
    ],
    ids=[
        "missing", "empty folder", "pipe", "nothing", "stdin", "blank", "both", "unknown host", "foreign address",
        "misspelt option", "argument",
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """A server that cannot start says why in one line, how to go on in another, and ends with its code."""
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.ndjson")
    ended, lines = refused(tmp_path, *arguments)
    assert ended == code
    assert said in " ".join(lines)


WRONG = {
    "--port": ("65536", "abc", "-1", "+80", "8_0", ""),
    "--max-concurrency": ("0", "1.5"),
    "--queue": ("-1", "x"),
    "--query-timeout": ("0", "1s"),
    "--max-memory": ("0", "2 much"),
    "--rate-limit": ("0/s", "5", "5/d", "-1/m", "1/s/s"),
    "--cors-origin": ("app.example", "https://app.example/", "ftp://app.example", ""),
    "--log-format": ("xml", "JSON"),
}


@pytest.mark.parametrize("turn", range(2))
def test_wrong_options_are_said_all_at_once(tmp_path: Path, turn: int) -> None:
    """Every option with a wrong value is named in one error, those of the dataset too."""
    options = [f"{flag}={values[turn]}" for flag, values in WRONG.items()]
    code, (error, *_) = refused(tmp_path, "--sample", *options, "--timestamp-unit=m", "--host=")
    assert code == 2
    assert all(f"{flag} must " in error for flag in (*WRONG, "--timestamp-unit", "--host"))


@pytest.mark.parametrize("option", [f"{flag}={value}" for flag, values in WRONG.items() for value in values[2:]])
def test_a_wrong_option_is_said(option: str, tmp_path: Path) -> None:
    """A value that is no port, rate or origin is refused, never bent into one."""
    code, (error, *_) = refused(tmp_path, "--sample", option)
    assert code == 2
    assert error.startswith(f"error: {option.partition('=')[0]} must ")


@pytest.mark.parametrize("environ", [{"MMSTATS_DATA": "events.csv"}, {}], ids=["environment", "settings"])
def test_what_is_set_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]) -> None:
    """Without --data the server answers of what the environment or `mmstats.toml` names."""
    (tmp_path / "events.csv").write_text("timestamp,event_name\n2026-05-01,e\n")
    if not environ:
        (tmp_path / "mmstats.toml").write_text('data = "events.csv"\n')
    monkeypatch.chdir(tmp_path)
    with serving(environment=environ) as running:
        assert running.stats().json["rows"] == [{"value": 1}]


def test_the_folder_of_the_start_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose folder is removed starts workers all the same."""
    folder = tmp_path / "started"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with serving("--sample", "--max-concurrency", "1") as running:
        folder.rmdir()
        for worker in running.workers():
            os.kill(worker, signal.SIGKILL)
        running.stats()  # perhaps by the worker that was killed
        assert running.stats(metric="uniques").status == 200


def test_on_a_terminal_an_interrupt_lets_the_query_finish(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the terminal's, and still the query that runs is answered before the end."""
    primary, terminal = pty.openpty()
    command = [sys.executable, "-c", TERMINAL, *COMMAND, "--sample", "--port", "0"]
    log_file = tmp_path / "log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=log, env=environment(str(tmp_path)), start_new_session=True
        )
    os.close(terminal)
    shown = ""
    while "Ctrl-C" not in shown:
        shown += os.read(primary, 1 << 16).decode()
    own = Serving(shown.splitlines()[0].strip(), process, log_file)  # type: ignore[arg-type]
    with ThreadPoolExecutor() as pool, own.frozen():
        reply = pool.submit(own.stats, limit="2")
        until(lambda: own.metric("mmstats_queries_running") == 1)
        os.write(primary, b"\x03")
        until(lambda: not listens(own))
    assert reply.result().status == 200
    assert process.wait(60) == 130
    os.close(primary)
    assert "Traceback" not in log_file.read_text()


TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def link_local() -> str | None:
    """An IPv6 address of this machine that holds on one interface alone, with that interface as its zone."""
    listed = Path("/proc/net/if_inet6")
    addresses = [line.split() for line in listed.read_text().splitlines()] if listed.exists() else []
    local = [(text, interface) for text, *_, interface in addresses if text.startswith("fe80")]
    return f"{ipaddress.IPv6Address(bytes.fromhex(local[0][0]))}%{local[0][1]}" if local else None


@pytest.mark.parametrize(
    ("host", "printed"),
    [
        ("localhost", None),
        ("0.0.0.0", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("::", "[::1]"),
        pytest.param(link_local(), None, id="link-local"),
    ],
)
def test_the_first_line_is_a_url_that_answers(tmp_path: Path, host: str | None, printed: str | None) -> None:
    """Whatever address it listens on, the first line is a URL that this machine's curl opens, at the page to ask on."""
    if host is None or (":" in host and not Path("/proc/net/if_inet6").exists()):
        pytest.skip("this machine has no such address")
    own = start(["--sample", "--host", host], {}, str(tmp_path))
    try:
        if printed:
            assert own.url == f"http://{printed}:{own.port}"
        # -g: the brackets are part of the address, and no pattern.
        command = ["curl", "-sSLg", "--noproxy", "*", "-w", "%{url_effective} %{http_code}", "-o", "/dev/null", own.url]
        ran = subprocess.run(command, capture_output=True, check=True, text=True)
        assert ran.stdout == f"{own.url}/docs 200"
    finally:
        stop(own)
