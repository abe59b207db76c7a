"""From where a request may come: the host it names, against DNS rebinding, and the page a browser sends it for."""

import ipaddress
import re
from functools import lru_cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmstats.serve.envelope import Refused

_SHARED = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match, X-Request-Id",
    "Access-Control-Expose-Headers": "ETag, Mmstats-Truncated, Retry-After, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
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
        """Hand a request on, or refuse it; a page that is named may see the answer (Fetch standard, CORS)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(headers)
        if refused:
            scope["state"]["told"].error = refused.code
            await refused.response()(scope, receive, send)
            return
        origin = headers.get("origin")
        allowed = origin is not None and self._is_named(origin)
        await self.app(scope, receive, _seen_by(origin, send) if origin and allowed else send)

    def _refusal(self, headers: Headers) -> Refused | None:
        hosts = headers.getlist("host")
        if self._loopback and not (len(hosts) == 1 and is_loopback_host(hosts[0])):
            return Refused("invalid_host")
        origin = headers.get("origin")
        if origin is None:
            return Refused("invalid_origin") if self._embedded(headers) else None
        own = origin.partition("://")[2].lower() in {host.lower() for host in hosts}
        return None if own or self._is_named(origin) else Refused("invalid_origin")

    def _is_named(self, origin: str) -> bool:
        return "*" in self._named or origin.lower() in self._named

    def _embedded(self, headers: Headers) -> bool:
        """Whether another site's page asks without saying which it is, as for an image; a link that is followed may."""
        elsewhere = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return elsewhere and not followed and not self._named


def _seen_by(origin: str, send: Send) -> Send:
    """Sends answers that a page of an origin may see."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update({"Access-Control-Allow-Origin": origin, **_SHARED})
            headers.add_vary_header("Origin")
        await send(message)

    return sending
