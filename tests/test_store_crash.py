"""Imports that are killed, or for which there is no room, at every step: the store is what it was or what it is to be.

A process that is killed right before a step that changes what is on disk leaves what is there by then: a copy of it.
"""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from mmstats.errors import OutputError
from tests.importing import answered, events, holds_only_its_state, manifest, put, take

ROOT = Path(__file__).resolve().parent.parent
NOTHING = '{"metric":"count","rows":[]}'
STEPS = ("replace", "fsync", "unlink", "rmdir", "mkdir")

KILLING = f"""
import os, signal, sys
left = int(sys.argv.pop(1))

def killing(step):
    def stepped(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments, **options)
    return stepped

import mmstats.cli, mmstats.store.importing
for name in {STEPS!r}:
    setattr(os, name, killing(getattr(os, name)))
sys.exit(mmstats.cli.run(sys.argv[1:]))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files to import: one whose content is new, one that is new, enough small ones to be merged."""
    for name in "abcd":
        put(tmp_path / "source" / f"{name}.ndjson", events(name, 1, 2))
    return tmp_path / "source"


@pytest.fixture
def old(tmp_path: Path, source: Path) -> Path:
    """A store of what the sources were before."""
    before = put(source / "a.ndjson", events("before", 1, 3))
    for path in (before, source / "b.ndjson", source / "c.ndjson"):
        take(tmp_path / "old", path)
    put(source / "a.ndjson", events("a", 1, 2))
    return tmp_path / "old"


def import_watched(store: Path, source: Path, before: Callable[[int], None]) -> None:
    """Import in this process; `before` is told of each step that is to change what is on disk, by its number."""
    steps = count()

    def watched(work: Callable[..., object]) -> Callable[..., object]:
        def stepped(*arguments: object, **options: object) -> object:
            before(next(steps))
            return work(*arguments, **options)

        return stepped

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, watched(getattr(os, name)))
        take(store, source)


def import_copied(store: Path, source: Path, copies: Path) -> list[Path]:
    """Import into a store, and copy it before each step."""
    taken: list[Path] = []
    is_copying = False

    def copy(_: int) -> None:
        nonlocal is_copying
        if store.exists() and not is_copying:
            is_copying = True
            taken.append(Path(shutil.copytree(store, copies / str(len(taken)))))
            is_copying = False

    import_watched(store, source, copy)
    return taken


def state_of(store: Path) -> str:
    """What a store answers; one without a manifest has no events."""
    if (store / "_mmstats.json").exists():
        return answered(store)
    assert not list(store.glob("day=*"))
    return NOTHING


@pytest.mark.parametrize("is_first", [False, True], ids=["a later import", "a first import"])
def test_a_killed_import_leaves_the_old_state_or_the_new(
    tmp_path: Path, source: Path, old: Path, is_first: bool
) -> None:
    """At whatever step an import is killed, the store answers as before or as after; the next one completes it."""
    store = tmp_path / "first" if is_first else old
    before, after = state_of(store), answered(source)
    assert before != after
    copies = import_copied(store, source, tmp_path / "copies")
    assert answered(store) == after
    seen = [state_of(copy) for copy in copies]
    committed = seen.index(after)
    assert committed > 5
    assert set(seen[:committed]) == {before}
    assert set(seen[committed:]) == {after}
    assert len(seen) - committed > (0 if is_first else 3)  # it was killed while it removed what was superseded, too
    for copy in copies:
        take(copy, source)
        assert answered(copy) == after
        assert holds_only_its_state(copy)


@pytest.mark.parametrize("step", [3, 12])
def test_a_process_that_is_killed_leaves_the_old_state(source: Path, old: Path, step: int) -> None:
    """A process that kills itself in the midst of an import leaves a store that answers as before."""
    before, after = answered(old), answered(source)
    command = [sys.executable, "-c", KILLING, str(step), "import", str(source), "--to", str(old)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == -9
    assert answered(old) == before
    take(old, source)
    assert answered(old) == after
    assert holds_only_its_state(old)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_leaves_the_old_state(tmp_path: Path, source: Path, old: Path, code: int) -> None:
    """Where a step finds no room, the import says so, and what it has written is gone."""
    before, after = answered(old), answered(source)
    steps, failed = list[int](), 0
    import_watched(Path(shutil.copytree(old, tmp_path / "sound")), source, steps.append)
    for failing in steps:
        store = Path(shutil.copytree(old, tmp_path / f"full at {failing}"))
        try:
            import_watched(store, source, lambda step, failing=failing: fail(code) if step == failing else None)
        except OutputError as error:
            failed += 1
            assert error.message.endswith(f": cannot be written: {os.strerror(code)}")
        assert answered(store) in {before, after}
        take(store, source)
        assert answered(store) == after
        assert holds_only_its_state(store)
    assert failed > 10


def fail(code: int) -> None:
    """Raise what the system raises where there is no room, or no disk."""
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("room", [1000, 5000, 20_000, 100_000])
def test_a_file_for_which_there_is_no_room(source: Path, old: Path, room: int) -> None:
    """A file that the system does not let grow is an output that cannot be written, whoever writes it."""
    put(source / "e.ndjson", [{**one, "path": os.urandom(100).hex()} for one in events("e", 1, rows=2000)])
    before = answered(old)
    command = [sys.executable, "-m", "mmstats", "import", str(source), "--to", str(old)]
    ran = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (5, "")
    error, hint = ran.stderr.splitlines()
    assert error.startswith(f"error: {old}/_mmstats_new/")
    assert ": cannot be written" in error
    assert hint == "hint: is the disk full?"
    assert answered(old) == before
    assert holds_only_its_state(old)


def test_a_manifest_without_room_leaves_the_old_state(source: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step that needs room leaves the old state and no file of the new one."""
    before = answered(old)
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        take(old, source)
    assert answered(old) == before
    assert holds_only_its_state(old)


def test_what_a_crash_left_is_cleaned_up(source: Path, old: Path) -> None:
    """Files of no state go with the next import, also one that imports nothing; files of others stay."""
    take(old, source)
    scratch = old / "_mmstats_new"
    scratch.mkdir()
    (scratch / "0123456789abcdef").write_bytes(b"half a file")
    (old / "day=2026-05-01" / "0123456789abcdef.parquet").write_bytes(b"another")
    (old / "day=2026-05-09").mkdir()
    (old / "day=2026-05-09" / "0123456789abcdef.parquet").write_bytes(b"another")
    before = answered(old)
    assert take(old, source).unchanged == 4
    assert answered(old) == before == answered(source)
    assert holds_only_its_state(old)
    foreign = [old / "day=2026-05-01" / name for name in ("notes.txt", "0123456789abcdef.parquet\n")]
    for path in foreign:
        path.write_text("mine")
    take(old, source)
    assert [path.read_text() for path in foreign] == ["mine", "mine"]


def test_a_manifest_that_was_moved_by_an_interrupt_stays(
    source: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt right after the manifest was replaced takes no file of the new state with it."""
    rename = os.replace

    def interrupted(source: Path, target: Path) -> None:
        rename(source, target)
        if target.name == "_mmstats.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        take(old, source)
    assert answered(old) == answered(source)
    assert holds_only_its_state(old)
    assert len(manifest(old)["sources"]) == 4
