"""What folders say of columns is told of every row by a cluster too, in one read however many folders there are."""

from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
from pyspark.sql.connect.dataframe import DataFrame

from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.test_cluster import AT, same

COUNTRIES = [
    "D E",
    "a%20b",
    "é",
    "e\u0301",
    "#",
    "?",
    "[x]",
    "{y}",
    "*",
    "\U0001f600",
    "+",
    "&",
    "a:b",
    "'",
    '"',
    "`",
    "\\",
]
PLACES = [*COUNTRIES, *(f"c{number}" for number in range(20)), None]


def folders(root: Path) -> None:
    """A file in each of some forty folders that say as many different words, or none."""
    for place in PLACES:
        word = "__HIVE_DEFAULT_PARTITION__" if place is None else quote(place, safe=" é#+&'\u0301\U0001f600")
        folder = root / "day=2026-05-04" / f"country={word}"
        folder.mkdir(parents=True)
        pl.DataFrame({"timestamp": [AT], "event_name": ["a"]}).write_parquet(folder / "a b.parquet")
    pl.DataFrame({"timestamp": [AT], "event_name": ["b"]}).write_parquet(root / "no folder.parquet")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders, for all tests."""
    root = tmp_path_factory.mktemp("places of any name %41 é")
    folders(root)
    return root


def test_words_of_many_folders(cluster: Cluster, places: Path) -> None:
    """Every row has what its own folder says, whatever characters are in that."""
    (said, *_) = same(
        cluster,
        Dataset((str(places),)),
        StatsQuery(group_by=("country", "event_name"), limit=None),
        StatsQuery(group_by=("country",), events=("b",)),
        StatsQuery(group_by=("day",), interval="day"),
        StatsQuery(interval="hour"),
    )
    assert said[1] == len(PLACES) + 1


def test_instants_of_folders(cluster: Cluster, tmp_path: Path) -> None:
    """A folder may say when, another not: rows of no instant are bad."""
    for day in ("2026-05-04", "2026-05-05", "never"):
        (tmp_path / f"timestamp={day}").mkdir()
        pl.DataFrame({"event_name": [day]}).write_parquet(tmp_path / f"timestamp={day}" / "a.parquet")
    asked = StatsQuery(group_by=("event_name",), interval="day")
    same(cluster, Dataset((str(tmp_path),)), asked)
    same(cluster, Dataset((str(tmp_path),), skip_bad_rows=True), asked)


def test_many_folders_are_one_read(spark: Cluster, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apache Spark lists the files of all folders of one schema at once."""
    listed = []
    files_of = DataFrame.inputFiles

    def listing(frame: DataFrame) -> list[str]:
        listed.append(files_of(frame))
        return listed[-1]

    monkeypatch.setattr(DataFrame, "inputFiles", listing)
    same(spark, Dataset((str(places / "day=2026-05-04"),)), StatsQuery(group_by=("country",), limit=3))
    assert [len(files) for files in listed] == [len(PLACES)]
