"""The ASGI application: which endpoint answers which path, and what wraps them all."""

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mmstats.answer import encode
from mmstats.dataset import Dataset
from mmstats.errors import DatasetError
from mmstats.serve.auth import Keyring, RateLimiter, authenticate
from mmstats.serve.errors import EXCEPTION_HANDLERS, ApiError
from mmstats.serve.freshness import AnswerCache, DatasetMonitor
from mmstats.serve.log import Log
from mmstats.serve.middleware import CompressionMiddleware, OriginMiddleware, RequestTargetMiddleware
from mmstats.serve.observability import Metrics, RequestLogMiddleware
from mmstats.serve.openapi import document
from mmstats.serve.options import ServeOptions
from mmstats.serve.stats import StatsEndpoint
from mmstats.serve.worker_pool import WorkerPool


def build(dataset: Dataset, options: ServeOptions, keyring: Keyring | None, log: Log, *, loopback: bool) -> Starlette:
    """The application that answers queries over a dataset; without a keyring, nobody needs a key.

    `app.state.close()` lets running queries finish and starts no others; the workers end with the lifespan.
    """
    monitor, cache, metrics = DatasetMonitor(dataset, options.query_timeout), AnswerCache(), Metrics()
    pool = WorkerPool(dataset, options, log)
    metrics.add_gauge("mmstats_queries_running", "Queries that hold a place.", lambda: pool.running)
    metrics.add_gauge("mmstats_queries_waiting", "Queries that wait for a place.", pool.waiting)
    metrics.add_gauge("mmstats_kept_bytes", "Memory of the answers kept.", cache.size)
    limiter = RateLimiter(options.rate_limit) if options.rate_limit else None
    stats = StatsEndpoint(keyring, limiter, monitor, cache, pool, metrics, options.extensions)
    description = document(extensions=options.extensions, keys=keyring is not None)
    service = ServiceEndpoints(keyring, monitor, metrics, encode(description).encode())
    routes = [
        ExactRoute("/", service.root),
        ExactRoute("/v1/stats", stats.get),
        ExactRoute("/healthz", service.health),
        ExactRoute("/readyz", service.readiness),
        ExactRoute("/metrics", service.prometheus),
        ExactRoute("/openapi.json", service.openapi),
        ExactRoute("/docs", service.docs),
    ]
    paths = frozenset(route.path for route in routes)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(RequestTargetMiddleware),
            Middleware(RequestLogMiddleware, log=log, metrics=metrics, paths=paths),
            Middleware(CompressionMiddleware),
            Middleware(OriginMiddleware, allowed=options.cors_origin, loopback=loopback),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=pool.lifespan,
    )
    app.router.redirect_slashes = False
    app.state.close = pool.close
    return app


class ExactRoute(Route):
    """A route of one path; Starlette's own pattern ends with `$`, so that it matches the path with a line break too."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(path, endpoint)
        self.path_regex = re.compile(re.escape(path) + r"\Z")


class ServiceEndpoints:
    """What a server answers beside queries, to everybody but for the metrics."""

    def __init__(self, keyring: Keyring | None, monitor: DatasetMonitor, metrics: Metrics, openapi: bytes) -> None:
        self._keyring, self._monitor, self._metrics, self._openapi = keyring, monitor, metrics, openapi
        self._page = Path(__file__).with_name("docs.html").read_text(encoding="utf-8")
        self._page_policy = _content_security_policy(self._page)

    async def root(self, _: Request) -> Response:
        """The way to the page, for who opens the server's URL in a browser.

        Temporary, so that no cache keeps it: the root may show more one day, or another program use the port. Relative,
        so that it also holds below a path of a reverse proxy.
        """
        return RedirectResponse("docs", 307)

    async def health(self, _: Request) -> Response:
        """Whether the server is up."""
        return Response(b'{"status":"up"}', media_type="application/json")

    async def readiness(self, _: Request) -> Response:
        """Whether the dataset can be read."""
        try:
            await self._monitor.identity()
        except DatasetError:
            return ApiError("upstream_failed").response(503)
        return Response(b'{"status":"ready"}', media_type="application/json")

    async def prometheus(self, request: Request) -> Response:
        """The metrics."""
        authenticate(request, self._keyring)
        text, content_type = self._metrics.render(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    async def openapi(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._openapi, media_type="application/json")

    async def docs(self, _: Request) -> Response:
        """The page that shows the OpenAPI document to a person."""
        return HTMLResponse(self._page, headers={"Content-Security-Policy": self._page_policy})


def _content_security_policy(page: str) -> str:
    """Let a page run its own script and style and ask this server, and nothing else."""
    hashes = {}
    for tag in ("script", "style"):
        element = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert element is not None
        hashes[tag] = f"'sha256-{b64encode(sha256(element[1].encode()).digest()).decode()}'"
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
