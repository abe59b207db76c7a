"""How often long work saves what it has found so far, so that little is lost when it is stopped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_SHARE = 10  # a save takes at most a tenth of the time


class SavePace:
    """When to save: every `seconds`, and the longer the last save took the less often."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def is_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save in the block."""
        start = time.monotonic()
        yield
        end = time.monotonic()
        self._next = end + max(self._seconds, _SHARE * (end - start))
