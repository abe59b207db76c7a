"""Answers in the cache: a question asked again of unchanged files needs no engine."""

import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from mmstats.answer import Stats, encode
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.errors import DatasetError
from mmstats.files.fingerprint import fingerprint
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile
from mmstats.version import build_id

_MOST_ROWS = 100_000


class Answers:
    """The cached answers of one engine: another may see other files under the same paths."""

    def __init__(self, cache: Cache, engine: EngineAddress) -> None:
        self._cache, self._engine = cache, engine

    def answer(
        self, query: StatsQuery, dataset: Dataset, compute: Callable[[], Stats], profile: Profile | None = None
    ) -> Stats:
        """The answer that is kept from when the same was asked of the same files, or else what `compute` gives."""
        key = self._key(query, dataset)
        if key is None:
            return compute()
        kept = self._cache.find(key)
        if kept is not None:
            if profile:
                profile.answer_cached = True
            return _read(kept)
        stats = compute()
        if len(stats.rows) <= _MOST_ROWS and self._key(query, dataset) == key:
            self._cache.keep(key, _written(stats))
        return stats

    def has(self, query: StatsQuery, dataset: Dataset) -> bool:
        """Whether `answer` would give what is kept."""
        key = self._key(query, dataset)
        return key is not None and self._cache.find(key) is not None

    def _key(self, query: StatsQuery, dataset: Dataset) -> str | None:
        """What the answer is kept by, None where files may change unnoticed or cannot be had, as the engine says."""
        try:
            found = fingerprint(dataset)
        except DatasetError:
            return None
        if time.time_ns() - found.changed <= dataset.limits.settle_ns:
            return None
        asked = f"{build_id()} {self._engine.identity} {found.digest} {query}"
        return sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()


def _written(stats: Stats) -> bytes:
    fields = {name: getattr(stats, name) for name in ("metric", "labels", "rows", "groups", "notices")}
    return encode(fields).encode("utf-8", "surrogatepass")


def _read(content: bytes) -> Stats:
    fields: dict[str, Any] = json.loads(content.decode("utf-8", "surrogatepass"))
    return Stats(**{**fields, "labels": tuple(fields["labels"]), "notices": tuple(fields["notices"])})
