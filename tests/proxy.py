"""A TCP proxy on loopback that counts what passes, and that stalls or cuts connections as a bad network does."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")


class Proxy:
    """Hands connections on to a port of loopback.

    `sent` are the bytes that came back from there, `requests` the lines of the requests that went there. Once as many
    bytes as `stall_after` or `cut_after` have come back on a connection, it stays silent or ends. What goes there is
    held back for `delay` seconds; of so many connections as `at_once` something was held back at the same time. Before
    a request goes there, `before` is called with its line; what comes back passes through `rewrite`.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False
        self.sent = 0
        self.requests: list[str] = []
        self.stall_after: int | None = None
        self.cut_after: int | None = None
        self.delay = 0.0
        self.at_once = self._held = 0
        self.before: Callable[[str], None] = lambda _: None
        self.rewrite: Callable[[bytes], bytes] = lambda answer: answer
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def reset(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.sent, self.requests = 0, []

    def close(self) -> None:
        """End all connections and take no more."""
        self._closed = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            _end(one)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, server]
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                lines = [b" ".join(found).decode() for found in _REQUEST.findall(data)]
                for line in lines:
                    self.before(line)
                with self._lock:
                    self.requests += lines
                    self._held += 1
                    self.at_once = max(self.at_once, self._held)
                time.sleep(self.delay)
                with self._lock:
                    self._held -= 1
                server.sendall(data)
        _end(server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := self.rewrite(server.recv(1 << 16)):
                if self.cut_after is not None and passed + len(data) > self.cut_after:
                    client.sendall(data[: max(0, self.cut_after - passed)])
                    break
                if self.stall_after is not None and passed + len(data) > self.stall_after:
                    client.sendall(data[: max(0, self.stall_after - passed)])
                    while not self._closed:
                        time.sleep(0.05)
                    break
                client.sendall(data)
                passed += len(data)
                with self._lock:
                    self.sent += len(data)
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        one.close()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy to a port of loopback, until the end of the block."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
