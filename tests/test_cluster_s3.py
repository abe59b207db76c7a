"""Events in an object store, asked through a cluster that reads them there itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from tests import clusters
from tests.clusters import Cluster
from tests.conftest import Ask
from tests.seaweed import Seaweed, known
from tests.test_cluster import same

AT = datetime.fromisoformat("2026-05-04T12:30:15.123456")


@pytest.fixture(scope="module")
def sail_of_s3(s3: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Sail that knows the S3 server and its keys, as whoever runs a cluster tells it."""
    told = {**s3.environment, "AWS_ENDPOINT": s3.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    with clusters.sail(tmp_path_factory.mktemp("sail of s3"), **told) as running:
        yield running


def upload(s3: Seaweed, folder: Path, prefix: str) -> str:
    """Put Parquet files of two schemas, one key with a blank, below a prefix."""
    for index, name in enumerate(("a", "b c", "country=DE/d")):
        rows = [
            {"timestamp": AT + timedelta(hours=row), "event_name": f"e{row % 3}", "anonymous_id": f"v{row * 7 % 40}"}
            for row in range(index, 300, 3)
        ]
        (folder / name).parent.mkdir(exist_ok=True)
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
    return s3.upload(folder, prefix)


def test_the_cluster_reads_the_object_store(sail_of_s3: Cluster, s3: Seaweed, tmp_path: Path) -> None:
    """The same `s3://` location has the same answers from a cluster as from the local engine."""
    location = upload(s3, tmp_path, "through-a-cluster")
    with known(s3):
        same(
            sail_of_s3,
            Dataset((location,)),
            StatsQuery(group_by=("event_name", "country"), interval="day"),
            StatsQuery(metric="uniques", group_by=("country",)),
            StatsQuery(events=("e1",), group_by=("event_name",), limit=1),
        )


def test_through_the_command_line(sail_of_s3: Cluster, s3: Seaweed, ask: Ask, tmp_path: Path) -> None:
    """`--engine sc://… --data s3://…` writes what `--data s3://…` alone does."""
    (tmp_path / "events").mkdir()
    location = upload(s3, tmp_path / "events", "through-the-command-line")
    with known(s3):
        here = ask(location, "--group-by", "event_name", "--no-cache")
        there = ask(location, "--group-by", "event_name", "--no-cache", "--engine", sail_of_s3.address)
    assert (there.code, there.out, there.err) == (here.code, here.out, here.err) == (0, here.out, "")
