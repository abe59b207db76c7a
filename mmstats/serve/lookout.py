"""What the dataset is right now: looked at again when the last look is too old, once for all who ask."""

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future

from mmstats.dataset import Dataset
from mmstats.errors import DatasetError, Unreadable
from mmstats.files.fingerprint import Identity, identify

# A change of the files is noticed within this many seconds; where a look takes long, within ten times as long.
STALENESS = 0.5
MOST_STALENESS = 5.0


class Lookout:
    """Looks at the files of a dataset, never twice at once and not more often than their changes must be noticed."""

    def __init__(self, dataset: Dataset, timeout: float) -> None:
        self._dataset, self._timeout = dataset, timeout
        self._seen: Identity | DatasetError | None = None
        self._until = 0.0
        self._look: asyncio.Task[None] | None = None

    def known(self) -> Identity | None:
        """The dataset's identity if the last look is young enough, else None.

        Raises DatasetError when its files cannot be listed.
        """
        if self._seen is None or time.monotonic() >= self._until:
            return None
        if isinstance(self._seen, DatasetError):
            raise self._seen.with_traceback(None)
        return self._seen

    async def identity(self) -> Identity:
        """The dataset's identity, looked at again where the last look is too old.

        Raises DatasetError when its files cannot be listed, or not in time.
        """
        found = self.known()
        while found is None:
            await self._looked()
            found = self.known()
        return found

    async def unchanged(self, before: Identity) -> bool:
        """Whether the dataset still is what it was, by a look that begins now."""
        with contextlib.suppress(DatasetError):
            if self._look:
                await asyncio.shield(self._look)  # began before now
            self._until = 0.0
            return (await self.identity()).digest == before.digest
        return False

    async def _looked(self) -> None:
        if self._look is None:
            self._look = asyncio.create_task(self._again())
        await asyncio.shield(self._look)

    async def _again(self) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                self._seen = await self._aside()
        except DatasetError as error:
            self._seen = error
        except TimeoutError:
            self._seen = Unreadable(f"the files could not be listed within {self._timeout:g} seconds")
        finally:
            self._look = None
        took = time.monotonic() - started
        self._until = started + took + min(max(STALENESS, 10 * took), MOST_STALENESS)

    def _aside(self) -> "asyncio.Future[Identity]":
        """A look from a thread of its own: one that a storage keeps waiting for ever must not keep the server."""
        outcome: Future[Identity] = Future()
        outcome.set_running_or_notify_cancel()

        def look() -> None:
            try:
                outcome.set_result(identify(self._dataset))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=look, daemon=True).start()
        return asyncio.wrap_future(outcome)
