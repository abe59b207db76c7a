"""How a cluster is reached: what a server is sent, what is said where it does not answer, and how soon."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock, patch

import grpc
import pytest
from pyspark.errors import AnalysisException

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.engines.spark import session as sessions
from mmstats.errors import Unreadable
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.conftest import Ask

SECRET = "kX9/abc?def#%41=="


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
        server, gate.port = serving_calls(gate, host)
        started.append(server)
        return gate

    yield start
    for server in started:
        server.stop(0).wait()


def serving_calls(handler: grpc.GenericRpcHandler, host: str = "127.0.0.1") -> tuple[grpc.Server, int]:
    """A server that has calls handled, and its port."""
    server = grpc.server(ThreadPoolExecutor(16), handlers=(handler,))
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    return server, port


class Relay(grpc.GenericRpcHandler):
    """A server that passes all calls on to a cluster until it is to hang: then it says no more to anybody.

    Whoever executes a third plan, the first of a question, has it hang; this program is interrupted then.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.to = grpc.insecure_channel(cluster.address.removeprefix("sc://"))
        self.plans = 0
        self.interrupts = 0
        self.fault: grpc.StatusCode | None = None
        self.released = threading.Event()

    def service(self, called: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The call passed on."""
        name = called.method.rpartition("/")[2]

        def one(request: bytes, context: grpc.ServicerContext) -> bytes:
            if name == "Interrupt":
                self.interrupts += 1
                if self.fault:
                    context.abort(self.fault, "not now")
            if self.plans > 2:
                self.released.wait()
            answered: bytes = self.to.unary_unary(called.method)(request)
            return answered

        def many(request: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
            self.plans += name == "ExecutePlan"
            if self.plans > 2:
                time.sleep(0.2)  # so that it is waited for
                os.kill(os.getpid(), signal.SIGINT)
                self.released.wait()
                return
            yield from self.to.unary_stream(called.method)(request)

        if name in ("ExecutePlan", "ReattachExecute"):
            return grpc.unary_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)


@pytest.fixture
def relay(sail: Cluster) -> Iterator[tuple[Relay, str]]:
    """A relay to Sail, and its address."""
    relay = Relay(sail)
    server, port = serving_calls(relay)
    yield relay, f"sc://127.0.0.1:{port}"
    relay.released.set()
    server.stop(0).wait()
    relay.to.close()


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


def test_a_mute_server_is_given_up(ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing has so many seconds; then that is what is said."""
    monkeypatch.setitem(sessions._TIMEOUTS, "Config", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"sc://127.0.0.1:{mute.getsockname()[1]}"
        ran = ask(data, "--engine", address)
    assert ran.code == 4
    assert ran.error == f"{address}: no answer"
    assert "does a Spark Connect server run there?" in ran.err


@pytest.mark.parametrize("fault", [None, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE])
def test_a_question_to_a_server_that_hangs_can_be_stopped(
    fault: grpc.StatusCode | None, relay: tuple[Relay, str], ask: Ask, data: Path
) -> None:
    """Ctrl-C ends the question though the server says nothing to that either, or cannot do it."""
    hangs, address = relay
    hangs.fault = fault
    ran = ask(data, "--engine", address)
    assert not hangs.released.is_set()
    assert hangs.interrupts
    assert (ran.code, ran.out) == (130, "")
    assert "Interrupt" not in ran.err


@pytest.mark.parametrize(
    ("token", "said"), [(SECRET, "the token is not accepted"), ("", "a token is required")], ids=["wrong", "none"]
)
def test_a_token_that_is_refused_is_said_to_be(
    token: str, said: str, gate: Callable[[str], Gate], ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token and a missing one are told apart, with the variable that holds it."""
    monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", token)
    address = f"sc://127.0.0.1:{gate('127.0.0.1').port}"
    ran = ask(data, "--engine", f"{address}/;x-cluster=a")
    assert (ran.code, ran.error) == (4, f"{address}: {said}")
    assert "hint: MMSTATS_ENGINE_TOKEN" in ran.err


def test_nobody_else_writes_to_the_console(gate: Callable[[str], Gate], data: Path) -> None:
    """Where no connection comes about the error and its hint are all there is, in whatever process."""
    asked = f"sc://127.0.0.1:{gate('127.0.0.1').port}"
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(data), "--no-cache"]
    ran = subprocess.run([*command, "--engine", f"{asked}/;use_ssl=true"], capture_output=True, text=True, check=False)
    error, hint = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (4, "")
    assert error.startswith(f"error: {asked}: failed to connect")
    assert hint == "hint: does a Spark Connect server run there?"


def test_a_plan_that_is_refused_is_told_once(spark: Cluster) -> None:
    """The client logs its own errors, with the plan and the stack of the server, but not those of an engine."""
    from pyspark.logger import PySparkLogger

    from mmstats.engines.spark.errors import translated
    from mmstats.engines.spark.session import Session

    address = read_engine(spark.address)
    session = Session(address)
    logged = Mock()
    log = PySparkLogger.getLogger("SQLQueryContextLogger")
    with patch.object(log, "handle", lambda record: log.filter(record) and logged(record)):
        with pytest.raises(Unreadable, match="UNRESOLVED_COLUMN"), translated(address):
            session.spark.sql("SELECT 1 + absent").collect()
        assert not logged.called
        with pytest.raises(AnalysisException):
            session.spark.sql("SELECT 1 + absent").collect()
        assert logged.called
    session.close()


def test_apache_spark_is_opened_by_its_token(
    spark: Cluster, ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token of the environment opens the server as that of the URL does; another or none is refused in one line."""
    address, _, _ = spark.address.partition("/;")
    monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", "a/b?c=#%41;==")
    assert ask(data, "--engine", address).value == 1
    monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", SECRET)
    assert ask(data, "--engine", address).error == f"{address}: the token is not accepted"
    monkeypatch.delenv("MMSTATS_ENGINE_TOKEN")
    assert ask(data, "--engine", address).error == f"{address}: a token is required"
    assert ask(data, "--engine", spark.address).value == 1
