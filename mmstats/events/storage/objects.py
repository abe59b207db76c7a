"""Objects in a store: S3 and what speaks as it does, Google's and Azure's, and files on servers of the web."""

import io
import shutil
import weakref
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any, BinaryIO, cast

from mmstats.events.storage.access import Access
from mmstats.events.storage.catalog import Catalog
from mmstats.events.storage.disk import DISK
from mmstats.events.storage.requests import got, told
from mmstats.events.storage.stream import BLOCK, ObjectStream
from mmstats.events.storage.waiting import give_up

_MAGIC = b"PAR1"
_TAIL = 32 << 10  # bytes of a file's end that hold most footers
_SMALL = 4 << 20  # bytes of an object that is fetched by one request


class Objects(Catalog):
    """The objects of one bucket, container or server, read as they were when they were found."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._footers: dict[str, bytes] = {}
        self._copies: dict[str, str] = {}
        self._heads: dict[str, bytes] = {}

    @cached_property
    def scan(self) -> Mapping[str, Any]:
        """The same identity for the engine."""
        return self._access.scan()

    def _fetch(self, path: str, start: int, end: int) -> bytes:
        return self._get(path, {"range": (start, end)} if end > start else None)

    def _get(self, path: str, options: Mapping[str, Any] | None = None) -> bytes:
        same = {"if_match": self.tags[path]} if path in self.tags else {}
        with told(path):
            return got(self.library, self.key(path), {**(options or {}), **same})

    def open(self, path: str) -> BinaryIO:
        """The object as it was listed; raises Unreadable where it has changed since."""
        size = self.status(path).size
        return cast(BinaryIO, ObjectStream(partial(self._fetch, path), size, self.executor))

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
            list(self.executor.map(self.near, small))

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
            list(self.executor.map(self.footer, lacking))

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
