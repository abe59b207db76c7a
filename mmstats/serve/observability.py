"""What is observed of each request: its id, its line in the log, and its place in the Prometheus metrics."""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Collection
from urllib.parse import unquote_plus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmstats.api_keys import conceal
from mmstats.serve.errors import CLIENT_GONE, Overloaded, unforeseen
from mmstats.serve.log import Log

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_ID = "X-Request-Id"
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = ("GET", "HEAD", "OPTIONS")
_MAX_PATH = 200
_MAX_QUERY = 500
# What the endpoint and the error handlers note in the request's state for its line in the log.
_LOGGED_STATE = ("rows", "cache", "error", "message", "notice")


class Metrics:
    """The server's Prometheus metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "mmstats_http_requests", "Requests answered.", ("method", "path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "mmstats_http_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("path",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge("mmstats_http_requests_in_flight", "Requests on their way.", registry=registry)
        self.answers = Counter(
            "mmstats_answers", "Questions answered, by where the answer came from.", ("cache",), registry=registry
        )

    def add_gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read at every scrape."""
        Gauge(name, meaning, registry=self._registry).set_function(read)

    def render(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the text format that a client accepts, and its content type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


class RequestLogMiddleware:
    """Gives every request an id, a line in the log and its place in the metrics; answers a bug with a 500."""

    def __init__(self, app: ASGIApp, log: Log, metrics: Metrics, paths: Collection[str]) -> None:
        self.app = app
        self._log, self._metrics, self._paths = log, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        started = time.perf_counter()
        response = _Response(_request_id(Headers(scope=scope)), send)
        self._metrics.in_flight.inc()
        try:
            await self.app(scope, receive, response.send)
        except asyncio.CancelledError:  # a stopping server waits no longer
            if not response.started:
                await Overloaded().response()(scope, receive, response.send)
        except Exception as error:
            refusal = unforeseen(error)
            scope["state"].update(error=refusal.code, message=refusal.details.get("message"))
            if refusal.code == "internal_error":  # of which the client learns nothing but an id
                path = scope["path"][:_MAX_PATH]
                self._log.error("bug", request_id=response.request_id, path=path, exc_info=error)
            if response.started:
                raise
            await refusal.response()(scope, receive, response.send)
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, response, time.perf_counter() - started)

    def _record(self, scope: Scope, response: "_Response", seconds: float) -> None:
        """Count the request and write its line; a client's own methods and paths do not grow the metrics."""
        path = scope["path"] if scope["path"] in self._paths else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, path, str(response.status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        # Keys are hidden before the query is cut: what is left of one would not look like a key.
        query = conceal(unquote_plus(scope["query_string"].decode("ascii")))[:_MAX_QUERY]
        state = {name: value for name in _LOGGED_STATE if (value := scope["state"].get(name)) is not None}
        write = self._log.warning if "notice" in state else self._log.info
        write(
            "request",
            method=scope["method"][:_MAX_PATH],
            path=scope["path"][:_MAX_PATH],
            **({"query": query} if query else {}),
            status=response.status,
            ms=round(seconds * 1000, 3),
            **state,
            request_id=response.request_id,
        )


class _Response:
    """The response so far; until it has started, its client is taken for gone."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id, self._send = request_id, send
        self.started, self.status = False, CLIENT_GONE

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            MutableHeaders(scope=message).update({_REQUEST_ID: self.request_id, "X-Content-Type-Options": "nosniff"})
        await self._send(message)


def _request_id(headers: Headers) -> str:
    """The client's own id if it is short, plain and no API key, else a new one."""
    given = headers.get(_REQUEST_ID, "")
    return given if _VALID_REQUEST_ID.fullmatch(given) and conceal(given) == given else secrets.token_hex(8)
