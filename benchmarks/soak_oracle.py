"""What the data of `soak.py` held and when, and whether an answer is one that some of these states gives.

The answers are computed in plain Python, by the rules that the tests' own oracle has: no code of the engine takes part.
"""

import json
import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from mmstats.question.query import StatsQuery
from tests import oracle, reference

START = datetime(2026, 5, 4)  # noqa: DTZ001 - UTC, as all here
DAYS = 7
# A server looks for changed files after half a second, or after ten times as long as looking takes, at most 5 seconds.
PROMPT_SECONDS, STALE_SECONDS = 1.0, 6.5
_KEPT_SECONDS = 180.0  # no request lasts longer
_MOST_STATES = 1_000
_NAMES = ("$pageview", "click", "signup")
_TEXTS = {
    "source": ("google", "facebook", "github.com", "", None),
    "medium": ("organic", "paid", None),
    "country": ("DE", "US", "FR", "\U0001f600", "\ufffd"),
    "path": tuple(f"/{number}" for number in range(30)),
}


class Batch:
    """Events that come and go together; another one each time, also of equal events."""

    def __init__(self, rng: Random, rows: int) -> None:
        self.events = [_event(rng) for _ in range(rows)]


Content = tuple[Batch, ...]


def _event(rng: Random) -> oracle.Event:
    return {
        "timestamp": START + timedelta(seconds=rng.randrange(DAYS * 86_400), microseconds=rng.choice((0, 1, 999_999))),
        "event_name": rng.choice(_NAMES),
        "anonymous_id": f"visitor {int(rng.paretovariate(0.5)) % 2_000}",
        **{name: rng.choice(texts) for name, texts in _TEXTS.items()},
    }


def draw_question(rng: Random) -> StatsQuery:
    """A question of any parameters that HTTP and its extensions have."""
    edges = sorted(rng.sample(range(-24, 24 * DAYS + 24), 2))
    start, end = (START.replace(tzinfo=UTC) + timedelta(hours=edge) for edge in edges)
    whole = rng.random() < 0.4
    return StatsQuery(
        metric=rng.choice(("count", "count", "uniques")),
        start=datetime(2000, 1, 1, tzinfo=UTC) if whole else start,
        end=datetime(2100, 1, 1, tzinfo=UTC) if whole else end,
        events=rng.choice(((), (), *((name,) for name in _NAMES))),
        group_by=tuple(rng.sample([*_TEXTS, "event_name", "os"], rng.choice((0, 0, 1, 1, 2)))),
        interval=rng.choice((None, None, "hour", "day", "week")),
        limit=rng.choice((3, 100, 1000, None)),
    )


def path_of(query: StatsQuery) -> str:
    """The request that asks a question; its limit is lifted by an extension."""
    assert query.start
    assert query.end
    given = {
        "metric": query.metric,
        "from": query.start.isoformat().replace("+00:00", "Z"),
        "to": query.end.isoformat().replace("+00:00", "Z"),
        "event": "".join(query.events),
        "group_by": ",".join(query.group_by),
        "interval": query.interval or "",
        "limit": str(query.limit or ""),
        "exact": "true" if query.exact else "",
        "all": "" if query.limit else "true",
    }
    return "/v1/stats?" + "&".join(f"{name}={text}" for name, text in given.items() if text)


@dataclass
class _State:
    """A content, from when on it may have been seen, and until when."""

    content: Content
    since: float
    until: float


class Slot:
    """A file or a store: what changes as a whole, and what it has held."""

    def __init__(self) -> None:
        self._states = [_State((), -math.inf, math.inf)]
        self._lock = threading.Lock()

    @property
    def content(self) -> Content:
        """What it holds, or is about to hold."""
        return self._states[-1].content

    @contextmanager
    def changing(self, content: Content) -> Iterator[None]:
        """For the length of a block, either content may be seen."""
        with self._lock:
            now, before = time.monotonic(), self._states[-1]
            kept = [state for state in self._states if state.until > now - _KEPT_SECONDS]
            self._states = [*kept, _State(content, now, math.inf)]
        yield
        before.until = time.monotonic()

    def held(self, start: float, end: float) -> list[Content]:
        """What may have been seen of it between two instants, the newest first."""
        with self._lock:
            return [state.content for state in reversed(self._states) if state.since <= end and state.until >= start]


Values = dict[oracle.Key, Any]
Answer = tuple[str, bool]  # the body, and whether the limit cut rows off


@lru_cache(50_000)
def _partial(batch: Batch, query: StatsQuery) -> Values:
    """Of each group of a batch: how many events, or the sketch of their visitors."""
    groups: Values = {}
    for event in oracle.asked(query, batch.events):
        bucket = [oracle.bucket_of(query, event["timestamp"])] if query.interval else []
        groups.setdefault((*bucket, *(event.get(name) for name in query.group_by)), []).append(event)
    if query.metric == "count":
        return {key: len(members) for key, members in groups.items()}
    return {key: reference.sketch({event["anonymous_id"] for event in members}) for key, members in groups.items()}


def _merged(query: StatsQuery, parts: Iterable[Values]) -> Values:
    """The values of parts together."""
    whole: Values = {}
    for part in parts:
        for key, value in part.items():
            if key not in whole:
                whole[key] = value
            else:
                whole[key] = whole[key] + value if query.metric == "count" else reference.merged(whole[key], value)
    return whole


def _distinct(query: StatsQuery, contents: Sequence[Content]) -> list[Values]:
    """The values of contents, without those that the question cannot tell from one before."""
    found: list[Values] = []
    for content in contents:
        values = _merged(query, (_partial(batch, query) for batch in content))
        found += [values] if values not in found else []
    return found


def _choices(query: StatsQuery, held: Sequence[Sequence[Values]]) -> Iterator[Values]:
    """The values of the whole for each choice of one of what each part has held; what comes first is merged once."""
    if not held:
        yield {} if query.labels else {(): 0 if query.metric == "count" else {}}
        return
    for found in _choices(query, held[:-1]):
        for values in held[-1]:
            yield _merged(query, (found, values))


def _answer(query: StatsQuery, found: Values) -> Answer:
    count = query.metric == "count"
    values = found if count else {key: reference.estimate(registers) for key, registers in found.items()}
    body = {"metric": query.metric, "rows": oracle.rows(query, values)}
    truncated = query.limit is not None and len(values) > query.limit
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")), truncated


def judge(slots: Sequence[Slot], query: StatsQuery, got: Answer, start: float, end: float) -> str:
    """Whether an answer to a request between two instants is `right`, `stale` or `wrong`, or there are too many states.

    Files change independently of each other, and may be read one after the other: any state of one goes with any of
    the others. A store is one slot, so that its answers must be of one state of the whole.
    """
    unlimited = replace(query, limit=None)  # shares what was computed
    for age, verdict in ((PROMPT_SECONDS, "right"), (STALE_SECONDS, "stale")):
        held = sorted((_distinct(unlimited, slot.held(start - age, end)) for slot in slots), key=len)
        if math.prod(map(len, held)) > _MOST_STATES:
            return "undecided"
        if any(_answer(query, found) == got for found in _choices(unlimited, held)):
            return verdict
    return "wrong"
