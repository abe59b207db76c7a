"""The event files of locations in object stores: objects, prefixes and globs over keys."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mmstats.errors import NotEvents
from mmstats.files.event_file import format_of
from mmstats.files.listing import Listing, is_hidden
from mmstats.files.manifest import MANIFEST
from mmstats.storage import ObjectStores
from mmstats.storage.url import read_url
from mmstats.wording import visible

if TYPE_CHECKING:
    from mmstats.storage.objects import Objects


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


class Prefixes:
    """Locations in the object stores of one dataset."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._stores = ObjectStores(options)

    def take(self, location: str, input_format: str | None, listing: Listing) -> None:
        """Take up the event files of a location; an object that is there wins over a prefix and a glob of its name.

        Raises NotEvents when it names nothing, Unreadable when the store cannot be read.
        """
        url = read_url(location)
        objects = self._stores.of(url)
        if url.key and not url.key.endswith("/") and objects.find(url.key, location):
            listing.add(objects.path(url.key), input_format, named=True, storage=objects)
            return
        if url.is_web:
            raise NotEvents(f"{visible(location)}: there is no such file", hint="of a web server a single file is read")
        taken = list(_prefix(objects, location, listing))
        if not taken and glob.has_magic(url.key):
            taken = list(_glob(objects, location, listing))
        for key in taken:
            if key is not None:
                listing.add(objects.path(key), input_format, named=False, storage=objects)
        if not taken:
            raise NotEvents(f"{visible(location)}: {_nothing(url.key)}", hint="is it spelt as in the store?")


def _nothing(key: str) -> str:
    return "nothing matches" if glob.has_magic(key) else "there is no such object, and none below it"


def _prefix(objects: "Objects", location: str, listing: Listing) -> Iterator[str | None]:
    """The keys below a prefix, and None for what is no file itself."""
    prefix = objects.key(location).strip("/")
    start = len(prefix) + 1 if prefix else 0
    own = f"{prefix}/{MANIFEST}".lstrip("/")
    sizes: dict[str, int] = {}
    for page in objects.list(prefix, location=location):
        sizes |= {one["path"]: one["size"] for one in page}
        if own in sizes:  # a store: its manifest says the rest
            listing.add_store(objects.path(prefix), objects)
            yield None
            return
    stores = _Stores(sizes)
    for key in _files(sizes):
        if not _lies_hidden(key[start:]):
            yield stores.taken(objects, key, start, listing)


def _glob(objects: "Objects", location: str, listing: Listing) -> Iterator[str | None]:
    """The keys that a glob matches, and None for what is no file itself."""
    pattern = KeyPattern(objects.key(location))
    sizes: dict[str, int] = {}
    for page in objects.list(pattern.prefix, pattern.offset, location):
        sizes |= {one["path"]: one["size"] for one in page}
        if pattern.is_past(page[-1]["path"]):
            break
    stores = _Stores(sizes)
    for key in _files(sizes):
        folder = pattern.folder_of(key)
        if folder is not None and not _lies_hidden(key[folder:]):
            yield stores.taken(objects, key, folder, listing)
        elif pattern.matches(key):
            yield key


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


class _Stores:
    """Stores among listed keys, each taken up as a whole."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._folders = {key.removesuffix(MANIFEST) for key in keys if key.endswith(f"/{MANIFEST}")}
        self._taken: set[str] = set()

    def taken(self, objects: "Objects", key: str, start: int, listing: Listing) -> str | None:
        """A key of a folder that begins at `start`, or None if it lies in a store, which then is taken up."""
        ends = (at + 1 for at in range(start, len(key)) if key[at] == "/") if self._folders else ()
        folder = next((key[:end] for end in (start, *ends) if key[:end] in self._folders), None)
        if folder is None:
            return key
        if folder not in self._taken:
            self._taken.add(folder)
            listing.add_store(objects.path(folder.rstrip("/")), objects)
        return None
