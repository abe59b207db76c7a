"""What goes wrong on a cluster, as an error of ours: one line, without a stack trace and without any secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import grpc
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger

from mmstats.engine_address import EngineAddress
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.wording import visible

CLUSTER_ERRORS = (PySparkException, grpc.RpcError)
HINT_PATHS = "the machines of the cluster must see the data under the same paths"
HINT_SERVER = "does a Spark Connect server run there?"
_HINT_TOKEN = "MMSTATS_ENGINE_TOKEN is the token that opens it"  # noqa: S105 - a hint, no token
_HINT_IMPORT = "import first: 'mmstats import DATA --to STORE' writes Parquet; or ask without --engine"
# The codes of errors that come from the network or the check of the token, not from the server behind.
_HINTS = {
    grpc.StatusCode.UNAVAILABLE: HINT_SERVER,
    grpc.StatusCode.DEADLINE_EXCEEDED: HINT_SERVER,
    grpc.StatusCode.UNAUTHENTICATED: _HINT_TOKEN,
    grpc.StatusCode.PERMISSION_DENIED: _HINT_TOKEN,
}
_in_engine: ContextVar[bool] = ContextVar("_in_engine", default=False)
for _name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
    # The client logs errors with their plan and the server's stack trace; it goes on to for other sessions.
    PySparkLogger.getLogger(_name).addFilter(lambda _: not _in_engine.get())


def refused(file: EventFile | str, what: str) -> Unreadable:
    """The error for a file, or what is in it, that a cluster might read otherwise than the contract says."""
    return Unreadable(f"{file}: {what}, which no cluster is asked of", hint=_HINT_IMPORT)


@contextmanager
def translated(address: EngineAddress) -> Iterator[None]:
    """Inside the block, errors of the cluster and of the network become Unreadable, and the client logs none."""
    before = _in_engine.set(True)
    try:
        yield
    except CLUSTER_ERRORS as error:
        call = _call(error)
        code = call.code() if call else None
        text = first_line(error, address)
        if code is grpc.StatusCode.UNAUTHENTICATED:
            text = "the token is not accepted" if address.has_key else "a token is required"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = "no answer"
        is_missing = "PATH_NOT_FOUND" in str(error) or "not found" in str(error)
        raise Unreadable(f"{address}: {text}", hint=_HINTS.get(code, HINT_PATHS if is_missing else "")) from None
    finally:
        _in_engine.reset(before)


def is_mixed_up(error: BaseException) -> bool:
    """Whether a server looked for a column of one plan in another, as Sail 0.7 does at times."""
    return 'No field named "#' in _details(error)


def is_from_server(error: BaseException) -> bool:
    """Whether the server itself raised this: not the network, and not the check of the token."""
    call = _call(error)
    return call is None or call.code() not in _HINTS


def first_line(error: BaseException, address: EngineAddress) -> str:
    """The first line of the server's message, at most 300 characters of it."""
    text = address.redacted(_details(error))
    first = next((line for line in text.splitlines() if line.strip()), "") or type(error).__name__
    return visible(first.strip())[:300]


def _details(error: BaseException) -> str:
    """The details of the failed call where the client has wrapped them into many lines, else the client's message."""
    call = _call(error)
    text = str(error)
    return str(call.details() or text) if call and (call is error or text.startswith("<")) else text


def _call(error: BaseException | None) -> grpc.Call | None:
    """The call that failed, which the client raises as an exception of its own."""
    while error and not isinstance(error, grpc.RpcError):
        error = error.__cause__ or error.__context__
    return error if isinstance(error, grpc.Call) else None
