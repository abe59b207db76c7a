"""An engine on a cluster: any server that speaks Spark Connect, such as Apache Spark or Sail.

It reads Parquet alone. Files are listed and their footers read here, as for the local engine; all rows are read on the
cluster, and only those of the answer travel. What clusters might read otherwise than the contract says is refused, text
above all: their readers take the last of repeated keys, pass over what follows an object, and close an open quote.
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
from mmstats.extras import install_hint
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile

if TYPE_CHECKING:
    from mmstats.engines.spark.cluster import Cluster

_clusters: "dict[EngineAddress, Cluster]" = {}


def engine(address: EngineAddress) -> Engine:
    """The engine on the cluster at an address, which is not connected to yet.

    Raises InvalidSettings when the client is not installed, and where a token would be sent unencrypted.
    """
    try:
        with client_importable():
            from mmstats.engines.spark.cluster import Cluster
    except ImportError as error:
        missing = f"the engine {address} needs a client that is not installed ({error.name or error})"
        raise InvalidSettings(missing, hint=install_hint("spark")) from None
    try:
        address = address.with_token(os.environ.get(TOKEN_VARIABLE, ""))
    except ValueError as error:
        raise InvalidSettings(f"{TOKEN_VARIABLE} {error}") from None
    if address.has_secrets and not (address.is_encrypted or address.is_loopback):
        what = "a token" if address.token else "headers"
        fault = f"the engine {address} would be sent {what} that anybody between can read"
        raise InvalidSettings(fault, hint=f"use TLS: '{address}/;use_ssl=true'")
    cluster = _clusters.setdefault(address, Cluster(address))  # its session lasts from one question to the next

    def answer(
        query: StatsQuery, dataset: Dataset, profile: Profile | None = None, cache: Cache | None = None
    ) -> Stats:
        del cache  # no partial results are kept
        with (profile or Profile()).phase("ask the cluster"):
            return cluster.answer(query, dataset)

    return answer


@contextlib.contextmanager
def client_importable() -> Iterator[None]:
    """Inside the block `__main__` has a file, as the client demands, and gRPC loads without a log on the console."""
    defaults = ((vars(sys.modules["__main__"]), "__file__", "-c"), (os.environ, "GRPC_VERBOSITY", "NONE"))
    missing = [(where, name, value) for where, name, value in defaults if name not in where]
    for where, name, value in missing:
        where[name] = value
    try:
        yield
    finally:
        for where, name, _ in missing:
            del where[name]
