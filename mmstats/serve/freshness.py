"""Which answers may be reused: the current identity of the dataset, and a cache of the answers computed for it."""

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future

from cachetools import LRUCache

from mmstats.dataset import Dataset
from mmstats.errors import DatasetError, Unreadable
from mmstats.files.fingerprint import Fingerprint, fingerprint
from mmstats.serve.worker import Answer
from mmstats.wording import plural

# Changed files are noticed within STALENESS seconds; where listing takes long, within ten times as long.
STALENESS = 0.5
MAX_STALENESS = 5.0
CACHE_BYTES = 64 << 20
_ENTRY_OVERHEAD = 512  # bytes, beside the body


class DatasetMonitor:
    """The identity of a dataset, at most STALENESS old: its files are listed once for all requests that wait for it."""

    def __init__(self, dataset: Dataset, timeout: int) -> None:
        self._dataset, self._timeout = dataset, timeout
        self._last: Fingerprint | DatasetError | None = None
        self._expires = 0.0
        self._listing: asyncio.Task[None] | None = None

    def current(self) -> Fingerprint | None:
        """The identity if it is fresh enough, else None.

        Raises DatasetError when the files could not be listed.
        """
        if self._last is None or time.monotonic() >= self._expires:
            return None
        if isinstance(self._last, DatasetError):
            raise self._last.with_traceback(None)
        return self._last

    async def identity(self) -> Fingerprint:
        """The identity, with the files listed again if it is too old.

        Raises DatasetError when the files cannot be listed, or not in time.
        """
        while (found := self.current()) is None:
            if self._listing is None:
                self._listing = asyncio.create_task(self._refresh())
            await asyncio.shield(self._listing)
        return found

    async def is_unchanged(self, before: Fingerprint) -> bool:
        """Whether the dataset still is what it was, by a listing that begins now."""
        with contextlib.suppress(DatasetError):
            if self._listing:
                await asyncio.shield(self._listing)  # began before now
            self._expires = 0.0
            return (await self.identity()).digest == before.digest
        return False

    async def _refresh(self) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                self._last = await asyncio.wrap_future(_in_thread(self._dataset))
        except DatasetError as error:
            self._last = error
        except TimeoutError:
            fault = f"the files could not be listed within {plural(self._timeout, 'second')}"
            self._last = Unreadable(fault, hint="imported events are fewer files; --query-timeout is the bound")
        finally:
            self._listing = None
        now = time.monotonic()
        self._expires = now + min(max(STALENESS, 10 * (now - started)), MAX_STALENESS)


def _in_thread(dataset: Dataset) -> "Future[Fingerprint]":
    """The identity, found in a daemon thread: a storage that never answers must not keep the server from ending."""
    outcome: Future[Fingerprint] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(fingerprint(dataset))
        except BaseException as error:  # raised where the outcome is awaited
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome


def _size(answer: Answer) -> int:
    return len(answer.body) + _ENTRY_OVERHEAD


class AnswerCache:
    """Answers for one identity of the dataset; the least recently used go first, and all when the identity changes."""

    def __init__(self) -> None:
        self._answers: LRUCache[str, Answer] = LRUCache(CACHE_BYTES, getsizeof=_size)
        self._digest = ""

    def size(self) -> int:
        """The bytes that the answers take."""
        return int(self._answers.currsize)

    def get(self, digest: str, key: str) -> Answer | None:
        """The answer under a key, if it is of the dataset with this digest."""
        if digest != self._digest:
            self._answers.clear()
            self._digest = digest
        return self._answers.get(key)

    def put(self, digest: str, key: str, answer: Answer) -> None:
        """Keep an answer, unless the dataset has changed, or it takes more than an eighth of the cache."""
        if digest == self._digest and _size(answer) <= CACHE_BYTES / 8:
            self._answers[key] = answer
