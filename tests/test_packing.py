"""Grouping by packed integers: groups of any width, merged in pieces of any size, are counted right."""

import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.parameters import DIMENSIONS
from mmstats.question.query import StatsQuery
from tests import oracle
from tests.drawn import FORMATS, NEAR, questions, write
from tests.oracle import Event

# Batches, pieces and what is held before merging are a few rows, so that a few rows go all ways.
LIMITS = Limits(batch_rows=7, merge_rows=8, merge_samples=4, run_rows=20, settle_ns=-(10**9), footer_bytes=0)
FEW, ALL = 24 * 20, 24 * 3_652_000  # hours: since the first of May, or since the year 1 begins
# Of 150 events eight labels take 7 or 8 bits each, an hour of any year 27, a visitor's register and value 47.
WIDEST = StatsQuery("uniques", group_by=DIMENSIONS, interval="hour", limit=None)
NARROW = StatsQuery("uniques", group_by=("path", "os"), interval="week", limit=None)


def drawn(seed: int, count: int, values: int, hours: int) -> list[Event]:
    """Events of so many values in each column, null among them, at any of so many hours."""
    draw = random.Random(seed)
    first = datetime.fromisoformat("0001-01-01" if hours == ALL else "2026-05-01")
    texts = [*map(str, range(values)), None]
    return [
        {
            "timestamp": first + timedelta(hours=draw.randrange(hours)),
            "event_name": draw.choice(texts[:-1]),
            "anonymous_id": draw.choice(texts),
            **{name: draw.choice(texts) for name in DIMENSIONS[1:]},
        }
        for _ in range(count)
    ]


EVENTS = st.builds(
    drawn, st.integers(0, 2**32), st.integers(1, 60), st.sampled_from((1, 4, 200)), st.sampled_from((FEW, ALL))
)


@given(EVENTS, questions(when=NEAR), st.sampled_from(FORMATS))
@example(drawn(1, 150, 200, ALL), WIDEST, "parquet")  # 138 bits: more than any integer has
@example(drawn(2, 50, 20, ALL), WIDEST, "ndjson")  # 119 bits
@example(drawn(3, 50, 20, FEW), NARROW, "csv")  # 62 bits
@example(drawn(4, 150, 200, FEW), StatsQuery("uniques", interval="week"), "arrow")  # groups larger than a piece
@settings(max_examples=60)
def test_groups_of_any_width_are_the_oracles(events: list[Event], query: StatsQuery, kind: str) -> None:
    """Any labels, instants and visitors are counted right, at once, by file, or from cached partial aggregates."""
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "events"), Cache(Path(folder, "cache"))
        data.mkdir()
        for number in range(2):
            write(data / f"{number}.{kind}", events[number::2])
        for kept in (None, cache, cache):
            found = answer(query, Dataset((str(data),), limits=LIMITS), cache=kept)
            assert found.to_json() == oracle.answer(query, events)
            expected = oracle.values(query, events)
            assert found.groups == len(expected)
            assert found.total == (sum(expected.values()) if query.metric == "count" else None)
