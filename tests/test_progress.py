"""How far the reading of a question is: told in bytes that add up, and shown to a person who waits."""

import os
import re
import select
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.cli.progress import Progress
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.files.discovery import find_files
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.readers.position import Position
from mmstats.reports import Profile
from tests import oracle
from tests.drawn import NEAR, Drawn, datasets, questions

LIMITS = Limits(followed_bytes=0, followed_file_bytes=0, settle_ns=-(10**9))
ROWS = 400_000
START = datetime(2026, 5, 1)  # noqa: DTZ001 - naive means UTC here


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three days, a Parquet file each, of four row groups; one event in 1,000 is rare."""
    folder = tmp_path_factory.mktemp("daily")
    for day in range(3):
        columns = {
            "timestamp": pl.datetime_range(START, interval="200ms", end=START + timedelta(days=1), eager=True)
            .head(ROWS)
            .dt.offset_by(f"{day}d"),
            "event_name": pl.select(pl.int_range(ROWS) % 1000 == 0).to_series().cast(pl.String),
            "path": pl.select(pl.int_range(ROWS) % 97).to_series().cast(pl.String),
        }
        pl.DataFrame(columns).write_parquet(folder / f"{day}.parquet", row_group_size=ROWS // 4)
    return folder


def watched(
    query: StatsQuery, location: Path, cache: Cache | None = None, limits: Limits = LIMITS
) -> tuple[Stats, list[int], list[int]]:
    """The answer, what was expected to be read, and how far the reading was each time that it was told."""
    expected: list[int] = []
    told: list[int] = []
    stats = answer(query, Dataset((str(location),), limits=limits), Profile(told.append, expected.append), cache)
    return stats, expected, list(accumulate(told))


def size_of(folder: Path) -> int:
    """The bytes of its files."""
    return sum(file.stat().st_size for file in folder.iterdir())


@pytest.fixture(scope="module", params=["parquet", "arrow"])
def columnar(request: pytest.FixtureRequest, daily: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same three days as Parquet, and as Arrow IPC."""
    if request.param == "parquet":
        return daily
    folder = tmp_path_factory.mktemp("arrow")
    for file in daily.iterdir():
        pl.read_parquet(file).write_ipc(folder / f"{file.stem}.arrow", compression="zstd", record_batch_size=ROWS // 4)
    return folder


@pytest.mark.parametrize(
    "query",
    [
        StatsQuery(group_by=("path",)),
        StatsQuery(group_by=("path",), events=("true",)),
        StatsQuery(interval="hour"),
        StatsQuery("uniques", group_by=("path",)),
        StatsQuery("uniques", exact=True, group_by=("country", "path")),
    ],
    ids=str,
)
@pytest.mark.parametrize("with_cache", [False, True])
def test_columnar_files_are_told_of_from_beginning_to_end(
    columnar: Path, tmp_path: Path, query: StatsQuery, with_cache: bool
) -> None:
    """Whatever a question selects of columnar files, it is told, never backwards, that all their bytes are passed."""
    cache = Cache(tmp_path / "cache") if with_cache else None
    stats, expected, told = watched(query, columnar, cache)
    assert stats == answer(query, Dataset((str(columnar),)))
    assert expected == [size_of(columnar)]
    assert told == sorted(set(told))  # in how many steps is up to the engine's threads
    assert expected[0] * 0.98 < told[-1] <= expected[0]


def test_a_scan_tells_by_its_rows_how_far_it_is(daily: Path) -> None:
    """Each batch tells the bytes of the files before its last row, in whatever order the batches come."""
    with find_files(Dataset((str(daily),))) as found:
        files = found.files
    told: list[int] = []
    position = Position(files, [ROWS] * 3, told.append)
    for rows in ([0, ROWS // 2 - 1], [], [2 * ROWS - 1], [ROWS], [3 * ROWS - 1]):
        numbers = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32)})
        assert numbers.select(position.told_by(pl.col("row"), pl.col("row"))).equals(numbers)
    first, second, third = (file.size for file in files)
    assert told == [first // 2, first - first // 2 + second, third]


def test_text_and_parquet_add_up(daily: Path, tmp_path: Path) -> None:
    """Of files of several formats the bytes of all are told."""
    (tmp_path / "a.parquet").write_bytes((daily / "0.parquet").read_bytes())
    (tmp_path / "b.csv").write_text("timestamp,event_name\n" + "2026-05-01,a\n" * 50_000)
    _, expected, told = watched(StatsQuery(group_by=("event_name",)), tmp_path)
    assert expected == [told[-1]] == [size_of(tmp_path)]


def test_a_range_ends_where_it_ends(daily: Path) -> None:
    """Files and row groups outside a range are passed over, and no more is told of than is there."""
    query = StatsQuery(
        start=datetime(2026, 5, 2, 6, tzinfo=UTC), end=datetime(2026, 5, 2, 12, tzinfo=UTC), group_by=("path",)
    )
    _, expected, told = watched(query, daily)
    assert size_of(daily) / 3 < told[-1] < expected[0]


@given(datasets(when=NEAR), st.lists(questions(when=NEAR), min_size=1, max_size=3))
@settings(max_examples=80)
def test_watching_changes_no_answer(drawn: Drawn, asking: Sequence[StatsQuery]) -> None:
    """A question that somebody watches gives the same bytes, over any files, and tells of no more than it expects."""
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "events"), Cache(Path(folder, "cache"))
        data.mkdir()
        drawn.write(data)
        for query in asking:
            for kept in (None, cache, cache):
                stats, expected, told = watched(query, data, kept)
                assert stats.to_json() == oracle.answer(query, drawn.events)
                assert [*told, 0][-1] <= [*expected, 0][-1]


def test_small_files_are_not_followed(daily: Path) -> None:
    """Where the answer is there at once, or each file is small, nobody is told of Parquet files."""
    for limits in (Limits(), Limits(followed_bytes=0, followed_file_bytes=1 << 40)):
        assert watched(StatsQuery(group_by=("path",)), daily, limits=limits)[1:] == ([], [])


def shown(monkeypatch: pytest.MonkeyPatch, width: int, until: str, *steps: int | str) -> str:
    """What a terminal of so many columns gets of a reading, up to a text that has to come."""
    ours, theirs = os.openpty()
    written = ""
    with os.fdopen(theirs, "w") as stderr, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stderr)
        for name, value in {"TERM": "xterm-256color", "COLUMNS": str(width), "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        with Progress(delay=0) as progress:
            for step in steps:
                if isinstance(step, str):
                    progress.expect(step, 400_000_000)
                else:
                    progress.advance(step)
            while until not in written and len(written) < 5000 and select.select([ours], [], [], 60)[0]:
                written += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(ours, 1 << 20).decode())
    os.close(ours)
    assert until in written
    return written


@pytest.mark.parametrize("steps", [("reading", 100_000_000), (7, "reading", 100_000_000)], ids=["at once", "later"])
def test_a_reading_of_known_size_has_a_bar(monkeypatch: pytest.MonkeyPatch, steps: tuple[int | str, ...]) -> None:
    """Once it is known how much there is to read: a bar, percent, bytes and the time that it will take."""
    assert "reading ━━━━━━━━━━ " in shown(monkeypatch, 100, "  25% 100.0/400.0 MB ", *steps)


def test_a_narrow_terminal_has_bar_and_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for all of it, bar, percent and time are left, in one line."""
    lines = shown(monkeypatch, 40, " 25% ", "reading", 100_000_000).splitlines()
    assert max(map(len, lines)) <= 40


def test_more_than_all_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that grows while it is read does not lead beyond its end."""
    shown(monkeypatch, 100, "100% 400.0/400.0 MB", "reading", 300_000_000, 300_000_000)


def test_a_reading_of_unknown_size_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows how much there is to read, the time stands there, and what has been read."""
    assert "/" not in shown(monkeypatch, 100, "reading 0:00:0")
    for _ in range(5):  # what is read while the display comes up is told, too
        assert "/" not in shown(monkeypatch, 100, "reading 5.0 MB 0:00:0", 5_000_000)


def test_nothing_is_shown_to_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal nothing is shown, however long it takes."""
    with Progress(delay=0) as progress:
        progress.expect("reading", 10)
        progress.advance(5)
        assert not progress.is_shown
    assert capfd.readouterr().err == ""
