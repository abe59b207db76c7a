"""What comes over the wire: raw requests of every kind, and clients that close their side of the connection."""

import socket
import sys
from collections.abc import Iterator

import pytest

from benchmarks.http_case import with_key
from benchmarks.http_corpus import KINDS, afterwards, faults, servers
from tests.serving import Serving, question, until

RUNNING = "mmstats_queries_running"
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def rest(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Serving, Serving]]:
    """A server that lets no page read and one that lets one, in good order after everything that they were sent."""
    with servers() as running:
        yield running
        for server in running:
            assert list(afterwards(server)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_over_the_wire_is_answered_or_refused(both: tuple[Serving, Serving], kind: str) -> None:
    """Every request gets one well-formed answer of the right status, and the connection then closes or goes on."""
    assert [(case.name, fault) for case in KINDS[kind]() for fault in faults(both[case.app], case)] == []


@linux
def test_a_client_that_has_closed_its_side_is_answered(server: Serving) -> None:
    """A client that sends nothing more after its question gets the answer whenever it comes, and only the answer."""
    with server.connect() as connection:
        with server.frozen():
            connection.sendall(with_key(question(limit="17", group_by="os")))
            connection.shutdown(socket.SHUT_WR)
            begun = connection.recv(1)  # sent early, to see whether somebody is there
            until(lambda: server.metric(RUNNING) == 1)
        received = begun + rest(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == server.stats(limit="17", group_by="os").body


def test_a_client_that_has_closed_its_side_holds_no_connection(server: Serving) -> None:
    """Once such a client has its answer, the server has closed the connection, and does not wait for more."""
    before = server.metric("process_open_fds")
    answered = [server.connect() for _ in range(20)]
    for connection in answered:
        connection.sendall(with_key("/healthz"))
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection).endswith(b'{"status":"up"}')
    assert server.metric("process_open_fds") < before + len(answered)
    for connection in answered:
        connection.close()


@linux
def test_a_question_cut_off_in_its_body_is_refused(server: Serving) -> None:
    """A client that closes its side in the middle of a body is told so, and its query is stopped."""
    with server.frozen(), server.connect() as connection:
        connection.sendall(with_key(question(limit="18"), "Content-Length: 9") + b"a")
        until(lambda: server.metric(RUNNING) == 1)
        connection.shutdown(socket.SHUT_WR)
        received = rest(connection)
        assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"without sending complete message body" in received
        until(lambda: server.metric(RUNNING) == 0)
