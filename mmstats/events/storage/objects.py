"""Objects in a store: S3 and what speaks as it does, Google's and Azure's, and files on servers of the web."""

import io
import shutil
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cached_property, partial
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any, BinaryIO, cast

from mmstats.errors import DatasetError, Unreadable
from mmstats.events.storage import Status
from mmstats.events.storage.access import Access
from mmstats.events.storage.disk import DISK
from mmstats.events.storage.requests import got, head, pages, told
from mmstats.events.storage.stream import BLOCK, ObjectStream
from mmstats.events.storage.url import read_url, web_address
from mmstats.events.storage.waiting import give_up
from mmstats.visible import visible

_MAGIC = b"PAR1"
_TAIL = 32 << 10  # bytes of a file's end that hold most footers
_SMALL = 4 << 20  # bytes of an object that is fetched by one request
_AT_ONCE = 16  # requests
_FEW = 4  # objects that are sooner asked for one by one than listed
_NANOSECONDS = 1_000_000_000


class Objects:
    """The objects of one bucket, container or server, as they were when they were listed.

    `tags` and `written` are the store's tags and the times of writing by path, as far as they are known; a weak tag is
    none, since a request on condition of it fails. `library` is the library's store.
    """

    def __init__(self, access: Access) -> None:
        self.root, self._access, self.library = access.root, access, access.store()
        self._is_web = self.root.startswith("http")
        self._seen: dict[str, Status] = {}
        self._promised: set[str] = set()
        self._listed: dict[str, str | None] = {}
        self.tags: dict[str, str] = {}
        self.written: dict[str, datetime] = {}
        self._footers: dict[str, bytes] = {}
        self._copies: dict[str, str] = {}
        self._heads: dict[str, bytes] = {}

    @cached_property
    def scan(self) -> Mapping[str, Any]:
        """The same identity for the engine."""
        return self._access.scan()

    @cached_property
    def _executor(self) -> ThreadPoolExecutor:
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

    def _fetch(self, path: str, start: int, end: int) -> bytes:
        return self._get(path, {"range": (start, end)} if end > start else None)

    def _get(self, path: str, options: Mapping[str, Any] | None = None) -> bytes:
        same = {"if_match": self.tags[path]} if path in self.tags else {}
        with told(path):
            return got(self.library, self.key(path), {**(options or {}), **same})

    def open(self, path: str) -> BinaryIO:
        """The object as it was listed; raises Unreadable where it has changed since."""
        size = self.status(path).size
        return cast(BinaryIO, ObjectStream(partial(self._fetch, path), size, self._executor))

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of an object."""
        if path in self._copies:
            return DISK.head(self._copies[path], count)
        if len(self._heads.get(path, b"")) < count:
            self._heads[path] = self._fetch(path, 0, count) if self.status(path).size else b""
        return self._heads[path][:count]

    def latest(self, path: str) -> bytes:
        """All of an object, be it written again since it was listed."""
        with told(path):
            return got(self.library, self.key(path), {})

    def near(self, path: str) -> str:
        """A copy of the object, made once."""
        if path not in self._copies:
            with NamedTemporaryFile(dir=self._folder, delete=False) as file:
                if self.status(path).size > _SMALL:
                    with self.open(path) as stream:
                        shutil.copyfileobj(stream, file, BLOCK)
                else:
                    file.write(self._fetch(path, 0, self.status(path).size))
            self._copies[path] = file.name
        return self._copies[path]

    def bring(self, paths: Iterable[str]) -> None:
        """Fetch small objects, many at once; the blocks of a large one are."""
        small = [path for path in paths if self.status(path).size <= _SMALL and path not in self._copies]
        if len(small) > 1:
            list(self._executor.map(self.near, small))

    @cached_property
    def _folder(self) -> str:
        folder = mkdtemp(prefix="mmstats-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def footer(self, path: str) -> BinaryIO:
        """The footer of an object as a file of nothing else: given more, readers would fetch more."""
        if path not in self._footers:
            self._footers[path] = self._read_footer(path, self.status(path).size)
        return io.BytesIO(self._footers[path])

    def _read_footer(self, path: str, size: int) -> bytes:
        tail = self._fetch(path, max(0, size - _TAIL), size) if size else b""
        if not tail.endswith(_MAGIC):
            return tail
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if len(tail) < length <= size:
            tail = self._fetch(path, size - length, size - len(tail)) + tail
        return _MAGIC + tail[-length:]

    def expect(self, paths: Iterable[str]) -> None:
        """Fetch the ends of objects, many at once."""
        lacking = [path for path in paths if path not in self._footers]
        if len(lacking) > 1:
            list(self._executor.map(self.footer, lacking))

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

    def _now(self, wanted: Collection[str]) -> "Objects":
        now = Objects(self._access)
        if len(wanted) > _FEW:
            now._list_again(self._listed, wanted)
        left = [self.key(path) for path in wanted if path not in now._seen]
        list(self._executor.map(now.find, left))
        return now

    def _list_again(self, listed: Mapping[str, str | None], wanted: Collection[str]) -> None:
        for prefix, offset in listed.items():
            for _ in self.list(prefix, offset):
                if self._seen.keys() >= set(wanted):
                    return

    def give_up(self) -> None:
        """Want nothing more of what is on its way."""
        give_up()

    def traces(self, paths: Iterable[str]) -> Iterable[str]:
        """Nothing: a listing shows all that has changed."""
        del paths
        return ()

    def below(self, folder: str, name: str) -> str:
        """The path of what lies below a prefix."""
        return f"{folder.rstrip('/')}/{name}"

    def absolute(self, path: str) -> str:
        """The path itself."""
        return path


def _quoted(tag: str | None) -> str | None:
    """A tag as a head tells it, and a condition has it: Azure lists it without its quotes."""
    return f'"{tag}"' if tag and not tag.endswith('"') else tag
