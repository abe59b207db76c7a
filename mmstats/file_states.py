"""States of files and folders: what the file system says of them, in a form that is kept and compared later.

Whatever is written, replaced, added or removed has another state afterwards. Nothing here is read, and only what costs
next to nothing is imported: an output is recalled by it.
"""

import os
from collections.abc import Iterable
from stat import S_ISLNK

NOWHERE = "a link to nothing"


def identity(path: str, found: os.stat_result) -> str:
    """What tells a file or folder from any other, and from itself after a change."""
    return repr((path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


def state(path: str) -> tuple[str | None, int]:
    """The identity of what is at a path, behind any link, and when it or the link last changed, in ns since 1970.

    The identity is `NOWHERE` where the link leads to nothing, and None where there is nothing or none may look.
    """
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None, 0
    changed = found.st_ctime_ns  # anybody may set the time of modification, but not that of change
    if S_ISLNK(found.st_mode):
        try:
            found = os.stat(path)
        except OSError:
            return NOWHERE, changed
    return identity(path, found), max(changed, found.st_ctime_ns)


def routes(paths: Iterable[str]) -> dict[str, str | None]:
    """How each of the paths and of the folders above them is reached now, as `route` says; links decide that."""
    found: dict[str, str | None] = {}
    for path in paths:
        if os.path.islink(path):
            found[path] = route(path)
        below, folder = path, os.path.dirname(path)
        while folder != below and folder not in found:
            found[folder] = route(folder)
            below, folder = folder, os.path.dirname(folder)
    return found


def route(path: str) -> str | None:
    """The rights to what is at a path, and where it leads if it is a link; None where there is nothing."""
    try:
        mode = os.lstat(path or ".").st_mode
    except OSError:
        return None
    return f"{mode:o} {os.path.realpath(path) if S_ISLNK(mode) else ''}"
