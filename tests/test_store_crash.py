"""Imports that are killed, or for which there is no room, at every step: the store is what it was or what it is to be.

Killed is the process, by itself, at the n-th step that changes what is on disk, for every n until it gets through.
"""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from mmstats.errors import OutputError
from tests.importing import answered, events, holds_only_its_state, manifest, put, take

ROOT = Path(__file__).resolve().parent.parent
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

from mmstats.store import importing
import mmstats.cli
for name in {STEPS!r}:
    setattr(os, name, killing(getattr(os, name)))
sys.exit(mmstats.cli.run(sys.argv[1:]))
"""


def import_killed(step: int, store: Path, source: Path) -> int:
    """Import in a process that kills itself at a step; its exit code."""
    command = [sys.executable, "-c", KILLING, str(step), "import", str(source), "--to", str(store)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False).returncode


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


def killed_at_every_step(tmp_path: Path, source: Path, old: Path | None) -> Iterator[Path]:
    """The store that each kill leaves, one step after the other until there are no more."""
    for step in count():
        store = tmp_path / f"killed at {step}"
        if old:
            shutil.copytree(old, store)
        code = import_killed(step, store, source)
        assert code in {0, -9}
        yield store
        if code == 0:
            return


def test_a_killed_import_leaves_the_old_state_or_the_new(tmp_path: Path, source: Path, old: Path) -> None:
    """At whatever step an import is killed, the store answers as before or as after; the next one completes it."""
    before, after = answered(old), answered(source)
    new = answered(take_into_copy(old, tmp_path / "new", source))
    assert before != new
    assert new == after
    seen = []
    for store in killed_at_every_step(tmp_path, source, old):
        seen.append(answered(store))
        assert seen[-1] in {before, after}
        take(store, source)
        assert answered(store) == after
        assert holds_only_its_state(store)
        shutil.rmtree(store)
    committed = seen.index(after)
    assert committed > 5
    assert set(seen[:committed]) == {before}
    assert set(seen[committed:]) == {after}
    assert len(seen) - committed > 3  # it was killed while it removed what was superseded, too


def take_into_copy(old: Path, new: Path, source: Path) -> Path:
    """A copy of a store into which a source has been imported."""
    shutil.copytree(old, new)
    take(new, source)
    return new


class Killed(BaseException):
    """As good as killed: whatever would still be changed on disk is not."""


def fail_from(
    step: int, patch: pytest.MonkeyPatch, error: BaseException, names: tuple[str, ...], *, once: bool
) -> None:
    """Let a step that changes what is on disk fail, and those after it unless it is `once`."""
    steps = count()

    def failing(name: str) -> None:
        work = getattr(os, name)

        def stepped(*arguments: object, **options: object) -> object:
            now = next(steps)
            if now == step or (now > step and not once):
                raise error
            return work(*arguments, **options)

        patch.setattr(os, name, stepped)

    for name in names:
        failing(name)


def test_a_first_import_that_is_killed_leaves_no_events(tmp_path: Path, source: Path) -> None:
    """Before the first import is committed there is no store, or an empty one, and never a folder of some events."""
    after = answered(source)
    for step in count():
        store = tmp_path / f"killed at {step}"
        with pytest.MonkeyPatch.context() as patch:
            fail_from(step, patch, Killed(), STEPS, once=False)
            try:
                take(store, source)
            except Killed:
                killed = True
            else:
                killed = False
        if (store / "_mmstats.json").exists():
            assert answered(store) in {'{"metric":"count","rows":[]}', after}
        else:
            assert not list(tmp_path.glob(f"{store.name}/day=*"))
        take(store, source)
        assert answered(store) == after
        assert holds_only_its_state(store)
        if not killed:
            assert step > 8
            return


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_leaves_the_old_state(tmp_path: Path, source: Path, old: Path, code: int) -> None:
    """Where a step finds no room, the import says so, and what it has written is gone."""
    before, after = answered(old), answered(source)
    for step in count():
        store = tmp_path / f"full at {step}"
        shutil.copytree(old, store)
        with pytest.MonkeyPatch.context() as patch:
            fail_from(step, patch, OSError(code, os.strerror(code)), ("fsync", "mkdir", "replace"), once=True)
            try:
                take(store, source)
            except OutputError as error:
                assert error.message.endswith(f": cannot be written: {os.strerror(code)}")
            else:
                assert answered(store) == after
                break
        assert answered(store) in {before, after}
        take(store, source)
        assert answered(store) == after
        assert holds_only_its_state(store)


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
    write = Path.write_text

    def full(path: Path, text: str, **options: str) -> int:
        write(path, text[: len(text) // 2], **options)  # type: ignore[arg-type]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_text", full)
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
    (old / "day=2026-05-01" / "notes.txt").write_text("mine")
    take(old, source)
    assert (old / "day=2026-05-01" / "notes.txt").read_text() == "mine"


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
