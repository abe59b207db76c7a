"""How often a key may ask: a token bucket for each."""

import math
import time
from collections.abc import Callable

from mmstats.serve.options import Rate


class TooOften(Exception):
    """A key has spent its tokens; `after` so many seconds there is one again."""

    def __init__(self, after: int) -> None:
        super().__init__(after)
        self.after = after


class Buckets:
    """A token bucket for each key: full at first, filled at the rate, emptied by one with every request."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, owner: str) -> None:
        """Take one token of the owner's.

        Raises TooOften when there is none.
        """
        now = self._clock()
        per_second = self._rate.requests / self._rate.seconds
        tokens, at = self._level.get(owner, (float(self._rate.requests), now))
        tokens = min(self._rate.requests, tokens + (now - at) * per_second)
        if tokens < 1:
            raise TooOften(max(1, math.ceil((1 - tokens) / per_second)))
        self._level[owner] = (tokens - 1, now)
