"""A store below a prefix of an object store, changed by one conditional PUT: no lock that a crash would leave.

New files are uploaded under names that no other file has or had. Then the manifest is replaced, on condition that it
is the one that the import began with: of two imports at once the second begins again from what the first has made.

Superseded files stay where they are for an hour, for readers of an older manifest, and are removed by a later import.
The object store's clock says since when; this machine's may differ by the quarter of an hour that object stores allow.
Files in no manifest, left by a killed import or an older mmstats, count as superseded once no import can still be
writing them.
"""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from mmstats.errors import DatasetError, OutputError, Unreadable
from mmstats.files.manifest import FILE_NAME, MANIFEST, Manifest, StoreFile, parse_manifest
from mmstats.limits import Limits
from mmstats.storage import ObjectStores
from mmstats.storage.catalog import ObjectWriter
from mmstats.storage.objects import Objects
from mmstats.storage.url import read_url
from mmstats.store import CommitConflict, is_retained, superseded_since, with_superseded
from mmstats.wording import visible

_DAY = re.compile(r"day=\d{4}-\d{2}-\d{2}", re.ASCII)


def check_location(location: str, options: Mapping[str, str]) -> None:
    """Raise OutputError for a web address, or a prefix of other objects."""
    objects, prefix = _find_prefix(location, options)
    folder = prefix.rstrip("/")
    with _output_errors():
        if ObjectWriter(objects).read(f"{prefix}{MANIFEST}", location) is not None:
            return
        for page in objects.list(folder, location=location):
            if any(one["size"] or one["path"] != folder for one in page):  # else it stands for the folder itself
                hint = "--to names a store or a new prefix"
                raise OutputError(f"{visible(location)}: holds other objects and is no store", hint=hint)


@contextmanager
def open_store(
    location: str, options: Mapping[str, str], note: Callable[[str], None], limits: Limits
) -> "Iterator[BucketStore]":
    """The store at a location; imports do not wait for each other, so `note` is never called.

    Raises OutputError when it cannot be read or written, and Unreadable when the manifest cannot be understood.
    """
    del note
    abandoned = timedelta(seconds=limits.abandoned_seconds)
    with TemporaryDirectory(prefix="mmstats-") as scratch:
        store = BucketStore(*_find_prefix(location, options), Path(scratch), abandoned)
        store.remove_superseded()
        try:
            yield store
        except Unreadable:
            if store.has_changed():  # so long ago that files of it have been removed
                raise CommitConflict from None
            raise


def _find_prefix(location: str, options: Mapping[str, str]) -> tuple[Objects, str]:
    """The bucket and the prefix, with a final slash, that a location names."""
    with _output_errors():
        url = read_url(location)
        if url.is_web:
            raise OutputError(f"{visible(location)}: is no place for a store", hint="--to names a folder or a prefix")
        prefix = url.key.strip("/")
        return ObjectStores(options).of(url), f"{prefix}/" if prefix else ""


@contextmanager
def _output_errors() -> Iterator[None]:
    """Inside the block, objects that cannot be read are an output that cannot be written."""
    try:
        yield
    except DatasetError as error:
        raise OutputError(error.message, hint=error.hint) from None


class BucketStore:
    """A store below a prefix, as it was when it was opened."""

    def __init__(self, objects: Objects, prefix: str, scratch: Path, abandoned: timedelta) -> None:
        self._objects, self._prefix, self._scratch = objects, prefix, scratch
        self._abandoned = abandoned
        self._writer = ObjectWriter(objects)
        self._key = f"{prefix}{MANIFEST}"
        self._path = objects.path(self._key)
        with _output_errors():
            content = self._writer.read(self._key)
        self._is_new = content is None
        self.manifest = Manifest() if content is None else parse_manifest(self._path, content)
        self._written = 0.0 if content is None else objects.modified[self._path].timestamp()
        self._superseded: dict[str, int | None] = {**superseded_since(self.manifest, self._written)}

    def new_file(self) -> Path:
        """A path on disk, under a name that no object of the store has or had."""
        return self._scratch / secrets.token_hex(8)

    def name_of(self, file: StoreFile) -> str:
        """The URL that a file has once it is committed."""
        return self._objects.path(f"{self._prefix}{file.path}")

    def fetch(self, file: StoreFile) -> str:
        """The path of a file on disk, where it is until it is committed; a copy of one that is in the bucket."""
        path = self._scratch / Path(file.name).stem
        if path.exists():
            return str(path)
        url, copy = self.name_of(file), self._scratch / f"copy of {Path(file.name).stem}"
        self._objects.register(url, file.bytes)
        with self._objects.open(url) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        return str(copy)

    def commit(self, manifest: Manifest) -> None:
        """Upload the new files and replace the manifest by one PUT.

        Raises CommitConflict where another import has replaced it.
        """
        with _output_errors():
            if self._is_new:  # without a manifest, a reader would take the new files for a folder of events
                self._replace_manifest(Manifest())
            for file in manifest.files:
                new = self._scratch / Path(file.name).stem
                if new.exists():
                    self._writer.upload(f"{self._prefix}{file.path}", new)
            self._replace_manifest(with_superseded(manifest, self.manifest, self._superseded))

    def _replace_manifest(self, manifest: Manifest) -> None:
        if not self._writer.replace(self._key, manifest.encode(), is_new=self._is_new):
            raise CommitConflict
        self._is_new = False

    def has_changed(self) -> bool:
        """Whether another import has replaced the manifest since the store was opened."""
        etag = self._objects.etags.get(self._path)
        with _output_errors():
            self._writer.read(self._key)
        return self._objects.etags.get(self._path) != etag

    def remove_superseded(self) -> None:
        """Remove files that no reader can still need; the others are left to a later import."""
        expired = {path for path, since in self._superseded.items() if since is not None and not is_retained(since)}
        is_old = not is_retained(self._written)  # then no reader has an older one: all superseded files can go
        if self._is_new or not (expired or is_old):
            return
        with suppress(DatasetError):  # one who may write may not always list or delete
            unlisted = self._unlisted()
            retained = set() if is_old else unlisted - expired
            self._writer.delete([f"{self._prefix}{path}" for path in sorted(unlisted - retained)])
            self._superseded = {path: self._superseded.get(path) for path in sorted(retained)}

    def _unlisted(self) -> set[str]:
        """The files that are not in the manifest, without those that another import may just be uploading."""
        listed = {file.path for file in self.manifest.files}
        uploaded_before = datetime.now(UTC) - self._abandoned
        unlisted = set()
        for page in self._objects.list(self._prefix.rstrip("/")):
            for one in page:
                path = one["path"].removeprefix(self._prefix)
                is_complete = path in self._superseded or one["last_modified"] < uploaded_before
                if _is_store_file(path) and path not in listed and is_complete:
                    unlisted.add(path)
        return unlisted


def _is_store_file(path: str) -> bool:
    day, _, name = path.partition("/")
    return bool(_DAY.fullmatch(day) and FILE_NAME.fullmatch(name))
