"""Tables of a lake for the tests, written and read back by the libraries that people write them with."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog

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
