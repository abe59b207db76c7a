"""How often a key may ask: a token bucket for each."""

import math
import time
from collections.abc import Callable

from mmstats.serve.envelope import Refused
from mmstats.serve.options import Rate


class Buckets:
    """A token bucket for each key: full at first, filled at the rate, emptied by one with every request."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, owner: str) -> None:
        """Take one token of the owner's.

        Raises Refused, saying after how many seconds there is one again, when there is none.
        """
        now = self._clock()
        per_second = self._rate.requests / self._rate.seconds
        tokens, at = self._level.get(owner, (float(self._rate.requests), now))
        tokens = min(self._rate.requests, tokens + (now - at) * per_second)
        if tokens < 1:
            after = max(1, math.ceil((1 - tokens) / per_second))
            raise Refused("rate_limited", more={"retry_after_s": after}, headers={"Retry-After": str(after)})
        self._level[owner] = (tokens - 1, now)
