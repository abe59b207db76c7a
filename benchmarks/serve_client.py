"""The client of `serve_load.py`: so many keep-alive connections that ask, and what came back in which time.

It is `wrk` where that is installed and can do it, else raw HTTP/1.1 over asyncio.
"""

import asyncio
import itertools
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
OVERLOADED = 503
_DIGITS = 1_000_000
_TIMEOUT_SECONDS = 60
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_NO_BODY = (204, 304)
_numbers = itertools.count()
_LUA = """
local threads = {}
statuses = {}
function setup(thread) table.insert(threads, thread) end
function response(status) statuses[status] = (statuses[status] or 0) + 1 end
function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  print("LOAD", summary.duration, latency:percentile(50), latency:percentile(99), failed)
  for _, thread in ipairs(threads) do
    for status, times in pairs(thread:get("statuses")) do print("STATUS", status, times) end
  end
end
"""


@dataclass(frozen=True)
class Ask:
    """A request and the status it must get; `{k}` in its path or body becomes other six digits each time."""

    name: str
    path: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""

    @property
    def varies(self) -> bool:
        """Whether each request is another."""
        return "{k}" in self.path + self.body

    def raw(self) -> bytes:
        """The next request of its kind, as it goes over the wire."""
        k = f"{next(_numbers) % _DIGITS:06d}"
        path, body = self.path.replace("{k}", k), self.body.replace("{k}", k)
        lines = [f"{self.method} {path} HTTP/1.1", f"Host: {HOST}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return "\r\n".join([*lines, "", body]).encode()


@dataclass
class Load:
    """What came back: how many answers of which status, in which time, and whatever must not have come."""

    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """How many requests were answered in a second."""
        return self.statuses.total() / self.seconds if self.seconds else 0.0

    def count(self, ask: Ask, status: int, times: int = 1) -> None:
        """Count answers to a request."""
        self.statuses[status] += times
        if status not in (ask.status, OVERLOADED):
            self.wrong[f"{ask.name}: {status} instead of {ask.status}"] += times


def client() -> str:
    """What measures how often a second one and the same request is answered."""
    if not shutil.which("wrk"):
        return "Python asyncio (no wrk on PATH)"
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:3])


def load(port: int, ask: Ask, connections: int, seconds: float) -> Load:
    """Ask on so many connections for so long: by wrk if it is there and each request is the same.

    Other questions each time take long enough that those still open at the end count, which wrk forgets.
    """
    if ask.varies or not shutil.which("wrk"):
        return asyncio.run(ask_all(port, [ask], connections, seconds=seconds))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "count.lua")
        script.write_text(_LUA)
        command = ["wrk", f"-c{connections}", "-t1", f"-d{max(round(seconds), 1)}s", f"--timeout={_TIMEOUT_SECONDS}s"]
        command += [f"-H{name}: {value}" for name, value in ask.headers.items()]
        command += [f"-s{script}", f"http://{HOST}:{port}{ask.path}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    return _read_wrk(ask, said.stdout)


def _read_wrk(ask: Ask, said: str) -> Load:
    found = Load()
    for name, *numbers in (line.split("\t") for line in said.splitlines()):
        if name == "LOAD":
            microseconds, p50, p99, failed = map(float, numbers)
            found.seconds, found.p50_ms, found.p99_ms = microseconds / 1e6, p50 / 1e3, p99 / 1e3
            found.wrong[f"{ask.name}: no answer"] += int(failed)
        elif name == "STATUS":
            found.count(ask, int(numbers[0]), int(numbers[1]))
    found.wrong = +found.wrong
    return found


async def ask_all(
    port: int, asks: Sequence[Ask], connections: int, *, seconds: float | None = None, requests: int | None = None
) -> Load:
    """Ask in turn on so many connections, for so long or so many times."""
    found, took = Load(), list[float]()
    start = time.perf_counter()
    turns = _turns(asks, None if seconds is None else start + seconds, requests)
    await asyncio.gather(*(_ask_on_one(port, turns, found, took) for _ in range(connections)))
    found.seconds = time.perf_counter() - start
    found.p50_ms, found.p99_ms = percentiles_ms(took)
    return found


def _turns(asks: Sequence[Ask], until: float | None, requests: int | None) -> Iterator[Ask]:
    for turn in itertools.count() if requests is None else range(requests):
        if until is not None and time.perf_counter() >= until:
            return
        yield asks[turn % len(asks)]


async def _ask_on_one(port: int, turns: Iterator[Ask], found: Load, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for ask in turns:
        start = time.perf_counter()
        try:
            writer.write(ask.raw())
            found.count(ask, await asyncio.wait_for(read_reply(reader), _TIMEOUT_SECONDS))
        except (OSError, EOFError, TimeoutError) as error:
            found.wrong[f"{ask.name}: {type(error).__name__}"] += 1
            writer.close()
            reader, writer = await asyncio.open_connection(HOST, port)
        took.append(time.perf_counter() - start)
    writer.close()


async def read_reply(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, length = int(head[9:12]), _LENGTH.search(head)
    if _CHUNKED.search(head):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    elif length and status not in _NO_BODY:
        await reader.readexactly(int(length[1]))
    return status


def percentiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile in milliseconds."""
    if len(seconds) < 2:
        return (seconds[0] * 1e3, seconds[0] * 1e3) if seconds else (0.0, 0.0)
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1e3, cuts[98] * 1e3
