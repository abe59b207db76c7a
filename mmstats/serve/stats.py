"""`GET /v1/stats`: read the query, find or compute its answer, send it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mmstats.errors import InvalidParams
from mmstats.files.fingerprint import Fingerprint
from mmstats.question.parameters import EXTENSIONS, PARAMETERS, QUESTION
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from mmstats.serve.auth import Keyring, RateLimiter, authenticate
from mmstats.serve.freshness import AnswerCache, DatasetMonitor
from mmstats.serve.observability import Metrics
from mmstats.serve.worker import Answer
from mmstats.serve.worker_pool import WorkerPool
from mmstats.version import __version__

T = TypeVar("T")

REQUIRED = ("from", "to")
_MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class StatsEndpoint:
    """Answers stats queries over one dataset; a keyring or rate limiter of None asks for no key or has no bound."""

    keyring: Keyring | None
    rate_limiter: RateLimiter | None
    monitor: DatasetMonitor
    cache: AnswerCache
    pool: WorkerPool
    metrics: Metrics
    extensions: bool

    async def get(self, request: Request) -> Response:
        """The answer, or 304 for a client that has it; raises what `errors.EXCEPTION_HANDLERS` handles."""
        owner = authenticate(request, self.keyring)
        if self.rate_limiter:
            self.rate_limiter.take(owner)
        query = parse_query(request.scope["query_string"], extensions=self.extensions)
        identity = self.monitor.current()
        if identity is None:
            identity = await _while_connected(request, self.monitor.identity())
        # Names the answer that this version gives to the query, with the dataset as it is.
        text = f"{__version__} {identity.digest} {query}"
        key = sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        if identity.settled and _matches(request.headers.getlist("if-none-match"), key):
            self._record(request, "not modified", None)
            return Response(status_code=304, headers=_validators(key))
        answer = self.cache.get(identity.digest, key)
        if answer:
            self._record(request, "hit", answer)
            return _response(answer, _validators(key))
        return await _while_connected(request, self._compute(request, identity, key, query))

    async def _compute(self, request: Request, identity: Fingerprint, key: str, query: StatsQuery) -> Response:
        """The answer of a worker, shared with equal requests; cached if the dataset did not change meanwhile."""
        running = self.pool.find(key)
        answer = await (running or self.pool.submit(key, query)).join()
        self._record(request, "shared" if running else "miss", answer)
        if not (identity.settled and await self.monitor.is_unchanged(identity)):
            return _response(answer, {"Cache-Control": "no-store"})
        self.cache.put(identity.digest, key, answer)
        return _response(answer, _validators(key))

    def _record(self, request: Request, source: str, answer: Answer | None) -> None:
        """Note where the answer came from, for the log and the metrics; and for the log, what else is to say of it."""
        request.state.cache = source
        if answer:
            request.state.rows, request.state.notice = answer.rows, "; ".join(answer.notices) or None
        self.metrics.answers.labels(source).inc()


@lru_cache(256)  # a dashboard asks the same few again and again; a query string is bounded with its request's head
def parse_query(query_string: bytes, *, extensions: bool) -> StatsQuery:
    """The query that a query string asks; `extensions` says whether parameters beyond the API are accepted.

    Raises InvalidParams with every wrong parameter at once, or InvalidGroupBy.
    """
    text = query_string.decode("utf-8", "surrogateescape")
    try:
        # What is no UTF-8 is passed on as it came, to be refused by the parameter that it is the value of.
        fields = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise InvalidParams({"query": [f"has more than {_MAX_FIELDS} parameters"]}) from None
    given: dict[str, list[str]] = {}
    for name, value in fields:
        given.setdefault(name, []).append(value)
    options = QUESTION if extensions else PARAMETERS
    refused = [one.name for one in EXTENSIONS if one.name in given and one not in options]
    faults = {name: ["is an extension, which this server does not accept (--extensions)"] for name in refused}
    if len(given.get("group_by", ())) > 1:
        faults["group_by"] = ["may be given only once"]
    texts = {name: written for name, written in given.items() if name not in refused}
    return read_question(texts, options, required=REQUIRED, faults=faults)


def _response(answer: Answer, headers: dict[str, str]) -> Response:
    truncated = {"Mmstats-Truncated": "true"} if answer.truncated else {}
    return Response(answer.body, headers={**headers, **truncated}, media_type="application/json")


def _validators(key: str) -> dict[str, str]:
    return {"Cache-Control": "private, no-cache", "ETag": f'W/"{key}"'}


def _matches(if_none_match: list[str], key: str) -> bool:
    """Whether If-None-Match names the answer, by weak comparison (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for header in if_none_match for tag in header.split(",")]
    return "*" in tags or f'"{key}"' in tags


async def _while_connected(request: Request, work: Awaitable[T]) -> T:
    """The outcome of the work, which is cancelled when the client disconnects.

    Raises ClientDisconnect.
    """

    async def disconnect() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(disconnect())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
