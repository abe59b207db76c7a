"""Partial aggregates of files are cached and reused, and no answer changes by it."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.engines.local.explain import explain
from mmstats.errors import BadRow, Unreadable
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile, Use
from tests import oracle
from tests.drawn import NEAR, Drawn, datasets, questions, write
from tests.oracle import Event

# Files that were written this very moment count as settled, and small ones as worth a look at their footers; what was
# read is saved after every other file.
LIMITS = Limits(settle_ns=-(10**9), footer_bytes=0, footer_files=2, save_seconds=0, batch_files=2)


@given(datasets(when=NEAR), datasets(when=NEAR), questions(when=NEAR), questions(when=NEAR), st.booleans())
@settings(max_examples=25)
def test_answers_from_cached_aggregates_are_the_contracts(
    drawn: Drawn, more: Drawn, one: StatsQuery, other: StatsQuery, probed: bool
) -> None:
    """While files come and go, answers from cached partial aggregates have the contract's bytes, and their notices."""
    one = replace(one, exact=False, group_by=one.group_by[:3])  # or no parts would be kept
    labels = {"group_by": other.group_by[:3], "interval": other.interval}
    alike = ({"start": other.start, "end": other.end}, {"events": other.events}, labels)
    asking = (one, *(replace(one, **changes) for changes in alike))
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "events"), Cache(Path(folder, "cache"))
        (data / "later").mkdir(parents=True)
        dataset = Dataset((str(data),), limits=replace(LIMITS, probe_bytes=0) if probed else LIMITS)

        def hold(events: list[Event]) -> None:
            for query in asking:
                assert answer(query, dataset, cache=cache).to_json() == oracle.answer(query, events)

        drawn.write(data)
        hold(drawn.events)
        more.write(data / "later")
        for _ in range(2):
            hold(drawn.events + more.events)
        next(data.glob("0.*")).unlink()
        hold(drawn.events[len(drawn.parts[0][2]) :] + more.events)
        assert answer(one, dataset, cache=cache) == answer(one, dataset)


def day(number: int, *paths: str) -> list[Event]:
    """An event of each path on a day of May 2026, an hour apart."""
    start = datetime(2026, 5, number, tzinfo=UTC).replace(tzinfo=None)
    return [
        {"timestamp": start + timedelta(hours=hour), "event_name": "e", "path": path, "anonymous_id": path}
        for hour, path in enumerate(paths)
    ]


@pytest.fixture(params=["parquet", "ndjson", "csv"])
def week(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file for each of seven days."""
    (tmp_path / "events").mkdir()
    for number in range(1, 8):
        write(tmp_path / "events" / f"{number}.{request.param}", day(number, "/a", "/b", "/a"))
    return tmp_path / "events"


def values(query: StatsQuery, data: Path, profile: Profile | None = None, limits: Limits = LIMITS) -> list[Any]:
    """The values of the answer, with what is kept beside the data."""
    dataset = Dataset((str(data),), limits=limits)
    return [row["value"] for row in answer(query, dataset, profile, Cache(data.parent / "cache")).rows]


Read = Callable[..., tuple[list[Any], list[str]]]


@pytest.fixture
def read(week: Path) -> Read:
    """The values of an answer about the week, and the names of the files that were read for it."""
    open_ = Path.open

    def asked(query: StatsQuery, limits: Limits = LIMITS) -> tuple[list[Any], list[str]]:
        profile, opened = Profile(with_files=True), set()

        def noted(path: Path, *how: Any, **options: Any) -> Any:
            opened.update({path.stem} if path.parent == week else ())
            return open_(path, *how, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "open", noted)
            found = values(query, week, profile, limits)
        names = sorted(Path(one.file).stem for one in profile.files if one.use is Use.READ)
        assert opened == set(names) or list(week.glob("*.parquet"))  # which Python does not open
        return found, names

    return asked


DAYS = list("1234567")
BY_PATH = StatsQuery(group_by=("path",))
VISITORS = StatsQuery("uniques", interval="week")


@pytest.mark.parametrize(("query", "before", "after"), [(BY_PATH, [14, 7], [15, 7, 1]), (VISITORS, [2, 2], [2, 3])])
def test_only_files_that_are_new_or_changed_are_read(
    week: Path, read: Read, query: StatsQuery, before: list[int], after: list[int]
) -> None:
    """A file is read once for questions of a shape, and again only when it has changed."""
    kind = next(week.iterdir()).suffix
    assert read(query) == (before, DAYS)
    assert read(replace(query, limit=1)) == (before[:1], [])
    write(week / f"7{kind}", day(7, "/a", "/b", "/a", "/a"))
    write(week / f"8{kind}", day(7, "/new"))
    assert read(query) == (after, ["7", "8"])
    (week / f"1{kind}").unlink()
    assert read(query)[1] == []


def test_a_range_reads_only_the_files_that_it_cuts(read: Read) -> None:
    """Files inside a range come from the cache, files outside are left out, and only those across its ends are read."""
    read(replace(BY_PATH, start=datetime(2026, 5, 1, tzinfo=UTC)))
    start, end = datetime(2026, 5, 3, 1, tzinfo=UTC), datetime(2026, 5, 6, tzinfo=UTC)
    assert read(replace(BY_PATH, start=start, end=end)) == ([5, 3], ["3"])
    assert read(replace(BY_PATH, start=start.replace(hour=0), end=end)) == ([6, 3], [])


ALL_TIME = replace(BY_PATH, start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("query", [BY_PATH, ALL_TIME, VISITORS], ids=["count", "range", "uniques"])
def test_a_question_that_fails_keeps_what_it_has_read(week: Path, read: Read, query: StatsQuery) -> None:
    """Asked again, a question that has failed at one file goes on from the files that it has read before."""
    bad = week / f"8{next(week.iterdir()).suffix}"
    write(bad, [*day(8, *"abcdefgh"), {"event_name": "e"}])
    with pytest.raises(BadRow):
        values(query, week)
    bad.unlink()
    uncached = [row["value"] for row in answer(query, Dataset((str(week),))).rows]
    assert read(query) == (uncached, ["7"])


def test_what_footers_tell_is_kept_as_they_are_read(week: Path) -> None:
    """A question that fails keeps what the footers before have told of the files."""
    cache = Cache(week.parent / "cache")
    for file in week.iterdir():
        write(file.rename(file.with_suffix(".parquet")), day(1, "/a"))
    (week / "8.parquet").write_bytes(b"PAR1")
    with pytest.raises(Unreadable):
        values(ALL_TIME, week)
    assert cache.info().kinds["file_ranges"] == 1


def test_notices_of_a_file_are_repeated(tmp_path: Path) -> None:
    """Notices of bad rows and missing columns are repeated for cached files, as long as these are there."""
    data, cache = tmp_path / "events", Cache(tmp_path / "cache")
    data.mkdir()
    write(data / "a.ndjson", day(1, "/a"))
    (data / "a.ndjson").write_text((data / "a.ndjson").read_text() + "broken\n")
    (data / "b.ndjson").write_text('{"timestamp":"2026-05-02","event_name":"e"}\n')
    dataset = Dataset((str(data),), skip_bad_rows=True, limits=LIMITS)
    for query in (VISITORS, replace(VISITORS, end=datetime(2026, 5, 2, tzinfo=UTC))):
        first, second = (answer(query, dataset, cache=cache) for _ in range(2))
        assert first == second
        assert "left out 1 row" in second.notices[0]
    (data / "a.ndjson").unlink()
    assert "no column 'anonymous_id'" in answer(VISITORS, dataset, cache=cache).notices[0]


@pytest.mark.parametrize("damage", [b"", b"x", b"\x00" * 5000])
def test_a_damaged_entry_is_dropped(week: Path, read: Read, damage: bytes) -> None:
    """A damaged cache entry is dropped, and what it held is computed again."""
    whole = read(BY_PATH)
    for entry in (week.parent / "cache").iterdir():
        entry.write_bytes(damage)
    assert read(BY_PATH) == whole


def test_a_file_of_the_last_two_seconds_is_not_cached(read: Read) -> None:
    """A file that was changed within the last two seconds is not cached, for it may change again and look the same."""
    for _ in range(2):
        assert read(BY_PATH, Limits(footer_bytes=0))[1] == DAYS


def test_aggregates_as_large_as_their_files_are_not_cached(read: Read) -> None:
    """Partial aggregates nearly as large as their files are not cached."""
    limits = replace(LIMITS, probe_bytes=0, small_partial_bytes=0, partial_share=1 << 30)
    for _ in range(2):
        assert read(BY_PATH, limits) == ([14, 7], DAYS)


@pytest.mark.parametrize("week", ["ndjson"], indirect=True)
def test_many_processes_may_fill_the_cache_at_once(week: Path) -> None:
    """Processes that ask at the same time all answer right, and leave a cache that does."""
    program = "from tests.test_incremental import *; import sys; print(values(BY_PATH, Path(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(week)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0] for process in running} == {"[14, 7]\n"}
    assert values(BY_PATH, week) == [14, 7]


def test_rows_are_judged_as_without_a_cache(tmp_path: Path) -> None:
    """A bad row ends a question whatever its range and event, with a cache or without."""
    data, cache = tmp_path / "events", Cache(tmp_path / "cache")
    data.mkdir()
    instants = [datetime(2026, 5, 1, hour) for hour in range(20)]  # noqa: DTZ001 - naive means UTC here
    for name, stamps in (("0", instants), ("1", [*instants[:5], None, *instants[6:]])):
        frame = pl.DataFrame(
            {"timestamp": stamps, "event_name": ["a"] * 20}, schema_overrides={"timestamp": pl.Datetime}
        )
        frame.write_parquet(data / f"{name}.parquet")
    asked = StatsQuery(events=("absent",), group_by=("source",), start=datetime(2000, 1, 1, tzinfo=UTC))
    for kept in (None, cache, cache):
        with pytest.raises(BadRow, match=r"1\.parquet: row 6"):
            answer(asked, Dataset((str(data),), limits=LIMITS), cache=kept)
        stats = answer(asked, Dataset((str(data),), skip_bad_rows=True, limits=LIMITS), cache=kept)
        assert (stats.rows, stats.notices[0]) == (
            [],
            f"left out 1 row that could not be read: {data}/1.parquet (1 row)",
        )


def test_an_instant_beyond_the_calendar_in_a_footer_is_a_bad_row(tmp_path: Path) -> None:
    """A file whose footer has an impossible instant is read and its rows are judged; it is not pruned by it."""
    data, cache = tmp_path / "events", Cache(tmp_path / "cache")
    data.mkdir()
    for name, micros in (("0", -(1 << 61)), ("1", 1 << 61)):
        stamps = pl.Series([0, micros]).cast(pl.Datetime("us"))
        pl.DataFrame({"timestamp": stamps, "event_name": ["a", "a"]}).write_parquet(data / f"{name}.parquet")
    asked = StatsQuery(group_by=("source",), start=datetime(1969, 1, 1, tzinfo=UTC))
    for kept in (None, cache, cache):
        stats = answer(asked, Dataset((str(data),), skip_bad_rows=True, limits=LIMITS), cache=kept)
        assert [row["value"] for row in stats.rows] == [2]
        assert explain(asked, Dataset((str(data),), limits=LIMITS), kept).files


def test_rows_read_once_more_are_counted_once(tmp_path: Path) -> None:
    """Where labels are too many to pack and files are read a second time, each row and each bad row counts once."""
    names = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
    lines = [",".join(("2026-05-01", *[f"{name}{number}" for name in names])) for number in range(3000)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(("timestamp", *names)), *lines, "bad" + "," * len(names)]))
    asked = StatsQuery(metric="uniques", group_by=names, limit=1)
    profile = Profile(with_files=True)
    stats = answer(asked, Dataset((str(tmp_path / "wide.csv"),), skip_bad_rows=True), profile)
    assert stats.groups == 3000
    assert stats.notices[0].startswith("left out 1 row ")
    assert profile.files[0].rows == 3001


@pytest.mark.parametrize("broken", ["a.ndjson", "b.csv", "c.tsv"])
def test_the_same_of_several_faults_is_named(tmp_path: Path, broken: str) -> None:
    """Whatever is cached and however large the files are, the fault named is the one named without a cache."""
    data, cache = tmp_path / "events", Cache(tmp_path / "cache")
    data.mkdir()
    (data / broken).write_text("timestamp,event_name\nnone,x\n" if "sv" in broken else "{broken")
    (data / broken).write_text((data / broken).read_text().replace(",", "\t" if "tsv" in broken else ","))
    (data / "z.ndjson").write_text("{")
    dataset = Dataset((str(data),), limits=LIMITS)
    for query in (StatsQuery(), StatsQuery(group_by=("event_name",)), StatsQuery("uniques", interval="day")):
        with pytest.raises((BadRow, Unreadable)) as plain:
            answer(query, dataset)
        with pytest.raises((BadRow, Unreadable)) as cached:
            answer(query, dataset, cache=cache)
        assert (str(cached.value), cached.value.hint) == (str(plain.value), plain.value.hint)
        assert broken in str(plain.value)
