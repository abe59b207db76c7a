"""The cache on disk: bounded, private, shared, and never wrong, whatever becomes of its file."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache, Key, Kind, make_key
from mmstats.cli import run
from mmstats.version import library_versions
from tests.serving import PATIENCE, until

KEY = make_key(Kind.ANSWER, "key")
KINDS = ("answers", "partial_aggregates", "file_ranges", "event_names", "outputs")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache in a folder that is not there yet."""
    return Cache(tmp_path / "cache")


def numbered(number: int) -> Key:
    """One of many keys."""
    return make_key(Kind.PARTIALS, number)


def content_of(number: int) -> bytes:
    """What is stored under a numbered key: small for most, of several pages for some."""
    return b"%d " % number * (2000 if number % 7 == 0 else 20)


def file_of(cache: Cache) -> Path:
    """The only file of a cache that no process uses at the moment."""
    (file,) = cache.folder.iterdir()
    return file


@contextmanager
def opened(cache: Cache) -> Iterator[sqlite3.Connection]:
    """The cache's file, opened by somebody else."""
    with closing(sqlite3.connect(file_of(cache), isolation_level=None)) as connection:
        yield connection


def test_keys_differ_by_kind_and_parts() -> None:
    """A key is of its kind and of each of its parts; the same ones make the same key."""
    texts = [("ab", "c"), ("a", "bc"), ("abc",), (("ab", "c"),), (), ("ab", "c", None), ("1",), (1,), ("\udcff",)]
    keys = {make_key(kind, *parts) for kind in Kind for parts in texts}
    assert len(keys) == len(Kind) * len(texts)
    assert make_key(Kind.RANGES, ("a",), 1) == make_key(Kind.RANGES, ("a",), 1)


@pytest.mark.parametrize("name", ["build_id", "library_versions"])
def test_keys_are_of_a_build_and_its_libraries(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Another build of mmstats, or another release of a library that it computes with, finds no entry of this one."""
    before = make_key(Kind.ANSWER, "key")
    monkeypatch.setattr(f"mmstats.cache.{name}", lambda: "another")
    assert make_key(Kind.ANSWER, "key") != before


def test_releases_are_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The releases of the libraries are found without the standard library's slow way, and where it must be by it."""
    libraries = ("polars", "pyarrow", "polars_hash")
    expected = {f"{library}-{metadata.version(library)}" for library in libraries}
    assert expected <= {release.removesuffix(".dist-info") for release in library_versions()}
    library_versions.cache_clear()
    monkeypatch.setattr("os.listdir", lambda _: [])
    assert expected <= {release.replace("-h", "_h") for release in library_versions()}
    library_versions.cache_clear()


def test_the_slow_way_is_not_loaded() -> None:
    """Making a key loads neither the libraries nor what reads their metadata; finding nothing does not load SQLite."""
    program = (
        "import sys; from pathlib import Path; from mmstats.cache import *; "
        "Cache(Path(sys.argv[1])).find(make_key(Kind.ANSWER, 1)); "
        "print(sorted({'polars', 'pyarrow', 'polars_hash', 'importlib.metadata', 'sqlite3'} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", program, "not/there"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "[]\n"


def test_what_is_stored_is_found(cache: Cache) -> None:
    """The latest content of a key is found, by every process, and nothing under another key."""
    assert cache.find(KEY) is None
    for content in (b"one", b"", b"\0" * 100_000):
        assert cache.store(KEY, content)
        assert cache.find(KEY) == Cache(cache.folder).find(KEY) == content
    assert cache.find(make_key(Kind.RANGES, "key")) is None
    assert cache.info().entries == 1


@pytest.mark.parametrize("columns", ["digest, content", "kind, digest, content", "content"])
def test_an_entry_copied_over_another_is_dropped(cache: Cache, columns: str) -> None:
    """An entry answers only the question that it was stored for."""
    other = make_key(Kind.PARTIALS, "other")
    cache.store(KEY, b"right")
    cache.store(other, b"wrong")
    with opened(cache) as connection:
        row = f"(SELECT {columns} FROM entries WHERE key = ?)"
        connection.execute(f"UPDATE entries SET ({columns}) = {row} WHERE key = ?", (other.digest, KEY.digest))
    assert cache.find(KEY) is None
    assert cache.find(other) == b"wrong"
    assert cache.info().entries == 1


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else may look into the folders and files that it makes, whatever the user's mask."""
    mask = os.umask(0)
    try:
        cache = Cache(tmp_path / "parent" / "cache")
        cache.store(KEY, b"content")
    finally:
        os.umask(mask)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (cache.folder.parent, cache.folder, file_of(cache))]
    assert modes == [0o700, 0o700, 0o600]


def test_bounded_by_what_it_takes_on_disk(tmp_path: Path) -> None:
    """The file is never larger than the cache may be, small entries or large, and it holds what was used last."""
    cache = Cache(tmp_path, most_bytes=1 << 18)
    for number in range(1500):
        assert cache.store(numbered(number), content_of(number))
        assert file_of(cache).stat().st_size <= cache.most_bytes
        assert cache.find(numbered(0)) == content_of(0)
    info = cache.info()
    assert info.bytes == file_of(cache).stat().st_size > cache.most_bytes * 3 / 4
    newest = range(1500 - info.entries + 1, 1500)
    assert all(cache.find(numbered(number)) == content_of(number) for number in newest)


def test_bounded_by_entries(tmp_path: Path) -> None:
    """There are never more entries than there may be."""
    cache = Cache(tmp_path, most_entries=50)
    for number in range(120):
        cache.store(numbered(number), b"content")
    assert cache.info().entries == 50
    assert [number for number in range(120) if cache.find(numbered(number))] == [*range(70, 120)]


def test_a_file_shrinks_with_its_bound(tmp_path: Path) -> None:
    """Where the bound is lowered, the next entry brings the file below it."""
    for number in range(1000):
        Cache(tmp_path).store(numbered(number), b"x" * 1000)
    for most_bytes in (1 << 20, 700 << 10, 1 << 16):
        cache = Cache(tmp_path, most_bytes)
        assert cache.store(KEY, b"content")
        assert cache.find(KEY) == b"content"
        assert file_of(cache).stat().st_size <= most_bytes


def test_too_small_for_anything(tmp_path: Path) -> None:
    """A cache that may not even take what an empty file does is none."""
    cache = Cache(tmp_path / "cache", most_bytes=1000)
    assert not cache.store(KEY, b"")
    assert not cache.folder.exists()


def test_many_entries_make_no_find_slower(tmp_path: Path) -> None:
    """Finding looks at one entry, not at all: 30 times as many do not take four times as long."""
    seconds = []
    for number_of_entries in (1_000, 30_000):
        cache = Cache(tmp_path / str(number_of_entries))
        cache.store(KEY, b"content")
        with opened(cache) as connection:
            rows = ((os.urandom(32), "answers", number + 2, b"", b"") for number in range(number_of_entries))
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        started = time.process_time()
        for _ in range(50):
            cache.find(KEY)
            cache.find(numbered(1))
        seconds.append(time.process_time() - started)
    assert seconds[1] < 4 * seconds[0] + 0.05


def foreign(file: Path) -> None:
    """A database of another program."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE entries (key); PRAGMA application_id = 7;")


def unmarked(file: Path) -> None:
    """A database that does not say whose it is."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("PRAGMA auto_vacuum = FULL; CREATE TABLE things (key);")


def later_schema(file: Path) -> None:
    """A cache of a later mmstats."""
    Cache(file.parent).store(KEY, b"content")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def other_columns(file: Path) -> None:
    """A cache whose table is not as it should be."""
    Cache(file.parent).store(KEY, b"content")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE entries RENAME COLUMN content TO other")


def without_indexes(file: Path) -> None:
    """A cache that has lost the pages after its first."""
    Cache(file.parent).store(KEY, b"content")
    os.truncate(file, 4096)


def write_protected(file: Path) -> None:
    """A cache whose header says that it may not be written."""
    Cache(file.parent).store(KEY, b"content")
    content = bytearray(file.read_bytes())
    content[18] = 9
    file.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("events\n" * 1000),
    "zeros": lambda file: file.write_bytes(bytes(20_000)),
    "a header alone": lambda file: file.write_bytes(b"SQLite format 3\0"),
    "another program's": foreign,
    "unmarked": unmarked,
    "a later schema": later_schema,
    "other columns": other_columns,
    "truncated": without_indexes,
    "write-protected": write_protected,
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_or_foreign_file_is_made_anew(tmp_path: Path, case: str) -> None:
    """What is no cache is dropped, and the next entry stored in a new one."""
    cache = Cache(tmp_path)
    cache.store(KEY, b"content")
    file = file_of(cache)
    file.unlink()
    DAMAGE[case](file)
    assert cache.info().bytes == file.stat().st_size
    assert cache.find(numbered(1)) is None
    assert cache.store(numbered(1), b"new")
    assert cache.find(numbered(1)) == b"new"
    assert stat.S_IMODE(file_of(cache).stat().st_mode) & 0o700 == 0o600
    with opened(cache) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 20, 500]), st.booleans())
def test_a_damaged_file_gives_no_wrong_content(chance: random.Random, bytes_changed: int, in_headers: bool) -> None:
    """Whatever bytes are changed, what is found is what was stored, and what is stored then is found."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder), most_bytes=1 << 19)
        for number in range(60):
            cache.store(numbered(number), content_of(number))
        content = bytearray(file_of(cache).read_bytes())
        for _ in range(bytes_changed):
            page = chance.randrange(len(content) // 4096) * 4096
            content[page + chance.randrange(100 if in_headers else 4096)] = chance.randrange(256)
        file_of(cache).write_bytes(content)
        for number in chance.sample(range(80), 40):
            assert cache.find(numbered(number)) in {None, content_of(number)}
            assert cache.store(numbered(number), content_of(number))


@pytest.mark.parametrize("case", ["folder", "file", "loop"])
def test_where_there_can_be_no_cache_nothing_is_found(tmp_path: Path, case: str) -> None:
    """A place that cannot be written is no error."""
    if case == "folder":
        (tmp_path / "cache").write_text("")
    elif case == "loop":
        (tmp_path / "cache").symlink_to(tmp_path / "cache")
    else:
        Cache(tmp_path / "cache").store(KEY, b"")
        file = file_of(Cache(tmp_path / "cache"))
        file.unlink()
        file.mkdir()
    cache = Cache(tmp_path / "cache")
    assert not cache.store(KEY, b"content")
    assert cache.find(KEY) is None


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    """What there is no room for is not stored, and what was stored is still found."""
    program = """
import resource, sys
from pathlib import Path
from mmstats.cache import *

cache, small, large = Cache(Path(sys.argv[1])), make_key(Kind.ANSWER, 1), make_key(Kind.ANSWER, 2)
assert cache.store(small, b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
assert not cache.store(large, b"large" * 100_000)
assert cache.find(large) is None
assert cache.find(small) == b"small"
"""
    pytest.importorskip("resource")
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_a_python_without_sqlite_has_no_cache(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions are answered by a Python that was built without SQLite."""
    cache.store(KEY, b"content")
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    assert cache.find(KEY) is None
    assert not cache.store(KEY, b"content")


def test_a_lock_is_not_waited_for(cache: Cache) -> None:
    """A process that holds the file for long makes no other wait: this one goes on without the cache."""
    cache.store(KEY, b"content")
    with opened(cache) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        assert [cache.find(KEY) for _ in range(5)] == [None] * 5
        assert not cache.store(numbered(1), b"content")
        assert time.monotonic() - started < 5  # for which SQLite would wait for a single one
    assert cache.find(KEY) == b"content"


def test_what_took_long_waits_for_a_lock(cache: Cache) -> None:
    """What is worth it is stored though another process holds the file, once that lets go of it."""
    cache.store(KEY, b"content")
    with opened(cache) as connection, ThreadPoolExecutor(1) as other:
        connection.execute("BEGIN EXCLUSIVE")
        stored = other.submit(cache.store, numbered(1), b"other", PATIENCE)
        until(stored.running)
        connection.execute("COMMIT")
        assert stored.result(PATIENCE)
    assert cache.find(numbered(1)) == b"other"


def test_a_reader_does_not_stop_readers(cache: Cache) -> None:
    """Where another process only reads, entries are found, their use recorded or not."""
    for number in range(9):
        cache.store(numbered(number), b"content")
    with opened(cache) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert [cache.find(numbered(number)) for number in range(9)] == [b"content"] * 9


def test_threads_share_a_cache(cache: Cache) -> None:
    """Threads may use one cache at once; none leaves the file open behind it."""
    wrong = []

    def use(first: int) -> None:
        for number in range(first, first + 60):
            cache.store(numbered(number % 80), content_of(number % 80))
            found = cache.find(numbered(number % 80))
            wrong.extend([found] * (found not in {None, content_of(number % 80)}))

    threads = [threading.Thread(target=use, args=(20 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.info().entries > 0
    if sys.platform == "linux":
        descriptors = (str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
        assert not any(str(cache.folder) in target for target in descriptors)


USING = """
import random, sys
from pathlib import Path
from mmstats.cache import Cache, Kind, make_key

cache = Cache(Path(sys.argv[1]), most_bytes=1 << 18, most_entries=50)
entries = [(make_key(Kind.ANSWER, number), b"%d " % number * (20 if number % 7 else 2000)) for number in range(100)]
print("started", flush=True)
while True:
    key, content = random.choice(entries)
    if random.random() < 0.5:
        cache.store(key, content)
    elif cache.find(key) not in {None, content}:
        print("wrong", flush=True)
    elif random.random() < 0.001:
        cache.clear()
"""


def test_processes_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    """Processes that use one cache and are killed at random leave others no wrong content, and show no error."""
    command = [sys.executable, "-c", USING, str(tmp_path)]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    running, written = [start() for _ in range(4)], set()
    chance = random.Random(1)
    for turn in range(16):
        process = running.pop(0)
        if turn < 12:
            running.append(start())
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        time.sleep(chance.random() / 5)
        process.send_signal(signal.SIGKILL)
        written.update(process.communicate())
    assert written == {""}
    cache = Cache(tmp_path, most_bytes=1 << 18, most_entries=50)
    assert cache.store(KEY, b"content")
    assert cache.find(KEY) == b"content"
    assert cache.info().entries <= 50
    assert file_of(cache).stat().st_size <= 1 << 18


def test_info_counts_by_kind(cache: Cache, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`cache info` says where the cache is, what it takes on disk and how many entries it has of each kind."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(cache.folder))
    assert run(["cache", "info"]) == 0
    empty = {"folder": str(cache.folder), "entries": 0, "bytes": 0, "most_bytes": 512 << 20, "most_entries": 100_000}
    assert json.loads(capfd.readouterr().out) == {**empty, "kinds": dict.fromkeys(KINDS, 0)}
    for kind, number in ((Kind.ANSWER, 1), (Kind.ANSWER, 2), (Kind.EVENT_NAMES, 1)):
        cache.store(make_key(kind, number), b"content")
    assert run(["cache", "info"]) == 0
    size, kinds = file_of(cache).stat().st_size, dict(zip(KINDS, (2, 0, 0, 1, 0), strict=True))
    assert json.loads(capfd.readouterr().out) == {**empty, "entries": 3, "bytes": size, "kinds": kinds}


def test_info_is_a_table_on_a_terminal(
    cache: Cache, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person gets a table."""
    cache.store(KEY, b"content")
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(cache.folder))
    monkeypatch.setattr("mmstats.cli.cache.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(["cache", "info"]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["1", "of", "at", "most", "100,000", "entries"] in lines
    assert ["answers", "1"] in lines
    assert ["partial", "aggregates", "0"] in lines


@pytest.mark.parametrize("case", DAMAGE)
def test_clear_removes_what_is_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """`cache info` and `cache clear` do their work on a damaged cache too, with all files that belong to it."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path))
    Cache(tmp_path).store(KEY, b"content")
    file = file_of(Cache(tmp_path))
    file.unlink()
    DAMAGE[case](file)
    for side in ("-journal", "-wal", "-shm"):
        file.with_name(file.name + side).write_bytes(b"left by a process that was killed")
    assert run(["cache", "info"]) == 0
    assert json.loads(capfd.readouterr().out)["bytes"] >= file.stat().st_size
    assert run(["cache", "clear"]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "code", "message"), [("info", 4, "looked into"), ("clear", 5, "cleared")])
def test_a_folder_that_may_not_be_looked_into(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    code: int,
    message: str,
) -> None:
    """`cache info` and `cache clear` say of a folder that nobody can look into that it is one."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "loop"))
    assert run(["cache", command]) == code
    written = capfd.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"error: {tmp_path / 'loop'}: cannot be {message}: ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")
def test_rights_that_are_missing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder may be read but not written entries are found; one that may not be entered is told of."""
    cache.store(KEY, b"content")
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(cache.folder))
    try:
        file_of(cache).chmod(0o400)
        cache.folder.chmod(0o500)
        assert cache.find(KEY) == b"content"
        assert not cache.store(numbered(1), b"content")
        assert run(["cache", "clear"]) == 5
        cache.folder.chmod(0)
        assert cache.find(KEY) is None
        assert run(["cache", "info"]) == 4
    finally:
        cache.folder.chmod(0o700)
