"""Which program this is: what it keeps on disk is good for itself alone."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

from mmstats.version import __version__


@cache
def program() -> str:
    """A digest of the version, and of the program's files, which change without it where it is worked on."""
    files = []
    for folder, _, names in os.walk(Path(__file__).parent):
        paths = (Path(folder, name) for name in names if name.endswith(".py"))
        files += [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return sha256(f"{__version__} {sorted(files)}".encode("utf-8", "surrogateescape")).hexdigest()
