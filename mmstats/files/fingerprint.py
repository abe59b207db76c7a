"""Fingerprints: what files and a dataset are at one moment, without reading them, so that every change is noticed."""

import errno
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.errors import Changed, DatasetError, NotEvents
from mmstats.files.discovery import find_files, is_listed
from mmstats.files.event_file import EventFile
from mmstats.storage import Status, Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

# A file may change twice within one tick of its file system's clock and look the same; clocks of whole seconds are old.
_TICK = 20_000_000
_COARSE_TICK = 2_000_000_000
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A dataset at one moment.

    `digest` changes with every file that is added, removed or changed. Only a `settled` one is known to change with
    the next: a file that was written to a moment ago may be once more, within the same tick of the clock. The last
    change was at `changed`, in nanoseconds since 1970. `seen` are the states that decide which files there are and
    what is in them, as in `FileList`; None where these are not all on disk.
    """

    digest: str
    files: int
    settled: bool
    changed: int
    seen: Mapping[str, str | None] | None = field(default=None, compare=False)


def fingerprint(dataset: Dataset) -> Fingerprint:
    """The fingerprint of a dataset as its files are now.

    Raises NotEvents when there are none or one is a pipe, which can be read only once, and Unreadable for those that
    may not be looked at.
    """
    _refuse_pipes(dataset.locations)
    digest = sha256(repr(dataset).encode("utf-8", "surrogateescape"))
    settled, changed, now = True, 0, time.time_ns()
    with find_files(dataset) as found:
        for file in found.files:
            status = file.status or file.storage.status(file.path)  # which says why it cannot be looked at
            changed = max(changed, status.changed)
            digest.update(_bytes(status))
            settled = settled and now >= status.changed + _tick(status)
        digest.update(f"{found.passed_over} {found.special}".encode())  # an answer says how many are not read
        digest.update(repr(found.tables).encode("utf-8", "surrogateescape"))
        is_local = not any("://" in location for location in dataset.locations)
        # A file that goes by another name than its path was moved, or kept from a pipe.
        seen = found.seen if is_local and all(one.status and not one.name for one in found.files) else None
    return Fingerprint(digest.hexdigest(), len(found.files), settled, changed, seen)


def file_fingerprints(files: Iterable[EventFile], settle_ns: int) -> dict[str, str]:
    """The fingerprint of each file as it was found, by its path.

    A file that was changed less than `settle_ns` nanoseconds ago, and may be once more, has none.
    """
    return _settled([(file, file.status) for file in files if file.status], settle_ns)


def current_fingerprints(files: Iterable[EventFile], settle_ns: int) -> dict[str, str]:
    """The fingerprints of those of the files that are there at this moment, as far as their storage tells."""
    found: list[tuple[EventFile, Status]] = []
    for storage, some in _by_storage(files).items():
        with suppress(DatasetError):  # an answer is not worth less because what it was made of cannot be cached
            statuses = storage.current_status(file.path for file in some)
            found += [(file, statuses[file.path]) for file in some if file.path in statuses]
    return _settled(found, settle_ns)


def check_unchanged(files: Iterable[EventFile]) -> None:
    """Raise Changed, naming it, for a file that was another version when it was found: both may have been read.

    A store's files on disk stay what they are, text that has grown begins as it did, and text in an object store is
    read as it was found or not at all.
    """
    asked = (file for file in files if not (file.stored if file.storage is DISK else file.format.is_text))
    for storage, some in _by_storage(asked).items():
        found = {file.path: file.status for file in some if file.status}
        changed: list[str] = []
        with suppress(DatasetError):  # a store that goes when all is read spoils no answer
            changed = [*storage.changed(found)]
        texts = {file.path for file in some if file.format.is_text}
        now = storage.current_status(texts.intersection(changed))
        for path in changed:
            if path not in texts or (path in now and now[path].size <= found[path].size):
                raise changed_error(path)


def check_found(files: Sequence[EventFile]) -> None:
    """Raise Changed, naming it, for a file that is not any more what was found: it has changed, or it is gone."""
    for file in files:
        if file.storage is DISK and not os.path.lexists(file.path) and (file.status or not is_listed(file)):
            raise Changed(f"{file}: {os.strerror(errno.ENOENT)}", hint="it was removed meanwhile: try again")
    check_unchanged(files)


def changed_error(path: str) -> Changed:
    """The error for a file of which two versions may have been read."""
    return Changed(f"{visible(path)}: changed while it was read", hint="try again when it is complete")


def _tick(status: Status) -> int:
    return _COARSE_TICK if status.changed % _SECOND == 0 else _TICK


def _settled(found: Iterable[tuple[EventFile, Status]], settle_ns: int) -> dict[str, str]:
    now = time.time_ns()
    settled = ((file, status) for file, status in found if now - status.changed > settle_ns)
    return {file.path: sha256(_bytes(status) + as_in_table(file)).hexdigest() for file, status in settled}


def as_in_table(file: EventFile) -> bytes:
    """What a table's log says of the columns of a file: the same bytes may be read otherwise at its next version."""
    return f"{file.table.columns}{sorted(file.partition.items())}".encode("utf-8", "replace") if file.table else b""


def _bytes(status: Status) -> bytes:
    return status.identity.encode("utf-8", "surrogateescape")


def _by_storage(files: Iterable[EventFile]) -> dict[Storage, list[EventFile]]:
    stored: dict[Storage, list[EventFile]] = {}
    for file in files:
        stored.setdefault(file.storage, []).append(file)
    return stored


def _refuse_pipes(locations: Iterable[str]) -> None:
    for location in locations:
        if is_pipe(location):
            raise NotEvents(f"{visible(location)}: a pipe can be read only once", hint="write it to a file first")


def is_pipe(location: str) -> bool:
    """Whether a location is stdin, a pipe or a device: it can be read only once."""
    if location == "-":
        return True
    try:
        mode = Path(location).stat().st_mode
    except (OSError, ValueError):
        return False  # what is wrong with it is said when its files are looked for
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
