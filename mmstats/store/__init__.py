"""Stores: imported events as Parquet files by day, read by a manifest, in a folder or a prefix of an object store."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from mmstats.files.manifest import Manifest, StoreFile
from mmstats.limits import Limits
from mmstats.storage.url import scheme_of

# An import writes more slowly than it reads: without this the engine decodes a large file far ahead, into memory.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "2")


class CommitConflict(Exception):
    """Another import has changed the store since this one opened it: start again from what the store is now."""


class Store(Protocol):
    """A store opened by one import."""

    @property
    def manifest(self) -> Manifest:
        """The manifest as it was when the store was opened."""
        ...

    @property
    def scan_options(self) -> Mapping[str, Any]:
        """Arguments for the engine's scan of the store's files, beside their paths."""
        ...

    def new_file(self) -> Path:
        """The local path for a file to be written, under a name that no file of the store has or had."""
        ...

    def path_of(self, file: StoreFile) -> str:
        """Where a file can be read, before it is committed and after."""
        ...

    def commit(self, manifest: Manifest) -> None:
        """Replace the manifest, and with it the content of the store, in one step.

        Raises CommitConflict where another import has done so since the store was opened.
        """
        ...


class StoreModule(Protocol):
    """A module that opens stores of one kind: `mmstats.store.folder` or `mmstats.store.bucket`."""

    def check_location(self, location: str, options: Mapping[str, str]) -> None:
        """Raise OutputError for a location that holds something else than a store."""
        ...

    def open_store(
        self, location: str, options: Mapping[str, str], note: Callable[[str], None], limits: Limits
    ) -> AbstractContextManager[Store]:
        """The store at a location, for one import; `note` is called with a sentence when the import has to wait."""
        ...


def store_module(location: str) -> StoreModule:
    """The module for a location, imported only here: that of buckets loads the object store libraries."""
    name = "mmstats.store.folder" if scheme_of(location) is None else "mmstats.store.bucket"
    return cast(StoreModule, import_module(name))
