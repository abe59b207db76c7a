"""Globs over the keys of an object store, with the meaning that they have on disk."""

import glob
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase


class KeyPattern:
    """A glob: `*` and `?` within one level, `**` over any; no wildcard goes into what is hidden on disk."""

    def __init__(self, written: str) -> None:
        parts = written.rstrip("/").split("/")
        self._only_folders = written.endswith("/")
        self._parts = parts
        self._literal = {part for part in parts if not glob.has_magic(part)}
        magic = next(at for at, part in enumerate(parts) if glob.has_magic(part))
        self.prefix = "/".join(parts[:magic])
        self._start = len(self.prefix) + 1 if self.prefix else 0
        self._head = _head(parts[magic])

    @property
    def offset(self) -> str | None:
        """A key before all that may match, so that a listing need not begin sooner."""
        return f"{self.prefix}/{self._head[:-1]}".lstrip("/") if len(self._head) > 1 else None

    def is_past(self, key: str) -> bool:
        """Whether no key after this one may match."""
        return key[self._start :][: len(self._head)] > self._head

    def matches(self, key: str) -> bool:
        """Whether it matches an object."""
        parts = key.split("/")
        return not self._only_folders and len(parts) in self._lengths(parts) and self._enters(parts[:-1])

    def folder_of(self, key: str) -> int | None:
        """Where in a key the name begins within the outermost folder that the glob matches, None if there is none."""
        parts = key.split("/")
        lengths = (length for length in sorted(self._lengths(parts)) if 0 < length < len(parts))
        found = next((length for length in lengths if self._enters(parts[:length])), None)
        return None if found is None else len("/".join(parts[:found])) + 1

    def _enters(self, folders: Sequence[str]) -> bool:
        return not any(part.startswith("_") and part not in self._literal for part in folders)

    def _lengths(self, parts: Sequence[str]) -> set[int]:
        """How many of the first parts of a key the glob may match."""
        reached = {0}
        for pattern in self._parts:
            reached = {end for start in reached for end in _ends(pattern, parts, start)}
        return reached


def _ends(pattern: str, parts: Sequence[str], start: int) -> Iterator[int]:
    if pattern != "**":
        if start < len(parts) and _fits(pattern, parts[start]):
            yield start + 1
        return
    yield start
    for end in range(start, len(parts)):
        if parts[end].startswith("."):
            return
        yield end + 1


def _fits(pattern: str, name: str) -> bool:
    if not glob.has_magic(pattern):
        return pattern == name
    return fnmatchcase(name, pattern) and not (name.startswith(".") and not pattern.startswith("."))


def _head(part: str) -> str:
    """What every name that a part of a glob matches begins with."""
    return part[: next(at for at, sign in enumerate(part) if sign in "*?[")]
