"""The manifest of a store: its files, what they hold, and the sources they were imported from.

Only the manifest says what is in a store: a file that it does not list is not part of it. Its last line is a digest of
all the others: a manifest that is not what was written is refused. Version 1 had neither that nor files' checksums.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mmstats.errors import Unreadable
from mmstats.resources import refused
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

MANIFEST = "_mmstats.json"
SUPERSEDED = "_mmstats_superseded"  # the folder of superseded files in a store on disk
VERSION = 2
RESTORE = "restore it, or import the sources into a new store"
FILE_NAME = re.compile(r"[0-9a-f]{16}\.parquet")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_MICROS = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_DIGEST = b'"blake2b":'  # before it is what it is the digest of
_FIELDS = {"version", "next_source", "columns", "superseded", "sources", "files", "blake2b"}
_SINCE_VERSION_2 = {"tail_bytes", "tail_checksum"}


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file of events of one UTC day, sorted by time; the fields are those of the manifest's JSON.

    `first` and `last` are its first and last instant in microseconds since 1970, `sources` the number of rows by the id
    of the source that they were imported from. Its last `tail_bytes` have the `tail_checksum`, which is empty where a
    mmstats without checksums has imported the file.
    """

    day: str
    name: str
    rows: int
    bytes: int
    first: int
    last: int
    sources: Mapping[int, int]
    tail_bytes: int = 0
    tail_checksum: str = ""

    @property
    def path(self) -> str:
        """The path of the file in the store."""
        return f"day={self.day}/{self.name}"

    @property
    def instants(self) -> range:
        """The instants of its day, in microseconds since 1970."""
        start = (date.fromisoformat(self.day).toordinal() - _EPOCH) * _DAY_MICROS
        return range(start, start + _DAY_MICROS)


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A file that was imported; the fields are those of the manifest's JSON.

    `digest` identifies its content, `read_as` is JSON of the settings that it was read with, `rows` the number of rows
    imported, `left_out` that of bad rows.
    """

    id: int
    location: str
    digest: str
    read_as: str
    rows: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a store.

    `columns` are the event columns that some source had, `next_source` is an id that no source has had. `superseded`
    has the paths of files that are kept for readers of an older manifest. Each has the time at which a manifest without
    the file was written, in seconds since 1970; None stands for the time at which this manifest was written.
    """

    sources: tuple[StoreSource, ...] = ()
    files: tuple[StoreFile, ...] = ()
    columns: tuple[str, ...] = ()
    next_source: int = 1
    superseded: Mapping[str, int | None] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The manifest as it is written: JSON, a line for each source and file, and one for the digest of them all."""
        head: dict[str, Any] = {"version": VERSION, "next_source": self.next_source, "columns": self.columns}
        if self.superseded:
            head["superseded"] = self.superseded
        sources, files = _lines(self.sources), _lines(self.files)
        body = f'{json.dumps(head)[:-1]}, "sources":[\n{sources}\n], "files":[\n{files}\n],\n'.encode("ascii")
        return body + _DIGEST + _end(body)


def _end(body: bytes) -> bytes:
    """What a manifest with this body ends with."""
    return b'"%s"}\n' % blake2b(body, digest_size=16).hexdigest().encode("ascii")


def _lines(entries: Iterable[StoreSource | StoreFile]) -> str:
    return ",\n".join(json.dumps(asdict(entry), separators=(",", ":")) for entry in entries)


def superseded_path(path: str) -> str:
    """Where a store on disk keeps a file that had this path until it was superseded.

    Other tools read a store by the glob `day=*/*.parquet`: neither the folder nor the name matches it.
    """
    return str(Path(path).parents[1] / SUPERSEDED / Path(path).stem)


def is_store(folder: str) -> bool:
    """Whether a folder on disk has a manifest."""
    return os.path.lexists(Path(folder, MANIFEST))


def read_manifest(folder: str, storage: Storage = DISK) -> Manifest:
    """The manifest of a store.

    Raises Unreadable, naming it, for one that cannot be read, is damaged or has an unknown version.
    """
    path = storage.join(folder, MANIFEST)
    try:
        return parse_manifest(path, storage.read(path))
    except OSError as error:
        raise refused(path, error) from None


class _UnknownVersion(ValueError):
    """The manifest has a version that this mmstats does not know."""


def parse_manifest(path: str, content: bytes) -> Manifest:
    """The manifest at a path, from its JSON; raises Unreadable as `read_manifest` does."""
    try:
        body, digest, end = content.rpartition(_DIGEST)
        if digest and end != _end(body):
            raise Unreadable(f"{visible(path)}: damaged: its digest is not that of its content", hint=RESTORE)
        fields = json.loads(content)
        version = fields.get("version") if isinstance(fields, dict) else None
        if type(version) is not int:
            raise ValueError("it says no version")
        if version not in range(1, VERSION + 1):
            raise _UnknownVersion(f"a store of version {version}")
        if bool(digest) != (version > 1):  # no slip of a bit makes a manifest one of those that had none
            raise ValueError("it has no digest, as its version should" if version > 1 else "its version has no digest")
        return _manifest_of(fields)
    except _UnknownVersion as fault:
        hint = f"this mmstats knows version {VERSION}: update mmstats-cli"
        raise Unreadable(f"{visible(path)}: {fault}", hint=hint) from None
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{visible(path)}: not the manifest of a store: {fault}", hint=RESTORE) from None


def _manifest_of(fields: dict[str, Any]) -> Manifest:
    sources = tuple(StoreSource(**entry) for entry in _entries(fields, "sources", StoreSource))
    files = tuple(_file_of(entry) for entry in _entries(fields, "files", StoreFile))
    next_source, columns, superseded = fields.get("next_source"), fields.get("columns"), fields.get("superseded", {})
    if unknown := fields.keys() - _FIELDS:
        raise ValueError(f"it has a field {visible(min(unknown))}")
    if not isinstance(next_source, int) or any(source.id >= next_source for source in sources):
        raise ValueError("its next source is not the next")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise ValueError("it has no list of columns")
    if not isinstance(superseded, dict) or not {type(since) for since in superseded.values()} <= {int, type(None)}:
        raise ValueError("it does not say since when files are in it no more")
    return Manifest(sources, files, tuple(columns), next_source, superseded)


def _entries(fields: dict[str, Any], name: str, kind: type) -> Iterator[dict[str, Any]]:
    """The entries of a list of the manifest, which must have the fields of a dataclass."""
    entries = fields.get(name)
    if not isinstance(entries, list):
        raise ValueError(f"it has no list of {name}")
    added = _SINCE_VERSION_2 if fields["version"] == 1 else set()
    types: dict[str, Any] = {key: wanted for key, wanted in kind.__annotations__.items() if key not in added}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or entry.keys() != types.keys():
            raise ValueError(f"number {number} of its {name} has not the fields it should have")
        if any(type(entry[key]) is not wanted for key, wanted in types.items() if wanted in {int, str}):
            raise ValueError(f"number {number} of its {name} has a field of another type than it should have")
        yield entry


def _file_of(entry: dict[str, Any]) -> StoreFile:
    try:
        file = StoreFile(**{**entry, "sources": {int(key): int(rows) for key, rows in entry["sources"].items()}})
    except (AttributeError, TypeError) as fault:
        raise ValueError(f"a file of it is beyond understanding ({fault})") from None
    if not FILE_NAME.fullmatch(file.name) or not _DAY.fullmatch(file.day):
        raise ValueError("a file of it has no name or no day that a file of a store has")
    if not file.instants.start <= file.first <= file.last < file.instants.stop:
        raise ValueError("a file of it has events of another day")
    return file
