"""The bytes of an object as they come: a few blocks ahead of whoever reads them, and no more."""

import io
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future

from mmstats.events.storage.waiting import waited_for

BLOCK = 8 << 20
_AHEAD = 2  # blocks on their way while one is read

Fetch = Callable[[int, int], bytes]


class ObjectStream(io.RawIOBase):
    """An object read once from its first byte to its last; it can go back only before its second block."""

    def __init__(self, fetch: Fetch, size: int, executor: Executor) -> None:
        self._fetch, self._size, self._executor = fetch, size, executor
        self._coming: deque[Future[bytes]] = deque()
        self._asked = self._at = self._start = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go back, as far as what was read is still here."""
        if whence != io.SEEK_SET or not self._start <= offset <= self._start + len(self._block):
            raise io.UnsupportedOperation("an object is read from its first byte to its last")
        self._at = offset
        return offset

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill a buffer as far as the block at hand does."""
        if self._at == self._start + len(self._block) and self._at < self._size:
            self._start, self._block = self._at, memoryview(self._next())
        here = self._block[self._at - self._start :][: len(buffer)]
        buffer[: len(here)] = here
        self._at += len(here)
        return len(here)

    def _next(self) -> bytes:
        self._ask(1 if self._asked == 0 else _AHEAD)  # many readers want no more than the first bytes
        block = waited_for(self._coming.popleft())
        self._ask(_AHEAD if self._start else 0)
        return block

    def _ask(self, blocks: int) -> None:
        while len(self._coming) < blocks and self._asked < self._size:
            end = min(self._asked + BLOCK, self._size)
            self._coming.append(self._executor.submit(self._fetch, self._asked, end))
            self._asked = end

    def close(self) -> None:
        """Want no more of it."""
        for coming in self._coming:
            coming.cancel()
        super().close()
