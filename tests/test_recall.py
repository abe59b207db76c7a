"""Outputs are recalled to the byte, before the program is loaded, and only while nothing that decided them changed."""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmstats.engines.local.engine  # noqa: F401 - it sets variables, which are in the key, when it is loaded
from mmstats import recall
from mmstats.cli import run
from mmstats.cli.progress import Progress
from mmstats.cli.transcript import transcribed
from tests.conftest import Ran
from tests.objectserver import serving_objects
from tests.terminal import all_shown, open_terminal

ROOT = Path(__file__).parent.parent
LINE = '{"timestamp":"2026-05-01T00:00:00Z","event_name":"%s"}\n'
BY_SOURCE = ["query", "--sample", "--group-by", "source"]
# The program, which leaves in the file that a variable names what it has loaded.
PROGRAM = """
import os, sys
from mmstats.__main__ import main
try:
    main()
finally:
    open(os.environ["TEST_MODULES"], "w").write(" ".join(sys.modules))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to ask in, beside an empty cache, out of reach of anybody's settings."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG", "NO_COLOR", "COLUMNS", "LINES", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TEST_MODULES", str(tmp_path / "modules"))
    return folder


def called(arguments: Sequence[str], **more: Any) -> tuple[subprocess.CompletedProcess[bytes], set[str]]:
    """How the program ends in a process of its own, and the modules that it has loaded then."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    # By name: pytest has loaded readline, which puts the size of its own terminal into what would be inherited.
    done = subprocess.run(command, check=False, env={**os.environ}, **streams)
    return done, {*Path(os.environ["TEST_MODULES"]).read_text().split()}


def is_recalled(modules: set[str]) -> bool:
    """Whether a process that ends with these modules has recalled its output."""
    return "mmstats.cli" not in modules


def ask(*arguments: str) -> tuple[Ran, bool]:
    """What the program writes, asked in this process, and whether that was recalled."""
    with pytest.MonkeyPatch.context() as patch:
        out, err = io.BytesIO(), io.BytesIO()
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8"))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8", errors="backslashreplace"))
        question = recall.asked(arguments)
        code = recall.recall(question) if question else None
        recalled = code is not None
        if code is None:
            code = run(arguments, question)
        sys.stdout.flush()
        sys.stderr.flush()
        return Ran(code, out.getvalue().decode(), err.getvalue().decode()), recalled


def outputs() -> list[Path]:
    """The files of the outputs that are kept."""
    return sorted(Path(os.environ["MMSTATS_CACHE_DIR"], "outputs").glob("*"))


def test_a_recalled_output_needs_nothing_but_itself(here: Path) -> None:
    """Asked again, the program loads no command line, no settings, no library, and writes the same bytes."""
    first, loaded = called(BY_SOURCE, cwd=here)
    assert {"typer", "polars", "mmstats.settings"} <= loaded
    again, loaded = called(BY_SOURCE, cwd=here)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, first.stderr)
    own = {"__main__", "file_states", "interrupts", "recall", "version"}
    assert {name for name in loaded if name.partition(".")[0] == "mmstats"} == {
        "mmstats",
        *(f"mmstats.{n}" for n in own),
    }
    assert not loaded & {"typer", "rich", "polars", "pyarrow", "platformdirs", "sqlite3", "hashlib", "json"}


def test_messages_are_recalled(here: Path) -> None:
    """What was written to stderr beside an answer is written again."""
    arguments = ["query", "--event", "sign_up", "--group-by", "path"]
    first, second = (called(arguments, cwd=here) for _ in range(2))
    assert b"note: this is the bundled sample" in first[0].stderr
    assert b"warning: " in first[0].stderr
    assert (second[0].stdout, second[0].stderr) == (first[0].stdout, first[0].stderr)
    assert is_recalled(second[1])


def on_terminal(arguments: Sequence[str], columns: int = 80, lines: int = 24) -> tuple[bytes, bool]:
    """What a terminal shows of stdout and stderr together, and whether it was recalled."""
    ours, theirs = open_terminal(lines, columns)
    _, modules = called(arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return all_shown(ours), is_recalled(modules)


@pytest.mark.usefixtures("here")
def test_a_terminal_gets_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal an output is recalled for its width, its colours and its kind, messages in their place."""
    arguments = ["query", "--group-by", "source", "--limit", "2"]
    called(arguments)  # the answer is cached, so that no terminal has to wait for it and is shown progress
    wide, _ = on_terminal(arguments)
    assert b"note:" in wide
    assert b"\x1b[" in wide
    assert on_terminal(arguments) == (wide, True)
    narrow, recalled = on_terminal(arguments, columns=30)
    assert (narrow != wide, recalled) == (True, False)
    assert on_terminal(arguments, columns=30) == (narrow, True)
    for name, value in (("NO_COLOR", "1"), ("COLUMNS", "40"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            page, recalled = on_terminal(arguments)
            assert (page != wide, recalled) == (True, False)
            assert on_terminal(arguments) == (page, True)
    assert on_terminal(arguments) == (wide, True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("pager", ["cat", ""], ids=["paged", "no pager"])
def test_a_page_longer_than_the_terminal_is_not_kept(monkeypatch: pytest.MonkeyPatch, pager: str) -> None:
    """What a pager shows, or would if there was one, is never kept; with `--no-pager` it is."""
    monkeypatch.setenv("PAGER", pager)
    arguments = ["query", "--sample", "--group-by", "path"]
    called(arguments)  # as above
    kept = outputs()
    for _ in range(2):
        assert not on_terminal(arguments, lines=8)[1]
    assert outputs() == kept
    page, _ = on_terminal([*arguments, "--no-pager"], lines=8)
    assert on_terminal([*arguments, "--no-pager"], lines=8) == (page, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_code_5_again(here: Path) -> None:
    """A recalled output that the disk does not take ends as the first one would: with code 5, and why."""
    called(BY_SOURCE, cwd=here)
    with Path("/dev/full").open("wb") as full:
        done, _ = called(BY_SOURCE, cwd=here, stdout=full)
    assert (done.returncode, done.stderr) == (5, b"error: cannot write to stdout: No space left on device\n")


def test_a_closed_pipe_is_no_error_again(here: Path) -> None:
    """A recalled output whose reader has gone ends with code 0, without a word."""
    called(BY_SOURCE, cwd=here)
    read, write = os.pipe()
    os.close(read)
    done, modules = called(BY_SOURCE, cwd=here, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr, is_recalled(modules)) == (0, b"", True)


@pytest.mark.usefixtures("here", "later")
@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "--sample", "--no-cache"],
        ["query", "--sample", "--stats"],
        ["query", "--sample", "--explain"],
        ["query", "--sample", "--output", "../answer.json"],
        ["query", "--sample", "--limit", "0"],
        ["query", "--data", "none"],
        ["query", "--sample", "--last", "30d"],
        ["query", "--sample", "--period", "this-year", "--interval", "month"],
        ["query", "--sample", "--to", "now", "--timezone", "Europe/Berlin"],
        ["query", "--sample", "--timezone", "local", "--interval", "day"],
        ["query", "--data", "/dev/null", "--input-format", "ndjson"],
        ["query", "--help"],
        ["describe", "--sample"],
        ["cache", "info"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_other_outputs_are_not_kept(arguments: list[str]) -> None:
    """Nothing is kept of errors, of other commands, and where files here do not decide the whole output."""
    for _ in range(2):
        assert not ask(*arguments)[1]
    assert outputs() == []


def test_stdin_and_pipes_are_not_kept(here: Path) -> None:
    """What can be read only once is read each time."""
    os.mkfifo(here / "pipe")
    for name in ("a", "b"):
        line, question = (LINE % name).encode(), ["query", "--group-by", "event_name"]
        piped, modules = called([*question, "-"], cwd=here, input=line)
        assert (b'"%s"' % name.encode() in piped.stdout, is_recalled(modules)) == (True, False)
        with subprocess.Popen(["sh", "-c", "cat > pipe"], cwd=here, stdin=subprocess.PIPE) as writer:
            assert writer.stdin
            writer.stdin.write(line)
            writer.stdin.close()
            named, modules = called([*question, "pipe"], cwd=here)
        assert (named.stdout, is_recalled(modules)) == (piped.stdout, False)
    assert outputs() == []


def test_what_is_on_a_server_is_not_kept(here: Path) -> None:
    """A file on a server is asked for each time."""
    with serving_objects("web", {"a.ndjson": (LINE % "a").encode()}) as server:
        for _ in range(2):
            done, modules = called(["query", f"{server.endpoint}/web/a.ndjson"], cwd=here)
            assert (json.loads(done.stdout)["rows"], is_recalled(modules)) == ([{"value": 1}], False)
    assert outputs() == []


@pytest.mark.usefixtures("here", "later")
def test_no_cache_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a cache, by its size or because its folder cannot be had, nothing is kept and nothing fails."""
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "0")
    assert [ask(*BY_SOURCE)[1] for _ in range(2)] == [False, False]
    monkeypatch.delenv("MMSTATS_CACHE_SIZE")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "file"))
    assert [ask(*BY_SOURCE)[1] for _ in range(2)] == [False, False]


def test_files_changed_a_moment_ago_are_not_trusted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept of files and folders changed within the last two seconds, whatever age they claim."""
    file = here / "data" / "a.ndjson"
    file.parent.mkdir()
    file.write_text(LINE % "a")
    os.utime(file, (0, 0))
    began = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: began + 1_900_000_000)
    assert [ask("query", "--data", "data")[1] for _ in range(2)] == [False, False]
    monkeypatch.setattr("time.time_ns", lambda: time.clock_gettime_ns(time.CLOCK_REALTIME) + 10**10)
    assert [ask("query", "--data", "data")[1] for _ in range(2)] == [False, True]


def test_a_folder_changed_a_moment_ago_is_not_trusted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept of a folder that was changed within the last two seconds, even if its files were not."""
    file = here / "data" / "a.ndjson"
    file.parent.mkdir()
    file.write_text(LINE % "a")
    settles = file.stat().st_ctime_ns + 2_010_000_000
    while file.parent.stat().st_ctime_ns < file.stat().st_ctime_ns + 20_000_000:
        (file.parent / "_other").touch()
        (file.parent / "_other").unlink()
    monkeypatch.setattr("time.time_ns", lambda: settles)
    assert [ask("query", "--data", "data/a.ndjson")[1] for _ in range(2)] == [False, True]
    assert [ask("query", "--data", "data")[1] for _ in range(2)] == [False, False]


@pytest.mark.usefixtures("here", "later")
def test_progress_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written while the display of progress was there is no whole transcript."""
    monkeypatch.setattr("mmstats.cli.progress.is_stderr_terminal", lambda: True)
    with transcribed() as transcript, Progress(delay=0):
        deadline = time.monotonic() + 60
        while transcript.is_whole and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not transcript.is_whole


def test_another_program_recalls_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another build of mmstats, other flags of Python, and a library installed since find nothing of this program."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{folder}")
    called(BY_SOURCE, cwd=here)
    assert is_recalled(called(BY_SOURCE, cwd=here)[1])
    (folder / "new.py").write_text("")
    assert not is_recalled(called(BY_SOURCE, cwd=here)[1])
    assert is_recalled(called(BY_SOURCE, cwd=here)[1])
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    assert not is_recalled(called(BY_SOURCE, cwd=here)[1])
    ask(*BY_SOURCE)
    assert ask(*BY_SOURCE)[1]
    monkeypatch.setattr("mmstats.recall.build", lambda: "another")
    assert not ask(*BY_SOURCE)[1]


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "first bit": lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]),
    "last bit": lambda file: file.write_bytes(file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1])),
    "other text": lambda file: file.write_bytes(file.read_bytes().replace(b"google", b"goggle")),
    "writable for others": lambda file: file.chmod(0o666),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "a link": lambda file: file.replace(file.with_name("moved")).parent.joinpath(file.name).symlink_to("moved"),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_entry_is_no_answer(case: str) -> None:
    """An entry that is not what was kept, or may be somebody else's, is not recalled, and the question answered."""
    whole, _ = ask(*BY_SOURCE)
    (file,) = outputs()
    DAMAGE[case](file)
    assert ask(*BY_SOURCE) == (whole, False)
    if case != "a folder":
        assert ask(*BY_SOURCE) == (whole, True)


@pytest.mark.usefixtures("here")
def test_an_entry_under_another_name_is_dropped() -> None:
    """An entry answers only the question that it was kept for."""
    ask(*BY_SOURCE)
    (other,) = outputs()
    ask("query", "--sample")
    (file,) = (one for one in outputs() if one != other)
    file.write_bytes(other.read_bytes())
    assert ask("query", "--sample")[0].value == 3759


@pytest.mark.usefixtures("here")
def test_outputs_are_counted_and_cleared() -> None:
    """`cache info` counts outputs and their bytes, for their owner alone, and `cache clear` removes them."""
    assert not ask(*BY_SOURCE)[1]
    (file,) = outputs()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    told = json.loads(ask("cache", "info")[0].out)
    assert told["kinds"]["outputs"] == 1
    assert told["bytes"] == sum(one.stat().st_size for one in Path(told["folder"]).rglob("*") if one.is_file())
    assert ask("cache", "clear")[0].err == f"note: dropped {told['entries']} entries\n"
    assert list(Path(told["folder"]).iterdir()) == []
    assert not ask(*BY_SOURCE)[1]


@pytest.mark.usefixtures("here")
def test_outputs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs take their share of the cache and no more, the oldest go first, and a large one is not kept."""
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "2MiB")
    limits = [str(number) for number in range(1, 21)]
    for limit in limits:
        ask("query", "--sample", "--group-by", "path", "--limit", limit)
    assert 2 < len(outputs()) < 20
    assert sum(file.stat().st_size for file in outputs()) <= recall.share(2 << 20)
    assert ask("query", "--sample", "--group-by", "path", "--limit", "20")[1]
    assert not ask("query", "--sample", "--group-by", "path", "--limit", "1")[1]
    monkeypatch.setattr(recall, "MOST_ENTRIES", 3)
    ask("query", "--sample", "--group-by", "path", "--limit", "30")
    assert len(outputs()) == 3
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "1MiB")
    assert [ask(*BY_SOURCE)[1] for _ in range(2)] == [False, False]


@pytest.mark.usefixtures("later")
def test_a_store_is_recalled_by_its_manifest(here: Path) -> None:
    """The output of a store is recalled until something else is imported into it, or a file of it is touched."""
    (here / "a.ndjson").write_text(LINE % "a")
    assert ask("import", "a.ndjson", "--to", "store")[0].code == 0
    question = ["query", "--data", "store", "--group-by", "event_name"]
    first, _ = ask(*question)
    assert ask(*question) == (first, True)
    (here / "b.ndjson").write_text(LINE % "b")
    assert ask("import", "b.ndjson", "--to", "store")[0].code == 0
    second, recalled = ask(*question)
    assert (len(second.rows), recalled) == (2, False)
    assert ask(*question) == (second, True)
    for file in (here / "store" / "_mmstats.json", max((here / "store").rglob("*.parquet"))):
        whole = file.read_bytes()
        file.write_bytes(whole[:-9])
        assert ask(*question)[0].code == 4
        file.write_bytes(whole)
        assert [ask(*question) for _ in range(2)] == [(second, False), (second, True)]


# A tree of folders: one to ask in, its parent, data in them and elsewhere, and the user's configuration.
FILES = (
    *("here/data/a.ndjson", "here/data/day=1/b.ndjson", "here/data/day=2/b.ndjson", "here/data/day=2/deep/c.ndjson"),
    *("here/data/other.bin", "here/data/_hidden/d.ndjson", "elsewhere/a.ndjson", "elsewhere/b.ndjson"),
)
FOLDERS = ("here/data", "here/data/day=1", "here/data/day=3", "here/data/a.ndjson", "elsewhere", "here/link", "config")
LINKS = (*FOLDERS, *FILES[:3], "here/data/other.bin", "here/data/day=1/more.ndjson")
SETTINGS = ("here/mmstats.toml", "here/below/mmstats.toml", "mmstats.toml", "config/mmstats/config.toml")
TEXTS = (
    'data = "data"',
    'data = ["data/*.ndjson", "data/day=*/b.ndjson"]',
    'data = "../elsewhere"',
    'format = "csv"\n[columns]\nevent_name = "event_id"',
    "skip_bad_rows = true",
    "# nothing",
    "no TOML",
)
QUESTIONS = (
    ["data"],
    ["data/a.ndjson"],
    ["data/*.ndjson"],
    ["data/day=*/b.ndjson"],
    ["data/**/*.ndjson"],
    ["data", "link"],
    ["link/b.ndjson", "data/a.ndjson"],
    [],
    ["--format", "table"],
    ["--map", "event_name=event_id", "data"],
)
VARIABLES = (("MMSTATS_DATA", "data"), ("MMSTATS_DATA", "link"), ("COLUMNS", "40"), ("MMSTATS_CONFIG", "own.toml"))


def changes() -> st.SearchStrategy[tuple[Any, ...]]:
    """A change of the tree, of what is in the environment, or of the folder to ask in."""
    return st.one_of(
        st.tuples(st.sampled_from(("write", "append", "replace", "spoil")), st.sampled_from(FILES)),
        st.tuples(st.just("remove"), st.sampled_from((*FILES, *SETTINGS, *LINKS))),
        st.tuples(st.just("folder"), st.sampled_from(FOLDERS)),
        st.tuples(st.just("link"), st.sampled_from(LINKS), st.sampled_from((*FILES, "elsewhere", "here/data/day=1"))),
        st.tuples(st.just("settings"), st.sampled_from(SETTINGS), st.sampled_from(TEXTS)),
        st.tuples(st.sampled_from(("set", "unset")), st.sampled_from(VARIABLES)),
        st.tuples(st.just("go"), st.sampled_from(("here", "here/below"))),
    )


class Tree:
    """The tree below a folder; no two writes leave files of one size, so that each shows whatever the clock does."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self._root, self._patch, self._writes = root, patch, 0
        for file in FILES[:3]:
            self.apply("write", file)
        (root / "here" / "below").mkdir(parents=True)
        self.apply("go", "here")

    def apply(self, change: str, what: Any, other: str = "") -> None:
        """Make a change; one that cannot be made is none."""
        path = self._root / what if isinstance(what, str) else self._root
        with suppress(OSError):
            if change in ("set", "unset"):
                name, value = what
                self._patch.setenv(name, value) if change == "set" else self._patch.delenv(name, raising=False)
            elif change == "go":
                self._patch.chdir(path)
            elif change == "remove":
                self._remove(path)
            elif change == "folder":
                self._remove(path)
                path.mkdir(parents=True)
            elif change == "link":
                self._remove(path)
                path.symlink_to(self._root / other)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(change, path, other)

    def _write(self, change: str, path: Path, text: str) -> None:
        self._writes += 1
        lines = LINE % f'{"x" * self._writes}","event_id":"{len(path.name)}'
        if change == "append":
            with path.open("a") as file:
                file.write(lines)
        elif change == "replace":
            new = path.with_name("_new")
            new.write_text(lines)
            new.replace(path)
        else:
            path.write_text({"write": lines, "spoil": "{" + "x" * self._writes}.get(change, text))

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            path.rename(self._root / f"removed {len(list(self._root.iterdir()))}")
        else:
            path.unlink(missing_ok=True)


@pytest.fixture
def tree(here: Path, monkeypatch: pytest.MonkeyPatch, later: None) -> Tree:  # noqa: ARG001 - files count as settled
    """A tree with something of everything in it."""
    tree = Tree(here.parent, monkeypatch)
    tree.apply("write", "elsewhere/b.ndjson")
    tree.apply("link", "here/link", "elsewhere")
    tree.apply("link", "here/data/day=1/more.ndjson", "elsewhere/b.ndjson")
    tree.apply("write", "elsewhere/way.bin")
    tree.apply("folder", "here/data/empty")
    tree.apply("link", "here/data/way.bin", "elsewhere/way.bin")
    tree.apply("settings", "mmstats.toml", 'data = ["here/data", "here/link"]')
    tree.apply("settings", "here/below/mmstats.toml", 'data = "../data/a.ndjson"')
    for folder in ("first", "second"):
        (here.parent / folder).mkdir()
    (here.parent / "first" / "one.ndjson").write_text(LINE % "one")
    (here.parent / "second" / "one.ndjson").hardlink_to(here.parent / "first" / "one.ndjson")
    tree.apply("link", "here/one", "first")
    return tree


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("question", [*QUESTIONS, ["--last", "30d", "--now", "2026-05-20"]], ids=" ".join)
def test_what_does_not_change_is_recalled(question: list[str]) -> None:
    """Files, folders, globs, links and settings that stay as they are have their output recalled."""
    first, _ = ask("query", "--group-by", "event_name", *question)
    assert first.code == 0
    assert ask("query", "--group-by", "event_name", *question) == (first, True)


@pytest.mark.parametrize(
    ("question", "change"),
    [
        ("data/a.ndjson", ("write", "here/data/a.ndjson")),
        ("data/a.ndjson", ("replace", "here/data/a.ndjson")),
        ("data/a.ndjson", ("remove", "here/data/a.ndjson")),
        ("data/a.ndjson", ("link", "here/data/a.ndjson", "elsewhere/b.ndjson")),
        ("data", ("append", "here/data/day=2/b.ndjson")),
        ("data", ("write", "here/data/day=2/new.ndjson")),
        ("data", ("write", "here/data/day=3/deep/new.ndjson")),
        ("data", ("write", "here/data/other.bin")),
        ("data", ("write", "here/data/empty/other.bin")),
        ("data", ("remove", "here/data/day=1")),
        ("data", ("write", "elsewhere/b.ndjson")),
        ("data", ("link", "here/data/way.bin", "elsewhere")),
        ("data", ("folder", "elsewhere/way.bin")),
        ("../first/one.ndjson one/one.ndjson", ("link", "here/one", "second")),
        ("link", ("write", "elsewhere/new.ndjson")),
        ("link/b.ndjson", ("link", "here/link", "here/data/day=2")),
        ("data/day=*/b.ndjson", ("write", "here/data/day=3/b.ndjson")),
        ("data/**/b.ndjson", ("write", "here/data/day=2/deep/b.ndjson")),
        ("data/**/b.ndjson", ("link", "here/data/way.bin", "elsewhere")),
        ("", ("settings", "mmstats.toml", 'data = "here/data/a.ndjson"')),
        ("", ("settings", "here/mmstats.toml", 'data = "data/a.ndjson"')),
        ("", ("settings", "config/mmstats/config.toml", "skip_bad_rows = true")),
        ("", ("remove", "mmstats.toml")),
        ("", ("set", ("MMSTATS_DATA", "data/a.ndjson"))),
        ("data/a.ndjson", ("set", ("NO_COLOR", "1"))),
        ("", ("go", "here/below")),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else value or "settings",
)
def test_what_changes_is_answered_anew(tree: Tree, question: str, change: tuple[Any, ...]) -> None:
    """A change of any file, folder, link, setting or variable that has a part in an output is noticed."""
    arguments = ["query", "--group-by", "event_name", *question.split()]
    assert [ask(*arguments)[1] for _ in range(2)] == [False, True]
    tree.apply(*change)
    assert ask(*arguments) == (ask(*arguments, "--no-cache")[0], False)


@pytest.mark.usefixtures("here", "later")
@settings(max_examples=20)
@given(st.lists(st.tuples(changes(), st.sampled_from(QUESTIONS)), min_size=1, max_size=10))
def test_what_is_recalled_is_what_would_be_answered(steps: list[tuple[tuple[Any, ...], list[str]]]) -> None:
    """Whatever changes between questions, of files, folders, links, settings and variables: nothing else is written."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(Path(folder, "config")))
        patch.setenv("MMSTATS_CACHE_DIR", str(Path(folder, "cache")))
        tree = Tree(Path(folder), patch)
        for change, question in steps:
            tree.apply(*change)
            arguments = ["query", "--group-by", "event_name", *question]
            expected, _ = ask(*arguments, "--no-cache")
            for _ in range(2):
                assert ask(*arguments)[0] == expected
