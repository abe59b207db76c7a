"""The cache in the user's cache folder: entries by key, written whole, the least recently used dropped first.

It may be deleted at any time, and a write that fails is no error.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

from mmstats.errors import InvalidSettings
from mmstats.wording import read_size, visible

CACHE_VARIABLE = "MMSTATS_CACHE_DIR"
SIZE_VARIABLE = "MMSTATS_CACHE_SIZE"
MOST_BYTES = 512 << 20
_KEPT = "kept"  # the folder of the entries
_LARGEST_SHARE = 8  # an entry may take an eighth of the cache
_DIGEST_BYTES = 16


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where the cache is: in the folder that the environment names, else in the platform's."""
    if environ.get(CACHE_VARIABLE):
        return Path(environ[CACHE_VARIABLE])
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("mmstats"))


def user_cache(environ: Mapping[str, str]) -> "Cache":
    """The user's cache of answers and partial aggregates.

    Raises InvalidSettings for a variable in the environment that is no size.
    """
    size = environ.get(SIZE_VARIABLE)
    try:
        return Cache(cache_folder(environ) / _KEPT, read_size(size) if size else MOST_BYTES)
    except ValueError as fault:
        raise InvalidSettings(visible(f"{SIZE_VARIABLE} {fault}")) from None


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, also while others write it; its folder is made for its owner alone.

    Raises OSError when it cannot be written.
    """
    for folder in (file.parent.parent, file.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class Cache:
    """Entries in a folder, each a file of its own with a digest before its content; safe with other processes."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = folder, most_bytes

    def find(self, key: str) -> bytes | None:
        """The content of the entry under a key, None where there is none; a damaged entry is dropped."""
        file = self.folder / key
        with contextlib.suppress(OSError):
            kept = file.read_bytes()
            digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
            if digest == _digest(content):
                os.utime(file)  # used just now
                return content
            file.unlink(missing_ok=True)
        return None

    def keep(self, key: str, content: bytes) -> bool:
        """Store content under a key, and drop the least recently used entries if the cache is too large.

        Returns whether it could be stored.
        """
        if len(content) > self.most_bytes // _LARGEST_SHARE:
            return False
        try:
            replace_file(self.folder / key, _digest(content) + content)
            self._shrink()
        except OSError:
            return False
        return True

    def entries(self) -> list[os.DirEntry[str]]:
        """The files of the entries."""
        try:
            return [entry for entry in os.scandir(self.folder) if not entry.name.startswith(".") and entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def clear(self) -> None:
        """Drop all entries, and the temporary files of processes that were killed.

        Raises OSError for one that cannot be dropped.
        """
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(self.folder):
                if not entry.is_dir():
                    Path(entry.path).unlink(missing_ok=True)

    def _shrink(self) -> None:
        sizes = sorted(self._by_age())
        total = sum(size for _, size, _ in sizes)
        for _, size, path in sizes:
            if total <= self.most_bytes:
                return
            Path(path).unlink(missing_ok=True)
            total -= size

    def _by_age(self) -> Iterator[tuple[int, int, str]]:
        for entry in self.entries():
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat()
                yield status.st_mtime_ns, status.st_size, entry.path


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
