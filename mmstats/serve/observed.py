"""Every request from outside: its id, its line in the log, its place in the metrics, and a bug's answer."""

import asyncio
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmstats.api_keys import conceal
from mmstats.serve.envelope import Refused, overloaded
from mmstats.serve.log import Log
from mmstats.serve.metrics import Metrics
from mmstats.wording import visible

HEADER = "X-Request-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = ("GET", "HEAD", "OPTIONS")
_LONGEST_PATH = 200
_NOBODY_THERE = 499


@dataclass(slots=True)
class Told:
    """What is told the log of a request by who answers it."""

    rows: int | None = None
    cache: str | None = None
    error: str | None = None
    message: str | None = None


class Observed:
    """Sees each request come and its answer go."""

    def __init__(self, app: ASGIApp, log: Log, metrics: Metrics, paths: Collection[str]) -> None:
        self.app = app
        self._log, self._metrics, self._paths = log, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and write down how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen = _Seen(scope, send)
        self._metrics.in_flight.inc()
        try:
            await self.app(scope, receive, seen.send)
        except asyncio.CancelledError:  # at the end of a stopping server's patience
            if seen.status == _NOBODY_THERE:
                await overloaded().response()(scope, receive, seen.send)
        except Exception as error:
            self._log.error("bug", request_id=seen.id, path=_shown(scope["path"]), exc_info=error)
            if seen.status != _NOBODY_THERE:
                raise
            await Refused("internal_error").response()(scope, receive, seen.send)
        finally:
            self._metrics.in_flight.dec()
            self._write_down(scope, seen)

    def _write_down(self, scope: Scope, seen: "_Seen") -> None:
        seconds = time.perf_counter() - seen.started
        path = scope["path"] if scope["path"] in self._paths else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, path, str(seen.status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        told = {name: value for name, value in asdict(seen.told).items() if value is not None}
        self._log.info(
            "request",
            method=visible(scope["method"])[:_LONGEST_PATH],
            path=_shown(scope["path"]),
            status=seen.status,
            ms=round(seconds * 1000, 3),
            **told,
            request_id=seen.id,
        )


class _Seen:
    """One request and its answer so far."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = time.perf_counter()
        self.status = _NOBODY_THERE
        self.told = scope.setdefault("state", {})["told"] = Told()
        asked = Headers(scope=scope).get(HEADER, "")
        self.id = asked if _SANE_ID.fullmatch(asked) and conceal(asked) == asked else secrets.token_hex(8)
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message).update({HEADER: self.id, "X-Content-Type-Options": "nosniff"})
        await self._send(message)


def _shown(path: str) -> str:
    return conceal(visible(path[:_LONGEST_PATH]))
