"""The server process: the socket it listens on, its start and its orderly end."""

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from mmstats.dataset import Dataset
from mmstats.errors import InvalidParams, OutputError
from mmstats.files.fingerprint import fingerprint
from mmstats.resources import lack_in
from mmstats.serve.app import build
from mmstats.serve.auth import Keyring
from mmstats.serve.connection import HEAD_SECONDS, ConnectionLimit, HttpProtocol
from mmstats.serve.log import Log
from mmstats.serve.options import ServeOptions
from mmstats.wording import visible

_BACKLOG = 2048
# The event loop accepts as many connections in a row as may wait; a flood of them must not hold up those who ask.
_ACCEPTED_AT_ONCE = 16
# After the longest query, how long a client may take to receive its answer before a stopping server gives it up.
_GRACE_SECONDS = 5


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
        """How a client on this machine reaches it; a link-local address keeps its zone (RFC 6874)."""
        ip = self.ip
        if ip.is_unspecified:
            ip = ipaddress.ip_address("127.0.0.1" if ip.version == 4 else "::1")
        host = str(ip)
        if ip.version == 6:
            interface = self.sockaddr[3]
            host = f"[{ip}%25{socket.if_indextoname(interface)}]" if interface else f"[{ip}]"
        return f"http://{host}:{self.sockaddr[1]}"


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


class Server(uvicorn.Server):
    """Uvicorn's server, but that after a graceful stop it does not raise the signal again."""

    def __init__(
        self, config: uvicorn.Config, log: Log, started: Callable[[], None], stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._log, self._started, self._stopping = log, started, stopping
        self._lacking_until = 0.0
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and only then say so: from now on a signal ends the server in order."""
        asyncio.get_running_loop().set_exception_handler(self._report)
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(_BACKLOG)
        self._started()

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error of the event loop; a lack of open files once a second, not for each connection that waits."""
        lack = lack_in(context["exception"]) if "exception" in context else None
        if lack is None:
            loop.default_exception_handler(context)
        elif loop.time() >= self._lacking_until:
            self._lacking_until = loop.time() + 1
            self._log.warning("lack", message=f"{lack.message} ({lack.hint})")

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
        started(url)  # before the log: on a terminal, the first line is the URL
        log.info("started", url=url, files=files, pid=os.getpid())

    app = build(dataset, options, keyring, log, loopback=address.ip.is_loopback)
    limit = ConnectionLimit(options.max_concurrency)

    def stop() -> None:
        limit.stop()
        app.state.close()

    config = uvicorn.Config(
        app,
        http=cast(Any, partial(HttpProtocol, limit)),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        backlog=_ACCEPTED_AT_ONCE,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=options.query_timeout + _GRACE_SECONDS,
    )
    server = Server(config, log, announce, stop)
    asyncio.run(server.serve([listening]))
    log.info("stopped", signal=signal.Signals(server.ended_by).name if server.ended_by else None)
    return server.ended_by
