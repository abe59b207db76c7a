"""The abuse of `serve_load.py`: clients that mean no good, while one that does asks on and must always be answered."""

import asyncio
import http.client
import multiprocessing
import random
import resource
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

from serve_client import HOST, Ask, ask_all, percentiles_ms, read_reply
from serve_servers import Server

Abuse = Callable[[Server, float], Awaitable[str]]
_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 60
_SPARE_FILES = 128
_RESET = struct.pack("ii", 1, 0)  # linger for no second: the connection ends with a reset
EXPENSIVE = "from=2026-05-01T00:00:00.{k}Z&to=2026-06-01&metric=uniques&group_by=path,country&interval=hour&limit=1000"


@dataclass
class Seen:
    """What the well-behaved client saw: how long its answers took, and which were not 200."""

    seconds: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)


@contextmanager
def witness(port: int, ask: Ask) -> Iterator[Seen]:
    """A well-behaved client for the length of a block, in a process of its own so that it measures the server only."""
    processes = multiprocessing.get_context("spawn")
    begun, ended, told = processes.Event(), processes.Event(), processes.Queue()
    process = processes.Process(target=_behave, args=(port, ask, begun, ended, told))
    process.start()
    seen = Seen()
    begun.wait(_TIMEOUT_SECONDS)
    try:
        yield seen
    finally:
        ended.set()
        seen.seconds, seen.wrong = told.get(timeout=2 * _TIMEOUT_SECONDS)
        process.join()


def _behave(port: int, ask: Ask, begun: Event, ended: Event, told: "Queue[tuple[list[float], Counter[str]]]") -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_SECONDS)
    took, wrong = list[float](), Counter[str]()
    while not ended.is_set():
        start = time.perf_counter()
        try:
            connection.request(ask.method, ask.path, headers=ask.headers)
            reply = connection.getresponse()
            reply.read()
            if reply.status != ask.status:
                wrong[f"{reply.status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            wrong[type(error).__name__] += 1
            connection.close()
        took.append(time.perf_counter() - start)
        begun.set()
        ended.wait(max(_PAUSE_SECONDS - took[-1], 0))
    told.put((took, wrong))


def endure(server: Server, abuse: Abuse, seconds: float) -> dict[str, object]:
    """What a server made of an abuse: a row of the table, `wrong` in it being what the witness must not have seen."""
    before = server.memory_mib()
    with witness(server.port, server.hot) as seen:
        noted = asyncio.run(abuse(server, seconds))
    start = time.perf_counter()
    fresh = asyncio.run(ask_all(server.port, [server.different], 1, requests=1))
    p50, p99 = percentiles_ms(seen.seconds)
    return {
        "abuse": abuse.__name__.replace("_", " "),
        "answers": len(seen.seconds) - seen.wrong.total(),
        "p50 ms": p50,
        "p99 ms": p99,
        "most ms": max(seen.seconds) * 1e3,
        "fresh after ms": (time.perf_counter() - start) * 1e3,
        "growth MiB": server.memory_mib() - before,
        "open files": server.open_files(),
        "workers": server.children(),
        "wrong": str(dict(seen.wrong + fresh.wrong) or "-"),
        "what was done": noted,
    }


async def none_at_all(_: Server, seconds: float) -> str:
    """Nobody else asks: what the abuses are compared with."""
    await asyncio.sleep(seconds)
    return "only the well-behaved client"


async def slow_loris(server: Server, seconds: float, clients: int = 500) -> str:
    """Clients that send one byte of a header a second."""
    until = time.monotonic() + seconds
    cut = sum(await asyncio.gather(*(_drip(server.port, until) for _ in range(clients))))
    return f"{clients} connections, {cut} of them cut off within {seconds:g} s"


async def _drip(port: int, until: float) -> bool:
    """Whether the server ended the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    with suppress(OSError):
        writer.write(b"GET /v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        while time.monotonic() < until and not (reader.at_eof() or reader.exception()):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)
    gone = reader.at_eof() or reader.exception() is not None
    writer.transport.abort()
    return gone


async def long_query_strings(server: Server, seconds: float, clients: int = 8) -> str:
    """Clients that send a mebibyte of a query string."""
    until, replies = time.monotonic() + seconds, Counter[str]()
    ask = Ask("long", "/v1/stats?event=" + "a" * (1 << 20), headers=server.hot.headers)
    await asyncio.gather(*(_send_long(server.port, ask.raw(), until, replies) for _ in range(clients)))
    return f"{replies.total()} of 1 MiB from {clients} connections at once, answered: {dict(replies)}"


async def _send_long(port: int, raw: bytes, until: float, replies: Counter[str]) -> None:
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(raw)
            replies[f"{await read_reply(reader)}"] += 1
        except (OSError, EOFError) as error:
            replies[type(error).__name__] += 1
        writer.transport.abort()


async def idle_connections(server: Server, seconds: float, clients: int = 10_000) -> str:
    """Clients that connect and say nothing, as many as the limit on open files lets be."""
    most = min(clients, _raise_file_limit() - _SPARE_FILES)
    start = time.monotonic()
    connections = await asyncio.to_thread(_connect_many, server.port, most)
    opened, took = len(connections), time.monotonic() - start
    await asyncio.sleep(seconds)
    held = sum(_is_open(connection) for connection in connections)
    for connection in connections:
        connection.close()
    return f"{opened} opened in {took:.1f} s, {held} still open {seconds:g} s later"


def _raise_file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _connect_many(port: int, most: int) -> list[socket.socket]:
    connections: list[socket.socket] = []
    with suppress(OSError):
        while len(connections) < most:
            connections.append(socket.create_connection((HOST, port), timeout=10))
    return connections


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


async def flood_of_401s(server: Server, seconds: float, clients: int = 64) -> str:
    """Clients that ask again and again with a key that nobody knows."""
    key = "rk_test_nobodyis_" + "0" * 32
    ask = replace(server.hot, name="401", status=401, headers={"Authorization": f"Bearer {key}"})
    found = await ask_all(server.port, [ask], clients, seconds=seconds)
    return f"{clients} connections, {found.per_second:.0f} answers/s: {dict(found.statuses)} {dict(found.wrong) or ''}"


async def clients_that_leave(server: Server, seconds: float, clients: int = 16) -> str:
    """Clients that ask an expensive question nobody has asked, and go away before its answer is there."""
    until, rng = time.monotonic() + seconds, random.Random(0)
    left = await asyncio.gather(*(_leave(server, until, rng) for _ in range(clients)))
    return f"{sum(left)} questions left by {clients} clients at once, half of them with a reset"


async def _leave(server: Server, until: float, rng: random.Random) -> int:
    left, ask = 0, replace(server.different, path=f"/v1/stats?{EXPENSIVE}")
    while time.monotonic() < until:
        _, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(ask.raw())
        await asyncio.sleep(rng.random() / 5)
        if rng.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
        left += 1
    return left


ABUSES: tuple[Abuse, ...] = (
    none_at_all,
    slow_loris,
    long_query_strings,
    idle_connections,
    flood_of_401s,
    clients_that_leave,
)
