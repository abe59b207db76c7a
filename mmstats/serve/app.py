"""The application: which path is answered by what, and what every request passes on its way there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mmstats.answer import encode
from mmstats.dataset import Dataset
from mmstats.engine_address import LOCAL
from mmstats.serve.compression import Compression
from mmstats.serve.envelope import HANDLERS
from mmstats.serve.gate import Gate
from mmstats.serve.kept import KeptAnswers
from mmstats.serve.keyring import Keyring
from mmstats.serve.log import Log
from mmstats.serve.lookout import Lookout
from mmstats.serve.metrics import Metrics
from mmstats.serve.observed import Observed
from mmstats.serve.openapi import document
from mmstats.serve.options import ServeOptions
from mmstats.serve.origins import Origins
from mmstats.serve.pages import Pages
from mmstats.serve.rate import Buckets
from mmstats.serve.runs import Limits, Runs
from mmstats.serve.stats import ClientGone, StatsDoor
from mmstats.serve.target import Target
from mmstats.wording import visible


def build(dataset: Dataset, options: ServeOptions, keyring: Keyring | None, log: Log, *, loopback: bool) -> Starlette:
    """The application that answers questions of a dataset; without a keyring, to everybody."""
    metrics, lookout, kept = Metrics(), Lookout(dataset, options.query_timeout), KeptAnswers()
    limits = Limits(options.max_concurrency, options.queue, options.query_timeout, options.max_memory)
    runs = Runs(
        dataset, limits, lambda event, message: log.warning(event, message=visible(message)), options.engine or LOCAL
    )
    gate = Gate(keyring, Buckets(options.rate_limit) if options.rate_limit else None)
    _watch(metrics, runs, kept)
    description = document(extensions=options.extensions, keys=keyring is not None)
    pages = Pages(gate, lookout, metrics, encode(description).encode())
    routes = [
        Route("/v1/stats", StatsDoor(gate, lookout, kept, runs, metrics, options.extensions).answer),
        Route("/healthz", pages.health),
        Route("/readyz", pages.readiness),
        Route("/metrics", pages.figures),
        Route("/openapi.json", pages.description),
        Route("/docs", pages.docs),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Target),
            Middleware(Observed, log=log, metrics=metrics, paths=frozenset(route.path for route in routes)),
            Middleware(Origins, named=options.cors_origin, loopback=loopback),
            Middleware(Compression),
        ],
        exception_handlers={**HANDLERS, ClientGone: _nobody},
        lifespan=_lifespan(runs),
    )
    app.router.redirect_slashes = False
    app.state.close = runs.close
    return app


def _lifespan(runs: Runs) -> Any:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        preparing = asyncio.create_task(runs.prepare())
        try:
            yield
        finally:
            await preparing
            await runs.stop()

    return lifespan


def _watch(metrics: Metrics, runs: Runs, kept: KeptAnswers) -> None:
    metrics.watch("mmstats_queries_running", "Queries that hold a place.", lambda: runs.running)
    metrics.watch("mmstats_queries_waiting", "Queries that wait for a place.", lambda: runs.waiting)
    metrics.watch("mmstats_kept_bytes", "Memory of the answers kept.", lambda: kept.bytes)


def _nobody(_: Request, __: Exception) -> Response:
    """What is written down of a request whose client has gone; nothing is sent."""
    return Response(status_code=499)
