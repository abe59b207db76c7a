"""Errors over HTTP: every code with its status, and the one table from error class to envelope."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from mmstats.answer import encode
from mmstats.api_keys import conceal
from mmstats.errors import DatasetError, InvalidGroupBy, InvalidParams, TooMuchMemory
from mmstats.serve.rate import TooOften
from mmstats.serve.runs import Overloaded

STATUS = {
    "invalid_params": 400,
    "invalid_group_by": 400,
    "invalid_host": 400,
    "missing_bearer_token": 401,
    "malformed_api_key": 401,
    "invalid_api_key": 401,
    "insufficient_scope": 403,
    "invalid_origin": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "rate_limited": 429,
    "internal_error": 500,
    "upstream_failed": 502,
    "overloaded": 503,
}
MEANING = {
    "invalid_params": "a parameter is missing, malformed, out of range, unknown or repeated; `details.fieldErrors`",
    "invalid_group_by": "a column outside the allow-list; `details.invalid`, `details.allowed`",
    "invalid_host": "on a loopback address: the Host header names no loopback host",
    "missing_bearer_token": "no `Authorization: Bearer …`",
    "malformed_api_key": "not of the shape of an API key",
    "invalid_api_key": "a key that is not known here",
    "insufficient_scope": "a key of another kind than `rk_`",
    "invalid_origin": "a browser's page of another origin, which `--cors-origin` does not name",
    "not_found": "another path; a trailing slash makes another path",
    "method_not_allowed": "another method than GET, HEAD and OPTIONS",
    "rate_limited": "more requests with this key than `--rate-limit` admits; `Retry-After`",
    "internal_error": "a bug in mmstats; the log has more under the request's id",
    "upstream_failed": "the dataset cannot be read, or a query took more than `--query-timeout` or `--max-memory`",
    "overloaded": "more queries than `--max-concurrency` and `--queue` admit; `Retry-After`",
}


class Refused(Exception):
    """A request that is refused; `more` stands beside the code at the top level of the body."""

    def __init__(
        self,
        code: str,
        details: Mapping[str, Any] | None = None,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.details, self.more, self.headers = code, details or {}, more or {}, headers or {}

    def body(self) -> bytes:
        """The envelope; what is no UTF-8 in it is escaped, as JSON can."""
        envelope = {"error": self.code, "details": self.details, **self.more}
        return encode(envelope).encode("utf-8", "backslashreplace")

    def response(self, status: int | None = None) -> Response:
        """The refusal as it is sent."""
        status = status or STATUS[self.code]
        return Response(self.body(), status, dict(self.headers), media_type="application/json")


def _sent(request: Request, refused: Refused) -> Response:
    """The refusal of a request, told the log as well."""
    told = request.scope["state"]["told"]
    told.error, told.message = refused.code, refused.details.get("message")
    return refused.response()


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _sent(request, error)


def _invalid_params(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidParams)
    faults: dict[str, list[str]] = {}
    for name, said in error.field_errors.items():
        faults.setdefault(conceal(name), []).extend(map(conceal, said))
    return _sent(request, Refused("invalid_params", {"fieldErrors": faults}))


def _invalid_group_by(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidGroupBy)
    details = {"allowed": error.allowed, "invalid": list(map(conceal, error.invalid))}
    return _sent(request, Refused("invalid_group_by", details, more={"allowed": error.allowed}))


def _upstream_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, DatasetError | TooMuchMemory)
    return _sent(request, Refused("upstream_failed", {"message": error.message}))


def _rate_limited(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooOften)
    after = error.after
    return _sent(request, Refused("rate_limited", more={"retry_after_s": after}, headers={"Retry-After": str(after)}))


def _overloaded(request: Request, _: Exception) -> Response:
    return _sent(request, overloaded())


def overloaded() -> Refused:
    """More queries than are admitted: try again soon."""
    return Refused("overloaded", headers={"Retry-After": "1"})


def _unrouted(request: Request, error: Exception) -> Response:
    """No such path, or no such method of a path, which for OPTIONS is the answer."""
    assert isinstance(error, HTTPException)
    if error.status_code == STATUS["not_found"]:
        return _sent(request, Refused("not_found"))
    allow = {"Allow": f"{(error.headers or {})['Allow']}, OPTIONS"}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    return _sent(request, Refused("method_not_allowed", headers=allow))


HANDLERS: Mapping[Any, ExceptionHandler] = {
    Refused: _refused,
    InvalidParams: _invalid_params,
    InvalidGroupBy: _invalid_group_by,
    DatasetError: _upstream_failed,
    TooMuchMemory: _upstream_failed,  # as for a query that takes too long: a bound of the server's, no fault of theirs
    TooOften: _rate_limited,
    Overloaded: _overloaded,
    HTTPException: _unrouted,
}
