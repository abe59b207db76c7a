"""The event files of locations in object stores: objects, prefixes, which are folders there, and globs over keys."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mmstats.dataset import Dataset
from mmstats.errors import NotEvents
from mmstats.files.discovery import is_hidden, store_files
from mmstats.files.event_file import event_file, format_of
from mmstats.files.found import Found
from mmstats.files.manifest import MANIFEST
from mmstats.files.tables import table_files, table_folders
from mmstats.storage import ObjectStores
from mmstats.storage.url import read_url
from mmstats.wording import visible

if TYPE_CHECKING:
    from mmstats.storage.objects import Objects

_STORE = "store"  # a kind of folder, beside those of tables


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
    for key, kind in _below_prefix(objects, location):
        found = True
        yield from _found(objects, key, kind, dataset)
    if not found and glob.has_magic(url.key):
        for key, kind in _matching(objects, location):
            found = True
            yield from _found(objects, key, kind, dataset)
    if not found:
        nothing = "nothing matches" if glob.has_magic(url.key) else "there is no such object, and none below it"
        raise NotEvents(f"{visible(location)}: {nothing}", hint="is it spelt as in the store?")


def _found(objects: "Objects", key: str, kind: str, dataset: Dataset) -> Iterator[Found]:
    """What a key stands for: a file, where there is a kind a folder that is a store or a table."""
    path = objects.path(key.rstrip("/"))
    if kind == _STORE:
        yield from store_files(path, objects)
    elif kind:
        yield from table_files(path, kind, objects)
    else:
        yield event_file(path, dataset, objects, objects.status(path), named=False)


def _below_prefix(objects: "Objects", location: str) -> Iterator[tuple[str, str]]:
    """The keys of the files below a prefix, and of the stores and tables there, each with its kind."""
    prefix = objects.key(location).strip("/")
    own = f"{prefix}/" if prefix else ""
    sizes: dict[str, int] = {}
    for page in objects.list(prefix, location=location):
        listed = {one["path"]: one["size"] for one in page}
        if kind := _folder_kinds(listed).get(own):  # its manifest or its log says the rest
            yield own, kind
            return
        sizes |= listed
    yield from _with_folders(((key, len(own), False) for key in sizes), sizes)


def _matching(objects: "Objects", location: str) -> Iterator[tuple[str, str]]:
    """The keys of what a glob matches or that lies in a folder that it matches, as `_below_prefix` gives them."""
    pattern = KeyPattern(objects.key(location))
    sizes: dict[str, int] = {}
    for page in objects.list(pattern.prefix, pattern.offset, location):
        sizes |= {one["path"]: one["size"] for one in page}
        if pattern.is_past(page[-1]["path"]):
            break

    matches = ((key, pattern.folder_of(key), pattern.matches(key)) for key in sizes)
    yield from _with_folders(matches, sizes)


def _files(sizes: Mapping[str, int]) -> set[str]:
    """The keys that are files; an empty object that stands for a folder is none."""
    folders = {key[:at] for key in sizes for at, sign in enumerate(key) if sign == "/"} if 0 in sizes.values() else ()
    return {key for key, size in sizes.items() if size or (key not in folders and format_of(key))}


def _folder_kinds(keys: Iterable[str]) -> dict[str, str]:
    """The kinds of the folders among keys that are stores or tables, each with a final slash."""
    keys = list(keys)
    stores = (key.removesuffix(MANIFEST) for key in keys if key.rpartition("/")[2] == MANIFEST)
    return table_folders(keys) | dict.fromkeys(stores, _STORE)


def _with_folders(found: Iterable[tuple[str, int | None, bool]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """The keys of files in order, each with an empty kind; of a store or a table only its folder, and its kind.

    `found` are keys, each with where its name begins within the folder that was looked into, None where there is none,
    and whether the key itself was asked for: else what is hidden in that folder is passed over.
    """
    files, kinds, given = _files(sizes), _folder_kinds(sizes), set[str]()
    for key, start, is_named in sorted(found):
        within = key
        if start is not None and kinds:
            ends = [start, *(at + 1 for at in range(start, len(key)) if key[at] == "/")]
            within = next((key[:end] for end in ends if key[:end] in kinds), key)
        if start is not None and not any(map(is_hidden, within[start:].split("/"))):
            if within in kinds and within not in given:
                given.add(within)
                yield within, kinds[within]
            elif within not in kinds and key in files:
                yield key, ""
        elif is_named and key in files:
            yield key, ""


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
