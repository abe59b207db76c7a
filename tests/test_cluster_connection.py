"""How a cluster is reached: what a server is sent, what is said where it does not answer, and how soon."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from mmstats.dataset import Dataset
from mmstats.engineaddress import read_engine
from mmstats.engines import engine_for
from mmstats.query import StatsQuery
from tests.clusters import Cluster
from tests.conftest import Ask

SECRET = "kX9/abc?def#%41=="
LINE = "timestamp,event_name\n2026-05-04,a\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of one event."""
    path = tmp_path / "a.csv"
    path.write_text(LINE)
    return path


@dataclass
class Gate(grpc.GenericRpcHandler):
    """A server before which nobody passes: it keeps the headers that it is sent, and repeats them as it refuses."""

    port: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def service(self, called: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Whatever is called is refused."""
        self.headers = dict(called.invocation_metadata)
        given = self.headers.get("authorization", "nothing")

        def refuse(_: bytes, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{given} opens nothing here")

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.fixture
def gate() -> Iterator[Callable[[str], Gate]]:
    """Start a gate on a host's free port."""
    started: list[grpc.Server] = []

    def start(host: str) -> Gate:
        gate = Gate()
        server = grpc.server(ThreadPoolExecutor(2), handlers=(gate,))
        started.append(server)
        gate.port = server.add_insecure_port(f"{host}:0")
        server.start()
        return gate

    yield start
    for server in started:
        server.stop(0).wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "[::1]"])
def test_a_token_reaches_this_machine_as_it_is(
    host: str, gate: Callable[[str], Gate], ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of any characters is sent without TLS to every name of this machine, whole, and never shown."""
    monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", SECRET)
    asked = gate(host)
    ran = ask(data, "--engine", f"sc://{host}:{asked.port}/;x-cluster=a=b")
    assert ran.code == 4
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["x-cluster"] == "a=b"
    assert not any(part in ran.err for part in (SECRET, "kX9", "def", "a=b"))


def test_a_header_of_the_url_is_sent(gate: Callable[[str], Gate], ask: Ask, data: Path) -> None:
    """`;authorization=…` is sent as it is instead of a token, and what a server repeats of it is not shown."""
    asked = gate("127.0.0.1")
    ran = ask(data, "--engine", f"sc://127.0.0.1:{asked.port}/;authorization=Basic%20{SECRET.replace('%', '%25')}")
    assert asked.headers["authorization"] == f"Basic {SECRET}"
    assert (ran.code, SECRET in ran.err) == (4, False)


def test_a_token_of_other_programs_is_not_sent(
    gate: Callable[[str], Gate], ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SPARK_CONNECT_AUTHENTICATE_TOKEN`, which the client knows for itself, goes nowhere and changes nothing."""
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", SECRET)
    asked = gate("127.0.0.1")
    ask(data, "--engine", f"sc://127.0.0.1:{asked.port}")
    assert asked.headers
    assert "authorization" not in asked.headers


def test_the_session_of_a_program_stays_its_own(sail: Cluster, data: Path) -> None:
    """A program that asks has no session of Spark that it did not make: none is active, a new one is its own."""
    from pyspark.sql.connect.session import SparkSession

    assert engine_for(read_engine(sail.address))(StatsQuery(), Dataset((str(data),))).rows == [{"value": 1}]
    assert SparkSession.getActiveSession() is None
    assert SparkSession._get_default_session() is None
    own = SparkSession.builder.remote(sail.address).getOrCreate()
    try:
        assert engine_for(read_engine(sail.address))(StatsQuery(), Dataset((str(data),))).rows == [{"value": 1}]
        assert SparkSession.getActiveSession() is SparkSession.active() is own
    finally:
        own.stop()
