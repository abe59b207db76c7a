"""The servers that `serve_load.py` measures, each a process of its own on loopback, and the same question for each."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pyarrow.parquet as pq
from serve_client import HOST, Ask

KEY = "rk_test_loadtest_0123456789abcdefghijABCDEFGHIJ12"
_START_SECONDS = 120
_READ = ("timestamp", "event_name", "source", "medium")
# The one question for all; the fraction of its first second is another each time, so that nobody has its answer yet.
_FROM, _TO, _EVENT = "2026-05-02T00:00:00.{k}Z", "2026-05-29T00:00:00Z", "$pageview"
_SQL = (
    "SELECT source, medium, count(*) AS value FROM events "
    "WHERE event_name = '$pageview' AND timestamp >= %s AND timestamp < %s GROUP BY source, medium"
)
_FROM_SECOND, _TO_SECOND = 1777680000, 1780012800


@dataclass
class Server:
    """A running server and the grouped count as it is put to it, other digits each time."""

    name: str
    port: int
    process: "subprocess.Popen[str]"
    log: Path
    different: Ask

    @property
    def hot(self) -> Ask:
        """The same question each time."""
        ask = self.different
        return replace(ask, name="hot", path=ask.path.replace("{k}", "0" * 6), body=ask.body.replace("{k}", "0" * 6))

    def reply(self, ask: Ask) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        _, _, body = ask.raw().partition(b"\r\n\r\n")
        path = ask.raw().split()[1].decode()
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}{path}", body or None, dict(ask.headers), method=ask.method
        )
        try:
            with urllib.request.urlopen(request, timeout=_START_SECONDS) as reply:
                return reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()

    def counts(self) -> dict[tuple[str | None, str | None], int]:
        """What it answers to the hot question, by source and medium."""
        found = json.loads(self.reply(self.hot)[2])
        rows = found["rows"] if isinstance(found, dict) else found
        return {(row.get("source"), row.get("medium")): row["value"] for row in rows}

    def memory_mib(self, *, with_workers: bool = False) -> float:
        """The resident memory of the process, and of those it has started."""
        return sum(map(_memory_mib, [self.process.pid, *(self._started() if with_workers else ())]))

    def open_files(self) -> int:
        """How many files and connections the process holds."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def children(self) -> int:
        """How many processes it has started that are still there."""
        return len(self._started())

    def _started(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]


def _memory_mib(process: int) -> float:
    """The resident memory of a process; 0 for one that has just ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


@contextmanager
def mmstats(folder: Path, arguments: Sequence[str], name: str = "mmstats") -> Iterator[Server]:
    """`mmstats serve` with a key, on a port that it picks."""
    parameters = f"from={_FROM}&to={_TO}&event={quote(_EVENT)}&group_by=source,medium"
    ask = Ask("different", f"/v1/stats?{parameters}", headers={"Authorization": f"Bearer {KEY}"})
    command = [sys.executable, "-m", "mmstats", "serve", "--port", "0", *arguments]
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "MMSTATS_SERVE_KEY": KEY, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(folder)}
    with _process(name, command, folder, env) as (process, log):
        assert process.stdout
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"{name} did not start: {log.read_text()}")
        yield Server(name, urlsplit(url).port or 80, process, log, ask)


@contextmanager
def roapi(program: str, folder: Path, data: Path) -> Iterator[Server]:
    """Roapi over the same files, which it holds in memory, asked in SQL."""
    port, *others = _free_ports(3)
    command = [program, "-a", f"{HOST}:{port}", "-p", f"{HOST}:{others[0]}", "--addr-flight-sql", f"{HOST}:{others[1]}"]
    command += ["-t", f"events={data}/,format=parquet"]
    sql = _SQL % (f"'{_FROM}'", f"'{_TO}'")
    env = {**os.environ, "RUST_LOG": "warn"}
    with _process("roapi", command, folder, env) as (process, log):
        server = Server("roapi", port, process, log, Ask("different", "/api/sql", method="POST", body=sql))
        _wait_for(server)
        yield server


@contextmanager
def datasette(program: str, folder: Path, data: Path) -> Iterator[Server]:
    """Datasette over the same rows in SQLite, with an index that holds all the question needs."""
    database = folder / "events.db"
    _write_sqlite(data, database)
    (port,) = _free_ports(1)
    command = [program, "serve", "-i", str(database), "--port", str(port), "--setting", "sql_time_limit_ms", "60000"]
    sql = quote(_SQL % (f"{_FROM_SECOND}K", f"{_TO_SECOND}000000")).replace(f"{_FROM_SECOND}K", f"{_FROM_SECOND}{{k}}")
    ask = Ask("different", f"/events.json?sql={sql}&_shape=array")
    with _process("datasette", command, folder, dict(os.environ)) as (process, log):
        server = Server("datasette", port, process, log, ask)
        _wait_for(server)
        yield server


@contextmanager
def _process(
    name: str, command: Sequence[str], folder: Path, env: dict[str, str]
) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
    log = folder / f"{name}.log"
    with log.open("w") as stderr:
        stdout = subprocess.PIPE if "mmstats" in command else stderr  # others log there, and nobody reads it
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, env=env, cwd=folder)
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _write_sqlite(data: Path, target: Path) -> None:
    events = pq.read_table(data, columns=list(_READ))
    columns = [events["timestamp"].cast("int64").to_pylist(), *(events[name].to_pylist() for name in _READ[1:])]
    with sqlite3.connect(target) as database:
        database.execute("CREATE TABLE events (timestamp INTEGER, event_name TEXT, source TEXT, medium TEXT)")
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", zip(*columns, strict=True))
        database.execute("CREATE INDEX asked ON events (event_name, source, medium, timestamp)")
        database.execute("ANALYZE")
    database.close()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; somebody may before they are used, which shows as a server that fails."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(server: Server) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if server.reply(server.hot)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{server.name} did not start: {server.log.read_text()[-2000:]}")
