"""From where a request may come: the host it names, against DNS rebinding, and the page a browser sends it for."""

import ipaddress
import re
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mmstats.serve.envelope import Refused

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/]+)(:[0-9]{1,5})?", re.IGNORECASE)


@lru_cache(64)
def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine by a name that no other can have."""
    match = _HOST.fullmatch(host)
    if not match:
        return False
    name = match[1].strip("[]").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Origins:
    """Refuses requests for other hosts, when only loopback is served, and those of pages that are not named."""

    def __init__(self, app: ASGIApp, named: frozenset[str], *, loopback: bool) -> None:
        self.app = app
        self._named, self._loopback = named, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        app = self.app
        if scope["type"] == "http":
            refused = self._refusal(Headers(scope=scope))
            app = refused.response() if refused else app
        await app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Refused | None:
        hosts = headers.getlist("host")
        if self._loopback and not (len(hosts) == 1 and is_loopback_host(hosts[0])):
            return Refused("invalid_host")
        origin = headers.get("origin")
        if origin is None or "*" in self._named or origin.lower() in self._named:
            return None
        own = origin.partition("://")[2].lower() in {host.lower() for host in hosts}
        return None if own else Refused("invalid_origin")
