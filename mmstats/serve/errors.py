"""Errors over HTTP: every code with its status, and the one table from error class to code and JSON body."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from mmstats.answer import encode
from mmstats.api_keys import conceal
from mmstats.errors import DatasetError, InvalidGroupBy, InvalidParams, TooMuchMemory
from mmstats.resources import lack_in
from mmstats.wording import visible

CLIENT_GONE = 499  # nginx's status in its log for a request whose client left; nothing is sent


class ErrorCode(NamedTuple):
    """What goes with an error code: its HTTP status, and when it is sent."""

    status: int
    meaning: str


ERROR_CODES: Mapping[str, ErrorCode] = {
    "invalid_params": ErrorCode(
        400, "a parameter is missing, malformed, out of range, unknown or repeated; `details.fieldErrors`"
    ),
    "invalid_group_by": ErrorCode(400, "a column outside the allow-list; `details.invalid`, `details.allowed`"),
    "invalid_host": ErrorCode(400, "on a loopback address: the Host header names no loopback host"),
    "missing_bearer_token": ErrorCode(401, "no `Authorization: Bearer …`"),
    "malformed_api_key": ErrorCode(401, "not of the shape of an API key"),
    "invalid_api_key": ErrorCode(401, "a key that is not known here"),
    "insufficient_scope": ErrorCode(403, "a key of another kind than `rk_`"),
    "invalid_origin": ErrorCode(403, "a browser's page of another origin, which `--cors-origin` does not name"),
    "not_found": ErrorCode(404, "another path; a trailing slash makes another path"),
    "method_not_allowed": ErrorCode(405, "another method than GET, HEAD and OPTIONS"),
    "rate_limited": ErrorCode(429, "more requests with this key than `--rate-limit` admits; `Retry-After`"),
    "internal_error": ErrorCode(500, "a bug in mmstats; the log has more under the request's id"),
    "upstream_failed": ErrorCode(
        502, "the dataset cannot be read, or a query took more than `--query-timeout` or `--max-memory`"
    ),
    "overloaded": ErrorCode(503, "more queries than `--max-concurrency` and `--queue` admit; `Retry-After`"),
}


class ApiError(Exception):
    """A request refused with one of the error codes; `extra` stands beside the code at the top level of the body."""

    def __init__(
        self,
        code: str,
        details: Mapping[str, Any] | None = None,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.details, self.extra, self.headers = code, details or {}, extra or {}, headers or {}

    def body(self) -> bytes:
        """The JSON body; what is no UTF-8 in it is escaped, as JSON can."""
        body = {"error": self.code, "details": self.details, **self.extra}
        return encode(body).encode("utf-8", "backslashreplace")

    def response(self, status: int | None = None) -> Response:
        """The response, with the code's own status unless another is given."""
        status = status or ERROR_CODES[self.code].status
        return Response(self.body(), status, dict(self.headers), media_type="application/json")


class Overloaded(ApiError):
    """More queries than may run and wait at once, or a server that is about to stop."""

    def __init__(self) -> None:
        super().__init__("overloaded", headers={"Retry-After": "1"})


def _invalid_params(error: InvalidParams) -> ApiError:
    faults: dict[str, list[str]] = {}
    for name, texts in error.field_errors.items():
        faults.setdefault(conceal(name), []).extend(map(conceal, texts))
    return ApiError("invalid_params", {"fieldErrors": faults})


def _invalid_group_by(error: InvalidGroupBy) -> ApiError:
    details = {"allowed": error.allowed, "invalid": list(map(conceal, error.invalid))}
    return ApiError("invalid_group_by", details, extra={"allowed": error.allowed})


def _upstream_failed(error: DatasetError | TooMuchMemory) -> ApiError:
    """What is wrong and what to do about it, in one text."""
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    return ApiError("upstream_failed", {"message": visible(text)})


def _no_route(error: HTTPException) -> ApiError:
    if error.status_code == ERROR_CODES["not_found"].status:
        return ApiError("not_found")
    allowed = sorted((*(error.headers or {})["Allow"].split(", "), "OPTIONS"))  # Starlette's come in any order
    return ApiError("method_not_allowed", headers={"Allow": ", ".join(allowed)})


_API_ERRORS: Mapping[type[Exception], Callable[[Any], ApiError]] = {
    ApiError: lambda error: error,
    InvalidParams: _invalid_params,
    InvalidGroupBy: _invalid_group_by,
    DatasetError: _upstream_failed,
    TooMuchMemory: _upstream_failed,  # like a query that takes too long: the server's bound, not the client's fault
    HTTPException: _no_route,
}


def unforeseen(error: Exception) -> ApiError:
    """The answer to an error that nobody handles: a lack of memory, threads or files may show anywhere, else a bug."""
    lack = lack_in(error)
    return _upstream_failed(lack) if lack else ApiError("internal_error")


async def _respond(convert: Callable[[Any], ApiError], request: Request, error: Exception) -> Response:
    """The response to an error; its code and message also go to the request's line in the log."""
    api_error = convert(error)
    if api_error.code == "method_not_allowed" and request.method == "OPTIONS":
        return Response(status_code=204, headers=dict(api_error.headers))
    request.state.error, request.state.message = api_error.code, api_error.details.get("message")
    return api_error.response()


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


EXCEPTION_HANDLERS: Mapping[Any, ExceptionHandler] = {
    **{kind: partial(_respond, convert) for kind, convert in _API_ERRORS.items()},
    ClientDisconnect: _client_gone,
}
