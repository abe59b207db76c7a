"""Answers in the cache: a question asked again of unchanged files needs no engine."""

import json
import time
from collections.abc import Callable
from typing import Any

from mmstats.answer import Stats, encode
from mmstats.cache import Cache, Key, Kind, make_key
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.errors import DatasetError
from mmstats.files.fingerprint import fingerprint
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile

_MOST_ROWS = 100_000


class Answers:
    """The cached answers of one engine: another may see other files under the same paths."""

    def __init__(self, cache: Cache, engine: EngineAddress) -> None:
        self._cache, self._engine = cache, engine

    def answer(
        self, query: StatsQuery, dataset: Dataset, compute: Callable[[], Stats], profile: Profile | None = None
    ) -> Stats:
        """The cached answer to the same question of the same files, else what `compute` gives, which is cached."""
        key = self._key(query, dataset)
        if key is None:
            return compute()
        content = self._cache.find(key)
        if content is not None:
            if profile:
                profile.answer_cached = True
            return _decode(content)
        stats = compute()
        if len(stats.rows) <= _MOST_ROWS and self._key(query, dataset) == key:
            self._cache.store(key, _encode(stats))
        return stats

    def has(self, query: StatsQuery, dataset: Dataset) -> bool:
        """Whether `answer` would give a cached one."""
        key = self._key(query, dataset)
        return key is not None and self._cache.find(key) is not None

    def _key(self, query: StatsQuery, dataset: Dataset) -> Key | None:
        """The answer's key; None where files may change unnoticed, or cannot be had, which the engine will say."""
        try:
            found = fingerprint(dataset)
        except DatasetError:
            return None
        if time.time_ns() - found.changed <= dataset.limits.settle_ns:
            return None
        return make_key(Kind.ANSWER, self._engine.identity, found.digest, query)


def _encode(stats: Stats) -> bytes:
    fields = {name: getattr(stats, name) for name in ("metric", "labels", "rows", "groups", "notices", "total")}
    return encode(fields).encode("utf-8", "surrogatepass")


def _decode(content: bytes) -> Stats:
    fields: dict[str, Any] = json.loads(content.decode("utf-8", "surrogatepass"))
    return Stats(**{**fields, "labels": tuple(fields["labels"]), "notices": tuple(fields["notices"])})
