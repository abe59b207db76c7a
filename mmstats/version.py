"""The version of mmstats, and its build: a cache entry is used only by the build that made it."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

__version__ = "0.1.0"


@cache
def build_id() -> str:
    """A digest of the version and of the program's files, which change without it during development."""
    files = []
    for folder, _, names in os.walk(Path(__file__).parent):
        paths = (Path(folder, name) for name in names if name.endswith(".py"))
        files += [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return sha256(f"{__version__} {sorted(files)}".encode("utf-8", "surrogateescape")).hexdigest()
