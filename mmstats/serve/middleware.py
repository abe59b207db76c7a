"""The ASGI middleware around all routes: request target, host and origin (CORS), compression."""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmstats.serve.errors import ApiError

_ABSOLUTE = (b"http://", b"https://")
_CORS_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match, X-Request-Id",
    "Access-Control-Expose-Headers": "ETag, Mmstats-Truncated, Retry-After, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/]+)(:[0-9]{1,5})?", re.IGNORECASE)
_GZIP_BYTES = 500  # smaller responses are sent as they are
_GZIP_LEVEL = 5  # nearly as small as 9, in a third of the time
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class RequestTargetMiddleware:
    """Reads host and path of an absolute request target (RFC 9112, 3.2); `%2F` separates no path segments."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its own path."""
        if scope["type"] == "http":
            raw: bytes = scope["raw_path"]
            if raw.lower().startswith(_ABSOLUTE):
                host, _, rest = raw.partition(b"//")[2].partition(b"/")
                raw = b"/" + rest
                scope["headers"] = [(b"host", host), *(pair for pair in scope["headers"] if pair[0] != b"host")]
            path = raw.decode("ascii")
            scope["path"] = path if "%2f" in path.lower() else unquote(path)
        await self.app(scope, receive, send)


class OriginMiddleware:
    """Checks the host on a loopback address, against DNS rebinding, and the origin of a browser's page (CORS)."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str], *, loopback: bool) -> None:
        self.app = app
        self._allowed, self._loopback = allowed, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or refuse it; the page of an allowed origin may read the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        error = self._check(headers)
        app: ASGIApp = self.app
        if error:
            scope["state"]["error"] = error
            app = ApiError(error).response()
        origin = headers.get("origin")
        reader = origin if origin and self._allows(origin) and not error else None
        await app(scope, receive, _with_cors(reader, send) if self._allowed else send)

    def _check(self, headers: Headers) -> str | None:
        """The error code of a request that is refused."""
        hosts = headers.getlist("host")
        if self._loopback and not (len(hosts) == 1 and _is_loopback(hosts[0])):
            return "invalid_host"
        origin = headers.get("origin")
        if origin is None:
            return "invalid_origin" if self._is_embedded(headers) else None
        same = origin.partition("://")[2].lower() in {host.lower() for host in hosts}
        return None if same or self._allows(origin) else "invalid_origin"

    def _allows(self, origin: str) -> bool:
        return "*" in self._allowed or origin.lower() in self._allowed

    def _is_embedded(self, headers: Headers) -> bool:
        """Whether a page of another site loads this without an Origin header, as an image; links may be followed.

        Which site it is, nothing says: it is refused also where some origins are allowed.
        """
        cross_site = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return cross_site and not link and "*" not in self._allowed


@lru_cache(64)
def _is_loopback(host: str) -> bool:
    """Whether a Host header can only mean this machine."""
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


def _with_cors(reader: str | None, send: Send) -> Send:
    """Let pages of an origin read the response; a cache must not give it to others, nor what others got to these."""

    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if reader:
                headers.update({"Access-Control-Allow-Origin": reader, **_CORS_HEADERS})
            headers.add_vary_header("Origin")
        await send(message)

    return send_with_cors


class CompressionMiddleware:
    """Compresses a response if the client accepts it; every response says that it depends on that."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress the response if it is not small and the client accepts it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "accept-encoding" not in headers.get("vary", "").lower():  # Starlette has not added it
                    headers.add_vary_header("Accept-Encoding")
            await send(message)

        accepted = ",".join(Headers(scope=scope).getlist("accept-encoding"))
        # Not GZipMiddleware, which takes `gzip;q=0`, a refusal, for acceptance, and does not know `GZIP` and `*`.
        app = GZipResponder(self.app, _GZIP_BYTES, _GZIP_LEVEL) if _accepts_gzip(accepted) else self.app
        await app(scope, receive, send_varying)


@lru_cache(64)
def _accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header wants gzip at least as much as no compression (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for coding in accepted.lower().split(","):
        name, _, parameter = (text.strip() for text in coding.partition(";"))
        weight = _WEIGHT.fullmatch(parameter or "q=1")
        weights[name] = float(weight[1]) if weight else 0.0
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)
