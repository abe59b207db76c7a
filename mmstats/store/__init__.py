"""Stores: events imported into a layout of our own, plain Parquet by day, read by a manifest and changed as a whole."""

import os

# An import writes more slowly than it reads: without this the engine decodes a large file far ahead, into memory.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "2")
