"""A bound on memory: what it refuses, what it leaves as it is, and how its sizes are written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import psutil
import pytest

import mmstats
from mmstats import memory
from mmstats.errors import TooMuchMemory
from mmstats.wording import read_size, size_text
from tests.conftest import Ask
from tests.serving import serving

SMALL, LARGE = "200MiB", "64GiB"
FORMS = "must be a size such as 700MiB, 2GB, 1g or plain bytes, not"
TOO_MUCH = (
    "error: the question needs more than 200 MiB of memory\n"
    "hint: a shorter range or fewer group-by columns take less; --max-memory is the bound\n"
)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of a million and a half paths, all different."""
    file = tmp_path_factory.mktemp("many") / "events.parquet"
    paths = pl.format("/a/path/that/is/not/short/at/all/{}", pl.int_range(1_500_000))
    columns = {"event_name": pl.lit("a"), "source": pl.lit("x"), "path": paths}
    pl.select(timestamp=pl.datetime(2026, 5, 2), **columns).write_parquet(file)
    return file


@pytest.fixture
def alone(many: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run `mmstats query` over the many events in a process of its own, whose memory is its own."""

    def query(*options: str, **environ: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "mmstats", "query", "--data", str(many), *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MMSTATS_")}
        env = {**clean, "XDG_CONFIG_HOME": str(tmp_path), "MMSTATS_CACHE_DIR": str(tmp_path / "cache"), **environ}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        return ran.returncode, ran.stdout, ran.stderr

    return query


Alone = Callable[..., tuple[int, str, str]]


def test_too_much_is_refused(alone: Alone) -> None:
    """A question that takes more than the bound ends with code 2, naming it and what helps, and answers nothing."""
    assert alone("--group-by", "path", "--all", "--max-memory", SMALL) == (2, "", TOO_MUCH)


def test_a_setting_and_a_variable_bound_it(alone: Alone, tmp_path: Path) -> None:
    """The user's own configuration sets the bound, the variable goes before it, and the flag before both."""
    (tmp_path / "mmstats").mkdir()
    (tmp_path / "mmstats" / "config.toml").write_text(f'max_memory = "{SMALL}"\n')
    question = ("--group-by", "path", "--limit", "1", "--no-cache")
    assert alone(*question) == (2, "", TOO_MUCH)
    assert alone(*question, MMSTATS_MAX_MEMORY=LARGE)[0] == 0
    assert alone(*question, "--max-memory", SMALL, MMSTATS_MAX_MEMORY=LARGE) == (2, "", TOO_MUCH)


def test_a_generous_bound_changes_nothing(alone: Alone) -> None:
    """Within the bound the answer, its notes and the exit code are those without one."""
    question = ("--group-by", "path,source", "--interval", "day", "--no-cache")
    assert alone(*question, "--max-memory", LARGE) == alone(*question)


def test_a_small_question_has_room(alone: Alone) -> None:
    """What is refused for all groups is answered for a question that needs little."""
    assert alone("--group-by", "source", "--max-memory", SMALL)[0] == 0


@pytest.mark.usefixtures("later")
def test_a_cached_answer_needs_no_memory(ask: Ask, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached answer is given even under a bound that computing it would pass."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    question = ("--group-by", "source", "--max-memory")
    assert ask(many, *question, "1MiB").code == 2
    computed = ask(many, *question, LARGE)
    assert ask(many, *question, "1MiB") == computed
    assert computed.rows == [{"source": "x", "value": 1_500_000}]


@pytest.mark.parametrize("size", ["", "12q", "-1", "1e9", "1,000", "0.5", "1  g", "١GB", "GiB", "9" * 99])
def test_wrong_sizes_are_refused(ask: Ask, size: str) -> None:
    """A text that is no size is refused before the data is read, and the forms are named."""
    ran = ask("absent", "--max-memory", size)
    assert (ran.code, ran.error) == (2, f"--max-memory {FORMS} {size!r}")


@pytest.mark.parametrize("size", ["0", "0GB", "0.0001KB"])
def test_nothing_is_no_bound(ask: Ask, size: str) -> None:
    """A bound of nothing is refused."""
    ran = ask("absent", "--max-memory", size)
    assert (ran.code, ran.error) == (2, f"--max-memory must be more than nothing, not {size!r}")


def test_all_that_is_wrong_is_said_at_once(ask: Ask) -> None:
    """A wrong size and a wrong limit are in one error."""
    assert ask("absent", "--max-memory", "2 much", "--limit", "0").error == (
        f"--max-memory {FORMS} '2 much'; --limit must be an integer from 1 to 1000, not '0'"
    )


@pytest.mark.parametrize("value", ["2 much", "0"])
def test_a_wrong_variable_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The variable is read as strictly as the flag, and named."""
    monkeypatch.setenv("MMSTATS_MAX_MEMORY", value)
    ran = ask("absent")
    assert ran.code == 2
    assert ran.error.startswith("MMSTATS_MAX_MEMORY must ")


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [
        ("700MiB", 700 << 20, "700 MiB"),
        ("2GB", 2_000_000_000, "2 GB"),
        ("1g", 1 << 30, "1 GiB"),
        ("1 gib", 1 << 30, "1 GiB"),
        ("512K", 512 << 10, "512 KiB"),
        ("5000", 5000, "5 KB"),
        ("1023b", 1023, "1023 bytes"),
        ("1.5GiB", 3 << 29, "1536 MiB"),
        ("1.3GiB", 1_395_864_371, "1.3 GiB"),
        ("0.25tb", 250_000_000_000, "250 GB"),
    ],
)
def test_sizes(text: str, size: int, shown: str) -> None:
    """A size is read in every form, without case, one letter being binary, and shown as a person would write it."""
    assert read_size(text) == size
    assert size_text(size) == shown


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that takes 1 byte when it is measured first, and 1 GiB ever after."""
    sizes = iter([1])
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=next(sizes, 1 << 30)))


@pytest.mark.usefixtures("growing")
def test_what_runs_is_stopped() -> None:
    """A computation that would go on is stopped in the middle, and nothing interrupts what comes after it."""
    with pytest.raises(TooMuchMemory) as refused:
        memory.bounded(1000, lambda: time.sleep(600))
    assert refused.value.size == 1000
    time.sleep(0.1)


@pytest.mark.usefixtures("growing")
def test_whatever_the_engine_makes_of_it_is_too_much_memory() -> None:
    """An interrupt that a library has turned into an error of its own is still reported as too much memory."""

    def compute() -> None:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            raise ValueError("python function failed") from None

    with pytest.raises(TooMuchMemory):
        memory.bounded(1000, compute)


@pytest.mark.usefixtures("growing")
def test_what_ignores_an_interrupt_gets_another() -> None:
    """A computation that swallows the first interrupt is stopped by the next, and is refused in any case."""

    def compute() -> str:
        for _ in range(2):
            try:
                time.sleep(600)
            except KeyboardInterrupt:
                continue
        return "answer"

    with pytest.raises(TooMuchMemory):
        memory.bounded(1000, compute)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_other_errors_stay_what_they_are(error: type[BaseException]) -> None:
    """An error within the bound, a person's interrupt among them, passes as it is."""

    def compute() -> None:
        raise error

    with pytest.raises(error):
        memory.bounded(1 << 60, compute)


def test_less_than_the_process_takes_is_refused_at_once() -> None:
    """Under a bound that the process has passed already, nothing is computed."""
    with pytest.raises(TooMuchMemory):
        memory.bounded(1, lambda: pytest.fail("computed"))


def test_a_bound_holds_where_interrupts_are_ignored(alone: Alone) -> None:
    """A job that a shell has started in the background, deaf to Ctrl-C, is bounded too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert alone("--group-by", "path", "--all", "--max-memory", SMALL) == (2, "", TOO_MUCH)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_stays_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C under a bound ends with code 130 and says nothing."""
    fifo = tmp_path / "events"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(fifo), "--max-memory", LARGE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process, fifo.open("wb"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


MAPPED = """
import resource, psutil
from mmstats.dataset import SAMPLE, Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
query = StatsQuery("uniques", group_by=("country",))
known = answer(query, Dataset(SAMPLE, limits=Limits(table_bytes=0, batch_rows=500))).to_json()
size = psutil.Process().memory_info().vms + (1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
assert answer(query, Dataset(SAMPLE, limits=Limits(table_bytes=1 << 36, batch_rows=500))).to_json() == known
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on what is mapped")
def test_a_table_that_the_system_does_not_grant_is_none() -> None:
    """Where the table of registers may not be mapped, visitors are estimated without it, to the same bytes."""
    subprocess.run([sys.executable, "-c", MAPPED], check=True)


def test_python_bounds_too(many: Path) -> None:
    """From Python the bound is a keyword, bytes or text, and passing it an error of the tree."""
    with pytest.raises(mmstats.TooMuchMemory, match="more than 1 MiB of memory"):
        mmstats.stats(many, max_memory=1 << 20)
    assert mmstats.stats(many, max_memory=LARGE).to_json() == mmstats.stats(many).to_json()


@pytest.mark.parametrize("value", [0, -1, True, 1.5, b"1", "x", "0"], ids=repr)
def test_wrong_sizes_are_refused_in_python(value: Any) -> None:
    """From Python a wrong bound is an invalid parameter, reported with the others."""
    with pytest.raises(mmstats.InvalidParams) as refused:
        mmstats.stats("absent", max_memory=value, limit=0)
    assert sorted(refused.value.field_errors) == ["limit", "max_memory"]


def test_python_bounds_only_what_it_can_stop(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another thread, or with another handler of interrupts, a bound is refused; without one nothing changes."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(mmstats.stats, many).result().rows == [{"value": 1_500_000}]
        with pytest.raises(mmstats.InvalidParams, match="max_memory needs the main thread"):
            pool.submit(mmstats.stats, many, max_memory=LARGE).result()
    monkeypatch.setattr(signal, "default_int_handler", None)
    with pytest.raises(mmstats.InvalidParams, match="max_memory needs the main thread"):
        mmstats.stats(many, max_memory=LARGE)


@pytest.fixture(scope="module")
def settled(many: Path) -> Iterator[Any]:
    """A server of the many events whose queries may take little memory."""
    with serving("--data", str(many), "--max-memory", "250MiB", "--max-concurrency", "1") as running:
        yield running


def test_the_server_refuses_too_much(settled: Any) -> None:
    """A query that takes more than the server gives one is an upstream failure that says so, and costs nobody else."""
    for _ in range(2):
        assert settled.stats(group_by="source").status == 200
        refused = settled.stats(group_by="path")
        assert refused.error == (502, "upstream_failed")
        assert refused.json["details"]["message"].startswith("the question needs more than 250 MiB of memory (")
