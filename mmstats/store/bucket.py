"""A store below a prefix of an object store: changed by one conditional PUT, with no lock that a crash would leave.

New files are uploaded under names that no other has or had, and the manifest is replaced only if it is the one that
the import began with: of two imports at once the second begins anew from what the first has made. Files that belong to
no manifest are removed by a later import, when neither whoever reads nor whoever writes can still be at them.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmstats.errors import DatasetError, OutputError
from mmstats.events.storage.changes import Changes
from mmstats.events.storage.objects import Objects
from mmstats.events.storage.storages import Storages
from mmstats.events.storage.url import read_url
from mmstats.events.store import FILE_NAME, MANIFEST, Manifest, StoreFile, parsed
from mmstats.store.home import Overtaken
from mmstats.visible import visible

# Who reads by a manifest that has been replaced since is done by then, and what was uploaded for one is in it.
_READ = timedelta(hours=1)
_ABANDONED = timedelta(days=1)
_DAY = re.compile(r"^day=\d{4}-\d{2}-\d{2}$", re.ASCII)


@contextmanager
def opened(location: str, options: Mapping[str, str], say: Callable[[str], None]) -> "Iterator[StoreBucket]":
    """The store at a location as it is now; nobody waits for another.

    Raises OutputError when it cannot be read or written, and Unreadable when its manifest is not understood.
    """
    del say
    with TemporaryDirectory(prefix="mmstats-") as scratch:
        store = StoreBucket(*_place(location, options), Path(scratch))
        store.sweep()
        yield store


def check_free(location: str, options: Mapping[str, str]) -> None:
    """Raise OutputError where a store cannot be because there is something else."""
    objects, prefix = _place(location, options)
    with _writing():
        found = Changes(objects).read(f"{prefix}{MANIFEST}", location) is not None
        if not found and any(page for page in objects.list(prefix.rstrip("/"), asked=location)):
            hint = "--to names a store or a new prefix"
            raise OutputError(f"{visible(location)}: holds other objects and is no store", hint=hint)


def _place(location: str, options: Mapping[str, str]) -> tuple[Objects, str]:
    with _writing():
        url = read_url(location)
        if url.is_web:
            raise OutputError(f"{visible(location)}: is no place for a store", hint="--to names a folder or a prefix")
        prefix = url.key.strip("/")
        return Storages(options).of(url), f"{prefix}/" if prefix else ""


@contextmanager
def _writing() -> Iterator[None]:
    """Inside the block, what cannot be had of the store is an output that cannot be written."""
    try:
        yield
    except DatasetError as error:
        raise OutputError(error.message, hint=error.hint) from None


class StoreBucket:
    """A store as its manifest was when it was opened; `scan` is what the engine is told to read its files."""

    def __init__(self, objects: Objects, prefix: str, scratch: Path) -> None:
        self._objects, self._prefix, self._scratch = objects, prefix, scratch
        self._changes = Changes(objects)
        self._at = objects.path(f"{prefix}{MANIFEST}")
        with _writing():
            content = self._changes.read(f"{prefix}{MANIFEST}")
        self._is_new = content is None
        self.manifest = Manifest() if content is None else parsed(self._at, content)
        self.scan: Mapping[str, Any] = objects.scan

    def new_file(self) -> Path:
        """Where to write a file, here until it is taken up, under a name that no other has or had."""
        return self._scratch / secrets.token_hex(8)

    def find(self, file: StoreFile) -> str:
        """Where a file lies, be it new or long in the store."""
        new = self._scratch / Path(file.name).stem
        return str(new) if new.exists() else self._objects.path(f"{self._prefix}{file.path}")

    def commit(self, manifest: Manifest) -> None:
        """Make the store what the manifest says, by one PUT; raises Overtaken where another import came before."""
        with _writing():
            if self._is_new:  # or a reader would take what follows for a folder of events
                self._replace(Manifest())
            for file in manifest.files:
                new = self._scratch / Path(file.name).stem
                if new.exists():
                    self._changes.write(f"{self._prefix}{file.path}", new)
            self._replace(manifest)

    def _replace(self, manifest: Manifest) -> None:
        key = f"{self._prefix}{MANIFEST}"
        if not self._changes.replace(key, manifest.to_json().encode("ascii"), is_new=self._is_new):
            raise Overtaken
        self._is_new = False

    def sweep(self) -> None:
        """Remove files that an import has superseded or left behind, if nobody can still want them."""
        if self._is_new or not self._changes.is_older(self._at, datetime.now(UTC) - _READ):
            return
        listed = {f"{self._prefix}{file.path}" for file in self.manifest.files}
        with suppress(DatasetError):  # one may be let write who is not let list or remove
            pages = self._objects.list(self._prefix.rstrip("/"))
            left = [one["path"] for page in pages for one in page if self._is_left(one, listed)]
            self._changes.remove(left)

    def _is_left(self, found: Mapping[str, Any], listed: set[str]) -> bool:
        day, _, name = found["path"].removeprefix(self._prefix).partition("/")
        own = _DAY.match(day) and FILE_NAME.match(name) and found["path"] not in listed
        return bool(own) and bool(found["last_modified"] < datetime.now(UTC) - _ABANDONED)
