"""From the locations a user names to the event files they hold."""

import errno
import glob
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mmstats.errors import NotEvents, Unreadable
from mmstats.files.listing import KNOWN, Listing, is_hidden, standard_input
from mmstats.files.manifest import is_store
from mmstats.storage.url import scheme_of
from mmstats.wording import nearest, visible


def take(location: str, input_format: str | None, listing: Listing) -> None:
    """Take up the event files of a location.

    Raises NotEvents when it names nothing, Unreadable when a folder may not be listed.
    """
    if "\0" in location or not location:
        raise NotEvents(f"not a location: {location!r}")
    if os.path.lexists(location):
        _take_path(location, input_format, listing, named=True)
        return
    _check_folders(location)  # before a glob that would pass over them in silence
    matches = sorted(_expand(location)) if glob.has_magic(location) else []
    if not matches:
        raise NotEvents(f"{visible(location)}: {_absent(location)}", hint=_beside(location))
    for match in matches:
        _take_path(match, input_format, listing, named=False)


def _absent(location: str) -> str:
    return "nothing matches" if glob.has_magic(location) else "no such file or folder"


def _take_path(path: str, input_format: str | None, listing: Listing, *, named: bool) -> None:
    mode = _mode(path)
    if not mode:
        raise NotEvents(f"{visible(path)}: a link to nothing")
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with _open(path) as stream:
            listing.add_stream(stream, path, input_format)
    elif stat.S_ISDIR(mode):
        _take_folder(path, input_format, listing, set())
    else:
        listing.add(path, input_format, named=named)


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise Unreadable(f"{visible(path)}: {error.strerror}", hint=_permission(error)) from None


def _mode(path: str) -> int:
    """The kind of a file, as `stat` tells it; 0 for a link to nothing or to itself."""
    try:
        return Path(path).stat().st_mode
    except FileNotFoundError:
        return 0
    except OSError as error:
        if error.errno == errno.ELOOP:
            return 0
        raise Unreadable(f"{visible(path)}: {error.strerror}", hint=_permission(error)) from None


def _take_folder(folder: str, input_format: str | None, listing: Listing, above: set[str]) -> None:
    """Take up the files below a folder, in order; a link back to a folder above is not followed again."""
    real = os.path.realpath(folder)
    if real in above:
        return
    if is_store(folder):
        listing.add_store(folder)
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise Unreadable(f"{visible(folder)}: {error.strerror}", hint=_permission(error)) from None
    for entry in entries:
        if is_hidden(entry.name):
            continue
        mode = _mode(entry.path)
        if stat.S_ISDIR(mode):
            _take_folder(entry.path, input_format, listing, above | {real})
        elif stat.S_ISREG(mode) or not mode:
            listing.add(entry.path, input_format, named=False)


def _expand(pattern: str) -> Iterator[str]:
    """What a glob matches; wildcards go into no folder whose name starts with `_`, as they go into no hidden one."""
    written = {part for part in Path(pattern).parts if not glob.has_magic(part)}
    for match in glob.iglob(pattern, recursive=True):
        path = Path(match)
        folders = path.parts if os.path.isdir(match) else path.parts[:-1]
        if not any(part.startswith("_") and part not in written for part in folders):
            yield match


def _check_folders(location: str) -> None:
    """Raise Unreadable for a folder on the way to a location, or that its wildcards look into, that may not be."""
    parent, name = os.path.split(location)
    if not name:
        return
    folders = [parent or "."]
    if glob.has_magic(parent):
        _check_folders(parent)
        folders = [folder for folder in glob.iglob(parent, recursive=True) if os.path.isdir(folder)]
    for folder in folders:
        try:
            if glob.has_magic(name):
                os.scandir(folder).close()
            Path(folder, ".").lstat()
            Path(folder, name).lstat()
        except PermissionError as error:
            raise Unreadable(f"{visible(folder)}: {error.strerror}", hint=_permission(error)) from None
        except OSError:
            continue


def _permission(error: OSError) -> str:
    return "may this user read it?" if isinstance(error, PermissionError) else ""


def _beside(location: str) -> str:
    """An offer of what lies beside a location that does not exist and has a name like it."""
    path = Path(location)
    try:
        candidate = nearest(path.name, os.listdir(path.parent))
    except OSError:
        return ""
    return f"did you mean {visible(str(path.parent / candidate))}?" if candidate else ""


def find_files(
    locations: Sequence[str], input_format: str | None = None, storage_options: Mapping[str, str] | None = None
) -> Listing:
    """All event files of the locations: files, folders, prefixes of object stores and globs.

    A folder gives every event file below it but those whose name, or whose folder's name, starts with `.` or `_`; a
    folder that is a store gives those that its manifest lists.
    Raises NotEvents when a location names nothing or nothing of a known format, Unreadable when a folder may not be
    listed.
    """
    listing = Listing()
    try:
        _take_all(locations, input_format, storage_options or {}, listing)
        _require_some(listing, locations)
    except BaseException:
        listing.close()
        raise
    listing.files.sort(key=lambda file: file.path)
    return listing


def _take_all(locations: Sequence[str], input_format: str | None, options: Mapping[str, str], listing: Listing) -> None:
    remote = None
    for location in locations:
        if location == "-":
            listing.add_stream(standard_input(), "stdin", input_format)
        elif scheme_of(location) is None:
            take(location.removeprefix("file://"), input_format, listing)
        else:
            from mmstats.files import object_keys  # with what it takes to read from afar

            remote = remote or object_keys.Prefixes(options)
            remote.take(location, input_format, listing)


def _require_some(listing: Listing, locations: Sequence[str]) -> None:
    if not listing.files and not listing.stores:
        others = {0: "no files", 1: "only 1 file of another kind"}
        found = others.get(listing.unknown, f"only {listing.unknown} files of other kinds")
        raise NotEvents(f"{', '.join(map(visible, locations))}: no event files, {found}", hint=KNOWN)
