"""Tables of a lake: what their log says is current is what is counted, and what cannot be read rightly is refused."""

import json
import shutil
import subprocess
import sys
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
from pyiceberg.types import LongType, StringType

from tests.conftest import Ask, Ran
from tests.lake import counted, delete_row, deletion_vector, delta_counts, events, iceberg_catalog

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


def delta_log(
    folder: Path, *, features: tuple[str, ...] = (), path: str = "", vector: Any = None, **configuration: str
) -> None:
    """A Delta table of one file of three events, its log written by hand, with what its own library does not write."""
    (folder / "_delta_log").mkdir(parents=True)
    pq.write_table(events(["DE", "FR", None]), folder / "a.parquet")
    size = (folder / "a.parquet").stat().st_size
    names = {"timestamp": "timestamp", "event_name": "string", "country": "string"}
    columns = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in names.items()]
    for number, column in enumerate(columns if configuration else []):
        column["metadata"] = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"column {number}"}
    actions: list[dict[str, Any]] = [
        {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
        },
        {
            "metaData": {
                "id": "00000000-0000-4000-8000-000000000001",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": columns}),
                "partitionColumns": [],
                "configuration": {name.replace("_", "."): value for name, value in configuration.items()},
            }
        },
        {
            "add": {
                "path": path or "a.parquet",
                "partitionValues": {},
                "size": size,
                "modificationTime": 0,
                "dataChange": True,
            }
        },
    ]
    if vector:
        actions[2]["add"] |= {"deletionVector": vector, "stats": '{"numRecords":3}'}
    log = "".join(json.dumps(action) + "\n" for action in actions)
    (folder / "_delta_log" / f"{0:020}.json").write_text(log)


def test_delta_features_that_do_not_matter(ask: Ask, tmp_path: Path) -> None:
    """A table may be able to have deletion vectors and mapped columns, as long as it has none."""
    delta_log(tmp_path / "table", features=("deletionVectors", "columnMapping", "timestampNtz"))
    assert ask(tmp_path / "table").value == 3


MAPPED = {"delta_columnMapping_mode": "name", "delta_columnMapping_maxColumnId": "3"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "deletion vector": ({"features": ("deletionVectors",), "vector": deletion_vector([0, 2])}, "(deletion vectors)"),
    "damaged vector": (
        {"features": ("deletionVectors",), "vector": {**deletion_vector([0]), "sizeInBytes": 3}},
        "(deletion",
    ),
    "column mapping": ({"features": ("columnMapping",), **MAPPED}, "(column mapping)"),
    "another feature": ({"features": ("typeWidening",)}, "'typeWidening'"),
    "a feature of nobody's": ({"features": ("telepathy",)}, "telepathy"),
    "a shallow clone": ({"path": "file:///elsewhere/a.parquet"}, "has files elsewhere"),
}


@pytest.mark.parametrize(("written", "told"), REFUSED.values(), ids=REFUSED)
def test_a_delta_table_that_is_not_its_files_is_refused(ask: Ask, tmp_path: Path, written: Any, told: str) -> None:
    """What the log says beyond a list of files is refused where the files alone would give a wrong number."""
    delta_log(tmp_path / "table", **written)
    refused = ask(tmp_path / "table")
    assert (refused.code, told in refused.error) == (4, True), refused.err


def test_a_log_without_commits_is_refused(ask: Ask, tmp_path: Path) -> None:
    """A folder that is a table without a version is no folder of files."""
    delta_log(tmp_path / "table")
    next((tmp_path / "table" / "_delta_log").iterdir()).unlink()
    refused = ask(tmp_path)
    assert (refused.code, "has a log without commits" in refused.error) == (4, True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"add":{}}', b"\0" * 99, b"[" * 9999])
def test_a_damaged_log_is_refused(ask: Ask, tmp_path: Path, catalog: SqlCatalog, content: bytes) -> None:
    """Of a log that its library cannot read one line is told."""
    delta_log(tmp_path / "table")
    (tmp_path / "table" / "_delta_log" / f"{0:020}.json").write_bytes(content)
    refused = ask(tmp_path / "table")
    assert (refused.code, "this Delta table" in refused.error) == (4, True)
    table = catalog.create_table("web.events", schema=events([]).schema)
    table.append(events(["DE"]))
    for file in (folder_of(table) / "metadata").glob("*.avro"):
        file.write_bytes(content)
    refused = ask(folder_of(table))
    assert (refused.code, "this Iceberg table" in refused.error) == (4, True)
    (folder_of(table) / "metadata" / "00009-x.metadata.json").write_bytes(content)
    refused = ask(folder_of(table))
    assert (refused.code, "this Iceberg table" in refused.error) == (4, True)


def test_delete_files_are_refused(ask: Ask, catalog: SqlCatalog) -> None:
    """An Iceberg table some of whose rows are deleted by files beside them is refused, though its files can be read."""
    table = catalog.create_table("web.events", schema=events([]).schema)
    table.append(events(["DE", "FR"]))
    delete_row(table)
    assert len(table.scan().to_arrow()) == 1
    refused = ask(folder_of(table))
    assert (refused.code, "(delete files)" in refused.error) == (4, True)


def test_a_moved_iceberg_table_is_refused(ask: Ask, tmp_path: Path, catalog: SqlCatalog) -> None:
    """The metadata names files where they were, which may be other files now; by a link it is where it was."""
    table = catalog.create_table("web.events", schema=events([]).schema)
    table.append(events(["DE"]))
    (tmp_path / "link").symlink_to(folder_of(table))
    assert ask(tmp_path / "link").value == 1
    shutil.copytree(folder_of(table), tmp_path / "copy")
    refused = ask(tmp_path / "copy")
    assert (refused.code, "was moved" in refused.error) == (4, True)


def test_the_hint_of_a_version_counts(ask: Ask, catalog: SqlCatalog) -> None:
    """Without a catalog the latest version is the hint's or one that follows it; of two alike only a hint tells."""
    table = catalog.create_table("web.events", schema=events([]).schema)
    log, hint = folder_of(table) / "metadata", folder_of(table) / "metadata" / "version-hint.text"
    table.append(events(["DE"]))
    table.append(events(["FR"]))
    first, second = sorted(log.glob("*.metadata.json"))[-2:]
    hint.write_text(first.name)
    assert ask(folder_of(table)).value == 1
    hint.write_text("1\n")
    assert ask(folder_of(table)).value == 2
    hint.unlink()
    shutil.copy(first, second.with_name(f"{second.name.partition('-')[0]}-of-another-writer.metadata.json"))
    refused = ask(folder_of(table))
    assert (refused.code, "two of the same version" in refused.error) == (4, True)
    hint.write_text(second.name)
    assert ask(folder_of(table)).value == 2


@pytest.mark.parametrize(("kind", "library"), [("delta", "deltalake"), ("iceberg", "pyiceberg.io")])
def test_a_table_without_its_library_is_a_wrong_question(
    ask: Ask, tmp_path: Path, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch, kind: str, library: str
) -> None:
    """The files of its folder are not counted, superseded ones and all; the hint installs what is missing."""
    append(tmp_path / "delta")
    table = catalog.create_table("web.events", schema=events([]).schema)
    table.append(events(["DE"]))
    monkeypatch.delitem(sys.modules, f"mmstats.files.{kind}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    refused = ask(tmp_path / "delta" if kind == "delta" else folder_of(table))
    assert (refused.code, f"needs {library.removesuffix('.io')}" in refused.error) == (2, True)
    assert "pip install 'deltalake" in refused.err


def test_plain_folders_load_no_library_of_tables(tmp_path: Path) -> None:
    """A question of files loads nothing that only tables need."""
    pq.write_table(events(["DE"]), tmp_path / "a.parquet")
    program = "import sys; from mmstats.cli import run; run(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", program, "query", "--data", str(tmp_path)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"deltalake", "pyiceberg", "mmstats.files.delta", "mmstats.files.iceberg"} & {*loaded}


def test_a_default_of_a_later_column(ask: Ask, catalog: SqlCatalog) -> None:
    """A column that was added with a default has it in older files."""
    rows = events(["DE"], browser=pa.array(["b"], pa.string()))
    table = catalog.create_table("web.events", schema=rows.drop_columns("browser").schema)
    table.append(rows.drop_columns("browser"))
    changed_column(table, lambda update: update.add_column("browser", StringType()))
    table.append(rows)
    metadata = max((folder_of(table) / "metadata").glob("*.metadata.json"))
    written = json.loads(metadata.read_text())
    written["schemas"][-1]["fields"][-1]["initial-default"] = "none"  # as a writer of the format's version 3
    metadata.write_text(json.dumps(written))
    browsers = {row["browser"]: row["value"] for row in ask(folder_of(table), "--group-by", "browser").rows}
    assert browsers == {"none": 1, "b": 1}


def test_a_renamed_part_of_a_column(ask: Ask, catalog: SqlCatalog) -> None:
    """A column whose inner fields were renamed is refused where it is read: its text would have the older names."""
    rows = events(["DE"], os=[{"name": "linux", "versions": ["6", "7"]}])
    table = catalog.create_table("web.events", schema=rows.schema)
    table.append(rows)
    text = ask(folder_of(table), "--group-by", "os").rows[0]["os"]
    assert json.loads(text) == {"name": "linux", "versions": ["6", "7"]}
    changed_column(table, lambda update: update.rename_column(("os", "name"), "kernel"))
    refused = ask(folder_of(table), "--group-by", "os")
    assert (refused.code, "has renamed the column 'os', or a part of it" in refused.error) == (4, True)
    assert ask(folder_of(table), "--group-by", "country").rows == [{"country": "DE", "value": 1}]


@pytest.mark.parametrize("name", ["p q", "100%", "a#b", "a?b", "[x]", "é ü", "a:b", "'", "~", "s3:x"])
def test_names_of_a_tables_folder(ask: Ask, tmp_path: Path, catalog: SqlCatalog, name: str) -> None:
    """A table is read from its own folder, whatever that is called."""
    delta_log(tmp_path / "delta" / name, features=("timestampNtz",))
    assert ask(tmp_path / "delta" / name).value == 3
    assert ask(f"delta/{name}/").value == 3
    location = f"{catalog.properties['warehouse']}/{name}"
    catalog.create_table("web.events", schema=events([]).schema, location=location).append(events(["DE"]))
    assert ask(location).value == 1


def test_a_name_that_looks_encoded(ask: Ask, tmp_path: Path) -> None:
    """The library of Delta tables would decode such a folder's name, and read the log of another one."""
    delta_log(tmp_path / "p q")
    append(tmp_path / "p%20q")
    (tmp_path / "link").symlink_to("p%20q")
    for name in ("p%20q", "link"):
        refused = ask(tmp_path / name)
        assert (refused.code, "'%20'" in refused.error) == (4, True)
