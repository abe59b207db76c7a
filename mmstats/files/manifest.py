"""The manifest of a store: which files are in it, what they hold, and which sources they were imported from.

The manifest alone says what is in a store. A file that it does not list is not in it, whatever left it there.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mmstats.errors import Unreadable
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

MANIFEST = "_mmstats.json"
VERSION = 1
FILE_NAME = re.compile(r"^[0-9a-f]{16}\.parquet$")

_DAY = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
_DAMAGED = "restore it, or import the sources into a new store"


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file of events of one UTC day, sorted by time.

    `first` and `last` are its first and last instant in microseconds since the epoch, `sources` the number of its rows
    by the id of the source that they are from.
    """

    day: str
    name: str
    rows: int
    bytes: int
    first: int
    last: int
    sources: Mapping[int, int]

    @property
    def path(self) -> str:
        """Where it lies in the store."""
        return f"day={self.day}/{self.name}"

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Its first and its last instant, naive."""
        first, last = (_EPOCH + timedelta(microseconds=instant) for instant in (self.first, self.last))
        return first, last


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A file that was imported: where it lay, what it held, how it was read, and how many rows came of it."""

    id: int
    location: str
    digest: str
    read_as: str
    rows: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a store.

    `columns` are the event columns that some source had, `next_source` is an id that none has had. Where files stay for
    a while when they are in it no more, `superseded` has the paths of those, each with the time since when, in seconds
    since 1970: that at which a manifest without it was written, None where that is this very manifest.
    """

    sources: tuple[StoreSource, ...] = ()
    files: tuple[StoreFile, ...] = ()
    columns: tuple[str, ...] = ()
    next_source: int = 1
    superseded: Mapping[str, int | None] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as it is written, a source and a file a line."""
        parts = {"sources": [asdict(one) for one in self.sources], "files": [asdict(one) for one in self.files]}
        lists = (f'"{name}":[\n{_lines(entries)}\n]' for name, entries in parts.items())
        head: dict[str, Any] = {"version": VERSION, "next_source": self.next_source, "columns": self.columns}
        head |= {"superseded": self.superseded} if self.superseded else {}
        return f"{json.dumps(head)[:-1]}, {', '.join(lists)}}}\n"


def _lines(entries: list[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)


def is_store(folder: str) -> bool:
    """Whether a folder is a store: then its manifest says which files are in it."""
    return os.path.lexists(Path(folder, MANIFEST))


def read_manifest(folder: str, storage: Storage = DISK) -> Manifest:
    """The manifest of a store.

    Raises Unreadable, naming it, for one that cannot be read, is damaged or of a version that is not known here.
    """
    path = storage.join(folder, MANIFEST)
    try:
        return parsed(path, storage.read(path))
    except OSError as error:
        raise Unreadable(f"{visible(path)}: {error.strerror}") from None


def parsed(path: str, content: bytes) -> Manifest:
    """The manifest that is written at a path; raises Unreadable as `read_manifest` does."""
    try:
        return _parsed(content)
    except _UnknownVersion as fault:
        hint = f"this mmstats knows version {VERSION}: update mmstats"
        raise Unreadable(f"{visible(path)}: {fault}", hint=hint) from None
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{visible(path)}: not the manifest of a store: {fault}", hint=_DAMAGED) from None


class _UnknownVersion(ValueError):
    """A manifest is of a layout that is not known here."""


def _parsed(content: bytes) -> Manifest:
    kept = json.loads(content)
    if not isinstance(kept, dict) or not isinstance(kept.get("version"), int):
        raise ValueError("it says no version")
    if kept["version"] != VERSION:
        raise _UnknownVersion(f"a store of version {kept['version']}")
    sources = tuple(StoreSource(**entry) for entry in _entries(kept, "sources", StoreSource))
    files = tuple(_file(entry) for entry in _entries(kept, "files", StoreFile))
    if not isinstance(kept.get("next_source"), int) or any(one.id >= kept["next_source"] for one in sources):
        raise ValueError("its next source is not the next")
    columns = kept.get("columns")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise ValueError("it has no list of columns")
    return Manifest(sources, files, tuple(columns), kept["next_source"], _superseded(kept.get("superseded", {})))


def _superseded(kept: object) -> dict[str, int | None]:
    if not isinstance(kept, dict) or not all(since is None or type(since) is int for since in kept.values()):
        raise ValueError("it does not say since when files are in it no more")
    return kept


def _entries(kept: dict[str, Any], name: str, kind: type) -> Iterator[dict[str, Any]]:
    entries = kept.get(name)
    if not isinstance(entries, list):
        raise ValueError(f"it has no list of {name}")
    for number, entry in enumerate(entries, 1):
        types: dict[str, Any] = kind.__annotations__
        if not isinstance(entry, dict) or entry.keys() != types.keys():
            raise ValueError(f"number {number} of its {name} has not the fields it should have")
        if any(type(entry[key]) is not wanted for key, wanted in types.items() if wanted in {int, str}):
            raise ValueError(f"number {number} of its {name} has a field of another type than it should have")
        yield entry


def _file(entry: dict[str, Any]) -> StoreFile:
    try:
        file = StoreFile(**{**entry, "sources": {int(key): int(rows) for key, rows in entry["sources"].items()}})
        first, last = file.span
    except (AttributeError, TypeError, OverflowError) as fault:
        raise ValueError(f"a file of it is beyond understanding ({fault})") from None
    if not FILE_NAME.match(file.name) or not _DAY.match(file.day) or first > last:
        raise ValueError("a file of it has no name, no day or no span that a file of a store has")
    return file
