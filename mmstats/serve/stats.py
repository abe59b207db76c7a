"""`GET /v1/stats`: the question read, the answer found or computed, and sent."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from mmstats.events.identity import Identity
from mmstats.query import StatsQuery
from mmstats.serve.gate import Gate
from mmstats.serve.kept import KeptAnswers
from mmstats.serve.lookout import Lookout
from mmstats.serve.metrics import Metrics
from mmstats.serve.observed import Told
from mmstats.serve.question import question_of
from mmstats.serve.runs import Runs
from mmstats.serve.worker import Answer

T = TypeVar("T")
_ALWAYS_ASK = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}


class ClientGone(Exception):
    """The client went away before its answer was there."""


@dataclass(frozen=True, slots=True)
class StatsDoor:
    """What it takes to answer the stats question over HTTP."""

    gate: Gate
    lookout: Lookout
    kept: KeptAnswers
    runs: Runs
    metrics: Metrics
    extensions: bool

    async def answer(self, request: Request) -> Response:
        """The answer to one request.

        Raises Refused, InvalidQuestion or DatasetError, and ClientGone when nobody waits for it any more.
        """
        self.gate.admit(request)
        query = question_of(request.scope["query_string"], extensions=self.extensions)
        told: Told = request.scope["state"]["told"]
        identity = await self.lookout.identity()
        key = _key(identity, query)
        headers = {**_ALWAYS_ASK, "ETag": f'W/"{key}"'} if identity.settled else {"Cache-Control": "no-store"}
        if identity.settled and _names(request.headers.getlist("if-none-match"), key):
            self._tell(told, "not modified")
            return Response(status_code=304, headers=headers)
        found = await self._find(request, identity, key, query)
        told.rows = found.rows
        if found.truncated:
            headers["Mmstats-Truncated"] = "true"
        return Response(found.body, headers=headers, media_type="application/json")

    async def _find(self, request: Request, identity: Identity, key: str, query: StatsQuery) -> Answer:
        """The answer from where it is had soonest: kept, on its way for somebody else, or computed."""
        told: Told = request.scope["state"]["told"]
        kept = self.kept.find(identity.digest, key)
        if kept:
            self._tell(told, "hit")
            return kept
        run = self.runs.find(key)
        self._tell(told, "shared" if run else "miss")
        found = await _while_there(request, (run or self.runs.start(key, query)).answer())
        if identity.settled:
            self.kept.keep(identity.digest, key, found)
        return found

    def _tell(self, told: Told, cache: str) -> None:
        told.cache = cache
        self.metrics.answers.labels(cache).inc()


def _key(identity: Identity, query: StatsQuery) -> str:
    """What names the answer to a question, asked of a dataset as it is."""
    return sha256(f"{identity.digest} {query}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _names(conditions: Iterable[str], key: str) -> bool:
    """Whether If-None-Match names the answer; weakly compared, as that header is (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for condition in conditions for tag in condition.split(",")]
    return "*" in tags or f'"{key}"' in tags


async def _while_there(request: Request, work: Awaitable[T]) -> T:
    """The outcome of the work; it is given up when the client goes away."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
