"""A store below a prefix of an object store: changed by one conditional PUT, with no lock that a crash would leave.

New files are uploaded under names that no other has or had, and the manifest is replaced only if it is the one that
the import began with: of two imports at once the second begins anew from what the first has made.

Files that a manifest has no more are removed by a later import, when whoever reads by an older one is done. When that
will be is known by when the manifest without them was written: by the store's clock, since that of this machine may go
wrong, if by less than the quarter of an hour that stores allow. Files that no manifest tells of, be it that an import
was killed or that an older mmstats has written it, are taken for superseded once no import can still be writing them.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmstats.errors import DatasetError, NotEvents, OutputError
from mmstats.files.manifest import FILE_NAME, MANIFEST, Manifest, StoreFile, parsed
from mmstats.limits import Limits
from mmstats.storage import ObjectStores
from mmstats.storage.catalog import ObjectWriter
from mmstats.storage.objects import Objects
from mmstats.storage.url import read_url
from mmstats.store.home import Overtaken
from mmstats.wording import visible

# Who reads by a manifest that has been replaced since is done by then, and what was uploaded for one is in it.
_READ = timedelta(hours=1)
_FORGOTTEN = timedelta(days=7)  # who may not remove files does not carry them along for ever
_DAY = re.compile(r"^day=\d{4}-\d{2}-\d{2}$", re.ASCII)


@contextmanager
def opened(
    location: str, options: Mapping[str, str], say: Callable[[str], None], limits: Limits
) -> "Iterator[StoreBucket]":
    """The store at a location as it is now; nobody waits for another.

    Raises OutputError when it cannot be read or written, and Unreadable when its manifest is not understood.
    """
    del say
    with TemporaryDirectory(prefix="mmstats-") as scratch:
        store = StoreBucket(*_place(location, options), Path(scratch), timedelta(seconds=limits.abandoned_seconds))
        store.sweep()
        try:
            yield store
        except NotEvents:
            if store.is_overtaken():  # so long ago that files of it have been removed
                raise Overtaken from None
            raise


def check_free(location: str, options: Mapping[str, str]) -> None:
    """Raise OutputError where a store cannot be because there is something else."""
    objects, prefix = _place(location, options)
    with _writing():
        found = ObjectWriter(objects).read(f"{prefix}{MANIFEST}", location) is not None
        pages = iter(()) if found else objects.list(prefix.rstrip("/"), location=location)
        if any(one["size"] or one["path"] != prefix.rstrip("/") for page in pages for one in page):  # or it is a folder
            hint = "--to names a store or a new prefix"
            raise OutputError(f"{visible(location)}: holds other objects and is no store", hint=hint)


def _place(location: str, options: Mapping[str, str]) -> tuple[Objects, str]:
    with _writing():
        url = read_url(location)
        if url.is_web:
            raise OutputError(f"{visible(location)}: is no place for a store", hint="--to names a folder or a prefix")
        prefix = url.key.strip("/")
        return ObjectStores(options).of(url), f"{prefix}/" if prefix else ""


@contextmanager
def _writing() -> Iterator[None]:
    """Inside the block, what cannot be had of the store is an output that cannot be written."""
    try:
        yield
    except DatasetError as error:
        raise OutputError(error.message, hint=error.hint) from None


class StoreBucket:
    """A store as its manifest was when it was opened; `scan` is what the engine is told to read its files."""

    def __init__(self, objects: Objects, prefix: str, scratch: Path, abandoned: timedelta) -> None:
        self._objects, self._prefix, self._scratch = objects, prefix, scratch
        self._abandoned = abandoned
        self._writer = ObjectWriter(objects)
        self._at = objects.path(f"{prefix}{MANIFEST}")
        with _writing():
            content = self._writer.read(f"{prefix}{MANIFEST}")
        self._is_new = content is None
        self.manifest = Manifest() if content is None else parsed(self._at, content)
        self._superseded = {} if content is None else self._dated(self.manifest.superseded)
        self.scan: Mapping[str, Any] = objects.scan_options

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
                    self._writer.upload(f"{self._prefix}{file.path}", new)
            kept = {file.path for file in manifest.files}
            gone = {file.path: None for file in self.manifest.files if file.path not in kept}
            self._replace(replace(manifest, superseded={**self._superseded, **gone}))

    def _replace(self, manifest: Manifest) -> None:
        key = f"{self._prefix}{MANIFEST}"
        if not self._writer.replace(key, manifest.to_json().encode("ascii"), is_new=self._is_new):
            raise Overtaken
        self._is_new = False

    def is_overtaken(self) -> bool:
        """Whether another import has changed the store since it was opened."""
        opened = self._objects.etags.get(self._at)
        with _writing():
            self._writer.read(f"{self._prefix}{MANIFEST}")
        return self._objects.etags.get(self._at) != opened

    def _dated(self, superseded: Mapping[str, int | None]) -> dict[str, int | None]:
        """The files that were superseded, none of them by the manifest that is to be written."""
        written = int(self._objects.modified[self._at].timestamp())
        oldest = (datetime.now(UTC) - _FORGOTTEN).timestamp()
        dated = {path: written if since is None else since for path, since in superseded.items()}
        return {path: since for path, since in dated.items() if since > oldest}

    def sweep(self) -> None:
        """Remove files that nobody can still want; what may still be read by an older manifest is left to the next."""
        if self._is_new:
            return
        before = datetime.now(UTC) - _READ
        is_old = self._objects.modified[self._at] < before
        due = {path for path, since in self._superseded.items() if since is not None and since < before.timestamp()}
        if not due and not is_old:
            return
        with suppress(DatasetError):  # one may be let write who is not let list or remove
            left = self._left()
            wanted = set() if is_old else left - due
            self._writer.delete([f"{self._prefix}{path}" for path in sorted(left - wanted)])
            self._superseded = {path: self._superseded.get(path) for path in sorted(wanted)}

    def _left(self) -> set[str]:
        """The files that are there and in no manifest, other than what another import may just be uploading."""
        listed = {file.path for file in self.manifest.files}
        pages = self._objects.list(self._prefix.rstrip("/"))
        found = {one["path"].removeprefix(self._prefix): one["last_modified"] for page in pages for one in page}
        written = datetime.now(UTC) - self._abandoned
        return {
            path
            for path, modified in found.items()
            if _is_own(path) and path not in listed and (path in self._superseded or modified < written)
        }


def _is_own(path: str) -> bool:
    day, _, name = path.partition("/")
    return bool(_DAY.match(day) and FILE_NAME.match(name))
