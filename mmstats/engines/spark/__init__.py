"""An engine on a cluster: any server that speaks Spark Connect, such as Apache Spark or Sail.

The dataset is planned here, as for the local engine: its files are listed, their footers or headers looked at, by the
same code and with the same errors. All rows are read on the cluster, and only those of the answer travel. What the
cluster would read otherwise than the contract says it is not asked: `texts` tells which lines that may be, and `judge`
has this machine look at the files that hold them.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engine_address import TOKEN_VARIABLE, EngineAddress
from mmstats.engines import Engine
from mmstats.errors import InvalidSettings
from mmstats.question.query import StatsQuery
from mmstats.reports import Account

if TYPE_CHECKING:
    from mmstats.engines.spark.asked import Cluster

_clusters: "dict[EngineAddress, Cluster]" = {}


def engine(address: EngineAddress) -> Engine:
    """The engine on the cluster at an address, which is asked nothing yet.

    Raises InvalidSettings when the client is not installed, and where a token would be sent for anybody to read.
    """
    try:
        with program_of_a_file(), _no_log():
            from mmstats.engines.spark.asked import Cluster
    except ImportError as missing:
        raise InvalidSettings(
            f"the engine {address} needs a client that is not installed ({missing.name})",
            hint="pip install 'mmstats[spark]'",
        ) from None
    try:
        known = address.with_token(os.environ.get(TOKEN_VARIABLE, ""))
    except ValueError as fault:
        raise InvalidSettings(f"{TOKEN_VARIABLE} {fault}") from None
    if known.has_secrets and not (known.is_encrypted or known.is_loopback):
        sent = "a token" if known.token else "headers"
        raise InvalidSettings(
            f"the engine {address} would be sent {sent} that anybody between can read",
            hint=f"use TLS: '{address}/;use_ssl=true'",
        )
    cluster = _clusters.setdefault(known, Cluster(known))  # its session lasts from one question to the next

    def answer(
        query: StatsQuery,
        dataset: Dataset,
        account: Account | None = None,
        cache: Cache | None = None,  # noqa: ARG001 - nothing is learnt here
    ) -> Stats:
        with (account or Account()).phase("ask the cluster"):
            return cluster.answer(query, dataset)

    return answer


@contextlib.contextmanager
def program_of_a_file() -> Iterator[None]:
    """Inside the block, what `python -c` runs has a file: the client takes a program without for its own doctests."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


@contextlib.contextmanager
def _no_log() -> Iterator[None]:
    """Inside the block, gRPC is loaded without its log, which goes to the console, unless somebody wants one."""
    if "GRPC_VERBOSITY" in os.environ:
        yield
        return
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        yield
    finally:
        del os.environ["GRPC_VERBOSITY"]
