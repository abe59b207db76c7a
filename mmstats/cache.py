"""The user's cache: answers, partial aggregates, file ranges and event names in one SQLite file, outputs beside it.

It may be deleted at any time, and where it cannot be read or written, questions are answered without it. An entry is
checked against its key when it is found, so that a damaged file costs time, never a wrong answer.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mmstats import recall
from mmstats.errors import InvalidSettings
from mmstats.version import build_id, library_versions
from mmstats.wording import read_size, visible

if TYPE_CHECKING:
    import sqlite3  # loaded where a cache is there: it takes 2 ms

T = TypeVar("T")

CACHE_VARIABLE = recall.CACHE_VARIABLE
SIZE_VARIABLE = "MMSTATS_CACHE_SIZE"
MOST_BYTES = 512 << 20
MOST_ENTRIES = 100_000

_FILE_NAME = "mmstats-cache.sqlite"
_OUR_MARKS = 0x6D6D7374, 1  # in the file's header: which program it is of, and its schema
_EMPTY_BYTES = 32 << 10  # at least what the file takes without entries
_LARGEST_BYTES = 512 << 20  # of an entry; SQLite takes a billion
_ROW_BYTES = 128  # of an entry beside its content, roughly
_PATIENCE = 0.05  # seconds to wait for other processes; half as long after each time in vain

# SQLite's codes for what is no fault of the file: PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL,
# CANTOPEN, PROTOCOL, TOOBIG, NOLFS, AUTH.
_NO_DAMAGE = {3, 5, 6, 7, 8, 9, 10, 13, 14, 15, 18, 22, 23}
_READONLY, _FULL = 8, 13
_SCHEMA = (
    "CREATE TABLE entries (key BLOB PRIMARY KEY, kind TEXT, used INTEGER, digest BLOB, content BLOB)",
    "CREATE INDEX entries_by_use ON entries (used)",
    f"PRAGMA application_id = {_OUR_MARKS[0]}",
    f"PRAGMA user_version = {_OUR_MARKS[1]}",
)
# `used` is a clock that ticks with every use it records. A use is recorded unless the entry is among the newest quarter
# anyway: what is asked again and again is not written again and again.
_FIND = """
SELECT CAST(digest AS BLOB), CAST(content AS BLOB),
    4 * ((SELECT max(used) FROM entries) - used) > (SELECT max(used) FROM entries) - (SELECT min(used) FROM entries)
FROM entries WHERE key = ?
"""
_USE = "UPDATE entries SET used = (SELECT max(used) + 1 FROM entries) WHERE key = ?"
_STORE = "INSERT OR REPLACE INTO entries VALUES (?, ?, (SELECT ifnull(max(used), 0) + 1 FROM entries), ?, ?)"
_SIZE = """
SELECT page_count, freelist_count, page_size, (SELECT count(*) FROM entries)
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""
_COUNTS = "SELECT CAST(kind AS TEXT), count(*) FROM entries GROUP BY kind"
_MARKS = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
_IS_NEW = "SELECT auto_vacuum = 1 AND NOT (SELECT count(*) FROM sqlite_master) FROM pragma_auto_vacuum"
_OLDEST = "SELECT used, ifnull(length(content), 0) FROM entries ORDER BY used"


class Kind(StrEnum):
    """What an entry holds."""

    ANSWER = "answers"
    PARTIALS = "partial_aggregates"
    RANGES = "file_ranges"
    EVENT_NAMES = "event_names"
    OUTPUT = "outputs"  # in files of their own: see `mmstats.recall`


class Key(NamedTuple):
    """What an entry is found by; made by `make_key` alone."""

    kind: Kind
    digest: bytes


def make_key(kind: Kind, *parts: object) -> Key:
    """The key of the entry of a kind that depends on these parts, for this build and the libraries installed.

    Parts are told apart by their repr, so they are texts, numbers, tuples or dataclasses of these.
    """
    text = repr((kind.value, build_id(), library_versions(), *parts))
    return Key(kind, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest())


def user_cache(environ: Mapping[str, str]) -> "Cache | None":
    """The user's cache, None where the environment gives it no size; raises as `configured_cache` does."""
    cache = configured_cache(environ)
    return cache if cache.most_bytes else None


def configured_cache(environ: Mapping[str, str]) -> "Cache":
    """The cache in the folder that the environment names, else in the platform's, whether or not it is to be used.

    Raises InvalidSettings for a variable in the environment that is no size.
    """
    size = environ.get(SIZE_VARIABLE)
    try:
        most_bytes = 0 if size == "0" else read_size(size) if size else MOST_BYTES
    except ValueError as fault:
        raise InvalidSettings(visible(f"{SIZE_VARIABLE} {fault}")) from None
    if environ.get(CACHE_VARIABLE):
        return Cache(Path(environ[CACHE_VARIABLE]), most_bytes)
    from platformdirs import user_cache_dir

    return Cache(Path(user_cache_dir("mmstats")), most_bytes)


class CacheInfo(NamedTuple):
    """How much is in a cache: entries by kind, and what the file takes on disk."""

    kinds: dict[str, int]
    bytes: int

    @property
    def entries(self) -> int:
        """The number of all entries."""
        return sum(self.kinds.values())


class _Unusable(Exception):
    """The file is another program's, of another schema, or far larger than it may be: a new one takes its place."""


class Cache:
    """Entries by key, within bounds of bytes on disk and of entries, the least recently used dropped first.

    Safe with other threads and processes: each operation has a connection of its own, so that there is none to share
    or to carry over a fork, and none waits noticeably for another.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, most_entries: int = MOST_ENTRIES) -> None:
        self.folder, self.most_bytes, self.most_entries = folder, most_bytes, most_entries
        self._most_file_bytes = most_bytes - recall.share(most_bytes)
        # The journal comes first when they are removed: a new file must not be rolled back by an old one's.
        self._files = [folder / f"{_FILE_NAME}{suffix}" for suffix in ("-journal", "-wal", "-shm", "")]
        self._file = self._files[-1]
        self._patience = _PATIENCE

    def find(self, key: Key) -> bytes | None:
        """The content stored under a key; an entry that is damaged, or was stored under another key, is dropped."""

        def find(connection: "sqlite3.Connection") -> bytes | None:
            for digest, content, is_old in connection.execute(_FIND, (key.digest,)).fetchall():
                if isinstance(content, bytes) and digest == _digest(key, content):
                    if is_old:
                        connection.execute("PRAGMA busy_timeout = 0")
                        with contextlib.suppress(Exception):  # a use that cannot be recorded at once is no loss
                            connection.execute(_USE, (key.digest,))
                    return content
                connection.execute("DELETE FROM entries WHERE key = ?", (key.digest,))
            return None

        return self._run(find) if os.path.isfile(self._file) else None  # noqa: PTH113 - unlike Path's, never raises

    def store(self, key: Key, content: bytes, patience: float | None = None) -> bool:
        """Store content under a key, and drop the entries that are beyond the bounds then.

        False where it cannot be stored, or takes more than an eighth of the cache. What took long to find may have the
        `patience` to wait so many seconds for another process.
        """
        if len(content) > min((self._most_file_bytes - _EMPTY_BYTES) // 8, _LARGEST_BYTES):
            return False
        row = (key.digest, key.kind.value, _digest(key, content), content)

        def store(connection: "sqlite3.Connection") -> bool:
            pages, _, page_bytes, entries = connection.execute(_SIZE).fetchone()
            size = max(pages * page_bytes, self._file.stat().st_size)  # they differ in a damaged file
            if size > 2 * self._most_file_bytes or entries > 2 * self.most_entries:
                raise _Unusable  # a bound was lowered, and dropping so much would take too long
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_STORE, row)
            self._evict(connection)
            connection.execute("COMMIT")
            return True

        return bool(self._run(store, patience))

    def info(self) -> CacheInfo:
        """How much is in the cache; of a file that cannot be read, only what it takes on disk.

        Raises OSError for a folder that may not be looked into.
        """
        size, counts = 0, {}
        for file in self._files:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                size += file.stat().st_size
        if size:
            with contextlib.suppress(Exception), contextlib.closing(self._connect()) as connection:
                if connection.execute(_MARKS).fetchone() == _OUR_MARKS:
                    counts = dict(connection.execute(_COUNTS))
        outputs = [status.st_size for _, status in recall.kept(str(self.folder))]
        counts[Kind.OUTPUT.value] = len(outputs)
        return CacheInfo({kind.value: counts.get(kind.value, 0) for kind in Kind}, size + sum(outputs))

    def clear(self) -> None:
        """Remove the cache; raises OSError where it cannot be removed."""
        recall.clear(str(self.folder))
        self._remove_file()

    def _remove_file(self) -> None:
        for file in self._files:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                file.unlink()

    def _run(self, operation: "Callable[[sqlite3.Connection], T]", patience: float | None = None) -> T | None:
        """The result of an operation, None where there is no cache to be had now.

        A damaged or foreign file is removed, and the operation tried again, once, on a new one.
        """
        for _ in range(2):
            try:
                import sqlite3

                for folder in (self.folder.parent, self.folder):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):  # SQLite itself would let others read it
                    os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                with contextlib.closing(self._connect(patience)) as connection:
                    _prepare(connection)
                    result = operation(connection)
                self._patience = _PATIENCE
                return result
            except (OSError, ImportError):  # a Python may have been built without SQLite
                return None
            except (sqlite3.Error, UnicodeError, _Unusable) as error:  # UnicodeError: a message that quotes damage
                with contextlib.suppress(OSError):
                    if self._is_damage(error):
                        self._remove_file()
                        continue
                self._patience /= 2
                return None
        return None

    def _is_damage(self, error: Exception) -> bool:
        """Whether an error is the file's, not one of what goes on around it: a lock, a full disk, missing rights."""
        code = getattr(error, "sqlite_errorcode", None)
        if code == _READONLY:  # a damaged header may say so
            return os.access(self._file, os.W_OK)
        if code == _FULL:  # a damaged page may name another one beyond all bounds
            return shutil.disk_usage(self.folder).free > self.most_bytes
        return code is None or code & 0xFF not in _NO_DAMAGE

    def _connect(self, patience: float | None = None) -> "sqlite3.Connection":
        import sqlite3

        timeout = self._patience if patience is None else patience
        return sqlite3.connect(self._file, timeout=timeout, isolation_level=None)

    def _evict(self, connection: "sqlite3.Connection") -> None:
        """Drop the least recently used entries beyond the bounds; pages that are free leave the file on commit."""
        while True:
            pages, free, page_bytes, entries = connection.execute(_SIZE).fetchone()
            excess_bytes, excess_entries = (
                (pages - free) * page_bytes - self._most_file_bytes,
                entries - self.most_entries,
            )
            if excess_bytes <= 0 and excess_entries <= 0:
                return
            used = None
            for used, size in connection.execute(_OLDEST):  # noqa: B007 - the last one counts
                excess_bytes, excess_entries = excess_bytes - size - _ROW_BYTES, excess_entries - 1
                if excess_bytes <= 0 and excess_entries <= 0:
                    break
            if not connection.execute("DELETE FROM entries WHERE used <= ?", (used,)).rowcount:
                raise _Unusable  # so damaged that its size cannot be bounded


def _prepare(connection: "sqlite3.Connection") -> None:
    """Make an empty file a cache; raises _Unusable for one that is something else."""
    # Losing power may damage the file, which is noticed; waiting for the disk would cost every question.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA secure_delete = OFF")
    if connection.execute(_MARKS).fetchone() == _OUR_MARKS:
        return
    connection.execute("PRAGMA auto_vacuum = FULL")  # of no effect unless the file is empty
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute(_MARKS).fetchone() != _OUR_MARKS:  # another process may have been faster
        if connection.execute(_IS_NEW).fetchone() != (1,):
            raise _Unusable
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


def _digest(key: Key, content: bytes) -> bytes:
    digest = blake2b(key.kind.encode() + key.digest, digest_size=16)
    digest.update(content)
    return digest.digest()
