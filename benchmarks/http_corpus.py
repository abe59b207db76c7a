"""What `mmstats serve` makes of several hundred raw requests: malformed, oversized, ambiguous, slow, cut off.

Starts two servers of the sample on loopback, sends every case on a connection of its own and judges by rules: answers
are well-formed HTTP with the status expected, errors have their envelope, nothing is a 500, the connection then closes
or serves the next request, the log holds no traceback and nothing raw, and a plain question is answered as before.

    python -m benchmarks.http_corpus [KIND …]
"""

import argparse
import gzip
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import mmstats
from benchmarks.http_case import APP, QUESTION, Case, request
from benchmarks.http_connections import CONNECTIONS
from benchmarks.http_heads import HEADS
from benchmarks.http_requests import REQUESTS
from tests.serving import RANGE, ROOT, Serving, serving

KINDS: Mapping[str, Callable[[], Iterator[Case]]] = {**HEADS, **REQUESTS, **CONNECTIONS}
LAST = request("/healthz", "Connection: close")
PATIENCE = 5.0  # seconds, fewer than a silent connection has until the server closes it
FORBIDDEN = ("Traceback", "level=error", "pip install", "status=500", "event=bug")


class Malformed(Exception):
    """What came is no HTTP/1.1 response, or none came."""


@dataclass(frozen=True)
class Answer:
    """One response, whose body is what its length says, decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Answers:
    """The responses on a connection, read as strictly as the RFC lets one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._received = connection, b""

    def next(self, *, no_body: bool) -> Answer:
        """The next final response.

        Raises Malformed.
        """
        while True:
            while b"\r\n\r\n" not in self._received:
                self._receive()
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            status, headers = _read_head(head.decode("latin-1").split("\r\n"))
            if status >= 200:
                break
        length = 0 if no_body or status in (204, 304) else int(headers.get("content-length", "-1"))
        if length < 0:
            raise Malformed("a body of no stated length")
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return Answer(status, headers, gzip.decompress(body) if body and "content-encoding" in headers else body)

    def end(self) -> str:
        """What comes instead of the end of the connection, or nothing."""
        with suppress(Malformed):
            while True:
                self._receive()
        return f"{self._received[:60]!r} instead of the end" if self._received else ""

    def _receive(self) -> None:
        try:
            received = self._connection.recv(1 << 16)
        except TimeoutError:
            received, self._received = b"", self._received or b"nothing"
        except OSError as error:
            self._received += f"({error})".encode()
            received = b""
        if not received:
            raise Malformed(f"{self._received[:60]!r} and no more")
        self._received += received


def _read_head(lines: list[str]) -> tuple[int, dict[str, str]]:
    version, _, rest = lines[0].partition(" ")
    if version != "HTTP/1.1" or not rest[:3].isdecimal() or rest[3:4] not in ("", " "):
        raise Malformed(f"no status line: {lines[0]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        if not colon or not name.replace("-", "").isalnum() or not value.isprintable() or name.lower() in headers:
            raise Malformed(f"no header, or one that was there before: {line!r}")
        headers[name.lower()] = value
    return int(rest[:3]), headers


def faults(server: Serving, case: Case) -> Iterator[str]:
    """What is wrong with the answers to a case."""
    with server.connect() as connection:
        connection.settimeout(PATIENCE)
        for number, piece in enumerate(case.pieces):
            time.sleep(case.pause if number else 0)
            with suppress(ConnectionError):  # the server may have closed; what it said is judged
                connection.sendall(piece)
        if case.half_closes:
            connection.shutdown(socket.SHUT_WR)
        answers = Answers(connection)
        try:
            for number, expected in enumerate(case.answers):
                answer = answers.next(no_body=case.no_body)
                yield from _judged(answer, expected, case.no_body)
                if number == len(case.answers) - 1:
                    told = {"Connection": "close"} if case.closes and not case.half_closes else {}
                    yield from _compared(answer.headers, {**case.headers, **told})
            if not case.closes:
                connection.sendall(LAST)
                yield from _judged(answers.next(no_body=False), "200", no_body=False)
        except (Malformed, OSError) as error:
            yield str(error)
        else:
            yield from filter(None, [answers.end()])


def _judged(answer: Answer, expected: str, no_body: bool) -> Iterator[str]:
    status, _, code = expected.partition(" ")
    if answer.status != int(status):
        yield f"{answer.status} instead of {expected}"
    if answer.status >= 400 and not no_body:
        try:
            body = json.loads(answer.body)
        except ValueError:
            body = None
        if not isinstance(body, dict) or list(body)[:2] != ["error", "details"]:
            yield f"no envelope: {answer.body[:80]!r}"
        elif code and body["error"] != code:
            yield f"{body['error']} instead of {code}"
    if answer.body and answer.headers.get("content-type") is None:
        yield "no content type"


def _compared(headers: Mapping[str, str], expected: Mapping[str, str | None]) -> Iterator[str]:
    for name, value in expected.items():
        if headers.get(name.lower()) != value:
            yield f"{name}: {headers.get(name.lower())} instead of {value}"


def afterwards(server: Serving) -> Iterator[str]:
    """What is wrong with a server after the cases: with its log, or its answer to a plain question."""
    for line in server.log().removesuffix("\n").split("\n"):
        if not line.isprintable() or not line.startswith("timestamp=") or any(word in line for word in FORBIDDEN):
            yield f"log: {line[:200]!r}"
    right = mmstats.stats(ROOT / "sample_data", from_=RANGE["from"], to=RANGE["to"], group_by=["source"]).to_json()
    reply = server.request(QUESTION)
    if (reply.status, reply.body.decode()) != (200, right):
        yield f"a plain question: {reply.status} {reply.body[:80]!r}"


@contextmanager
def servers() -> Iterator[tuple[Serving, Serving]]:
    """A server that lets no page read, and one that lets one."""
    with serving("--sample") as plain, serving("--sample", "--cors-origin", APP) as sharing:
        yield plain, sharing


def main() -> int:
    """Send everything; 1 when something was not as it must be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; by default all")
    failed, count = list[tuple[str, str, str]](), 0
    with servers() as running:
        for kind in parser.parse_args().kinds or KINDS:
            start, sent = time.perf_counter(), list(KINDS[kind]())
            wrong = [(kind, case.name, fault) for case in sent for fault in faults(running[case.app], case)]
            seconds, names = time.perf_counter() - start, {name for _, name, _ in wrong}
            print(f"{kind:15}{len(sent):5} cases {len(names):5} failed {seconds:7.1f} s")
            failed, count = failed + wrong, count + len(sent)
        for server in running:
            failed += [("afterwards", server.url, fault) for fault in afterwards(server)]
    for row in failed:
        print("{:15}{:60}  {}".format(*row))
    print(f"{count} cases, {len(failed)} faults")
    return min(len(failed), 1)


if __name__ == "__main__":
    sys.exit(main())
