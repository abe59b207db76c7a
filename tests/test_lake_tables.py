"""Tables of a lake: what their log says is current is what is counted, and what cannot be read rightly is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table as IcebergTable

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
