"""What a cluster says went wrong, as an error of ours: in one line, without its stack and without any secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging import LogRecord

import grpc
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger

from mmstats.engine_address import EngineAddress
from mmstats.errors import Unreadable
from mmstats.wording import visible

CLUSTER_FAULTS = (PySparkException, grpc.RpcError)
SAME_PATHS = "the machines of the cluster must see the data under the same paths"
RUNS_THERE = "does a Spark Connect server run there?"
_OPENS = "MMSTATS_ENGINE_TOKEN is the token that opens it"
_UNHEARD = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_LONGEST = 300
_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
_told: ContextVar[bool] = ContextVar("_told", default=False)


@contextmanager
def explained(address: EngineAddress) -> Iterator[None]:
    """Inside the block, what the cluster or the way to it raises becomes Unreadable, and is told by nobody else."""
    for name in _LOGGERS:
        PySparkLogger.getLogger(name).addFilter(_is_for_the_log)
    before = _told.set(True)
    try:
        yield
    except CLUSTER_FAULTS as fault:
        said, hint = _explanation(fault, address)
        raise Unreadable(f"{address}: {said}", hint=hint) from None
    finally:
        _told.reset(before)


def _is_for_the_log(_: LogRecord) -> bool:
    """Whether the client may log an error with its plan and its stack: where it is none of ours."""
    return not _told.get()


def is_mixed_up(fault: BaseException) -> bool:
    """Whether a server has looked for a column of one plan in another, as Sail 0.7 does at times."""
    return 'No field named "#' in _details(fault)


def is_said(fault: BaseException) -> bool:
    """Whether a server that heard us has said this, rather than nobody or its doorkeeper."""
    call = _call(fault)
    return call is None or call.code() not in _UNHEARD


def _explanation(fault: BaseException, address: EngineAddress) -> tuple[str, str]:
    """What is wrong, in one line, and what to do about it."""
    call = _call(fault)
    code = call.code() if call else None
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return ("the token is not accepted" if address.has_key else "a token is required"), _OPENS
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer", RUNS_THERE
    said = reason(fault, address)
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return said, _OPENS
    if code is grpc.StatusCode.UNAVAILABLE:
        return said, RUNS_THERE
    return said, SAME_PATHS if "PATH_NOT_FOUND" in str(fault) or "not found" in str(fault) else ""


def reason(fault: BaseException, address: EngineAddress) -> str:
    """What the cluster says, its first line."""
    said = address.redacted(_details(fault))
    first = next((line for line in said.splitlines() if line.strip()), "") or type(fault).__name__
    return visible(first.strip())[:_LONGEST]


def _details(fault: BaseException) -> str:
    """What the call says that failed, where the client has wrapped it into a text of many lines; else the client."""
    call = _call(fault)
    said = str(fault)
    return str(call.details() or said) if call and (call is fault or said.startswith("<")) else said


def _call(fault: BaseException | None) -> grpc.Call | None:
    """The call that failed, which the client raises as an exception of its own."""
    while fault and not isinstance(fault, grpc.RpcError):
        fault = fault.__cause__ or fault.__context__
    return fault if isinstance(fault, grpc.Call) else None
