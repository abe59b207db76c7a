"""A real server on loopback for the tests: started as its users start it, stopped by its own process id."""

import http.client
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

KEY = "rk_test_abcdefgh_0123456789abcdefghijABCDEFGHIJ12"
SECRET = KEY.rpartition("_")[2]
RANGE = {"from": "2000-01-01", "to": "2100-01-01"}
ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds until a test gives up waiting; what it waits for takes far less


def until(condition: Callable[[], T | None]) -> T:
    """What a condition gives as soon as that is true of it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers and body."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status and the code of an error, once it is sure that the body has the form of errors."""
        assert self.headers["Content-Type"] == "application/json"
        assert list(self.json)[:2] == ["error", "details"]
        return self.status, self.json["error"]

    @property
    def faults(self) -> dict[str, list[str]]:
        """What is wrong with each parameter of a question that was refused."""
        assert self.error == (400, "invalid_params")
        assert list(self.json["details"]) == ["fieldErrors"]
        faults: dict[str, list[str]] = self.json["details"]["fieldErrors"]
        return faults


@dataclass
class Serving:
    """A running server."""

    url: str
    process: "subprocess.Popen[str]"
    log_file: Path
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {KEY}"})

    def request(
        self, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", key: bool = True
    ) -> Reply:
        """The reply to a request for a path, which may hold a query string."""
        sent = {**(self.headers if key else {}), **(headers or {})}
        request = urllib.request.Request(self.url + path, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def stats(self, **parameters: str) -> Reply:
        """The reply to a stats question over all time; `from_` stands for `from`."""
        return self.request(question(**parameters))

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def connect(self) -> socket.socket:
        """A connection on which nothing has been asked yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, *lines: str, sent: bytes = b"") -> Reply:
        """The reply to a request of these lines exactly, or to these bytes."""
        head = "".join(f"{line}\r\n" for line in (*lines, "")).encode() if lines else sent
        with self.connect() as connection:
            connection.sendall(head)
            response = http.client.HTTPResponse(connection, method=lines[0].split()[0] if lines else "GET")
            response.begin()
            with response:
                return Reply(response.status, response.headers, response.read())

    def log(self) -> str:
        """The lines that the server has written to stderr so far, without one that is only half in the file yet."""
        written = self.log_file.read_text()
        return written[: written.rfind("\n") + 1]

    def requests(self) -> list[dict[str, str]]:
        """The lines of the text log that are of requests, as their fields."""
        lines = [shlex.split(line) for line in self.log().splitlines() if " event=request " in line]
        return [dict(pair.split("=", 1) for pair in line) for line in lines]

    def metric(self, name: str) -> float:
        """The value of a metric, by its name with its labels; 0 when /metrics has none."""
        for line in self.request("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def workers(self) -> list[int]:
        """The processes that it has started and that have not ended: its workers."""
        found = [(int(status.parent.name), _status(status)) for status in Path("/proc").glob("[0-9]*/stat")]
        return [process for process, (state, parent) in found if parent == self.process.pid and state not in "ZX"]

    def warm(self) -> None:
        """See to it that a worker is idle, by asking a new question."""
        until(lambda: self.stats(event=secrets.token_hex(8)).status == 200)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """For the length of a block, the workers stand still: a query lasts as long."""
        self.warm()
        stopped = self.workers()
        try:
            for process in stopped:
                os.kill(process, signal.SIGSTOP)
            until(lambda: all(_status(Path(f"/proc/{process}/stat"))[0] == "T" for process in stopped))
            yield
        finally:
            for process in stopped:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)


def _status(file: Path) -> tuple[str, int]:
    """The state of a process and its parent; X and 0 when it is gone."""
    try:
        state, parent, *_ = file.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def alive(process: int) -> bool:
    """Whether a process has not ended."""
    return _status(Path(f"/proc/{process}/stat"))[0] not in "ZX"


def question(**parameters: str) -> str:
    """The path of a stats question over all time; `from_` stands for `from`."""
    given = {**RANGE, **{name.rstrip("_"): text for name, text in parameters.items()}}
    return "/v1/stats?" + urllib.parse.urlencode(given)


def environment(folder: str, **more: str) -> dict[str, str]:
    """An environment in which nothing of the user's is found."""
    own = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_CONFIG_HOME": folder, "PYTHONPATH": str(ROOT)}
    return {**own, "MMSTATS_SERVE_KEY": KEY, **more}


def start(arguments: Sequence[str], environ: Mapping[str, str], folder: str) -> Serving:
    """A server that listens, started with a folder of its own for its log and settings."""
    log_file = Path(folder, "stderr.log")
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mmstats", "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(folder, **environ),
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()  # printed once it listens; at the end of a process that failed, empty
    if not url:
        process.wait()
        process.stdout.close()
        raise AssertionError(f"the server did not start: {log_file.read_text()}")
    return Serving(url, process, log_file)


def stop(server: Serving, by: signal.Signals = signal.SIGTERM) -> int:
    """End a server by its own process id and return its exit code."""
    server.process.send_signal(by)  # to one that has ended already, nothing
    return ended(server)


def ended(server: Serving) -> int:
    """The exit code of a server that is on its way to its end."""
    code = server.process.wait(PATIENCE)
    assert server.process.stdout is not None
    server.process.stdout.close()
    return code


@contextmanager
def serving(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """A server for the length of a block, whose log shows no key at its end."""
    with tempfile.TemporaryDirectory() as folder:
        server = start(arguments, environment or {}, folder)
        try:
            yield server
        finally:
            stop(server)
        assert SECRET not in server.log()
