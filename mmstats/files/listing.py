"""The event files of a dataset, taken up one by one, each once; what comes through a pipe is spooled."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import (
    BINARY,
    COMPRESSIONS,
    EXTENSIONS,
    EventFile,
    Format,
    Stored,
    compression_of,
    format_of,
    partition_of,
    text_format_of,
)
from mmstats.files.manifest import read_manifest
from mmstats.files.text_file import open_bytes
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

_HEAD = 1 << 16


def spooled(stream: BinaryIO, name: str, input_format: str | None, folder: str) -> EventFile:
    """A file in `folder` with all that comes from the stream, in the format named, or else the one its bytes show.

    Raises Unreadable when it cannot be read or there is no room for it.
    """
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise Unreadable(f"{name}: cannot be kept in {folder}: {error.strerror}") from None
    head = _head(Path(file.name))
    for magic, binary in BINARY.items():
        if head.startswith(magic) and not input_format:
            raise Unreadable(f"{name}: looks like {binary}, not text", hint=f"say --input-format {binary}")
    compression = compression_of(head)
    found = EventFile(file.name, Format(input_format or "csv", compression), name=name)
    if input_format or not head:
        return found
    with open_bytes(found) as opened:
        return EventFile(file.name, Format(text_format_of(_first_text(opened)), compression), name=name)


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Raises Unreadable when there is none.
    """
    if sys.stdin is None:
        raise Unreadable("stdin: it is closed")
    return sys.stdin.buffer


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _first_text(stream: BinaryIO) -> bytes:
    """Bytes of which the first is not blank, or none."""
    while head := stream.read(_HEAD):
        if head.strip():
            return head
    return b""


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
            path = storage.join(folder, file.path)
            real = storage.canonical(path)
            if real not in self.seen:
                self.seen.add(real)
                storage.register(path, file.bytes)
                stored = Stored(file.rows, *file.span, columns)
                self.files.append(EventFile(path, Format("parquet"), stored=stored, storage=storage))

    def add(self, path: str, input_format: str | None, *, named: bool, storage: Storage = DISK) -> None:
        """Take up one file; `named` when the user named this very file, so that it can't be passed over."""
        real = storage.canonical(path)
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
