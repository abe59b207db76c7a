"""Stores: imported events as Parquet files by day, in a folder or a prefix of an object store, read by a manifest.

What both kinds have in common: the protocol by which an import writes, and how long superseded files are retained.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from mmstats.errors import NotEvents, OutputError
from mmstats.files.manifest import Manifest, StoreFile
from mmstats.limits import Limits
from mmstats.storage.url import read_url, scheme_of

# An import writes more slowly than it reads: without this the engine decodes a large file far ahead, into memory.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "2")

_RETENTION_SECONDS = 3600  # of superseded files: whoever reads by a replaced manifest is done by then
_FORGET_SECONDS = 7 * 86_400  # one who may write but not delete does not list superseded files forever


class CommitConflict(Exception):
    """Another import has changed the store since this one opened it: start again from what the store is now."""


class Store(Protocol):
    """A store opened by one import."""

    @property
    def manifest(self) -> Manifest:
        """The manifest as it was when the store was opened."""
        ...

    def new_file(self) -> Path:
        """The local path for a file to be written, under a name that no file of the store has or had."""
        ...

    def name_of(self, file: StoreFile) -> str:
        """What messages call a file: its path or URL."""
        ...

    def fetch(self, file: StoreFile) -> str:
        """The path on disk of a file, committed or not; where it had to be fetched, until the import ends."""
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
    """The module for a location, imported only here: that of buckets loads the object store libraries.

    Raises OutputError for an unknown scheme, and InvalidSettings where such a library is missing.
    """
    if scheme_of(location) is None:
        return cast(StoreModule, import_module("mmstats.store.folder"))
    from mmstats.storage.access import check_scheme

    try:
        check_scheme(read_url(location))
    except NotEvents as error:
        raise OutputError(error.message, hint=error.hint) from None
    return cast(StoreModule, import_module("mmstats.store.bucket"))


def superseded_since(manifest: Manifest, written: float) -> dict[str, int]:
    """Since when files of a manifest are superseded, in seconds since 1970, by path; after a week they are left out.

    `written` is when the manifest was written, by the clock of the disk or the object store.
    """
    since = {path: int(written) if known is None else known for path, known in manifest.superseded.items()}
    oldest = time.time() - _FORGET_SECONDS
    return {path: seconds for path, seconds in since.items() if seconds > oldest}


def is_retained(since: float) -> bool:
    """Whether a file superseded since then has to stay for readers of an older manifest."""
    return since >= time.time() - _RETENTION_SECONDS


def with_superseded(manifest: Manifest, before: Manifest, retained: Mapping[str, int | None]) -> Manifest:
    """A manifest with its superseded files: those still retained, and those that only the manifest before it lists."""
    listed = {file.path for file in manifest.files}
    superseded = {file.path: None for file in before.files if file.path not in listed}
    return replace(manifest, superseded={**retained, **superseded})
