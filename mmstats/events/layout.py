"""The columns of a store's files: the event columns and what an import adds to them, for any tool to read."""

import polars as pl

from mmstats.dataset import EVENT_COLUMNS

VISITOR_HASH = "anonymous_id_xxh64"  # null for null
IMPORTED_FROM = "mmstats_source"  # the id of a source in the manifest
INSTANT = pl.Datetime("us", "UTC")
# Few different values in many rows: Parquet's dictionaries hold each once in a row group.
CATEGORICAL = ("event_name", "source", "medium", "campaign", "country", "device_type", "browser", "os", "path")

_TYPES: dict[str, pl.DataType] = {"timestamp": INSTANT, **{name: pl.Categorical() for name in CATEGORICAL}}
SCHEMA = pl.Schema(
    {
        **{name: _TYPES.get(name, pl.String()) for name in EVENT_COLUMNS},
        VISITOR_HASH: pl.UInt64(),
        IMPORTED_FROM: pl.UInt32(),
    }
)
