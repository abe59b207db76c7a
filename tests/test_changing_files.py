"""Files that change, go or come while a question reads them, and systems that grant little."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import BadRow
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

from .conftest import WRITERS, Ask

QUESTION = ("--group-by", "source", "--format", "json")


def rows_of(version: str, number: int) -> list[dict[str, Any]]:
    """Events that show which version they are of."""
    return [{"timestamp": "2026-05-01T12:00:00Z", "event_name": "a", "source": version} for _ in range(number)]


def write_in_place(path: Path, content: bytes) -> None:
    """Write a file anew as a program does that opens it: it is the same file, and another one."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)


def write_beside(path: Path, content: bytes) -> None:
    """Write a new file and move it to where the old one was."""
    beside = path.with_name("_new")
    beside.write_bytes(content)
    beside.replace(path)


def at_step(patch: pytest.MonkeyPatch, wanted: int, change: Callable[[], object]) -> Callable[[], bool]:
    """Call `change` before the engine's step of this number, counted from 0; tells whether it was reached."""
    steps = count()
    for owner, name in ((pl, "scan_parquet"), (pl, "scan_ipc"), (pl.LazyFrame, "collect"), (Path, "open")):
        original = getattr(owner, name)

        def step(*args: Any, original: Any = original, **options: Any) -> Any:
            if next(steps) == wanted:
                change()
            return original(*args, **options)

        patch.setattr(owner, name, step)
    return lambda: next(steps) > wanted


def remove(path: Path, _: bytes) -> None:
    """Remove a file."""
    path.unlink()


def test_a_process_that_goes_on_sees_every_version(tmp_path: Path) -> None:
    """What a process has learnt of a file, its columns and that its rows can be read, is not told of the next one."""
    path, dataset = tmp_path / "a.parquet", Dataset((str(tmp_path),), limits=Limits(settle_ns=-(10**9)))
    named = {"timestamp": "2026-05-01T12:00:00Z", "event_name": "a"}
    versions: list[dict[str, Any]] = [
        {**named, "timestamp": datetime(2026, 5, 1, tzinfo=UTC), "source": "x"},
        {**named, "source": 7},
        {**named, "source": "y", "country": "DE"},
        {**named, "timestamp": None},
        {**named},
    ]
    told = []
    for version in versions * 2:
        write_beside(path, WRITERS["parquet"]([version]))
        for _ in range(2):
            try:
                told.append(answer(StatsQuery(group_by=("source",)), dataset).rows[0]["source"])
            except BadRow as fault:
                told.append(fault.message.rpartition(": ")[2])
    assert told == [one for one in ("x", "7", "y", "the timestamp is null", None) for _ in range(2)] * 2


@pytest.mark.parametrize("write", [write_in_place, write_beside, remove])
@pytest.mark.parametrize("extension", ["parquet", "arrow", "ndjson", "csv", "ndjson.gz"])
def test_an_answer_is_of_one_version(
    ask: Ask, tmp_path: Path, extension: str, write: Callable[[Path, bytes], None]
) -> None:
    """Whenever a file is written anew, the answer is of what it was or of what it is; one that is gone is named."""
    path = tmp_path / f"events.{extension}"
    old, new = (WRITERS[extension](rows_of(version, 20_000)) for version in ("old", "new"))
    answers = [{"metric": "count", "rows": [{"source": version, "value": 20_000}]} for version in ("old", "new")]
    for turn in count():
        path.write_bytes(old)
        os.utime(path, (turn, turn))  # not within the tick of the clock in which it changes
        with pytest.MonkeyPatch.context() as patch:
            reached = at_step(patch, turn, lambda: write(path, new))
            ran = ask(path, *QUESTION)
            done = not reached()
        if ran.code:
            assert not path.exists()
            assert (ran.code, ran.error.partition(": ")[0]) == (4, str(path))
        else:
            assert json.loads(ran.out) in answers
        if done:
            break
    assert turn > 1


def test_a_log_that_grows_is_answered(ask: Ask, tmp_path: Path) -> None:
    """Lines that are appended while a file is read do no harm."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(WRITERS["ndjson"](rows_of("old", 1000)))

    def grow() -> None:
        with path.open("ab") as file:
            file.write(WRITERS["ndjson"](rows_of("new", 10)))

    with pytest.MonkeyPatch.context() as patch:
        reached = at_step(patch, 1, grow)
        rows = ask(path, *QUESTION).rows
        assert reached()
    assert rows[0] == {"source": "old", "value": 1000}


def asked_with(limit: str, value: int, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A question at the command line by a process with a limit, named as in the module `resource`."""
    program = (  # not by preexec_fn: libraries that the tests have loaded run code of theirs in the child, too
        "import os, resource, sys; "
        f"resource.setrlimit(resource.{limit}, ({value}, {value})); "
        "os.execv(sys.executable, [sys.executable, '-m', 'mmstats', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", program, "query", "--data", str(path), *options, "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module", params=["parquet", "arrow", "ndjson", "csv"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that can be read, in each format."""
    path = tmp_path_factory.mktemp("sound") / f"events.{request.param}"
    path.write_bytes(WRITERS[request.param](rows_of("here", 50_000)))
    return path


@pytest.mark.parametrize("megabytes", [400, 700, 1500])
def test_little_memory_is_said(sound: Path, megabytes: int) -> None:
    """With little memory to map a question is answered or refused for that: it does not hang, and no file is blamed."""
    done = asked_with("RLIMIT_AS", megabytes << 20, sound, "--group-by", "source")
    if done.returncode == 0:
        assert '"value":50000' in done.stdout
    else:
        assert done.returncode == 4
        assert done.stderr.startswith("error: ")
        assert "memory" in done.stderr.splitlines()[0]
        assert sound.name not in done.stderr
    assert megabytes < 1500 or done.returncode == 0


@pytest.mark.parametrize("files", [5, 7, 9, 12, 16])
def test_few_open_files_are_said(sound: Path, files: int) -> None:
    """With few files to open a question is answered or refused for that, and no file is blamed."""
    done = asked_with("RLIMIT_NOFILE", files, sound, "--group-by", "source")
    if done.returncode == 0:
        assert '"value":50000' in done.stdout
    else:
        assert done.returncode == 4
        lack = f"the system grants no more open files, whose limit is {files}"
        assert done.stderr.endswith(f"error: {lack}\nhint: raise the limit with ulimit -n\n")
        assert sound.name not in done.stderr


@pytest.mark.parametrize(
    "words", ["Too many open", "Cannot allocate memory", "(os error 12)", "can't start new thread"]
)
@pytest.mark.parametrize("extension", ["csv", "ndjson", "parquet", "arrow"])
def test_a_name_like_a_lack_is_only_a_name(ask: Ask, tmp_path: Path, extension: str, words: str) -> None:
    """A file whose name reads like an error of the system is blamed for what is wrong with itself."""
    path = tmp_path / words / f"{words}.{extension}"
    ran = ask(path)
    assert (ran.code, ran.error) == (3, f"{path}: no such file or folder")
    path.parent.mkdir()
    path.write_bytes(b"broken\x00")
    ran = ask(path, "--group-by", "source")
    assert ran.code in (3, 4)
    assert ran.error.startswith(f"{path}: ")


def test_a_service_without_a_home_reads_every_format(sound: Path) -> None:
    """Neither HOME nor USER need be set, as they are not for many services."""
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(sound), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, timeout=120)
    assert (done.returncode, done.stdout) == (0, '{"metric":"count","rows":[{"value":50000}]}\n')
