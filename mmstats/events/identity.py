"""What a dataset is at this moment: which files it has and how they were last changed, without reading them."""

import contextlib
import errno
import glob
import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.errors import NotEvents, Unreadable
from mmstats.events.eventfile import EventFile
from mmstats.events.location import find_files
from mmstats.visible import visible

# A file may change twice within one tick of its file system's clock and look the same; clocks of whole seconds are old.
_TICK = 20_000_000
_COARSE_TICK = 2_000_000_000
_SECOND = 1_000_000_000
# What is kept of files on disk is of those that were changed longer ago, in nanoseconds, on whatever clock.
SETTLED = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A dataset at one moment.

    `digest` changes with every file that is added, removed or changed. Only a `settled` one is known to change with
    the next: a file that was written to a moment ago may be once more, within the same tick of the clock. The last
    change was at `changed`, in nanoseconds since 1970.
    """

    digest: str
    files: int
    settled: bool
    changed: int


def identify(dataset: Dataset) -> Identity:
    """The identity of a dataset as its files are now.

    Raises NotEvents when there are none or one is a pipe, which can be read only once, and Unreadable for those that
    may not be looked at.
    """
    _refuse_pipes(dataset.locations)
    listing = find_files(dataset.locations, dataset.input_format)
    digest = sha256(repr(dataset).encode("utf-8", "surrogateescape"))
    settled, changed = True, 0
    for file in listing.files:
        status = _status(file.path)
        changed = max(changed, status.st_ctime_ns)
        digest.update(_known(file.path, status))
        settled = settled and _settled(status, time.time_ns())
    # A file that came and went leaves its mark on the folder that it was found in.
    found = {file.path for file in listing.files} - set(dataset.locations)
    for folder in sorted({str(Path(path).parent) for path in found}):
        digest.update(f"{folder} {_status(folder).st_ctime_ns}".encode("utf-8", "surrogateescape"))
    return Identity(digest.hexdigest(), len(listing.files), settled, changed)


def settled_files(files: Iterable[EventFile]) -> dict[str, str]:
    """The identity of each file, by its path; one that was changed a moment ago, and may be again, has none."""
    now, known = time.time_ns(), {}
    for file in files:
        with contextlib.suppress(Unreadable):
            status = _status(file.path)
            if now - status.st_ctime_ns > SETTLED:
                known[file.path] = sha256(_known(file.path, status)).hexdigest()
    return known


def _known(path: str, status: os.stat_result) -> bytes:
    """All that tells a file from what it was before it was changed."""
    known = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return repr(known).encode("utf-8", "surrogateescape")


def _refuse_pipes(locations: Iterable[str]) -> None:
    for location in locations:
        matches = glob.iglob(location, recursive=True) if glob.has_magic(location) else [location]
        if location == "-" or any(map(_is_pipe, matches)):
            raise NotEvents(f"{visible(location)}: a pipe can be read only once", hint="write it to a file first")


def _is_pipe(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False  # what is wrong with it is said when its files are looked for
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _status(path: str) -> os.stat_result:
    try:
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return Path(path).stat()
    except OSError as error:
        raise Unreadable(f"{visible(path)}: {error.strerror}") from None


def _settled(status: os.stat_result, now: int) -> bool:
    changed = status.st_ctime_ns  # the time of modification is for anybody to set
    return now >= changed + (_COARSE_TICK if changed % _SECOND == 0 else _TICK)
