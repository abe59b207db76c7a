"""What this process has learnt of columnar files on disk: their schemas, and that all of their rows can be read.

A server's worker asks the same files again and again, and opens the footer of each once for that. A file is known by
its identity, which is another one after a change. What is in an object store is not kept: an earlier version may come
back there under the identity it had.
"""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from mmstats.files.event_file import EventFile
from mmstats.readers.columnar_file import FileSchema
from mmstats.storage.disk import DISK

Value = TypeVar("Value")

_MOST_FILES = 4_096
_MOST_COLUMNS = 64  # of a schema; wider ones are read each time, so that all together take at most some 50 MB


class _Known(Generic[Value]):
    """Values by key, of which the oldest go; threads may share it."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], Value] = {}
        self._lock = Lock()

    def get(self, *key: str) -> Value | None:
        with self._lock:
            return self._values.get(key)

    def keep(self, value: Value, *key: str) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > _MOST_FILES:
                del self._values[next(iter(self._values))]


_schemas = _Known[FileSchema]()
_readable = _Known[bool]()


def schema_of(file: EventFile, settle_ns: int, read: Callable[[EventFile], FileSchema]) -> FileSchema:
    """The schema of a file: what `read` gave of the same version, or gives now; raises as that does."""
    identity = _identity(file, settle_ns)
    found = _schemas.get(identity) if identity else None
    if found is None:
        found = read(file)
        if identity and len(found.columns) <= _MOST_COLUMNS:
            _schemas.keep(found, identity)
    return found


def unjudged(files: Sequence[EventFile], judged: str, settle_ns: int) -> tuple[EventFile, ...]:
    """Those of some files of which it is not known that all rows can be read, judged in the way that `judged` tells."""
    identities = ((file, _identity(file, settle_ns)) for file in files)
    return tuple(file for file, identity in identities if not (identity and _readable.get(identity, judged)))


def keep_readable(files: Sequence[EventFile], judged: str, settle_ns: int) -> None:
    """Keep that all rows of some files can be read."""
    for file in files:
        if identity := _identity(file, settle_ns):
            _readable.keep(True, identity, judged)


def _identity(file: EventFile, settle_ns: int) -> str | None:
    """What tells a file from another version of it; None where that may be changed without a trace."""
    if file.storage is not DISK or file.status is None or time.time_ns() - file.status.changed <= settle_ns:
        return None
    return f"{file.format.name} {file.status.identity}"
