"""Grouping by packed integers: groups of any width, merged in pieces of any size, are counted right."""

import random
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
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

# Batches, pieces and what is held before merging are a few rows, so that a few rows go all ways. The registers of a
# group take PLACE bytes of a table.
PLACE = 131_080
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


@given(EVENTS, questions(when=NEAR), st.sampled_from(FORMATS), st.sampled_from((0, 1, 3, 20, 3_000)))
@example(drawn(1, 150, 200, ALL), WIDEST, "parquet", 3_000)  # 138 bits: more than any integer has
@example(drawn(2, 50, 20, ALL), WIDEST, "ndjson", 3_000)  # 119 bits
@example(drawn(3, 50, 20, FEW), NARROW, "csv", 20)  # 62 bits
@example(drawn(4, 150, 200, FEW), StatsQuery("uniques", interval="week"), "arrow", 0)  # groups larger than a piece
@settings(max_examples=60)
def test_groups_of_any_width_are_the_oracles(events: list[Event], query: StatsQuery, kind: str, places: int) -> None:
    """Any labels, instants and visitors are counted right, at once, by file, or from cached partial aggregates."""
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "events"), Cache(Path(folder, "cache"))
        limits = replace(LIMITS, table_bytes=places * PLACE)
        data.mkdir()
        for number in range(2):
            write(data / f"{number}.{kind}", events[number::2])
        for kept in (None, cache, cache):
            found = answer(query, Dataset((str(data),), limits=limits), cache=kept)
            assert found.to_json() == oracle.answer(query, events)
            expected = oracle.values(query, events)
            assert found.groups == len(expected)
            assert found.total == (sum(expected.values()) if query.metric == "count" else None)


def write_days(folder: Path, days: int, rows: int, paths: int) -> None:
    """Write a file a day with so many rows, whose paths and visitors change from day to day; some ids are null."""
    for day in range(days):
        number = pl.int_range(rows, dtype=pl.Int64)
        visitor = number * 7_919 % (rows // 3) + day * 500
        pl.select(
            timestamp=pl.datetime(2026, 5, 1) + pl.duration(days=day, seconds=number * 86_400 // rows),
            event_name=pl.lit("e"),
            anonymous_id=pl.when(number % 11 > 0).then(pl.format("visitor-{}", visitor)),
            path=pl.format("/{}", number % 97 % paths + day * 2),
        ).write_parquet(folder / f"{day}.parquet", row_group_size=rows // 4)


@given(
    st.sampled_from([StatsQuery("uniques", group_by=by, interval=every, limit=None)
                     for by in ((), ("path",)) for every in (None, "day", "week")]),
    st.integers(1, 5), st.integers(300, 40_000), st.integers(1, 90), st.sampled_from((1, 5, 30, 3_000)),
    st.sampled_from((256, 1 << 12)),
)  # fmt: skip
@example(StatsQuery("uniques"), 2, 40_000, 1, 1, 256)  # in the table throughout
@example(
    StatsQuery("uniques", group_by=("path",), limit=None), 5, 4_000, 3, 5, 256
)  # on the second day it is too small
@example(StatsQuery("uniques", group_by=("path",), limit=None), 1, 4_000, 90, 5, 256)  # too small for the first batch
@settings(max_examples=25)
def test_a_table_and_sorting_are_the_same(
    query: StatsQuery, days: int, rows: int, paths: int, places: int, batch_rows: int
) -> None:
    """Registers in a table, sorted, and handed over in the middle give the same integers, by file and together."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "events")
        data.mkdir()
        write_days(data, days, rows, paths)
        limits = Limits(
            batch_rows=batch_rows, table_bytes=places * PLACE, settle_ns=-(10**9), small_partial_bytes=1 << 24
        )
        sorted_ones = answer(query, Dataset((str(data),), limits=replace(limits, table_bytes=0))).to_json()
        cache = Cache(Path(folder, "cache"))
        for kept in (None, cache, cache):
            assert answer(query, Dataset((str(data),), limits=limits), cache=kept).to_json() == sorted_ones
