"""Answers are cached, and a cached answer is never other than what the files say."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.cache import Cache, Kind, make_key
from mmstats.cli import run
from mmstats.dataset import Dataset, sample_folder
from mmstats.engine_address import LOCAL, EngineAddress
from mmstats.engines import answer_cache, engine_for
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from tests import oracle
from tests.conftest import Ask
from tests.drawn import Drawn, datasets, questions

LINE = '{"timestamp":"2026-05-01T00:00:00Z","event_name":"%s"}\n'
QUERY = StatsQuery(group_by=("event_name",))
LIMITS = Limits(settle_ns=-(10**9))  # files that were written this very moment count as settled


def asked(
    dataset: Dataset, cache: Cache, query: StatsQuery = QUERY, engine: EngineAddress = LOCAL
) -> tuple[Stats, bool]:
    """The answer, and whether it had to be computed."""
    computed = []

    def compute() -> Stats:
        computed.append(True)
        return engine_for()(query, dataset)

    return answer_cache.Answers(cache, engine).answer(query, dataset, compute).stats, bool(computed)


def test_an_answer_is_cached_for_its_engine(tmp_path: Path) -> None:
    """An answer is cached for its engine: another may see other files under the same paths."""
    (tmp_path / "events.ndjson").write_text(LINE % "a")
    dataset, cache = Dataset((str(tmp_path / "events.ndjson"),), limits=LIMITS), Cache(tmp_path / "cache")
    chosen = [EngineAddress("sc", "one", 15002, (("cluster", name), ("token", "t"))) for name in "ab"]
    for engine in (LOCAL, EngineAddress("sc", "one", 15002), EngineAddress("sc", "other", 15002), *chosen):
        assert [asked(dataset, cache, engine=engine)[1] for _ in range(2)] == [True, False]


@settings(max_examples=60)
@given(datasets(), st.lists(questions(), min_size=1, max_size=3))
def test_a_cached_answer_is_the_answer(drawn: Drawn, asking: list[StatsQuery]) -> None:
    """A cached answer is the computed one to the byte, with its notices and its truncation."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "events")
        data.mkdir()
        drawn.write(data)
        dataset, cache = Dataset((str(data),), limits=LIMITS), Cache(Path(folder, "cache"))
        for query in asking:
            plain, _ = asked(dataset, cache, query)
            kept, computed = asked(dataset, cache, query)
            assert not computed
            assert kept == plain
            assert kept.to_json() == plain.to_json() == oracle.answer(query, drawn.events)


def test_files_that_change_are_read_again(tmp_path: Path) -> None:
    """An answer is not used once a file has been added, written to, replaced by one like it, or removed."""
    data = tmp_path / "events"
    data.mkdir()
    file, other = data / "a.ndjson", data / "b.ndjson"
    file.write_text(LINE % "a")
    dataset, cache = Dataset((str(data),), limits=LIMITS), Cache(tmp_path / "cache")

    def rows() -> tuple[list[tuple[object, object]], bool]:
        stats, computed = asked(dataset, cache)
        return [(row["event_name"], row["value"]) for row in stats.rows], computed

    assert rows() == ([("a", 1)], True)
    assert rows() == ([("a", 1)], False)
    other.write_text(LINE % "b")
    assert rows() == ([("a", 1), ("b", 1)], True)
    before = file.stat()
    (tmp_path / "new").write_text(LINE % "c")
    (tmp_path / "new").replace(file)  # as large as before, and as old
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rows() == ([("b", 1), ("c", 1)], True)
    other.unlink()
    assert rows() == ([("c", 1)], True)
    assert rows() == ([("c", 1)], False)


def test_how_data_is_read_is_part_of_the_question(tmp_path: Path) -> None:
    """A mapping or a timestamp unit makes the same files another dataset to the cache."""
    file = tmp_path / "a.ndjson"
    file.write_text('{"timestamp":1,"event_name":"a","type":"b"}\n')
    cache = Cache(tmp_path / "cache")
    plain = Dataset((str(file),), limits=LIMITS)
    for dataset in (plain, replace(plain, columns={"event_name": "type"}), replace(plain, timestamp_unit="ms")):
        assert asked(dataset, cache)[1]
        assert not asked(dataset, cache)[1]


@pytest.mark.parametrize("change", [lambda _: None, lambda file: os.utime(file, (0, 0))], ids=["new", "made old"])
def test_files_written_a_moment_ago_are_not_trusted(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """An answer of files that were changed within the last two seconds is not cached, whatever age they claim."""
    file = tmp_path / "a.ndjson"
    file.write_text(LINE % "a")
    change(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time_ns", lambda: file.stat().st_ctime_ns + 1_999_999_999)
        cache = Cache(tmp_path / "cache")
        assert asked(Dataset((str(file),)), cache)[1]
        assert cache.info().entries == 0


@pytest.mark.parametrize("damage", [b"", b"x", b"{}", None, "{}"])
def test_a_damaged_entry_is_dropped(tmp_path: Path, damage: bytes | str | None) -> None:
    """A damaged entry is dropped and the answer computed."""
    dataset, cache = Dataset((sample_folder(),), limits=LIMITS), Cache(tmp_path / "cache")
    whole, _ = asked(dataset, cache)
    (file,) = cache.folder.iterdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE entries SET content = ?", (damage,))
    assert asked(dataset, cache) == (whole, True)
    assert asked(dataset, cache) == (whole, False)


@pytest.mark.usefixtures("later")
def test_the_command_line_keeps_answers(
    ask: Ask, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`query` keeps its answer for its owner alone, `--no-cache` does not; `cache` tells of them and drops them."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    for options, answers in ((["--no-cache"], 0), ([], 1), ([], 1)):
        assert ask(sample_folder(), *options).value == 3759
        assert run(["cache", "info"]) == 0
        told = json.loads(capfd.readouterr().out)
        assert told["entries"] == answers
    folder = Path(told["folder"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert run(["cache", "clear"]) == 0
    assert capfd.readouterr().err == "note: dropped 1 entry\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", [["query", "--sample"], ["serve", "--sample"], ["cache", "info"]])
def test_a_wrong_size_of_the_cache_is_refused(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """`MMSTATS_CACHE_SIZE` must be a size, wherever the cache is used."""
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "large")
    assert run(command) == 2
    assert "error: MMSTATS_CACHE_SIZE must be a size such as 700MiB" in capfd.readouterr().err


def test_the_size_of_the_cache_can_be_set(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`MMSTATS_CACHE_SIZE` bounds what is kept."""
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "1.5MiB")
    assert run(["cache", "info"]) == 0
    assert json.loads(capfd.readouterr().out)["most_bytes"] == 3 << 19


@pytest.mark.usefixtures("later")
def test_notices_are_repeated(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Notices are repeated with a cached answer."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.ndjson").write_text(LINE % "a")
    (tmp_path / "data" / "other.bin").write_text("x")
    first, second = (ask(tmp_path / "data") for _ in range(2))
    assert first == second
    assert "1 file of unknown extension" in second.err


def test_a_cached_answer_needs_no_engine(tmp_path: Path) -> None:
    """Asked again, the command line imports neither Polars nor pyarrow."""
    program = (
        "import sys; from mmstats.cli import run; "
        "code = run(['query', '--sample', '--group-by', 'os']); "
        "print(code, sorted({'polars', 'pyarrow'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = {**os.environ, "MMSTATS_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    first, second = (subprocess.run(command, env=environment, capture_output=True, check=True) for _ in range(2))
    assert first.stdout == second.stdout
    assert first.stderr.endswith(b"0 ['polars']\n")
    assert second.stderr.endswith(b"0 []\n")


@pytest.mark.usefixtures("later")
def test_a_cache_that_cannot_be_written_is_no_error(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache that cannot be written costs no answer."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "file"))
    assert (ask(sample_folder()).value, ask(sample_folder()).err) == (3759, "")


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    """Beyond its bounds the cache drops what was not used for longest, and keeps nothing that is large by itself."""
    cache = Cache(tmp_path / "cache", most_bytes=1 << 16, most_entries=8)
    keys = [make_key(Kind.ANSWER, number) for number in range(9)]
    for key in keys[:8]:
        assert cache.store(key, b"x" * 100)
    assert cache.find(keys[0]) == b"x" * 100
    assert cache.store(keys[8], b"x" * 100)
    assert not cache.store(make_key(Kind.ANSWER, "large"), b"x" * (1 << 13))
    assert [number for number, key in enumerate(keys) if cache.find(key)] == [0, 2, 3, 4, 5, 6, 7, 8]


SHARING = """
import sys
from pathlib import Path
from mmstats.cache import Cache, Kind, make_key

cache = Cache(Path(sys.argv[1]), most_bytes=1 << 16)
for number in range(300):
    key, content = make_key(Kind.ANSWER, number % 5), str(number % 5).encode() * 300
    cache.store(key, content)
    assert cache.find(key) in (None, content)
    if number % 50 == 0:
        cache.clear()
"""


def test_processes_share_a_cache(tmp_path: Path) -> None:
    """Processes that write, read and drop the same entries at once see whole ones or none."""
    command = [sys.executable, "-c", SHARING, str(tmp_path / "cache")]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4


def test_a_folder_in_the_cache_is_left_alone(tmp_path: Path) -> None:
    """A folder in the cache's folder is neither counted nor removed."""
    cache = Cache(tmp_path / "cache")
    (tmp_path / "cache" / "folder").mkdir(parents=True)
    assert cache.store(make_key(Kind.ANSWER), b"content")
    assert cache.info().entries == 1
    cache.clear()
    assert cache.info().entries == 0
    assert (tmp_path / "cache" / "folder").is_dir()
