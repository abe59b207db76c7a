"""A store's folder in the hands of one import: locked, changed by one rename, swept of what belongs to no state.

New files are written apart, under names that nothing reads, and moved to their days right before the manifest is
replaced. Until that rename the store is what it was, after it what it is to be; files of neither state are swept away
by this import, or by the next one where this one is killed.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmstats.errors import OutputError
from mmstats.files.manifest import FILE_NAME, MANIFEST, Manifest, StoreFile, is_store, read_manifest
from mmstats.limits import Limits
from mmstats.wording import visible

LOCK = "_mmstats.lock"
SCRATCH = "_mmstats_new"
_SOON = 1.0  # seconds after which one who waits is told why


@contextmanager
def opened(
    location: str, options: Mapping[str, str], say: Callable[[str], None], limits: Limits
) -> "Iterator[StoreFolder]":
    """The folder of a store, made where there is none, for this import alone until the end of the block.

    `say` is told when it has to wait for another. Raises OutputError when the folder cannot be written or another
    import does not end, and Unreadable when its manifest is not understood.
    """
    del options  # a folder has none
    path = Path(location)
    with _writing(path):
        _make(path)
        with _locked(path, say, limits.lock_seconds):
            yield from _swept(StoreFolder(path))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        named = fault.filename if isinstance(fault.filename, str) else str(path)
        raise OutputError(visible(f"{named}: cannot be written: {fault.strerror or fault}")) from None


def _make(path: Path) -> None:
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # one may be let into a folder that one may not list
            flush(path.absolute().parent)


def check_free(location: str, options: Mapping[str, str]) -> None:
    """Raise OutputError where a store cannot be because there is something else."""
    del options
    path = Path(location)
    with _writing(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{visible(str(path))}: is not a folder", hint="--to names the folder of a store")
        names = set(os.listdir(path)) if path.exists() else set()
    if names and not names & {MANIFEST, LOCK}:
        raise OutputError(
            f"{visible(str(path))}: holds other files and is no store", hint="--to names a store or a new folder"
        )


@contextmanager
def _locked(path: Path, say: Callable[[str], None], most: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path / LOCK)
    try:
        try:
            lock.acquire(timeout=min(_SOON, most))
        except Timeout:
            say(f"waiting for another import into {visible(str(path))}")
            lock.acquire(timeout=most)
    except Timeout:
        raise OutputError(
            f"{visible(str(path))}: another import has not ended for {most:.0f} seconds",
            hint="import again when it is done",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _swept(folder: "StoreFolder") -> "Iterator[StoreFolder]":
    """The folder without what belongs to no state of it, before the import and, however it ends, after it."""
    folder.sweep()
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # what stopped the import is what shall be said
            folder.sweep()
        raise
    folder.sweep()


class StoreFolder:
    """The folder of a store, locked."""

    scan: Mapping[str, Any] = {}

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = _manifest(path)
        self._scratch = path / SCRATCH

    def new_file(self) -> Path:
        """Where to write a file under a name that no other has or had."""
        self._scratch.mkdir(exist_ok=True)
        return self._scratch / secrets.token_hex(8)

    def find(self, file: StoreFile) -> str:
        """Where a file lies, be it new or long in the store."""
        new = self._scratch / Path(file.name).stem
        return str(new if new.exists() else self.path / file.path)

    def commit(self, manifest: Manifest) -> None:
        """Make the store what the manifest says, by one rename."""
        if not is_store(str(self.path)):
            self._replace_manifest(Manifest())  # or a reader would take what follows for a folder of events
        moved = set()
        for file in manifest.files:
            new = self._scratch / Path(file.name).stem
            if new.exists():
                target = self.path / file.path
                target.parent.mkdir(exist_ok=True)
                new.replace(target)
                moved.add(target.parent)
        for folder in (*sorted(moved), self.path):
            flush(folder)
        self._replace_manifest(manifest)

    def _replace_manifest(self, manifest: Manifest) -> None:
        self._scratch.mkdir(exist_ok=True)
        new = self._scratch / MANIFEST
        new.write_text(manifest.to_json(), encoding="ascii")
        flush(new)
        new.replace(self.path / MANIFEST)
        flush(self.path)

    def sweep(self) -> None:
        """Remove new files that were not taken up, and files that an import has superseded or left behind."""
        flush(self.path)  # a manifest that a power cut would undo must not decide what is removed
        if self._scratch.is_dir():
            for left in sorted(self._scratch.iterdir()):
                left.unlink()
            self._scratch.rmdir()
        listed = {file.path for file in _manifest(self.path).files}
        for day in sorted(self.path.glob("day=????-??-??")):
            names = sorted(os.listdir(day))
            orphans = [name for name in names if FILE_NAME.match(name) and f"{day.name}/{name}" not in listed]
            for name in orphans:
                (day / name).unlink()
            if len(orphans) == len(names):
                day.rmdir()


def _manifest(path: Path) -> Manifest:
    return read_manifest(str(path)) if is_store(str(path)) else Manifest()


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
