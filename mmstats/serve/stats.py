"""`GET /v1/stats`: the question read, the answer found or computed, and sent."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from mmstats.files.fingerprint import Identity
from mmstats.question.query import StatsQuery
from mmstats.serve.gate import Gate
from mmstats.serve.kept import KeptAnswers
from mmstats.serve.lookout import Lookout
from mmstats.serve.metrics import Metrics
from mmstats.serve.observed import Told
from mmstats.serve.question import question_of
from mmstats.serve.runs import Runs
from mmstats.serve.worker import Answer
from mmstats.version import __version__

T = TypeVar("T")
_ALWAYS_ASK = {"Cache-Control": "private, no-cache"}


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

        Raises what stands in the table of errors, and ClientGone when nobody waits for it any more.
        """
        self.gate.admit(request)
        query = question_of(request.scope["query_string"], extensions=self.extensions)
        identity = self.lookout.known()
        if identity is None:
            identity = await _while_there(request, self.lookout.identity())
        key = _key(identity, query)
        if identity.settled and _names(request.headers.getlist("if-none-match"), key):
            self._tell(request, "not modified")
            return Response(status_code=304, headers=_tagged(key))
        kept = self.kept.find(identity.digest, key)
        if kept:
            self._tell(request, "hit", kept)
            return _response(kept, _tagged(key))
        return await _while_there(request, self._computed(request, identity, key, query))

    async def _computed(self, request: Request, identity: Identity, key: str, query: StatsQuery) -> Response:
        """The answer that is on its way for somebody else, or computed; kept if it is of the dataset as it was."""
        run = self.runs.find(key)
        found = await (run or self.runs.start(key, query)).join()
        self._tell(request, "shared" if run else "miss", found)
        if not (identity.settled and await self.lookout.unchanged(identity)):
            return _response(found, {"Cache-Control": "no-store"})
        self.kept.keep(identity.digest, key, found)
        return _response(found, _tagged(key))

    def _tell(self, request: Request, cache: str, found: Answer | None = None) -> None:
        told: Told = request.scope["state"]["told"]
        told.cache = cache
        told.rows = found.rows if found else None
        self.metrics.answers.labels(cache).inc()


def _tagged(key: str) -> dict[str, str]:
    return {**_ALWAYS_ASK, "ETag": f'W/"{key}"'}


def _response(found: Answer, headers: dict[str, str]) -> Response:
    cut = {"Mmstats-Truncated": "true"} if found.truncated else {}
    return Response(found.body, headers={**headers, **cut}, media_type="application/json")


def _key(identity: Identity, query: StatsQuery) -> str:
    """What names the answer that this version gives to a question, asked of a dataset as it is."""
    return sha256(f"{__version__} {identity.digest} {query}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


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
