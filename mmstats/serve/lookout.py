"""What the dataset is right now: looked at again when the last look is too old, once for all who ask."""

import asyncio
import time

from mmstats.dataset import Dataset
from mmstats.errors import DatasetError
from mmstats.events.identity import Identity, identify

# A change of the files is noticed within this many seconds; where a look takes long, within ten times as long.
STALENESS = 0.5
MOST_STALENESS = 5.0


class Lookout:
    """Looks at the files of a dataset, never twice at once and not more often than their changes must be noticed."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._seen: Identity | DatasetError | None = None
        self._until = 0.0
        self._look: asyncio.Task[None] | None = None

    async def identity(self) -> Identity:
        """The dataset's identity.

        Raises DatasetError when its files cannot be listed.
        """
        if time.monotonic() >= self._until:
            if self._look is None:
                self._look = asyncio.create_task(self._again())
            await asyncio.shield(self._look)
        if isinstance(self._seen, DatasetError):
            raise self._seen.with_traceback(None)
        assert self._seen is not None
        return self._seen

    async def _again(self) -> None:
        started = time.monotonic()
        try:
            self._seen = await asyncio.to_thread(identify, self._dataset)
        except DatasetError as error:
            self._seen = error
        finally:
            self._look = None
        took = time.monotonic() - started
        self._until = started + took + min(max(STALENESS, 10 * took), MOST_STALENESS)
