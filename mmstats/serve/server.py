"""The server process: the socket it listens on, its HTTP/1.1 connections, its start and its orderly end."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mmstats.dataset import Dataset
from mmstats.errors import InvalidParams, OutputError
from mmstats.files.fingerprint import fingerprint
from mmstats.serve.app import build
from mmstats.serve.auth import Keyring
from mmstats.serve.errors import ApiError
from mmstats.serve.observability import Log
from mmstats.serve.options import ServeOptions
from mmstats.wording import visible

_BACKLOG = 2048
# The event loop accepts as many connections in a row as may wait; a flood of them must not hold up those who ask.
_ACCEPTED_AT_ONCE = 16
# Seconds in which a request's head must come in, and in which a refused client may go on sending.
_HEAD_SECONDS = 10.0
_LINGER_SECONDS = 2.0
# After the longest query, how long a client may take to receive its answer before a stopping server gives it up.
_GRACE_SECONDS = 5
# Open files that connections leave free: for those accepted in a row, the dataset, the keys and the workers' pipes.
_SPARE_FILES = 128
_FILES_OF_A_WORKER = 4


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on: its family, and a socket address, which begins with an IP address and a port."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The IP address, without its zone."""
        return ipaddress.ip_address(self.sockaddr[0].partition("%")[0])

    @property
    def url(self) -> str:
        """How a client on this machine reaches it."""
        ip = self.ip
        if ip.is_unspecified:
            ip = ipaddress.ip_address("127.0.0.1" if ip.version == 4 else "::1")
        return f"http://{f'[{ip}]' if ip.version == 6 else ip}:{self.sockaddr[1]}"


def resolve(host: str, port: int) -> Address:
    """The address of a host name or an IP address.

    Raises OutputError when it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise OutputError(f"no such host to listen on: {visible(host)}", hint="--host 127.0.0.1, or 0.0.0.0") from None
    family, _, _, _, sockaddr = found[0]
    return Address(family, sockaddr)


def bind(address: Address) -> socket.socket:
    """A socket that listens on an address; port 0 picks a free one.

    Raises OutputError when it cannot be bound.
    """
    # asyncio sets TCP_NODELAY only where the protocol is named; else small answers wait for the client's ACK.
    listening = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows, it would let another process take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address.sockaddr)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        host, port = address.sockaddr[:2]
        fault = f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        raise OutputError(fault, hint="--port 0 picks a free one") from None
    return listening


class ConnectionLimit:
    """How many connections may be open, and those that wait for a request, the longest idle first."""

    def __init__(self, workers: int) -> None:
        self.idle: dict[HttpProtocol, None] = {}
        self.max = max(_open_file_limit() - _SPARE_FILES - _FILES_OF_A_WORKER * workers, 16)


class HttpProtocol(H11Protocol):
    """Uvicorn's protocol with a deadline for each request's head, a limit of connections, and our JSON in a 400."""

    def __init__(self, limit: ConnectionLimit, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limit = limit
        self._deadline: TimerHandle | None = None
        self._refused = False
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection; above the limit, the one idle longest is closed."""
        super().connection_made(transport)
        self._update_deadline()
        while len(self.connections) > self._limit.max and self._limit.idle:
            oldest = next(iter(self._limit.idle))
            oldest._set_deadline(None)
            oldest.connections.discard(oldest)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if not self._refused:
            super().data_received(data)
            self._update_deadline()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._set_deadline(None)

    def _update_deadline(self) -> None:
        """Give a client until the deadline to ask, unless its request is being answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.is_closing():
            self._set_deadline(None)
        elif self._deadline is None:
            self._set_deadline(_HEAD_SECONDS)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        if seconds is None:
            self._deadline = None
            self._limit.idle.pop(self, None)
        else:
            self._deadline = self.loop.call_later(seconds, self._expire)
            self._limit.idle[self] = None

    def _expire(self) -> None:
        """Close the connection, unless its client is still receiving the last answer."""
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        if unsent and unsent != before:
            self._set_deadline(_HEAD_SECONDS)
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is no HTTP, then read on for a while: else a client that is still sending would not see why."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        # Of h11's message only what comes before the client's own bytes.
        why = str(sys.exc_info()[1]).partition(":")[0].partition("(")[0].strip()
        fault = f"is no HTTP/1.1 request with a head of at most 64 KiB: {why}"
        body = ApiError("invalid_params", {"fieldErrors": {"request": [fault]}}).body()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        events = (head, h11.Data(data=body), h11.EndOfMessage())
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self._refused = True
        self._set_deadline(_LINGER_SECONDS)
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _open_file_limit() -> int:
    """How many files may be open, with the limit raised as far as it goes."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1 << 20
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS reports no limit, and has one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


class Server(uvicorn.Server):
    """Uvicorn's server, but that after a graceful stop it does not raise the signal again."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._started, self._stopping = started, stopping
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and only then say so: from now on a signal ends the server in order."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(_BACKLOG)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running queries finish."""
        self._stopping()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop in order at the first signal; a second interrupt stops at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self.ended_by = sig


def serve(
    dataset: Dataset, options: ServeOptions, keyring: Keyring | None, log: Log, started: Callable[[str], None]
) -> int:
    """Answer queries over a dataset until a signal ends the server, and return the signal; `started` gets the URL.

    Raises DatasetError when the dataset cannot be read, OutputError when the address cannot be bound.
    """
    address = resolve(options.host, options.port)
    if not (options.auth or address.ip.is_loopback):
        raise InvalidParams({"no_auth": [f"is only for a loopback address, not {options.host}"]})
    files = fingerprint(dataset).files
    listening = bind(address)
    url = Address(address.family, listening.getsockname()).url

    def announce() -> None:
        log.info("started", url=url, files=files, pid=os.getpid())
        started(url)

    app = build(dataset, options, keyring, log, loopback=address.ip.is_loopback)
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(HttpProtocol, ConnectionLimit(options.max_concurrency))),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        backlog=_ACCEPTED_AT_ONCE,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(_HEAD_SECONDS),
        timeout_graceful_shutdown=options.query_timeout + _GRACE_SECONDS,
    )
    server = Server(config, announce, app.state.close)
    asyncio.run(server.serve([listening]))
    log.info("stopped", signal=signal.Signals(server.ended_by).name if server.ended_by else None)
    return server.ended_by
