"""The event files of a dataset, taken up one by one, each once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mmstats.errors import NotEvents
from mmstats.events.eventfile import EventFile, Stored
from mmstats.events.formats import COMPRESSIONS, EXTENSIONS, Format, format_of
from mmstats.events.hive import partition_of
from mmstats.events.stdin import spooled
from mmstats.events.storage import Storage
from mmstats.events.storage.disk import DISK
from mmstats.events.store import read_manifest
from mmstats.wording import visible

KNOWN = f"event files end in {', '.join(EXTENSIONS)} (text also .gz, .zst)"


def is_hidden(name: str) -> bool:
    """Whether what has this name is passed over in a folder, on disk as in a store."""
    return name.startswith((".", "_"))


@contextmanager
def kept_until_read(listing: "Listing") -> "Iterator[Listing]":
    """Remove what came through a pipe at the end of the block, however it ends."""
    try:
        yield listing
    finally:
        listing.close()


@dataclass(slots=True)
class Listing:
    """The event files found, each once, and how many other files were passed over.

    A store is there although it may be empty: `stores` are counted. What came through a pipe is kept in `spool`, a
    temporary folder that goes with the listing.
    """

    files: list[EventFile] = field(default_factory=list)
    unknown: int = 0
    stores: int = 0
    seen: set[str] = field(default_factory=set)
    spool: "TemporaryDirectory[str] | None" = None

    def close(self) -> None:
        """Remove what came through a pipe."""
        if self.spool:
            self.spool.cleanup()

    def add_stream(self, stream: BinaryIO, name: str, input_format: str | None) -> None:
        """Take up what comes through a pipe, once."""
        if name not in self.seen:
            self.seen.add(name)
            self.spool = self.spool or TemporaryDirectory(prefix="mmstats-")
            self.files.append(spooled(stream, name, input_format, self.spool.name))

    def add_store(self, folder: str, storage: Storage = DISK) -> None:
        """Take up the files that a store's manifest lists, and no others; what its folders say is in them."""
        self.stores += 1
        manifest = read_manifest(folder, storage)
        columns = frozenset(manifest.columns)
        for file in manifest.files:
            path = storage.below(folder, file.path)
            real = storage.absolute(path)
            if real not in self.seen:
                self.seen.add(real)
                storage.promise(path, file.bytes)
                stored = Stored(file.rows, *file.span, columns)
                self.files.append(EventFile(path, Format("parquet"), stored=stored, storage=storage))

    def add(self, path: str, input_format: str | None, *, named: bool, storage: Storage = DISK) -> None:
        """Take up one file; `named` when the user named this very file, so that it can't be passed over."""
        real = storage.absolute(path)
        if real in self.seen:
            return
        self.seen.add(real)
        found = as_format(path, input_format)
        if found and Path(path).is_symlink() and not os.path.exists(path):
            raise NotEvents(f"{visible(path)}: a link to nothing")
        if found:
            self.files.append(EventFile(path, found, partition_of(path), storage=storage))
        elif named:
            raise NotEvents(
                f"{visible(path)}: the extension says no format of events",
                hint=f"{KNOWN}; or say --input-format",
            )
        else:
            self.unknown += 1


def as_format(path: str, input_format: str | None) -> Format | None:
    """The format of a file: the one the user named, or else the one its name says, or None."""
    if input_format is None:
        return format_of(path)
    return Format(input_format, COMPRESSIONS.get(Path(path).suffix.lower(), ""))
