"""The version of mmstats, its build and its libraries: a cache entry is used only by those that made it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

__version__ = "0.1.0"


_PREFIXES = ("polars", "pyarrow", "tzdata")  # of the libraries that an answer depends on


@cache
def build_id() -> str:
    """A digest of the build."""
    from hashlib import sha256  # takes 2 ms to be loaded

    return sha256(build().encode("utf-8", "surrogateescape")).hexdigest()


@cache
def build() -> str:
    """The version and the program's files, which change without it during development."""
    return f"{__version__} {sorted(_files(os.path.dirname(__file__)))}"


@cache
def library_versions() -> tuple[str, ...]:
    """The releases of Polars, PyArrow, polars-hash and tzdata, as the folders of their metadata are called.

    They are looked for beside the packages, without loading these: `importlib.metadata` takes 15 ms to be loaded.
    """
    from importlib.util import find_spec

    libraries = ("polars", "pyarrow", "polars_hash", "tzdata")
    with suppress(OSError):
        specs = filter(None, map(find_spec, libraries))
        folders = {os.path.dirname(os.path.dirname(spec.origin)) for spec in specs if spec.origin}
        names = (name for folder in folders for name in os.listdir(folder))
        releases = sorted(name for name in names if name.startswith(_PREFIXES) and name.endswith("-info"))
        if all(any(name.startswith(f"{library}-") for name in releases) for library in libraries):
            return tuple(releases)
    from importlib.metadata import distributions  # they may be in one file with the program

    found = (f"{library.name}-{library.version}" for library in distributions())
    return tuple(sorted(release for release in found if release.startswith(_PREFIXES)))


def _files(folder: str) -> Iterator[str]:
    """Path, size and time of each module; os.walk and Path take twice as long, for which every question would wait."""
    with suppress(OSError):  # they may be in an archive
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}"
