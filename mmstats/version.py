"""Which mmstats this is: its version, and its build, for which alone cache entries are good."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

__version__ = "0.1.0"


@cache
def build_id() -> str:
    """A digest of the version, and of the program's files, which change without it where it is worked on."""
    files = []
    for folder, _, names in os.walk(Path(__file__).parent):
        paths = (Path(folder, name) for name in names if name.endswith(".py"))
        files += [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return sha256(f"{__version__} {sorted(files)}".encode("utf-8", "surrogateescape")).hexdigest()
