"""Answers in the cache: a question asked again of unchanged files needs no engine."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, NamedTuple

from mmstats.answer import Stats
from mmstats.cache import Cache, Key, Kind, make_key
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.errors import DatasetError
from mmstats.files.fingerprint import Fingerprint, fingerprint
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile

_MOST_ROWS = 100_000


class Answered(NamedTuple):
    """An answer, and the states of all on disk that decided it, as in `Fingerprint`.

    `seen` is None where these may have changed while the question was answered, or may change unnoticed.
    """

    stats: Stats
    seen: Mapping[str, str | None] | None = None


class Answers:
    """The cached answers of one engine: another may see other files under the same paths."""

    def __init__(self, cache: Cache, engine: EngineAddress) -> None:
        self._cache, self._engine = cache, engine

    def answer(
        self, query: StatsQuery, dataset: Dataset, compute: Callable[[], Stats], profile: Profile | None = None
    ) -> Answered:
        """The cached answer to the same question of the same files, else what `compute` gives, which is cached."""
        before = _settled(dataset)
        if before is None:
            return Answered(compute())
        key = self._key(query, before)
        content = self._cache.find(key)
        if content is not None:
            if profile:
                profile.answer_cached = True
            return Answered(_decode(content), before.seen)
        stats = compute()
        after = _settled(dataset)
        if after is None or after.digest != before.digest:
            return Answered(stats)
        if len(stats.rows) <= _MOST_ROWS:
            self._cache.store(key, _encode(stats))
        return Answered(stats, before.seen)

    def has(self, query: StatsQuery, dataset: Dataset) -> bool:
        """Whether `answer` would give a cached one."""
        found = _settled(dataset)
        return found is not None and self._cache.find(self._key(query, found)) is not None

    def _key(self, query: StatsQuery, found: Fingerprint) -> Key:
        return make_key(Kind.ANSWER, self._engine.identity, found.digest, query)


def _settled(dataset: Dataset) -> Fingerprint | None:
    """The dataset's fingerprint; None where files may change unnoticed, or cannot be had, which the engine will say."""
    try:
        found = fingerprint(dataset)
    except DatasetError:
        return None
    return found if time.time_ns() - found.changed > dataset.limits.settle_ns else None


def _encode(stats: Stats) -> bytes:
    found = {one.name: getattr(stats, one.name) for one in fields(stats)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass")


def _decode(content: bytes) -> Stats:
    found: dict[str, Any] = json.loads(content.decode("utf-8", "surrogatepass"))
    # Rows stay a list; every other list was a tuple, and texts among decimals were decimals.
    found |= {name: tuple(one) for name, one in found.items() if isinstance(one, list) and name != "rows"}
    stats = Stats(**found)
    for row in (*stats.rows, *([stats.totals] if stats.totals else [])) if stats.decimals else ():
        row.update({key: Decimal(text) for key in stats.decimals if isinstance(text := row[key], str)})
    return stats
