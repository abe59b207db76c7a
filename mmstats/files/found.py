"""What is found at the locations of a dataset: files, and all else that decides which they are."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile, PassedOver, Table
from mmstats.storage import Status, Storage


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """A folder that is a store; it is there although it may hold no files."""

    path: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder, a link, a manifest or a log on disk whose state decides which files are found, and that state.

    See `mmstats.file_states`; it is taken before the folder is listed and the manifest read.
    """

    path: str
    state: str | None


Found = EventFile | PassedOver | StoreFolder | Table | Seen


@dataclass(frozen=True, slots=True)
class FileList:
    """The event files of a dataset, each once and in order of path.

    `passed_over` counts files of unknown extension, `special` counts pipes, sockets and devices: neither is read.
    `seen` are the states by path of all that decided what is found on disk, these files too: while they are the same,
    the same files are found. `tables` are those of a lake, each at the version that was found.
    """

    files: tuple[EventFile, ...]
    passed_over: int
    special: int = 0
    seen: Mapping[str, str | None] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()


def status_or_none(path: str, storage: Storage) -> Status | None:
    """The status of a file that a manifest or a log lists; None where it may not be read, as reading it says."""
    with suppress(Unreadable):
        return storage.status(path)
    return None
