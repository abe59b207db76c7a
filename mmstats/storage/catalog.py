"""What a store tells of its objects when they are found, and writes on condition that they are still the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from mmstats.errors import DatasetError, Unreadable
from mmstats.storage import Status
from mmstats.storage.access import Access
from mmstats.storage.errors import store_error
from mmstats.storage.requests import LIBRARY_ERRORS, head_object, list_pages, translated_errors
from mmstats.storage.url import read_url, web_address
from mmstats.wording import visible

_REQUESTS = 16  # at once
_FEW = 4  # objects; the status of more is refreshed by a listing instead of a request each
_NO_ETAG = "import into a store that tells objects' versions by strong ETags, or on disk"


class Catalog:
    """What is known of the objects of one bucket, container or server.

    `etags` and `modified` are ETags and times of the last write by path, as far as known; weak ETags are left out,
    since a request on condition of one fails. `store` is the library's.
    """

    def __init__(self, access: Access) -> None:
        self.root, self.store, self._access = access.root, access.open_store(), access
        self.etags: dict[str, str] = {}
        self.modified: dict[str, datetime] = {}
        self._is_web = self.root.startswith("http")
        self._statuses: dict[str, Status] = {}
        self._immutable: set[str] = set()
        self._listed: dict[str, str | None] = {}  # offsets by prefix

    @cached_property
    def executor(self) -> ThreadPoolExecutor:
        """Threads for requests at once."""
        return ThreadPoolExecutor(_REQUESTS, "objects")

    def path(self, key: str) -> str:
        """The path of an object."""
        return web_address(self.root, key) if self._is_web else f"{self.root}/{key}"

    def key(self, path: str) -> str:
        """The store's name of the object at a path."""
        return read_url(path).key

    def find(self, key: str, location: str = "") -> bool:
        """Whether there is such an object, which then is added; errors name `location`, or else its path."""
        path = self.path(key)
        try:
            with translated_errors(location or path), suppress(FileNotFoundError):
                self.add(head_object(self.store, key))
                return True
            return False
        except DatasetError:
            if not self._is_web:  # a listing's error says what is wrong, that of a HEAD request does not
                next(self.list(key, location=location), None)
            raise

    def list(
        self, prefix: str, offset: str | None = None, location: str = ""
    ) -> "Iterator[Sequence[Mapping[str, Any]]]":
        """The objects below a prefix by pages, added as they come; errors name `location`, or else the path."""
        self._listed[prefix] = offset
        with translated_errors(location or self.path(prefix)):
            for page in list_pages(self.store, prefix, offset):
                for found in page:
                    self.add(found)
                yield page

    def add(self, found: Mapping[str, Any]) -> None:
        """Add an object as the store describes it."""
        path, etag = self.path(found["path"]), found["e_tag"]
        if etag and not etag.endswith('"'):  # Azure lists ETags without the quotes that HEAD and conditions have
            etag = f'"{etag}"'
        is_strong = etag and not etag.startswith("W/")
        modified = int(found["last_modified"].timestamp() * 1_000_000_000)
        # A store's ETag changes with the content, however soon. A web server may make its own of the time in seconds.
        is_proof = is_strong and not self._is_web
        identity = repr((self._access.endpoint, path, found["size"], etag, None if is_proof else modified))
        self._statuses[path] = Status(found["size"], identity, 0 if is_proof else modified)
        self.modified[path] = found["last_modified"]
        if is_strong:
            self.etags[path] = etag

    def register(self, path: str, size: int) -> None:
        """Add an object that is not listed and never changes."""
        self._statuses[path] = Status(size, repr((self._access.endpoint, path, size)))
        self._immutable.add(path)

    def status(self, path: str) -> Status:
        """The status of an object when it was found."""
        if path not in self._statuses and not self.find(self.key(path)):
            raise Unreadable(f"{visible(path)}: there is no such object any more")
        return self._statuses[path]

    def content_id(self, path: str) -> str:
        """ETag and size, or empty where a change may not show in the ETag."""
        status = self.status(path)
        return "" if status.changed else f"etag:{self.etags.get(path, '')}:{status.size}"

    def current_status(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """The status of objects now; immutable ones are not asked for."""
        wanted = set(paths)
        known = {path: self._statuses[path] for path in wanted & self._immutable}
        now = self._refreshed(wanted - known.keys())
        return known | {path: status for path, status in now._statuses.items() if path in wanted}

    def changed(self, found: Mapping[str, Status]) -> Iterator[str]:
        """Objects that were replaced or removed, be it by the same content: the engine asks for no version."""
        wanted = found.keys() - self._immutable
        now = self._refreshed(wanted)
        return (path for path in sorted(wanted) if now._version(path) != self._version(path))

    def _version(self, path: str) -> tuple[Status | None, int]:
        modified = self.modified.get(path)  # a listing tells it by finer fractions than HEAD
        return self._statuses.get(path), int(modified.timestamp()) if modified else 0

    def _refreshed(self, wanted: AbstractSet[str]) -> "Catalog":
        """A catalog of what these objects are now."""
        now = Catalog(self._access)
        if len(wanted) > _FEW:
            pages = (page for prefix, offset in self._listed.items() for page in now.list(prefix, offset))
            for _ in pages:
                if now._statuses.keys() >= wanted:
                    break
        missing = [self.key(path) for path in wanted if path not in now._statuses]
        list(self.executor.map(now.find, missing))
        return now


class ObjectWriter:
    """Writes objects of a bucket: new ones, or in place of the version that was found."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def read(self, key: str, location: str = "") -> bytes | None:
        """All of a small object as it is now, which then is added to the catalog; None where there is none."""
        with translated_errors(location or self._catalog.path(key)), suppress(FileNotFoundError):
            found = obstore.get(self._catalog.store, key)
            self._catalog.add(cast(Mapping[str, Any], found.meta))
            return bytes(found.bytes())
        return None

    def upload(self, key: str, file: Path) -> None:
        """Upload a file under a key that nobody else uses."""
        with translated_errors(self._catalog.path(key)):
            obstore.put(self._catalog.store, key, file)

    def replace(self, key: str, content: bytes, *, is_new: bool) -> bool:
        """Create an object, or replace the version that was found; False where somebody else wrote it before."""
        path = self._catalog.path(key)
        etag = self._catalog.etags.get(path)
        if not (is_new or etag):
            raise Unreadable(f"{visible(path)}: the store has no tag of it to replace it by", hint=_NO_ETAG)
        try:
            put = obstore.put(self._catalog.store, key, content, mode="create" if is_new else {"e_tag": etag})
        except (AlreadyExistsError, PreconditionError):
            return False
        except LIBRARY_ERRORS as error:
            raise store_error(path, error) from None
        self._catalog.etags.pop(path, None)
        if put["e_tag"]:
            self._catalog.etags[path] = put["e_tag"]
        return True

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        if keys:
            with translated_errors(self._catalog.path("")):
                obstore.delete(self._catalog.store, keys)
