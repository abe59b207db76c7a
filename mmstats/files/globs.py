"""Globs on disk: what they match, and the folders that they look into."""

import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mmstats.resources import refused


def matches_of(pattern: str) -> Iterator[str]:
    """What a glob matches; wildcards go into no folder whose name starts with `_`, as they go into no hidden one."""
    written = {part for part in Path(pattern).parts if not glob.has_magic(part)}
    for match in glob.iglob(pattern, recursive=True):
        path = Path(match)
        folders = path.parts if os.path.isdir(match) else path.parts[:-1]
        if not any(part.startswith("_") and part not in written for part in folders):
            yield match


def looked_into(pattern: str) -> Iterator[str]:
    """Every folder that a glob looks into, whether or not anything matches there, and every link on its way."""
    parent, name = os.path.split(pattern)
    folders = [parent or "."]
    if glob.has_magic(parent):
        yield from looked_into(parent)
        if os.path.split(parent)[1] == "**":
            return  # all below is given already
        folders = [one for one in glob.iglob(parent, recursive=True) if os.path.isdir(one) or os.path.islink(one)]
    yield from folders
    if name == "**":
        for folder in folders:
            yield from _below(folder)


def _below(folder: str) -> Iterator[str]:
    """The folders and links below a folder, without those that are hidden and what is in them."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and (entry.is_symlink() or entry.is_dir()):
                yield entry.path
                yield from _below(entry.path)


def check_folders(location: str) -> None:
    """Raise Unreadable for a folder on the way to a location, or that its wildcards look into, that may not be."""
    parent, name = os.path.split(location)
    if not name:
        return
    folders = [parent or "."]
    if glob.has_magic(parent):
        check_folders(parent)
        folders = [folder for folder in glob.iglob(parent, recursive=True) if os.path.isdir(folder)]
    for folder in folders:
        try:
            if glob.has_magic(name):
                os.scandir(folder).close()
            Path(folder, ".").lstat()
            Path(folder, name).lstat()
        except PermissionError as error:
            raise refused(folder, error) from None
        except OSError:
            continue
