"""The event files of locations in object stores: objects, prefixes, which are folders there, and globs over keys."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mmstats.dataset import Dataset
from mmstats.errors import NotEvents
from mmstats.files.discovery import Found, is_hidden, store_files
from mmstats.files.event_file import event_file, format_of
from mmstats.files.manifest import MANIFEST
from mmstats.storage import ObjectStores
from mmstats.storage.url import read_url
from mmstats.wording import visible

if TYPE_CHECKING:
    from mmstats.storage.objects import Objects


def discover_objects(location: str, dataset: Dataset, stores: ObjectStores) -> Iterator[Found]:
    """The event files of a location; an object that is there wins over a prefix and a glob of its name.

    Raises NotEvents when it names nothing, Unreadable when the store cannot be read.
    """
    url = read_url(location)
    objects = stores.of(url)
    if url.key and not url.key.endswith("/") and objects.find(url.key, location):
        path = objects.path(url.key)
        yield event_file(path, dataset, objects, objects.status(path), named=True)
        return
    if url.is_web:
        raise NotEvents(f"{visible(location)}: there is no such file", hint="of a web server a single file is read")
    found = False
    for key in _below_prefix(objects, location):
        found = True
        yield from _found(objects, key, dataset)
    if not found and glob.has_magic(url.key):
        for key in _matching(objects, location):
            found = True
            yield from _found(objects, key, dataset)
    if not found:
        nothing = "nothing matches" if glob.has_magic(url.key) else "there is no such object, and none below it"
        raise NotEvents(f"{visible(location)}: {nothing}", hint="is it spelt as in the store?")


def _found(objects: "Objects", key: str, dataset: Dataset) -> Iterator[Found]:
    """What a key stands for: a file, or with a final slash a folder that is a store."""
    if key.endswith("/"):
        yield from store_files(objects.path(key.rstrip("/")), objects)
    else:
        path = objects.path(key)
        yield event_file(path, dataset, objects, objects.status(path), named=False)


def _below_prefix(objects: "Objects", location: str) -> Iterator[str]:
    """The keys of the files below a prefix, and of the stores there, each with a final slash."""
    prefix = objects.key(location).strip("/")
    start = len(prefix) + 1 if prefix else 0
    own = f"{prefix}/{MANIFEST}".lstrip("/")
    sizes: dict[str, int] = {}
    for page in objects.list(prefix, location=location):
        sizes |= {one["path"]: one["size"] for one in page}
        if own in sizes:  # a store: its manifest says the rest
            yield f"{prefix}/"
            return
    folders = _store_folders(sizes)
    yield from _with_stores(((key, start) for key in _files(sizes) if not _lies_hidden(key[start:])), folders)


def _matching(objects: "Objects", location: str) -> Iterator[str]:
    """The keys of the files that a glob matches or that lie in a folder that it matches, and of stores."""
    pattern = KeyPattern(objects.key(location))
    sizes: dict[str, int] = {}
    for page in objects.list(pattern.prefix, pattern.offset, location):
        sizes |= {one["path"]: one["size"] for one in page}
        if pattern.is_past(page[-1]["path"]):
            break

    def matches() -> Iterator[tuple[str, int | None]]:
        for key in _files(sizes):
            folder = pattern.folder_of(key)
            if folder is not None and not _lies_hidden(key[folder:]):
                yield key, folder
            elif pattern.matches(key):
                yield key, None

    yield from _with_stores(matches(), _store_folders(sizes))


def _lies_hidden(path: str) -> bool:
    """Whether a file or a folder of a path has a name that is passed over, other than a store's manifest."""
    parts = path.split("/")
    if parts[-1] == MANIFEST:
        parts.pop()
    return any(map(is_hidden, parts))


def _files(sizes: Mapping[str, int]) -> Iterator[str]:
    """The keys that are files, in order; an empty object that stands for a folder is none."""
    folders = {key[:at] for key in sizes for at, sign in enumerate(key) if sign == "/"} if 0 in sizes.values() else ()
    for key in sorted(sizes):
        if sizes[key] or (key not in folders and format_of(key)):
            yield key


def _store_folders(keys: Iterable[str]) -> set[str]:
    """The folders among keys that are stores, each with a final slash."""
    return {key.removesuffix(MANIFEST) for key in keys if key.endswith(f"/{MANIFEST}")}


def _with_stores(found: Iterable[tuple[str, int | None]], stores: set[str]) -> Iterator[str]:
    """Keys, each with where its name begins within the folder that was looked into; of a store once its folder."""
    given: set[str] = set()
    for key, start in found:
        ends = (
            [] if start is None or not stores else [start, *(at + 1 for at in range(start, len(key)) if key[at] == "/")]
        )
        folder = next((key[:end] for end in ends if key[:end] in stores), None)
        if folder is None:
            yield key
        elif folder not in given:
            given.add(folder)
            yield folder


class KeyPattern:
    """A glob over keys, as on disk: `*` and `?` within one level, `**` over any; none goes into what is hidden."""

    def __init__(self, written: str) -> None:
        parts = written.rstrip("/").split("/")
        self._only_folders = written.endswith("/")
        self._parts = parts
        self._literal = {part for part in parts if not glob.has_magic(part)}
        magic = next(at for at, part in enumerate(parts) if glob.has_magic(part))
        self.prefix = "/".join(parts[:magic])
        self._start = len(self.prefix) + 1 if self.prefix else 0
        # What every name that the first wildcard matches begins with.
        self._head = parts[magic][: next(at for at, sign in enumerate(parts[magic]) if sign in "*?[")]

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
    """Where a part of a glob may end that begins at one of the parts of a key."""
    if pattern == "**":
        yield start
        for end in range(start, len(parts)):
            if parts[end].startswith("."):
                return
            yield end + 1
    elif start < len(parts) and _fits(pattern, parts[start]):
        yield start + 1


def _fits(pattern: str, name: str) -> bool:
    if not glob.has_magic(pattern):
        return pattern == name
    return fnmatchcase(name, pattern) and not (name.startswith(".") and not pattern.startswith("."))
