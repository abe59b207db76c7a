"""Where the server listens: a host's address, whether others can reach it, and the socket bound to it."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Any

from mmstats.errors import OutputError
from mmstats.wording import visible

BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on: its family and what the socket library binds, a host's number and a port first."""

    family: socket.AddressFamily
    name: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.name[0].partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """How a client on this machine reaches it."""
        host = ipaddress.ip_address(self.name[0].partition("%")[0])
        if host.is_unspecified:
            host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")
        return f"http://{f'[{host}]' if host.version == 6 else host}:{self.name[1]}"


def resolve(host: str, port: int) -> Address:
    """The address of a host's name or number.

    Raises OutputError when it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise OutputError(f"no such host to listen on: {visible(host)}", hint="--host 127.0.0.1, or 0.0.0.0") from None
    family, _, _, _, name = found[0]
    return Address(family, name)


def bind(address: Address) -> socket.socket:
    """A socket that listens on an address; port 0 picks a free one.

    Raises OutputError when it cannot be had.
    """
    # With the protocol named, the event loop sends small answers at once instead of waiting for the client's nod.
    listening = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let another process take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address.name)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        host, port = address.name[:2]
        fault = f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        raise OutputError(fault, hint="--port 0 picks a free one") from None
    return listening
