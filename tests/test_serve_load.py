"""Many questions at once, questions that take too long, clients that leave: places are bounded and come free."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import KEY, ROOT, Serving, alive, question, serving, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
RUNNING, WAITING = "mmstats_queries_running", "mmstats_queries_waiting"
IN_FLIGHT = "mmstats_http_requests_in_flight"


def leaver(server: Serving, path: str) -> socket.socket:
    """A client that has asked and not read the answer."""
    connection = server.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
    return connection


@pytest.fixture(scope="module")
def single() -> Iterator[Serving]:
    """A server with one place and no queue."""
    with serving("--sample", "--max-concurrency", "1", "--queue", "0") as running:
        yield running


@pytest.fixture(scope="module")
def queued() -> Iterator[Serving]:
    """A server with one place and a queue of two."""
    with serving("--sample", "--max-concurrency", "1", "--queue", "2") as running:
        yield running


@pytest.fixture(scope="module")
def hurried() -> Iterator[Serving]:
    """A server with one place and no queue that gives up after a second."""
    with serving("--sample", "--max-concurrency", "1", "--queue", "0", "--query-timeout", "1") as running:
        yield running


def test_one_question_in_flight_is_run_once(single: Serving) -> None:
    """Forty clients that ask the same at once, written in two ways, share one run and get the same bytes."""
    paths = [question(limit="11", group_by="path"), question(limit="0011", group_by=" path,path")]
    with ThreadPoolExecutor(40) as pool, single.frozen():
        misses, shared = (single.metric(f'mmstats_answers_total{{cache="{kind}"}}') for kind in ("miss", "shared"))
        replies = [pool.submit(single.request, paths[index % 2]) for index in range(40)]
        until(lambda: single.metric(IN_FLIGHT) == 41)  # and the one that asks for the figures
        assert (single.metric(RUNNING), single.metric(WAITING)) == (1, 0)
    assert {(reply.result().status, reply.result().body) for reply in replies} == {(200, single.request(paths[0]).body)}
    assert single.metric('mmstats_answers_total{cache="miss"}') == misses + 1
    assert single.metric('mmstats_answers_total{cache="shared"}') == shared + 39


def test_more_questions_than_are_admitted_are_turned_away(single: Serving) -> None:
    """With every place taken and no queue, a question is refused at once; what costs nothing is answered still."""
    assert single.stats(limit="20").status == 200
    with ThreadPoolExecutor() as pool, single.frozen():
        first = pool.submit(single.stats, limit="21")
        until(lambda: single.metric(RUNNING) == 1)
        refused = single.stats(limit="22")
        assert refused.error == (503, "overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert single.stats(limit="0").error == (400, "invalid_params")
        assert single.stats(limit="20").status == 200  # kept
        assert single.request("/healthz").status == 200
    assert first.result().status == 200
    assert single.stats(limit="22").status == 200
    assert single.metric(RUNNING) == 0


def test_questions_wait_for_a_place(queued: Serving) -> None:
    """As many questions wait as the queue holds, the next is turned away, and those that waited are answered."""
    with ThreadPoolExecutor() as pool, queued.frozen():
        replies = [pool.submit(queued.stats, limit=str(limit)) for limit in (31, 32, 33)]
        until(lambda: (queued.metric(RUNNING), queued.metric(WAITING)) == (1, 2))
        assert queued.stats(limit="34").error == (503, "overloaded")
    assert [reply.result().status for reply in replies] == [200, 200, 200]
    assert (queued.metric(RUNNING), queued.metric(WAITING)) == (0, 0)


def test_a_client_that_leaves_frees_its_place(single: Serving) -> None:
    """When the client that asked goes away, its query is stopped, its process too, and the place is free."""
    with single.frozen():
        stopped = single.workers()
        with leaver(single, question(limit="41")):
            until(lambda: single.metric(RUNNING) == 1)
        until(lambda: single.metric(RUNNING) == 0)
        until(lambda: not all(map(alive, stopped)))
    assert single.stats(limit="42").status == 200


def test_a_client_that_leaves_the_queue_is_not_waited_for(queued: Serving) -> None:
    """A question whose client has gone gives up its place in the queue, before it was ever run."""
    with ThreadPoolExecutor() as pool, queued.frozen():
        first = pool.submit(queued.stats, limit="51")
        until(lambda: queued.metric(RUNNING) == 1)
        with leaver(queued, question(limit="52")), leaver(queued, question(limit="53")):
            until(lambda: queued.metric(WAITING) == 2)
        until(lambda: queued.metric(WAITING) == 0)
        assert queued.metric(RUNNING) == 1
    assert first.result().status == 200


def test_a_shared_run_outlives_the_client_that_started_it(single: Serving) -> None:
    """A question that several wait for is answered although the first of them has gone."""
    with ThreadPoolExecutor() as pool, single.frozen():
        with leaver(single, question(limit="61")):
            until(lambda: single.metric(RUNNING) == 1)
            stays = pool.submit(single.stats, limit="61")
            until(lambda: single.metric(IN_FLIGHT) == 3)
        until(lambda: [line for line in single.requests() if line["status"] == "499"])
        assert single.metric(RUNNING) == 1
    assert stays.result().status == 200


def test_a_question_that_takes_too_long_is_given_up(hurried: Serving) -> None:
    """After --query-timeout the question is refused, its process stopped, and the place free for the next."""
    with hurried.frozen():
        stopped = hurried.workers()
        reply = hurried.stats(limit="71")
        assert reply.error == (502, "upstream_failed")
        assert reply.json["details"]["message"].startswith("the query took longer than 1 second (asked again")
        assert "--query-timeout" in reply.json["details"]["message"]
        until(lambda: hurried.metric(RUNNING) == 0)
        until(lambda: not all(map(alive, stopped)))
    assert until(lambda: hurried.stats(limit="71").status == 200)


def test_a_process_that_dies_takes_nothing_with_it(single: Serving) -> None:
    """When the system ends the process of a query, its client gets an error, and the next question an answer."""
    with ThreadPoolExecutor() as pool, single.frozen():
        reply = pool.submit(single.stats, limit="81")
        until(lambda: single.metric(RUNNING) == 1)
        for worker in single.workers():
            os.kill(worker, signal.SIGKILL)
        assert reply.result().error in {(500, "internal_error"), (502, "upstream_failed")}
    until(lambda: single.metric(RUNNING) == 0)
    assert single.stats(limit="81").status == 200


def test_an_idle_process_that_dies_is_replaced(single: Serving) -> None:
    """A process that ended while nobody asked is not missed."""
    single.warm()
    for worker in single.workers():
        os.kill(worker, signal.SIGKILL)
    assert until(lambda: single.stats(limit="91").status == 200)


def test_processes_given_up_as_they_start_are_not_left(tmp_path: Path) -> None:
    """A query that is given up before its process has come up leaves no process, however often."""
    slow = """
import os, sys, time
parent = os.getppid()
while "serve" not in sys.orig_argv and os.getppid() == parent:
    time.sleep(0.1)
"""
    (tmp_path / "sitecustomize.py").write_text(slow)
    places = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with serving("--sample", "--max-concurrency", "1", environment=places) as running:
        for limit in range(1, 4):
            with leaver(running, question(limit=str(limit))):
                until(lambda: running.metric(RUNNING) == 1 and running.workers())
            until(lambda: running.metric(RUNNING) == 0)
        assert not running.workers()


FULL = """
import os, pathlib, types
import psutil

class Process(psutil.Process):
    def memory_info(self):
        with pathlib.Path(os.environ["FULL"], "checked").open("a") as checked:
            checked.write(f"{os.getpid()}\\n")
        full = pathlib.Path(os.environ["FULL"], "full").read_text().split()
        return types.SimpleNamespace(rss=(1 << 40) * bool({"all", str(os.getpid())} & {*full}))

psutil.Process = Process
"""


def test_memory_taken_by_earlier_queries_is_not_held_against_the_next(tmp_path: Path) -> None:
    """A query for which a process that answered others has no room is run in a new one, and only once."""
    (tmp_path / "sitecustomize.py").write_text(FULL)
    full = tmp_path / "full"

    def processes() -> set[int]:
        """The processes that have looked at their memory to answer a query."""
        return {int(process) for process in (tmp_path / "checked").read_text().split()}

    full.write_text("")
    places = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "FULL": str(tmp_path)}
    with serving("--sample", "--max-concurrency", "1", "--max-memory", "64GiB", environment=places) as running:
        running.warm()
        (used,) = processes()
        full.write_text(str(used))
        assert running.stats(limit="1").status == 200
        (new,) = processes() - {used}
        assert (alive(used), alive(new)) == (False, True)
        full.write_text("all")
        for _ in range(2):  # first asked of a used process and a new one, then of a new one alone
            before = processes()
            refused = running.stats(limit="2")
            assert refused.error == (502, "upstream_failed")
            assert refused.json["details"]["message"].startswith("the question needs more than 64 GiB of memory (")
            assert refused.json["details"]["message"].endswith("--max-memory is the bound)")
            assert len(processes() - before) == 1
            assert not any(map(alive, processes()))


@pytest.mark.parametrize(("rate", "least"), [("2/m", 20), ("2/h", 1000)])
def test_a_key_that_asks_too_often_is_told_when_to_come_back(rate: str, least: int) -> None:
    """Beyond --rate-limit a key's questions are refused, whatever they ask, and the reply says for how long."""
    with serving("--sample", "--rate-limit", rate) as running:
        assert [running.stats().status, running.stats(limit="0").status] == [200, 400]
        reply = running.stats()
        assert reply.error == (429, "rate_limited")
        assert least <= reply.json["retry_after_s"] <= least * 2
        assert reply.headers["Retry-After"] == str(reply.json["retry_after_s"])
        assert running.stats(limit="0").error == (429, "rate_limited")
        assert running.request(question(), key=False).error == (401, "missing_bearer_token")
        for path in ("/healthz", "/metrics"):
            assert running.request(path).status == 200


def test_a_rate_is_each_keys_own(tmp_path: Path) -> None:
    """A key that asks too often does not spend what another may ask; wrong keys spend nothing."""
    wrong = {"Authorization": f"Bearer {KEY[:-1]}x"}
    with serving("--sample", "--rate-limit", "1/h", environment={"XDG_CONFIG_HOME": str(tmp_path)}) as running:
        assert [running.request(question(), wrong).status for _ in range(3)] == [401] * 3
        assert [running.stats().status for _ in range(2)] == [200, 429]
