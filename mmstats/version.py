"""The version of mmstats, and its build: a cache entry is used only by the build that made it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

__version__ = "0.1.0"


@cache
def build_id() -> str:
    """A digest of the version and of the program's files, which change without it during development."""
    files = sorted(_files(str(Path(__file__).parent)))
    return sha256(f"{__version__} {files}".encode("utf-8", "surrogateescape")).hexdigest()


def _files(folder: str) -> Iterator[str]:
    """Path, size and time of each module; os.walk and Path take twice as long, for which every question would wait."""
    with suppress(OSError):  # they may be in an archive
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}"
