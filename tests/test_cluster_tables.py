"""Tables of a lake through a cluster: it is given the current files, and what the log says of their columns."""

from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.lake import events, iceberg_catalog
from tests.test_cluster import same

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

COUNTRIES = ["DE", "x y/%=ü", None, "FR", *(f"c{number}" for number in range(20))]
QUESTIONS = (
    StatsQuery(group_by=("country", "browser"), limit=None),
    StatsQuery(metric="uniques", group_by=("country",), limit=None),
    StatsQuery(interval="day"),
)


def test_a_delta_table_through_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """The cluster counts the files of the latest version, with the partition values of the log."""
    table = tmp_path / "table"
    for _ in range(2):
        write_deltalake(table, events(COUNTRIES, anonymous_id=COUNTRIES), mode="append", partition_by=["country"])
    DeltaTable(table).delete("country = 'FR'")
    browsers = events(["DE"], anonymous_id=["a"], browser=["b"])
    write_deltalake(table, browsers, mode="append", schema_mode="merge")
    (grouped, *_) = same(cluster, Dataset((str(table),)), *QUESTIONS)
    assert grouped[1] == len(COUNTRIES)


def test_a_dropped_column_through_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """A column that an Iceberg table has dropped is null through a cluster too, though older files have it."""
    with iceberg_catalog(tmp_path / "warehouse") as catalog:
        rows = events(["DE", "FR"], browser=["b", "c"], anonymous_id=["v", "w"])
        table = catalog.create_table("web.events", schema=rows.schema)
        table.append(rows)
        with table.update_schema() as update:
            update.delete_column("browser")
        table.append(rows.drop_columns("browser"))
        location = table.location().removeprefix("file://")
        (grouped, *_) = same(cluster, Dataset((location,)), *QUESTIONS)
        assert grouped[1] == 2
