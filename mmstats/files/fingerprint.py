"""Fingerprints: what files and a dataset are at one moment, without reading them, so that every change is noticed."""

import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.errors import DatasetError, NotEvents, Unreadable
from mmstats.files.discovery import find_files
from mmstats.files.event_file import EventFile
from mmstats.storage import Status, Storage
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
    change was at `changed`, in nanoseconds since 1970.
    """

    digest: str
    files: int
    settled: bool
    changed: int


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
            tick = _COARSE_TICK if status.changed % _SECOND == 0 else _TICK
            settled = settled and now >= status.changed + tick
        # Of a store the manifest says what is in it, whatever is added to or removed from its folders.
        for storage, paths in _by_storage(file for file in found.files if not file.stored).items():
            for folder in storage.folder_fingerprints(path for path in paths if path not in dataset.locations):
                digest.update(folder.encode("utf-8", "surrogateescape"))
    return Fingerprint(digest.hexdigest(), len(found.files), settled, changed)


def file_fingerprints(files: Iterable[EventFile], settle_ns: int) -> dict[str, str]:
    """The fingerprint of each file as it was found, by its path.

    A file that was changed less than `settle_ns` nanoseconds ago, and may be once more, has none.
    """
    return _settled({file.path: file.status for file in files if file.status}, settle_ns)


def current_fingerprints(files: Iterable[EventFile], settle_ns: int) -> dict[str, str]:
    """The fingerprints of those of the files that are there at this moment, as far as their storage tells."""
    statuses: dict[str, Status] = {}
    for storage, paths in _by_storage(files).items():
        with suppress(DatasetError):  # an answer is not worth less because what it was made of cannot be cached
            statuses |= storage.current_status(paths)
    return _settled(statuses, settle_ns)


def check_unchanged(files: Iterable[EventFile]) -> None:
    """Raise Unreadable, naming it, for a file of which the engine may have read two versions.

    Everything else is read as it was found, or not at all.
    """
    for storage, paths in _by_storage(file for file in files if file.format.name == "parquet").items():
        changed: list[str] = []
        with suppress(DatasetError):  # a store that goes when all is read spoils no answer
            changed = [*storage.changed(paths)]
        if changed:
            raise changed_error(changed[0])


@contextmanager
def unchanged(files: Iterable[EventFile]) -> Iterator[None]:
    """After the block, a file that is no more what it was raises Unreadable: it may have been read more than once."""
    files = list(files)
    found = {file.path: file.storage.status(file.path) for file in files}
    yield
    for storage, paths in _by_storage(files).items():
        now = storage.current_status(paths)
        for path in paths:
            if now.get(path) != found[path]:
                raise changed_error(path)


def changed_error(path: str) -> Unreadable:
    """The error for a file of which two versions may have been read."""
    return Unreadable(f"{visible(path)}: changed while it was read", hint="ask again when it is complete")


def _settled(statuses: Mapping[str, Status], settle_ns: int) -> dict[str, str]:
    now = time.time_ns()
    settled = {path: status for path, status in statuses.items() if now - status.changed > settle_ns}
    return {path: sha256(_bytes(status)).hexdigest() for path, status in settled.items()}


def _bytes(status: Status) -> bytes:
    return status.identity.encode("utf-8", "surrogateescape")


def _by_storage(files: Iterable[EventFile]) -> dict[Storage, list[str]]:
    paths: dict[Storage, list[str]] = {}
    for file in files:
        paths.setdefault(file.storage, []).append(file.path)
    return paths


def _refuse_pipes(locations: Iterable[str]) -> None:
    for location in locations:
        if location == "-" or _is_pipe(location):
            raise NotEvents(f"{visible(location)}: a pipe can be read only once", hint="write it to a file first")


def _is_pipe(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False  # what is wrong with it is said when its files are looked for
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
