"""What the server says when the system grants it no more open files, memory, threads or disk: never that of a bug."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.asgi import ask_app, build_app
from tests.serving import KEY, Reply, Serving, question, serving, until

if sys.platform != "linux":
    pytest.skip("sets limits of another process", allow_module_level=True)
import resource


@pytest.fixture
def own() -> Iterator[Serving]:
    """A server of its own, whose limits may be changed."""
    with serving("--sample", "--max-concurrency", "1") as running:
        running.warm()
        yield running


@contextmanager
def limited(server: Serving, kind: int, limit: int) -> Iterator[None]:
    """For the length of a block, the system grants the server, and the workers that it starts, no more than so much."""
    before = resource.prlimit(server.process.pid, kind)
    resource.prlimit(server.process.pid, kind, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, kind, before)


def asked_of_a_new_worker(server: Serving, **parameters: str) -> Reply:
    """The reply to a question that a worker answers which is started for it."""
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    # One that the server has not missed yet is asked, and missed then.
    return until(lambda: reply if b"ended with -9" not in (reply := server.stats(**parameters)).body else None)


class BrokenKeyring:
    """A keyring that is denied what it needs."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def knows(self, _: object) -> bool:
        """Fail as the system makes it."""
        raise self._error


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "open files"),
        (RuntimeError("can't start new thread"), "threads"),
        (MemoryError(), "memory"),
    ],
    ids=["files", "threads", "memory"],
)
def test_a_lack_is_no_bug_wherever_it_shows(error: Exception, lacking: str) -> None:
    """What the system denies is said as what lacks, with what to do, also where no code foresees it."""
    reply = ask_app(build_app(keyring=BrokenKeyring(error)), question(), {"Authorization": f"Bearer {KEY}"})
    assert reply.error == (502, "upstream_failed")
    assert reply.json["details"]["message"].startswith(f"the system grants no more {lacking}")
    assert reply.json["details"]["message"].endswith(")")


@pytest.mark.parametrize("free", (1, 4, 6, 8))
def test_without_open_files_it_says_so_and_goes_on(own: Serving, free: int) -> None:
    """However few files it may open, a question is answered or told that they lack, and all is well once it may."""
    opened = len(os.listdir(f"/proc/{own.process.pid}/fd"))
    with limited(own, resource.RLIMIT_NOFILE, opened + free):
        for name in ("a", "b"):
            reply = asked_of_a_new_worker(own, event=name)
            if reply.status != 200:
                assert reply.error == (502, "upstream_failed")
                assert "no more open files, whose limit is" in reply.json["details"]["message"]
                assert "ulimit -n" in reply.json["details"]["message"]
    until(lambda: own.stats(event="c").status == 200)
    assert own.request("/readyz").status == 200
    assert "Traceback" not in own.log()


def test_connections_that_wait_for_open_files_are_one_line(own: Serving) -> None:
    """While connections wait for a file to be free, the log says so once a second, without a traceback."""
    opened = len(os.listdir(f"/proc/{own.process.pid}/fd"))
    with limited(own, resource.RLIMIT_NOFILE, opened):
        waiting = [own.connect() for _ in range(8)]
        line = until(lambda: next((line for line in own.log().splitlines() if "event=lack" in line), None))
        for connection in waiting:
            connection.close()
    assert "no more open files, whose limit is" in line
    assert "Traceback" not in own.log()
    until(lambda: own.stats().status == 200)


def test_without_address_space_it_says_so_and_goes_on(own: Serving) -> None:
    """Where the engine may not map what it needs, questions are told so, and answered once it may."""
    with limited(own, resource.RLIMIT_AS, 700_000 << 10):
        reply = asked_of_a_new_worker(own)
        assert reply.error == (502, "upstream_failed")
        assert "may map 683.6 MiB of memory, and the engine needs" in reply.json["details"]["message"]
        assert "ulimit -v" in reply.json["details"]["message"]
    assert asked_of_a_new_worker(own, event="a").status == 200


def test_a_full_disk_for_the_cache_keeps_no_answer_back(tmp_path: Path) -> None:
    """Where nothing can be written to the cache, questions are answered all the same."""
    with serving("--sample", environment={"MMSTATS_CACHE_DIR": str(tmp_path / "cache")}) as running:
        expected = running.stats(group_by="os", metric="uniques").json
        with limited(running, resource.RLIMIT_FSIZE, 0):
            assert asked_of_a_new_worker(running, group_by="path", metric="uniques").status == 200
            assert running.stats(group_by="country", metric="uniques").status == 200
        assert running.stats(group_by="os", metric="uniques").json == expected
