"""Tables of a lake for the tests, written and read back by the libraries that people write them with."""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyroaring import BitMap

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
START = datetime(2026, 5, 4, tzinfo=UTC)


def events(countries: Sequence[str | None], **columns: Sequence[Any]) -> pa.Table:
    """An event an hour, one for each country, with further columns."""
    instants = [START + timedelta(hours=hour) for hour in range(len(countries))]
    return pa.table(
        {
            "timestamp": pa.array(instants, pa.timestamp("us", "UTC")),
            "event_name": pa.array(["visit"] * len(countries), pa.string()),
            "country": pa.array(countries, pa.string()),
            **columns,
        }
    )


def counted(table: pa.Table, column: str) -> dict[Any, int]:
    """How many rows there are of each value, as the library that wrote a table reads it."""
    return dict(Counter(table[column].to_pylist()))


def delta_counts(folder: Path | str, options: Mapping[str, str] | None = None) -> dict[Any, int]:
    """How many rows of a Delta table there are of each country now."""
    return counted(DeltaTable(folder, storage_options=dict(options or {})).to_pyarrow_table(), "country")


@contextmanager
def iceberg_catalog(warehouse: Path | str, **properties: str) -> Iterator[SqlCatalog]:
    """A catalog in memory, whose tables are below a folder."""
    catalog = SqlCatalog("tests", uri="sqlite:///:memory:", warehouse=str(warehouse), **properties)
    catalog.create_namespace("web")
    try:
        yield catalog
    finally:
        catalog.close()


def deletion_vector(rows: Sequence[int]) -> dict[str, Any]:
    """What a Delta log says of a file some of whose rows are deleted: a bitmap of them, in the log itself."""
    bitmap = struct.pack("<IQI", 1681511377, 1, 0) + BitMap(rows).serialize()
    words = struct.unpack(f">{-(-len(bitmap) // 4)}I", bitmap + bytes(-len(bitmap) % 4))
    text = "".join(_Z85[word // 85**power % 85] for word in words for power in (4, 3, 2, 1, 0))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(bitmap), "cardinality": len(rows)}


def delete_row(table: Table) -> None:
    """Add a file to an Iceberg table that says that the first row of its first file is deleted, as Spark would."""
    (task, *_) = table.scan().plan_files()
    deleted = Path(table.location().removeprefix("file://"), "data", "deleted.parquet")
    pq.write_table(pa.table({"file_path": [task.file.file_path], "pos": [0]}), deleted)
    file = DataFile.from_args(
        _table_format_version=2,
        content=DataFileContent.POSITION_DELETES,
        file_path=f"file://{deleted}",
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=1,
        file_size_in_bytes=deleted.stat().st_size,
    )
    file.spec_id = table.spec().spec_id
    with pytest.MonkeyPatch.context() as patch, table.transaction() as transaction:
        patch.setattr(ManifestWriterV2, "content", lambda _: ManifestContent.DELETES)  # it writes no other by itself
        with transaction.update_snapshot().fast_append() as update:
            update.append_data_file(file)
