"""A question that is stopped before its end keeps what it has read: asked again, it goes on from there."""

import gzip
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.explain import explain
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.reports import Use, count_files
from tests.conftest import ndjson
from tests.serving import PATIENCE, ROOT, environment, serving, until

FILES = 70  # more than are read at once
AT_ONCE = Limits().batch_files
BY_COUNTRY = StatsQuery(group_by=("country",))
QUESTION = ["--group-by", "country"]
EAGER = Limits(settle_ns=-(10**9), save_seconds=0, batch_files=2)
# Blank lines, which hold no event: small, and not to be read to their end while a test runs.
ENDLESS = gzip.compress(b"\n" * (64 << 20)) * 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Many small files, and one behind them that nobody reads to its end."""
    (tmp_path / "events").mkdir()
    for number in range(FILES):
        rows = [{"timestamp": "2026-05-01", "event_name": "e", "country": f"C{number % 2}"}]
        (tmp_path / "events" / f"{number:02}.ndjson").write_bytes(ndjson(rows))
    (tmp_path / "events" / "endless.ndjson.gz").write_bytes(ENDLESS)
    return tmp_path / "events"


@pytest.fixture
def settled(folder: Path) -> Path:
    """The same, so long unchanged that other processes keep what they learn of them."""
    last = max(file.stat().st_ctime_ns for file in folder.iterdir())
    until(lambda: time.time_ns() - last > 1.01 * Limits().settle_ns)
    return folder


def has_open(process: int, file: Path) -> bool:
    """Whether a process has a file open."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            if link.readlink() == file:
                return True
    return False


def stats_of(folder: Path) -> list[str]:
    """What the question says of its files and of the cache, once nothing endless is there."""
    (folder / "endless.ndjson.gz").unlink()
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(folder), *QUESTION, "--stats"]
    own = environment(str(folder.parent), MMSTATS_CACHE_DIR=str(folder.parent / "cache"))
    ran = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    assert ran.stdout == '{"metric":"count","rows":[{"country":"C0","value":35},{"country":"C1","value":35}]}\n'
    return ran.stderr.splitlines()


def test_an_interrupted_question_keeps_what_it_has_read(settled: Path) -> None:
    """Ctrl-C in the middle of a long first question loses nothing of the files that were read before."""
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(settled), *QUESTION]
    own = environment(str(settled.parent), MMSTATS_CACHE_DIR=str(settled.parent / "cache"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=own, text=True, **pipes) as process:
        try:
            until(lambda: has_open(process.pid, settled / "endless.ndjson.gz"))
            process.send_signal(signal.SIGINT)
            assert (*process.communicate(timeout=PATIENCE), process.returncode) == ("", "", 130)
        finally:
            process.kill()
    assert f"stats: cache: {AT_ONCE} files reused, {FILES - AT_ONCE} stored" in stats_of(settled)


KILLED = """
import sys
from pathlib import Path
from tests.test_stopped import *
from mmstats.engines.local.engine import answer
answer(BY_COUNTRY, Dataset((sys.argv[1],), limits=EAGER), cache=Cache(Path(sys.argv[2])))
"""


def test_a_killed_question_keeps_what_it_has_read(folder: Path) -> None:
    """What was read is saved as it goes, for a server kills a question that takes too long."""
    cache, dataset = Cache(folder.parent / "cache"), Dataset((str(folder),), limits=EAGER)
    command = [sys.executable, "-c", KILLED, str(folder), str(cache.folder)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            until(lambda: has_open(process.pid, folder / "endless.ndjson.gz"))
        finally:
            process.kill()
    assert count_files(explain(BY_COUNTRY, dataset, cache).files, Use.CACHED) >= EAGER.batch_files


def test_a_failed_question_over_http_keeps_what_it_has_read(settled: Path) -> None:
    """A server's worker saves in the same way, and another door goes on from it."""
    (settled / "endless.ndjson.gz").write_bytes(b"no gzip")
    with serving("--data", str(settled), environment={"MMSTATS_CACHE_DIR": str(settled.parent / "cache")}) as server:
        reply = server.stats(group_by="country")
        assert reply.error == (502, "upstream_failed")
        assert "endless.ndjson.gz" in reply.json["details"]["message"]
    assert f"stats: cache: {AT_ONCE} files reused, {FILES - AT_ONCE} stored" in stats_of(settled)
