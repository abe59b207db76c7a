"""A store in a folder on disk: its lock, its commit by one rename, and recovery from imports that were killed.

New files are written to a scratch folder that nothing reads, and moved to their days right before the manifest is
replaced. Until that rename the store is what it was, after it what it is to be. Files that the manifest does not list
are removed before and after every import. Superseded ones are first moved to a folder of their own, and stay there for
an hour: readers of an older manifest look for them there, and other tools, which read by glob, do not see them.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mmstats.errors import OutputError
from mmstats.files.manifest import (
    FILE_NAME,
    MANIFEST,
    SUPERSEDED,
    Manifest,
    StoreFile,
    is_store,
    read_manifest,
    superseded_path,
)
from mmstats.limits import Limits
from mmstats.store import is_retained, superseded_since, with_superseded
from mmstats.wording import visible

_LOCK = "_mmstats.lock"
_SCRATCH = "_mmstats_new"
_NOTE_SECONDS = 1.0  # of waiting for another import before the user is told


def check_location(location: str, options: Mapping[str, str]) -> None:
    """Raise OutputError for a location that is no folder, or a folder of other files."""
    del options
    path = Path(location)
    with _output_errors(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{visible(str(path))}: is not a folder", hint="--to names the folder of a store")
        names = set(os.listdir(path)) if path.exists() else set()
    if names and not names & {MANIFEST, _LOCK}:
        raise OutputError(
            f"{visible(str(path))}: holds other files and is no store", hint="--to names a store or a new folder"
        )


@contextmanager
def open_store(
    location: str, options: Mapping[str, str], note: Callable[[str], None], limits: Limits
) -> "Iterator[FolderStore]":
    """The store in a folder, made where there is none, locked until the end of the block.

    `note` is called when the import has to wait for another one. Raises OutputError when the folder cannot be written
    or the other import does not end, and Unreadable when the manifest cannot be understood.
    """
    del options
    path = Path(location)
    with _output_errors(path):
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # the parent may be a folder that may not be listed
                fsync(path.absolute().parent)
        with _locked(path, note, limits.lock_seconds):
            store = FolderStore(path)
            store.recover()
            try:
                yield store
            except BaseException:
                with suppress(OSError):  # the first error is the one to report
                    store.recover()
                raise
            store.recover()


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Inside the block, an OSError is an output that cannot be written."""
    try:
        yield
    except OSError as fault:
        name = fault.filename if isinstance(fault.filename, str) else str(path)
        raise OutputError(visible(f"{name}: cannot be written: {fault.strerror or fault}")) from None


@contextmanager
def _locked(path: Path, note: Callable[[str], None], timeout: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path / _LOCK)
    try:
        try:
            lock.acquire(timeout=min(_NOTE_SECONDS, timeout))
        except Timeout:
            note(f"waiting for another import into {visible(str(path))}")
            lock.acquire(timeout=timeout)
    except Timeout:
        raise OutputError(
            f"{visible(str(path))}: another import has not ended for {timeout:.0f} seconds",
            hint="import again when it is done",
        ) from None
    try:
        yield
    finally:
        lock.release()


class FolderStore:
    """A store in a folder, locked by this import."""

    def __init__(self, path: Path) -> None:
        self._path, self._scratch = path, path / _SCRATCH
        self.manifest = self._read_manifest()
        self._superseded: dict[str, int] = {}

    def _read_manifest(self) -> Manifest:
        return read_manifest(str(self._path)) if is_store(str(self._path)) else Manifest()

    def new_file(self) -> Path:
        """A path in the scratch folder, under a name that no file of the store has or had."""
        self._scratch.mkdir(exist_ok=True)
        return self._scratch / secrets.token_hex(8)

    def name_of(self, file: StoreFile) -> str:
        """The path that a file has once it is committed."""
        return str(self._path / file.path)

    def fetch(self, file: StoreFile) -> str:
        """The path of a file: in the scratch folder until it is committed."""
        new = self._scratch / Path(file.name).stem
        return str(new) if new.exists() else self.name_of(file)

    def commit(self, manifest: Manifest) -> None:
        """Move the new files to their days and replace the manifest by one rename."""
        if not is_store(str(self._path)):
            self._replace_manifest(Manifest())  # without one, a reader would take the new files for a folder of events
        days = set()
        for file in manifest.files:
            new = self._scratch / Path(file.name).stem
            if new.exists():
                target = self._path / file.path
                target.parent.mkdir(exist_ok=True)
                new.replace(target)
                days.add(target.parent)
        for folder in (*sorted(days), self._path):
            fsync(folder)
        self._replace_manifest(with_superseded(manifest, self.manifest, self._superseded))

    def _replace_manifest(self, manifest: Manifest) -> None:
        self._scratch.mkdir(exist_ok=True)
        new = self._scratch / MANIFEST
        new.write_bytes(manifest.encode())
        fsync(new)
        new.replace(self._path / MANIFEST)
        fsync(self._path)

    def recover(self) -> None:
        """Remove the scratch folder, unlisted files of days, and superseded files whose hour is over."""
        fsync(self._path)  # a manifest that a power cut would undo must not decide what is removed
        if self._scratch.is_dir():
            for path in sorted(self._scratch.iterdir()):
                path.unlink()
            self._scratch.rmdir()
        manifest = self._read_manifest()
        written = (self._path / MANIFEST).stat().st_mtime if manifest.superseded else 0.0
        superseded = superseded_since(manifest, written)
        self._superseded = {path: since for path, since in superseded.items() if is_retained(since)}
        listed = {file.path for file in manifest.files}
        for day in sorted(self._path.glob("day=????-??-??")):
            names = sorted(os.listdir(day))
            unlisted = [name for name in names if FILE_NAME.fullmatch(name) and f"{day.name}/{name}" not in listed]
            for name in unlisted:
                self._remove_from_day(day / name)
            if len(unlisted) == len(names):
                day.rmdir()
        self._remove_expired()

    def _remove_from_day(self, path: Path) -> None:
        if f"{path.parent.name}/{path.name}" in self._superseded:
            target = Path(superseded_path(str(path)))
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
        else:
            path.unlink()

    def _remove_expired(self) -> None:
        retained = {Path(path).stem for path in self._superseded}
        folder = self._path / SUPERSEDED
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.name not in retained:
                    path.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()


def fsync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
