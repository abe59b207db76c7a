"""What the bundled sample promises to the documentation that quotes it, checked without mmstats."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
from polars.testing import assert_frame_equal

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_data"
COLUMNS = (
    *("timestamp", "event_name", "event_id", "anonymous_id", "user_id", "session_id", "source", "medium"),
    *("campaign", "country", "device_type", "browser", "os", "path", "url", "referrer", "properties"),
)
DAYS = [f"day=2026-05-{day:02}" for day in range(4, 32)]


def events_of(folder: Path) -> pl.DataFrame:
    """Every event of every day folder, as the files tell them, in the order of the folders."""
    files = sorted(folder.glob("day=*/*.parquet"))
    return pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in files)


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """The committed sample."""
    return events_of(SAMPLE)


@pytest.fixture(scope="module")
def signups(events: pl.DataFrame) -> pl.DataFrame:
    """The committed sample's signups."""
    return events.filter(pl.col("event_name") == "signup")


@pytest.fixture(scope="module")
def pageviews(events: pl.DataFrame) -> pl.DataFrame:
    """The committed sample's views of pages."""
    return events.filter(pl.col("event_name") == "$pageview")


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_script_reproduces_the_sample_row_for_row(tmp_path: Path, events: pl.DataFrame, hash_seed: str) -> None:
    """The script writes the committed rows again, whatever Python's hash seed, and clears old days away."""
    stale = tmp_path / "day=1999-01-01" / "events.parquet"
    stale.parent.mkdir()
    stale.touch()
    command = [sys.executable, str(ROOT / "benchmarks" / "make_sample_data.py"), str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    assert [folder.name for folder in sorted(tmp_path.iterdir())] == DAYS
    assert_frame_equal(events_of(tmp_path), events)


def test_sample_holds_one_parquet_file_per_day_and_nothing_else() -> None:
    """The folder is exactly 28 day folders with one file each, and small."""
    assert [path.name for path in sorted(SAMPLE.iterdir())] == DAYS
    assert {path.name for path in SAMPLE.glob("*/*")} == {"events.parquet"}
    assert sum(file.stat().st_size for file in SAMPLE.rglob("*.parquet")) < 400_000


@pytest.mark.parametrize("day", DAYS)
def test_events_lie_in_the_folder_of_their_day_in_order_of_time(day: str) -> None:
    """Every event's UTC day is the one its folder names, and timestamps never step back."""
    moments = pl.read_parquet(SAMPLE / day / "events.parquet", hive_partitioning=False)["timestamp"]
    assert moments.dt.date().cast(pl.String).unique().to_list() == [day.removeprefix("day=")]
    assert moments.is_sorted()


def test_sample_has_the_documented_columns(events: pl.DataFrame) -> None:
    """Columns stand in the documented order: a UTC timestamp in microseconds, the others text."""
    expected = {name: pl.String() for name in COLUMNS} | {"timestamp": pl.Datetime("us", "UTC")}
    assert list(events.schema.items()) == list(expected.items())
    assert not events["event_id"].is_duplicated().any()


def test_signups_by_source_and_medium(signups: pl.DataFrame) -> None:
    """The twelve signups come from three channels, in the numbers that the documentation shows."""
    rows = signups.group_by("source", "medium").agg(value=pl.len())
    assert rows.sort(["value", "source", "medium"], descending=[True, False, False]).rows() == [
        ("facebook", "paid", 6),
        ("facebook", "social", 3),
        ("google", "paid", 3),
    ]


def test_signups_on_the_day_of_the_launch(signups: pl.DataFrame) -> None:
    """Signups by day and source give four for facebook on 16 May, and no other row on that day."""
    rows = signups.group_by(pl.col("timestamp").dt.date().cast(pl.String).alias("day"), "source").len()
    assert rows.filter(pl.col("day") == "2026-05-16").rows() == [("2026-05-16", "facebook", 4)]


def test_each_signup_follows_the_signup_page_of_its_session(signups: pl.DataFrame, pageviews: pl.DataFrame) -> None:
    """The pages seen earlier in a signup's session end in /signup and share its source and medium."""
    for signup in signups.iter_rows(named=True):
        same = [pl.col(key) == signup[key] for key in ("session_id", "anonymous_id", "source", "medium")]
        paths = pageviews.filter(*same, pl.col("timestamp") < signup["timestamp"])["path"].to_list()
        assert len(paths) > 1
        assert paths[-1] == "/signup"


def test_users_are_unknown_until_their_signup(events: pl.DataFrame, signups: pl.DataFrame) -> None:
    """A visitor who signs up has no user_id before that moment and the same one from then on."""
    for signup in signups.iter_rows(named=True):
        theirs = events.filter(pl.col("anonymous_id") == signup["anonymous_id"])
        is_before = theirs["timestamp"] < signup["timestamp"]
        assert theirs.filter(is_before)["user_id"].is_null().all()
        assert theirs.filter(~is_before)["user_id"].unique().to_list() == [signup["user_id"]]


def test_pageviews_by_country(pageviews: pl.DataFrame) -> None:
    """Many countries, the United States and Germany first, and each visitor sees several pages on average."""
    rows = pageviews.group_by("country").agg(views=pl.len(), visitors=pl.col("anonymous_id").n_unique())
    assert rows.sort("views", descending=True)["country"].to_list()[:2] == ["US", "DE"]
    assert rows.height >= 10
    assert rows["country"].null_count() == 1
    assert (rows["visitors"] < rows["views"]).all()


@pytest.mark.parametrize("column", ["country", "device_type", "browser", "os"])
def test_visitors_keep_their_country_and_device(events: pl.DataFrame, column: str) -> None:
    """A visitor has one country and one device in all sessions."""
    assert (events.group_by("anonymous_id").agg(pl.col(column).n_unique())[column] == 1).all()


@pytest.mark.parametrize("path", ["/blog/[slug]-routes", "/de/über-uns"])
def test_sample_holds_paths_that_need_care(pageviews: pl.DataFrame, path: str) -> None:
    """Brackets and non-ASCII letters stand in the path as they are, and percent-encoded in the URL."""
    urls = pageviews.filter(pl.col("path") == path)["url"]
    assert len(urls) > 0
    assert urls.str.contains(quote(path), literal=True).all()


def test_direct_traffic_has_neither_source_nor_medium(events: pl.DataFrame) -> None:
    """Source and medium are null together, for direct traffic, and some traffic is direct."""
    assert (events["source"].is_null() == events["medium"].is_null()).all()
    assert 0 < events["source"].null_count() < events.height
