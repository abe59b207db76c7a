"""Tables of a lake: what their log says is current is what is counted, and what cannot be read rightly is refused."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table as IcebergTable
from pyiceberg.types import LongType

from tests.conftest import Ask, Ran
from tests.lake import counted, delta_counts, events, iceberg_catalog

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:Delete operation did not match any records")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog of tables below the test's folder."""
    with iceberg_catalog(tmp_path / "warehouse") as found:
        yield found


def folder_of(table: IcebergTable) -> Path:
    """Where an Iceberg table is."""
    return Path(table.location().removeprefix("file://"))


def by_country(ran: Ran) -> dict[Any, int]:
    """The answer's values by country."""
    return {row["country"]: row["value"] for row in ran.rows}


def append(folder: Path, **partitions: Any) -> None:
    """Append three events to a Delta table."""
    write_deltalake(folder, events(["DE", "FR", None]), mode="append", **partitions)


def delta_steps(folder: Path) -> Iterator[str]:
    """Write a Delta table by all that leaves superseded files behind, one step after the other."""
    partitions = {"partition_by": ["country"]}
    append(folder, **partitions)
    yield "appended"
    append(folder)
    yield "appended again"
    DeltaTable(folder).delete("country = 'FR'")
    yield "deleted"
    DeltaTable(folder).optimize.compact()
    yield "compacted"
    DeltaTable(folder).create_checkpoint()
    append(folder)
    yield "appended behind a checkpoint"
    write_deltalake(folder, events(["x y/%=ü", ""]), mode="overwrite", **partitions)
    yield "overwritten"
    DeltaTable(folder).delete()
    yield "emptied"


def test_a_delta_table_is_its_latest_version(ask: Ask, tmp_path: Path) -> None:
    """After every kind of write the events of a Delta table are those that its own library reads."""
    folder = tmp_path / "events"
    for step in delta_steps(folder):
        assert by_country(ask(folder, "--group-by", "country")) == delta_counts(folder), step


def test_an_iceberg_table_is_its_latest_version(ask: Ask, catalog: SqlCatalog) -> None:
    """After every kind of write the events of an Iceberg table are those that its own library reads."""
    rows = events(["DE", "FR", None, "x y/%=ü", ""])
    table = catalog.create_table("web.events", schema=rows.schema)
    with table.update_spec() as spec:
        spec.add_identity("country")
    steps: list[Callable[[], object]] = [
        lambda: table.append(rows),
        lambda: table.append(rows),
        lambda: table.delete("country = 'FR'"),
        lambda: table.overwrite(rows),
        table.delete,
    ]
    for number, step in enumerate(steps):
        step()
        found = counted(table.scan().to_arrow(), "country")
        assert by_country(ask(folder_of(table), "--group-by", "country")) == found, number


def test_tables_below_a_folder_are_found(ask: Ask, tmp_path: Path, catalog: SqlCatalog) -> None:
    """Tables beside each other and plain files are read together; folders around a table fill columns that it lacks."""
    append(tmp_path / "source=mail" / "a table")
    catalog.create_table("web.events", schema=events([]).schema).append(events(["DE"]))
    pq.write_table(events(["IT"]), tmp_path / "plain.parquet")
    rows = ask(tmp_path, "--group-by", "source,country").rows
    found = {(row["source"], row["country"]): row["value"] for row in rows}
    mail = {("mail", country): 1 for country in ("DE", "FR", None)}
    assert found == {**mail, (None, "DE"): 1, (None, "IT"): 1}


TYPED: dict[str, tuple[pa.DataType, Any]] = {
    "date": (pa.date32(), date(2026, 5, 1)),
    "integer": (pa.int64(), -7),
    "float": (pa.float64(), 1e22),
    "whole float": (pa.float64(), 2.0),
    "boolean": (pa.bool_(), True),
    "decimal": (pa.decimal128(10, 2), Decimal("1.50")),
    "naive": (pa.timestamp("us"), datetime(2026, 5, 1, 1, 2, 3, 400)),  # noqa: DTZ001 - it is one
    "instant": (pa.timestamp("us", "UTC"), datetime(2026, 5, 1, tzinfo=UTC)),
    "text": (pa.string(), "__HIVE_DEFAULT_PARTITION__ %2F"),
    "null": (pa.string(), None),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_partitions_value_has_the_text_of_its_type(ask: Ask, tmp_path: Path, name: str) -> None:
    """A column that a table is partitioned by has the same label as the same value in a plain file."""
    dtype, value = TYPED[name]
    rows = events(["DE"], typed=pa.array([value], dtype))
    pq.write_table(rows, tmp_path / "plain.parquet")
    write_deltalake(tmp_path / "table", rows, partition_by=["typed"])
    by_value = ("--map", "source=typed", "--group-by", "source")
    assert ask(tmp_path / "table", *by_value).rows == ask(tmp_path / "plain.parquet", *by_value).rows


def test_values_of_partitions_fill_files_that_lack_them(ask: Ask, tmp_path: Path, catalog: SqlCatalog) -> None:
    """Files that were added to an Iceberg table, as from a hive folder, get their column from the metadata."""
    plain = tmp_path / "added.parquet"
    rows = events(["DE"], day=pa.array([date(2026, 5, 4)], pa.date32()))
    pq.write_table(rows, plain)
    table = catalog.create_table("web.events", schema=rows.schema)
    with table.update_spec() as spec:
        spec.add_identity("day")
    table.add_files([f"file://{plain}"])
    pq.write_table(rows.drop_columns("day"), plain)
    by_day = ("--map", "source=day", "--group-by", "source")
    assert ask(folder_of(table), *by_day).rows == [{"source": "2026-05-04", "value": 1}]


def test_folders_of_days_are_trusted_as_the_log_says(ask: Ask, tmp_path: Path) -> None:
    """With `--trust-partitions` the days of a table's partitions decide which of its files a range needs."""
    day = pa.array([date(2026, 5, 4), date(2026, 5, 5)], pa.date32())
    write_deltalake(tmp_path / "table", events(["DE", "FR"], day=day), partition_by=["day"])
    trusted = ("--trust-partitions", "--from", "2026-05-05", "--group-by", "country", "--explain", "--format", "json")
    uses = ask(tmp_path / "table", *trusted).answer["uses"]
    # The later day's only event is of the day before, as its own timestamp says.
    assert sorted(use["why"] for use in uses) == ["folder outside the range", "no match by statistics"]


def changed_column(table: IcebergTable, change: Callable[[Any], object]) -> None:
    """Change the schema of a table."""
    with table.update_schema() as update:
        change(update)


def test_columns_of_an_iceberg_table_are_told_by_their_ids(ask: Ask, catalog: SqlCatalog) -> None:
    """A column added later, dropped, or dropped and added again is null in older files, whatever these hold."""
    rows = events(["DE", "FR"])
    table = catalog.create_table("web.events", schema=rows.schema)
    table.append(rows)
    changed_column(table, lambda update: update.add_column("browser", LongType()))
    table.append(events(["DE"], browser=[7]))
    browsers = {row["browser"]: row["value"] for row in ask(folder_of(table), "--group-by", "browser").rows}
    assert browsers == {None: 2, "7": 1}
    for change in (
        lambda update: update.delete_column("country"),
        lambda update: update.add_column("country", LongType()),
    ):
        changed_column(table, change)
        assert by_country(ask(folder_of(table), "--group-by", "country")) == {None: 3}
    table.append(events(["DE"], browser=[7]).set_column(2, "country", [[49]]))
    assert by_country(ask(folder_of(table), "--group-by", "country")) == {None: 3, "49": 1}
    assert counted(table.scan().to_arrow(), "country") == {None: 3, 49: 1}


def test_a_renamed_iceberg_column_is_not_taken_for_null(ask: Ask, catalog: SqlCatalog) -> None:
    """A question of a column that older files have under another name is refused; others are answered."""
    rows = events(["DE", "FR"])
    table = catalog.create_table("web.events", schema=rows.schema)
    table.append(rows)
    changed_column(table, lambda update: update.rename_column("country", "land"))
    assert ask(folder_of(table)).value == 2
    refused = ask(folder_of(table), "--map", "country=land", "--group-by", "country")
    assert (refused.code, "has renamed the column 'land'" in refused.error) == (4, True)
    table.overwrite(rows.rename_columns(["timestamp", "event_name", "land"]))
    assert by_country(ask(folder_of(table), "--map", "country=land", "--group-by", "country")) == {"DE": 1, "FR": 1}
