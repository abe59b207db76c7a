"""What a store tells of its objects: their keys, sizes, tags and times, as they were when they were found."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any

from mmstats.errors import DatasetError, Unreadable
from mmstats.events.storage import Status
from mmstats.events.storage.access import Access
from mmstats.events.storage.requests import head, pages, told
from mmstats.events.storage.url import read_url, web_address
from mmstats.wording import visible

_AT_ONCE = 16  # requests
_FEW = 4  # objects that are sooner asked for one by one than listed
_NANOSECONDS = 1_000_000_000


class Catalog:
    """What is known of the objects of one bucket, container or server.

    `tags` and `written` are the store's tags and the times of writing by path, as far as they are known; a weak tag is
    none, since a request on condition of it fails. `library` is the library's store.
    """

    def __init__(self, access: Access) -> None:
        self.root, self.library, self._access = access.root, access.store(), access
        self.tags: dict[str, str] = {}
        self.written: dict[str, datetime] = {}
        self._is_web = self.root.startswith("http")
        self._seen: dict[str, Status] = {}
        self._promised: set[str] = set()
        self._listed: dict[str, str | None] = {}

    @cached_property
    def executor(self) -> ThreadPoolExecutor:
        """Who makes many requests at once."""
        return ThreadPoolExecutor(_AT_ONCE, "objects")

    def path(self, key: str) -> str:
        """The path of an object."""
        return web_address(self.root, key) if self._is_web else f"{self.root}/{key}"

    def key(self, path: str) -> str:
        """What the store calls the object at a path."""
        return read_url(path).key

    def find(self, key: str, asked: str = "") -> bool:
        """Whether there is such an object; then it is known."""
        path = self.path(key)
        try:
            with told(asked or path), suppress(FileNotFoundError):
                return self.note(head(self.library, key))
            return False
        except DatasetError:
            if not self._is_web:  # what a store says is wrong comes with a listing, not with a head
                next(self.list(key, asked=asked), None)
            raise

    def list(self, prefix: str, offset: str | None = None, asked: str = "") -> "Iterator[Sequence[Mapping[str, Any]]]":
        """The objects below a prefix by pages, which are known from then on; `asked` is what errors name."""
        self._listed[prefix] = offset
        with told(asked or self.path(prefix)):
            for page in pages(self.library, prefix, offset):
                yield [one for one in page if self.note(one)]

    def note(self, found: Mapping[str, Any]) -> bool:
        """Take note of an object as the store describes it."""
        path, tag = self.path(found["path"]), _quoted(found["e_tag"])
        self._seen[path] = self._status(path, found, tag)
        self.written[path] = found["last_modified"]
        if tag and not tag.startswith("W/"):
            self.tags[path] = tag
        return True

    def _status(self, path: str, found: Mapping[str, Any], tag: str | None) -> Status:
        """What an object is.

        A store's tag changes with the content, however soon; that of a server of the web may be made of the time in
        seconds, so that a change within the same second may not show.
        """
        modified = int(found["last_modified"].timestamp() * _NANOSECONDS)
        proven = tag and not tag.startswith("W/") and not self._is_web
        identity = repr((self._access.at, path, found["size"], tag, None if proven else modified))
        return Status(found["size"], identity, 0 if proven else modified)

    def promise(self, path: str, size: int) -> None:
        """Take note of an object that is not listed."""
        self._seen[path] = Status(size, repr((self._access.at, path, size)))
        self._promised.add(path)

    def status(self, path: str) -> Status:
        """What an object was when it was listed."""
        if path not in self._seen and not self.find(self.key(path)):
            raise Unreadable(f"{visible(path)}: there is no such object any more")
        return self._seen[path]

    def tag(self, path: str) -> str:
        """The store's own tag with the size, where every change shows in it."""
        status = self.status(path)
        return "" if status.changed else f"etag:{self.tags.get(path, '')}:{status.size}"

    def again(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """What objects are now."""
        wanted = set(paths)
        kept = {path: self._seen[path] for path in wanted & self._promised}
        now = self._now(wanted - kept.keys())
        return kept | {path: status for path, status in now._seen.items() if path in wanted}

    def changed(self, paths: Iterable[str]) -> Iterator[str]:
        """The objects that were replaced or removed, be it by the same again: the engine asks for no version."""
        wanted = set(paths) - self._promised
        now = self._now(wanted)
        return (path for path in sorted(wanted) if now._version(path) != self._version(path))

    def _version(self, path: str) -> tuple[Status | None, int]:
        written = self.written.get(path)  # which a listing tells by finer fractions than a head
        return self._seen.get(path), int(written.timestamp()) if written else 0

    def _now(self, wanted: Collection[str]) -> "Catalog":
        now = Catalog(self._access)
        if len(wanted) > _FEW:
            now._list_again(self._listed, wanted)
        left = [self.key(path) for path in wanted if path not in now._seen]
        list(self.executor.map(now.find, left))
        return now

    def _list_again(self, listed: Mapping[str, str | None], wanted: Collection[str]) -> None:
        for prefix, offset in listed.items():
            for _ in self.list(prefix, offset):
                if self._seen.keys() >= set(wanted):
                    return


def _quoted(tag: str | None) -> str | None:
    """A tag as a head tells it, and a condition has it: Azure lists it without its quotes."""
    return f'"{tag}"' if tag and not tag.endswith('"') else tag
