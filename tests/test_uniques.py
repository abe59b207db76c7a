"""Distinct visitors: the sketch against its reference, and what can and cannot move its integer."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import polars_hash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines import sketch
from mmstats.engines.local.engine import answer
from mmstats.question.query import StatsQuery
from tests import oracle, reference
from tests.drawn import FORMATS, write
from tests.importing import rows_of
from tests.oracle import Event

UNIQUES = StatsQuery("uniques")
BY_PATH = StatsQuery("uniques", group_by=("path",), limit=None)
IDS = st.lists(st.none() | st.sampled_from(["", "a", "7", "007"]) | st.text(max_size=40), max_size=60)


def ask(query: StatsQuery, *locations: Path) -> Stats:
    """The answer to a question."""
    return answer(query, Dataset(tuple(map(str, locations))))


def visits(ids: Sequence[str | None], path: str | None = None) -> list[Event]:
    """An event of each id."""
    moment = datetime.fromisoformat("2026-05-01")
    return [{"timestamp": moment, "event_name": "e", "anonymous_id": one, "path": path} for one in ids]


def registers_of(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The product's registers of a frame with the column `id`."""
    return sketch.registers(frame.lazy(), keys, polars_hash.col("id").nchash.xxhash64(seed=42)).collect()


def as_sketch(registers: pl.DataFrame) -> reference.Sketch:
    """The product's registers as the reference keeps them."""
    columns = registers.select(sketch.REGISTER, sketch.LOW, sketch.HIGH).drop_nulls()
    return {register: (low, high) for register, low, high in columns.iter_rows()}


def estimate_of(registers: pl.DataFrame) -> int:
    """The product's estimate from registers."""
    value: int = registers.select(sketch.estimate()).item()
    return value


@pytest.mark.parametrize(
    ("data", "seed", "digest"),
    [
        (b"", 0, 0xEF46DB3751D8E999),
        (b"a", 0, 0xD24EC4F1A98C6E5B),
        (b"abc", 0, 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
        (b"ABC", 42, 4105715581806190027),
    ],
)
def test_reference_hash_is_xxh64(data: bytes, seed: int, digest: int) -> None:
    """The reference gives the published digests, and the one that Spark's xxhash64 gives."""
    assert reference.xxh64(data, seed) == digest


@given(st.lists(st.text(max_size=150), max_size=30, unique=True))
@settings(max_examples=40)
def test_hash_is_xxh64_of_utf8_with_seed_42(texts: list[str]) -> None:
    """A store has the hash of every id as the reference hashes its UTF-8 bytes, whatever its length; null has none."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "events.parquet", visits([*texts, None]))
        found = {row["anonymous_id"]: row["anonymous_id_xxh64"] for row in rows_of(Dataset((folder,)))}
    assert found == {None: None} | {text: reference.xxh64(text.encode(), 42) for text in texts}


@given(IDS)
@settings(max_examples=100)
def test_sketch_and_estimate_are_the_references(ids: list[str | None]) -> None:
    """Registers and estimate equal those of plain integers and fractions."""
    registers = registers_of(pl.DataFrame({"id": ids}, schema={"id": pl.String}), [])
    assert as_sketch(registers) == reference.sketch(ids)
    assert estimate_of(registers) == reference.estimate(reference.sketch(ids))


@pytest.mark.parametrize("count", [1_000, 20_000, 60_000])
def test_sketch_of_many_is_the_references(count: int) -> None:
    """With most registers touched, many times over, registers and estimate still equal the reference's."""
    ids = [f"visitor-{number}" for number in range(count)]
    registers = registers_of(pl.DataFrame({"id": ids}), [])
    assert as_sketch(registers) == reference.sketch(ids)
    assert estimate_of(registers) == reference.estimate(reference.sketch(ids))


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=200))
@settings(max_examples=100)
def test_estimate_is_rounded_exactly(ends: list[tuple[int, int]]) -> None:
    """The quotient of integers is rounded half up without a float between, for any registers."""
    registers = {index: (min(pair), max(pair)) for index, pair in enumerate(ends)}
    assert estimate_of(register_frame(registers)) == reference.estimate(registers)


def register_frame(registers: reference.Sketch) -> pl.DataFrame:
    """Registers as the product holds them."""
    schema = {sketch.REGISTER: pl.UInt16, sketch.LOW: pl.UInt32, sketch.HIGH: pl.UInt32}
    return pl.DataFrame([(key, *ends) for key, ends in registers.items()], schema=schema, orient="row")


FULL = 2**32 - 1
EXTREMES: dict[str, reference.Sketch] = {
    "none": {},
    "one": {16383: (FULL, FULL)},
    "all-single": dict.fromkeys(range(16384), (0, 0)),
    "all-pairs-at-distance-one": dict.fromkeys(range(16384), (FULL - 1, FULL)),
    "all-of-the-full-span": dict.fromkeys(range(16384), (0, FULL)),
    "all-but-one-of-the-full-span": {**dict.fromkeys(range(16383), (0, FULL)), 16383: (7, 7)},
    "one-of-the-full-span": {0: (0, FULL)},
}


@pytest.mark.parametrize("registers", EXTREMES.values(), ids=EXTREMES)
def test_estimate_does_not_overflow(registers: reference.Sketch) -> None:
    """At the ends of what registers can hold, the 64-bit arithmetic equals that of unbounded integers."""
    assert estimate_of(register_frame(registers)) == reference.estimate(registers)


def test_estimate_at_its_greatest_is_known() -> None:
    """All registers with the full span give 2^47, the greatest estimate there is."""
    assert estimate_of(register_frame(EXTREMES["all-of-the-full-span"])) == 2**47


@given(IDS, IDS)
@settings(max_examples=50)
def test_sketches_merge_to_that_of_the_union(one: list[str | None], other: list[str | None]) -> None:
    """The minimum of minima and the maximum of maxima of two parts are the sketch of both together."""
    parts = [registers_of(pl.DataFrame({"id": ids}, schema={"id": pl.String}), []) for ids in (one, other)]
    whole = pl.concat(parts).group_by(sketch.REGISTER).agg(pl.col(sketch.LOW).min(), pl.col(sketch.HIGH).max())
    assert as_sketch(whole) == reference.sketch([*one, *other])
    assert as_sketch(whole) == reference.merged(*map(reference.sketch, (one, other)))


@st.composite
def arrangements(draw: st.DrawFn) -> tuple[list[Event], list[tuple[str, list[Event]]]]:
    """Events of a few groups, then the same events repeated, shuffled and split over files of any formats."""
    paths, ids = st.sampled_from([None, "", "/a", "/b"]), st.integers(0, 3000).map(str) | st.text(max_size=3)
    pairs = draw(st.lists(st.tuples(paths, st.none() | ids), min_size=1, max_size=300))
    events = [event for path, one in pairs for event in visits([one], path)]
    again = draw(st.permutations(events + events[: draw(st.integers(0, len(events)))]))
    formats = draw(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=5))
    return events, [(kind, again[index :: len(formats)]) for index, kind in enumerate(formats)]


ARRANGED = (UNIQUES, BY_PATH, replace(BY_PATH, interval="day"), replace(BY_PATH, exact=True))


@given(arrangements(), st.sampled_from(ARRANGED))
@settings(max_examples=60)
def test_arrangement_does_not_move_the_integer(
    arranged: tuple[list[Event], list[tuple[str, list[Event]]]], query: StatsQuery
) -> None:
    """However rows are split over files, ordered, repeated and written, estimate and exact count stay the same."""
    events, parts = arranged
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "all.parquet", events)
        for index, (kind, part) in enumerate(parts):
            write(Path(folder) / f"{index}.{kind}", part)
        found = {ask(query, Path(folder) / files).to_json() for files in ("all.*", "[0-9].*", "*")}
    assert found == {oracle.answer(query, events)}


SCRIPT = """
import sys
from pathlib import Path
from tests.test_uniques import BY_PATH, UNIQUES, ask
for query in (UNIQUES, BY_PATH):
    print(ask(query, Path(sys.argv[1])).to_json())
"""


def test_threads_do_not_move_the_integer(tmp_path: Path) -> None:
    """One thread and two give the reference's integers over 200,000 rows in several files."""
    draw = random.Random(5)
    ids = [str(draw.randrange(50_000)) for _ in range(200_000)]
    frame = pl.DataFrame({"anonymous_id": ids}).with_columns(
        timestamp=pl.datetime(2026, 5, 1), event_name=pl.lit("e"), path=pl.col("anonymous_id").str.slice(0, 2)
    )
    for index in range(8):
        frame[index::8].write_parquet(tmp_path / f"{index}.parquet", row_group_size=3000)
    whole = f'{{"metric":"uniques","rows":[{{"value":{reference.estimate(reference.sketch(set(ids)))}}}]}}'
    for threads in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "POLARS_MAX_THREADS": threads},
            capture_output=True,
            check=True,
            text=True,
        )
        assert ran.stdout.splitlines() == [whole, ask(BY_PATH, tmp_path).to_json()]


@pytest.mark.parametrize("exact", [False, True], ids=["estimate", "exact"])
@pytest.mark.parametrize("kind", FORMATS)
class TestNulls:
    """What is no id, and what is one."""

    def rows(self, tmp_path: Path, kind: str, exact: bool, **question: Any) -> list[dict[str, Any]]:
        """The rows of an answer over visitors, some of them null, on two pages."""
        file = tmp_path / f"events.{kind}"
        write(file, visits(["v", None, "", "", "v"], "/a") + visits([None, None], "/b"))
        return list(ask(StatsQuery("uniques", exact=exact, **question), file).rows)

    def test_null_ids_are_not_counted(self, tmp_path: Path, kind: str, exact: bool) -> None:
        """A null id is no visitor, an empty string is one."""
        assert self.rows(tmp_path, kind, exact) == [{"value": 2}]

    def test_groups_of_nulls_are_kept(self, tmp_path: Path, kind: str, exact: bool) -> None:
        """A group whose ids are all null is a row with value 0."""
        rows = [{"path": "/a", "value": 2}, {"path": "/b", "value": 0}]
        assert self.rows(tmp_path, kind, exact, group_by=("path",)) == rows

    def test_buckets_of_nulls_are_kept(self, tmp_path: Path, kind: str, exact: bool) -> None:
        """A bucket whose ids are all null is a row with value 0."""
        file = tmp_path / f"later.{kind}"
        write(file, visits([None, None]))
        found = ask(StatsQuery("uniques", exact=exact, interval="day"), file)
        assert found.rows == [{"bucket": "2026-05-01 00:00:00", "value": 0}]
        assert found.notices == ()

    def test_data_without_ids_answers_0_and_says_so(self, tmp_path: Path, kind: str, exact: bool) -> None:
        """A dataset without anonymous_id answers 0, keeps its groups, and a notice says how to name the column."""
        file = tmp_path / f"bare.{kind}"
        write(file, visits(["v"], "/a"), ["timestamp", "event_name", "path"])
        found = ask(StatsQuery("uniques", exact=exact), file)
        assert found.rows == [{"value": 0}]
        assert len(found.notices) == 1
        assert "--map anonymous_id=COLUMN" in found.notices[0]
        assert ask(StatsQuery("uniques", exact=exact, group_by=("path",)), file).rows == [{"path": "/a", "value": 0}]

    def test_one_file_with_ids_is_enough(self, tmp_path: Path, kind: str, exact: bool) -> None:
        """Where only some files have anonymous_id, theirs are counted without a notice."""
        write(tmp_path / f"bare.{kind}", visits(["v"]), ["timestamp", "event_name"])
        write(tmp_path / f"whole.{kind}", visits(["v", "w"]))
        found = ask(StatsQuery("uniques", exact=exact), tmp_path)
        assert (found.rows, found.notices) == ([{"value": 2}], ())


def test_counting_events_needs_no_ids(tmp_path: Path) -> None:
    """Counting events of a dataset without anonymous_id says nothing of it."""
    write(tmp_path / "bare.csv", visits(["v"]), ["timestamp", "event_name"])
    assert ask(StatsQuery(), tmp_path).notices == ()


def test_no_match_is_0_visitors(tmp_path: Path) -> None:
    """Nothing matched is one row of 0, or no rows with a grouping, estimated or exact."""
    write(tmp_path / "a.parquet", visits(["v"]))
    for exact in (False, True):
        assert ask(StatsQuery("uniques", events=("x",), exact=exact), tmp_path).rows == [{"value": 0}]
        assert ask(StatsQuery("uniques", events=("x",), exact=exact, group_by=("os",)), tmp_path).rows == []


def test_300_000_groups_keep_exact_small_counts(tmp_path: Path) -> None:
    """Each of 300,000 groups, more than 2^32 holds with their registers, keeps its own exact count of 1 or 2."""
    events = pl.select(number=pl.int_range(600_000)).select(
        timestamp=pl.datetime(2026, 5, 1),
        event_name=pl.lit("e"),
        path=(pl.col("number") % 300_000).cast(pl.String),
        anonymous_id=(pl.col("number") // pl.when(pl.col("number") % 3 == 0).then(600_000).otherwise(1)).cast(
            pl.String
        ),
    )
    events.write_parquet(tmp_path / "events.parquet")
    found = ask(BY_PATH, tmp_path).to_polars()
    exact = events.group_by("path").agg(pl.col("anonymous_id").n_unique().cast(pl.Int64).alias("value"))
    assert found.height == 300_000
    assert found.sort("path").equals(exact.sort("path"))


def test_values_are_64_bit_integers_throughout(tmp_path: Path) -> None:
    """Counts, estimates and exact counts are 64-bit integers, and a count of more than 32 bits does not wrap."""
    rows, moment = 1 << 22, datetime.fromisoformat("2026-05-01")
    events = pl.select(timestamp=pl.repeat(moment, rows), event_name=pl.repeat("e", rows))
    events.write_parquet(tmp_path / "0.parquet")
    for query in (StatsQuery(group_by=("path",)), BY_PATH, replace(BY_PATH, exact=True), UNIQUES):
        assert ask(query, tmp_path).to_polars()["value"].dtype == pl.Int64
    for number in range(1, 1025):
        (tmp_path / f"{number}.parquet").hardlink_to(tmp_path / "0.parquet")
    assert ask(StatsQuery(events=("e",)), tmp_path).rows == [{"value": 1025 * rows}]
