"""Groups as packed integers: nothing is lost in them, their order holds, and the way they are merged is no matter."""

from collections import defaultdict
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset, sample_folder
from mmstats.engines import finish
from mmstats.engines.local import engine, packed_groups, plan, registers
from mmstats.engines.local.packing import KEY, Layout, TooWide
from mmstats.engines.local.partials import Marks
from mmstats.engines.local.strategy import ByNumbers
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import hashed
from tests import reference

NAMES = ("first", "second")
ROWS = st.lists(
    st.tuples(st.integers(-(2**24), 2**24), st.integers(0, 2**12), st.integers(0, 2**47 - 1)), min_size=1, max_size=30
)
WIDE = st.tuples(st.integers(-(2**39), 2**39), st.integers(0, 2**39), st.integers(0, 2**47 - 1))
SAMPLE = Dataset((sample_folder(),))
DAY = datetime(2026, 5, 1)  # noqa: DTZ001 - naive means UTC here
# Batches, pieces and what is held before merging are a few rows, so that a few rows go all ways.
SMALL_PIECES = Limits(batch_rows=7, merge_rows=8, merge_samples=4, run_rows=20)


def packed(rows: list[tuple[int, int, int]], below: int) -> tuple[Layout, pl.DataFrame]:
    """The layout of some rows, and their keys."""
    frame = pl.DataFrame(rows, schema={"first": pl.Int64, "second": pl.Int64, "mark": pl.UInt64}, orient="row")
    layout = Layout.of(frame, NAMES, below)
    return layout, frame.select(layout.packed(pl.col("mark") if below else None).alias(KEY))


@given(ROWS | st.lists(WIDE, min_size=1, max_size=10), st.sampled_from([0, 47]))
@settings(max_examples=150)
def test_what_is_packed_comes_out_again_and_sorts_as_it_did(rows: list[tuple[int, int, int]], below: int) -> None:
    """Columns and the integer below them come out of a key unchanged, and keys sort as the tuples of them do."""
    layout, keys = packed(rows, below)
    held = [row if below else row[:2] for row in rows]
    out = [*layout.columns(pl.col(KEY)), *([layout.lowest(pl.col(KEY)).alias("mark")] if below else [])]
    assert keys.select(out).rows() == held
    assert keys.sort(KEY).select(out).rows() == sorted(held)
    firsts = keys.select(layout.first_of_group(pl.col(KEY)).alias(KEY)).select(out).rows()
    assert [row[:2] for row in firsts] == [row[:2] for row in rows]
    assert not below or all(row[2] == 0 for row in firsts)


@given(ROWS, ROWS)
@settings(max_examples=100)
def test_a_wider_layout_changes_no_column_and_no_order(
    some: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> None:
    """Keys of two layouts, packed again in the one that has room for both, are still the same columns in order."""
    several = [packed(rows, 47) for rows in (some, others)]
    layout = Layout.over(of for of, _ in several)
    for rows, (of, keys) in zip((some, others), several, strict=True):
        again = of.repacked(keys.sort(KEY)[KEY], layout)
        assert again.is_sorted()
        out = (*layout.columns(pl.col(KEY)), layout.lowest(pl.col(KEY)).alias("mark"))
        assert again.to_frame().select(out).rows() == sorted(rows)


def test_what_takes_more_than_128_bits_is_refused() -> None:
    """There is no integer for it, so that whoever packs must find another way."""
    with pytest.raises(TooWide):
        packed([(0, 0, 0), (2**45, 2**45, 0)], 47)


VISITS = st.lists(
    st.tuples(
        st.sampled_from([None, "", "a", "é", "z"]),
        st.sampled_from([None, "x", "y"]),
        st.integers(0, 40),
        st.none() | st.integers(0, 60).map(str),
    ),
    max_size=120,
)
GROUPINGS = st.sampled_from([(), ("source",), ("source", "medium")])


def frame_of(visits: list[tuple[str | None, str | None, int, str | None]]) -> pl.LazyFrame:
    """Events of a source, a medium, a day and a visitor, as the reader gives them."""
    events = [(source, medium, DAY + timedelta(days=day), visitor) for source, medium, day, visitor in visits]
    schema = {"source": pl.String, "medium": pl.String, "timestamp": pl.Datetime("us"), "anonymous_id": pl.String}
    frame = pl.DataFrame(events, schema=schema, orient="row").lazy()
    return frame.with_columns(hashed(pl.col("anonymous_id")))


def by_marks(query: StatsQuery, events: pl.LazyFrame) -> finish.Rows:
    """The answer by packed integers."""
    by = Marks(query, events.collect_schema(), SMALL_PIECES)
    return by.finished([by.of(events)])


@given(VISITS, GROUPINGS, st.sampled_from([None, "day", "week", "hour"]))
@settings(max_examples=120)
def test_visitors_by_packed_integers_are_the_references(
    visits: list[tuple[str | None, str | None, int, str | None]], group_by: tuple[str, ...], interval: str | None
) -> None:
    """However rows fall into batches and pieces, each group's visitors are those of a sketch in plain Python."""
    query = StatsQuery("uniques", group_by=group_by, interval=interval, limit=None)
    seen: dict[tuple[object, ...], list[str | None]] = defaultdict(list)
    for source, medium, day, visitor in visits:
        moment = DAY + timedelta(days=day)
        bucket = moment - timedelta(days=moment.weekday()) if interval == "week" else moment
        seen[(*([bucket] if interval else []), *(source, medium)[: len(group_by)])].append(visitor)
    found = by_marks(query, frame_of(visits))
    expected = {key: reference.estimate(reference.sketch(ids)) for key, ids in seen.items()}
    if not query.labels:
        expected = expected or {(): 0}
    assert {row[:-1]: row[-1] for row in found.frame.rows()} == expected
    assert found.groups == found.frame.height == len(expected)


@given(VISITS, st.sampled_from([None, "day"]), st.sampled_from([None, 1, 3]))
@settings(max_examples=100)
def test_events_by_packed_integers_are_those_counted_by_texts(
    visits: list[tuple[str | None, str | None, int, str | None]], interval: str | None, limit: int | None
) -> None:
    """Packed or as texts, grouping gives the same answer, its limit and the number of groups before it too."""
    query = StatsQuery(group_by=("source", "medium"), interval=interval, limit=limit)
    by_numbers = ByNumbers(query, frame_of(visits), SMALL_PIECES)
    found = by_numbers.rows(by_numbers.of(frame_of(visits)))
    expected = plan.answered(query, frame_of(visits)).collect()
    assert found.groups == expected.height
    assert finish.ordered(query, found.frame).equals(finish.ordered(query, expected))


def test_labels_of_too_many_values_for_packing_are_grouped_by_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the labels' numbers do not fit one integer, the answer is the same, in the slower way."""

    def too_wide(*_: object) -> finish.Rows:
        raise TooWide

    query = StatsQuery("uniques", group_by=("source",), limit=None)
    asked = engine.answer(query, SAMPLE)
    monkeypatch.setattr(packed_groups, "estimated", too_wide)
    assert engine.answer(query, SAMPLE) == asked


def test_a_mark_is_the_register_and_the_value_of_a_hash() -> None:
    """The low 14 bits of a hash stand above its high 32; an id that is null has a register of its own."""
    hashes = pl.DataFrame({"h": [0, 2**64 - 1, 5 * 2**32 + 3, None]}, schema={"h": pl.UInt64})
    expected = [0, 16383 * 2**32 + 2**32 - 1, 3 * 2**32 + 5, 16384 * 2**32]
    assert hashes.select(registers.mark(pl.col("h"))).to_series().to_list() == expected
