"""What a cluster says went wrong, as an error of ours: in one line, without its stack and without any secret."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from pyspark.errors import PySparkException

from mmstats.engineaddress import EngineAddress
from mmstats.errors import Unreadable
from mmstats.visible import visible

CLUSTER_FAULTS = (PySparkException, grpc.RpcError)
SAME_PATHS = "the machines of the cluster must see the data under the same paths"
_LONGEST = 300


@contextmanager
def explained(address: EngineAddress) -> Iterator[None]:
    """Inside the block, what the cluster or the way to it raises becomes Unreadable."""
    try:
        yield
    except CLUSTER_FAULTS as fault:
        raise Unreadable(f"{address}: {reason(fault, address)}", hint=_hint(fault)) from None


def is_mixed_up(fault: BaseException) -> bool:
    """Whether a server has looked for a column of one plan in another, as Sail 0.7 does at times."""
    return 'No field named "#' in _details(fault)


def reason(fault: BaseException, address: EngineAddress) -> str:
    """What the cluster says, its first line."""
    said = address.redacted(_details(fault))
    first = next((line for line in said.splitlines() if line.strip()), "") or type(fault).__name__
    return visible(first.strip())[:_LONGEST]


def _details(fault: BaseException) -> str:
    said = str(fault)
    # What the client could not understand it gives as an object, whose own words are in the exception behind.
    details = getattr(fault.__context__ if said.startswith("<_") else fault, "details", None)
    return str(details() if callable(details) else said) or said


def _hint(fault: BaseException) -> str:
    said = str(fault)
    if "UNAUTHENTICATED" in said or "PERMISSION_DENIED" in said:
        return "MMSTATS_ENGINE_TOKEN is the token that opens it"
    if "StatusCode.UNAVAILABLE" in said:
        return "does a Spark Connect server run there, and does it speak TLS as ';use_ssl=true' says or does not?"
    if "PATH_NOT_FOUND" in said or "not found" in said:
        return SAME_PATHS
    return ""
