"""What a cluster makes of the names of files and events: it reads them as they are, or they are refused."""

import os
from pathlib import Path

import pytest

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.engines.spark.dialect import SPARK
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile, format_of
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.importing import take
from tests.test_cluster import EVENT, same, write

READ = [
    "_x/a.parquet",
    ".x/a.parquet",
    "d:e/a.parquet",
    "a;b c.parquet",
    "a?b.parquet",
    "a#b.parquet",
    "a%20b.parquet",
]
REFUSED = ["_a.parquet", ".a.parquet", "_metadata.parquet"]
REFUSED_BY_SPARK = ["2026-05-04T10:00.parquet"]
REFUSED_BY_SAIL = ["a\nb.parquet", "a\x7fb/a.parquet"]


def refused(cluster: Cluster, path: str) -> Unreadable:
    """The error for a file that the cluster would not read under its name."""
    with pytest.raises(
        Unreadable, match=r"a name that (Spark|Sail) does not read, which no cluster is asked of"
    ) as found:
        engine_for(read_engine(cluster.address))(StatsQuery(), Dataset((path,)))
    return found.value


def test_awkward_names_are_read(cluster: Cluster, tmp_path: Path) -> None:
    """Files whose names mean something to others are read as they are."""
    for name in READ:
        write(tmp_path, name, EVENT)
    files = tuple(str(tmp_path / name) for name in READ)
    (said,) = same(cluster, Dataset(files), StatsQuery())
    assert f'"value":{len(READ)}' in str(said[0])


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_clusters_take_for_hidden(cluster: Cluster, tmp_path: Path, name: str) -> None:
    """A file that is asked for by name, and that a cluster would pass over, is refused by that name."""
    assert name in str(refused(cluster, str(write(tmp_path, name, EVENT))))


@pytest.mark.parametrize("name", REFUSED_BY_SPARK)
def test_names_that_spark_does_not_read(spark: Cluster, tmp_path: Path, name: str) -> None:
    """Spark takes what is before a colon for a scheme, which is said."""
    assert name in str(refused(spark, str(write(tmp_path, name, EVENT))))


@pytest.mark.parametrize("name", REFUSED_BY_SAIL)
def test_names_that_sail_does_not_read(sail: Cluster, tmp_path: Path, name: str) -> None:
    """Sail takes no control character in a path, which is said, in one line."""
    write(tmp_path, name, EVENT)
    assert "\n" not in str(refused(sail, str(tmp_path / name)))


def test_names_that_are_no_text(cluster: Cluster, tmp_path: Path) -> None:
    """A name of bytes that are not UTF-8, which no server can be told of, is refused, as it is here."""
    path = write(tmp_path, os.fsdecode(b"\xff.parquet"), EVENT)
    (said,) = same(cluster, Dataset((str(path),)), StatsQuery())
    assert said[0] == "Unreadable"


def test_a_store_in_a_folder_that_is_no_text(spark: Cluster, tmp_path: Path) -> None:
    """So is a store in such a folder, although its files are not opened here."""
    take(tmp_path / "store", write(tmp_path, "a.parquet", EVENT))
    refused(spark, str((tmp_path / "store").rename(tmp_path / os.fsdecode(b"\xff"))))


def test_events_of_no_text(cluster: Cluster, tmp_path: Path) -> None:
    """No event has a name that is no text, as the local engine finds too."""
    write(tmp_path, "a.parquet", EVENT)
    (said,) = same(cluster, Dataset((str(tmp_path),)), StatsQuery(events=("\ud800",)))
    assert '"value":0' in str(said[0])


def test_stores_that_spark_knows_by_another_address() -> None:
    """Spark's address of Azure has the account in it, which ours has not: it is refused, not guessed."""
    known = format_of("a.parquet")
    assert known
    file = EventFile("az://container/a.parquet", known)
    with pytest.raises(Unreadable, match=r"az://container/a.parquet: a location in az://"):
        SPARK.glob(file)
