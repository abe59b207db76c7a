"""Objects in S3, Google's and Azure's stores and files on web servers, read as they were when they were found."""

import io
import shutil
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from functools import cached_property, partial
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any, BinaryIO, cast

from mmstats.storage import parquet_footer
from mmstats.storage.access import Access
from mmstats.storage.catalog import Catalog
from mmstats.storage.disk import DISK
from mmstats.storage.requests import cancel_requests, get_bytes, translated_errors, wait_for

_SMALL = 4 << 20  # bytes of an object that is fetched by one request
_BLOCK = 8 << 20  # bytes of a stream that are fetched by one request
_AHEAD = 2  # blocks that are fetched while one is read


class Objects(Catalog):
    """The objects of one bucket, container or server, as a storage."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._footers: dict[str, bytes] = {}
        self._copies: dict[str, str] = {}
        self._heads: dict[str, bytes] = {}

    @cached_property
    def scan_options(self) -> Mapping[str, Any]:
        """Arguments for the engine's scan, with the same credentials."""
        return self._access.scan_options()

    @property
    def log_options(self) -> Mapping[str, str]:
        """Options for the library that reads the log of a Delta table, with the credentials as they are now."""
        return self._access.log_options()

    def names(self, folder: str) -> Iterator[str]:
        """The names of the objects right below a prefix."""
        start = len(self.key(folder)) + 1
        for page in self.list(self.key(folder)):
            yield from (one["path"][start:] for one in page if "/" not in one["path"][start:])

    def _fetch(self, path: str, start: int, end: int) -> bytes:
        """A range of an object, all of it where the range is empty; raises Unreadable where it has changed."""
        options: dict[str, Any] = {"range": (start, end)} if end > start else {}
        if path in self.etags:
            options["if_match"] = self.etags[path]
        with translated_errors(path, found=True):
            return get_bytes(self.store, self.key(path), options)

    def open(self, path: str) -> BinaryIO:
        """The object as it was listed; raises Unreadable where it has changed since."""
        return cast(BinaryIO, ObjectStream(partial(self._fetch, path), self.status(path).size, self.executor))

    def read_head(self, path: str, count: int) -> bytes:
        """The first bytes of an object."""
        if path in self._copies:
            return DISK.read_head(self._copies[path], count)
        if len(self._heads.get(path, b"")) < count:
            self._heads[path] = self._fetch(path, 0, count) if self.status(path).size else b""
        return self._heads[path][:count]

    def read(self, path: str) -> bytes:
        """All of an object, even if it was written again since it was listed."""
        with translated_errors(path, found=True):
            return get_bytes(self.store, self.key(path), {})

    def local_copy(self, path: str) -> str:
        """A copy of the object, made once."""
        if path not in self._copies:
            size = self.status(path).size
            with NamedTemporaryFile(dir=self._folder, delete=False) as file:
                if size > _SMALL:
                    with self.open(path) as stream:
                        shutil.copyfileobj(stream, file, _BLOCK)
                else:
                    file.write(self._fetch(path, 0, size))
            self._copies[path] = file.name
        return self._copies[path]

    def prefetch(self, paths: Iterable[str]) -> None:
        """Copy small objects, many at once; of a large one several blocks are fetched at once anyhow."""
        small = [path for path in paths if self.status(path).size <= _SMALL and path not in self._copies]
        if len(small) > 1:
            list(self.executor.map(self.local_copy, small))

    @cached_property
    def _folder(self) -> str:
        folder = mkdtemp(prefix="mmstats-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def footer(self, path: str) -> BinaryIO:
        """The footer of an object, fetched once."""
        if path not in self._footers:
            self._footers[path] = parquet_footer(self.status(path).size, partial(self._fetch, path))
        return io.BytesIO(self._footers[path])

    def prefetch_footers(self, paths: Iterable[str]) -> None:
        """Fetch the ends of objects, many at once."""
        missing = [path for path in paths if path not in self._footers]
        if len(missing) > 1:
            list(self.executor.map(self.footer, missing))

    def cancel(self) -> None:
        """Cancel all requests in progress."""
        cancel_requests()

    def join(self, folder: str, name: str) -> str:
        """The path of an object below a prefix."""
        return f"{folder.rstrip('/')}/{name}"

    def canonical(self, path: str) -> str:
        """The path itself."""
        return path


class ObjectStream(io.RawIOBase):
    """An object read once from start to end, with a few blocks fetched ahead; it can go back within the block at hand.

    `fetch` gives the bytes between two offsets.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, executor: Executor) -> None:
        self._fetch, self._size, self._executor = fetch, size, executor
        self._pending: deque[Future[bytes]] = deque()
        self._requested = self._position = self._start = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the block at hand."""
        if whence != io.SEEK_SET or not self._start <= offset <= self._start + len(self._block):
            raise io.UnsupportedOperation("an object is read from its first byte to its last")
        self._position = offset
        return offset

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill a buffer as far as the block at hand does."""
        if self._position == self._start + len(self._block) and self._position < self._size:
            self._start, self._block = self._position, memoryview(self._next_block())
        here = self._block[self._position - self._start :][: len(buffer)]
        buffer[: len(here)] = here
        self._position += len(here)
        return len(here)

    def _next_block(self) -> bytes:
        self._request(1 if self._requested == 0 else _AHEAD)  # many readers want no more than the first bytes
        block = wait_for(self._pending.popleft())
        self._request(_AHEAD if self._start else 0)
        return block

    def _request(self, blocks: int) -> None:
        while len(self._pending) < blocks and self._requested < self._size:
            end = min(self._requested + _BLOCK, self._size)
            self._pending.append(self._executor.submit(self._fetch, self._requested, end))
            self._requested = end

    def close(self) -> None:
        """Cancel what is not fetched yet."""
        for pending in self._pending:
            pending.cancel()
        super().close()
