"""From the locations that a user names to the event files there: files, folders, globs, pipes and object stores."""

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.errors import DatasetError, NotEvents, Unreadable
from mmstats.file_states import identity, state
from mmstats.files.event_file import KNOWN, EventFile, Format, PassedOver, Stored, event_file
from mmstats.files.globs import check_folders, looked_into, matches_of
from mmstats.files.manifest import MANIFEST, is_store, read_manifest, superseded_path
from mmstats.resources import refused
from mmstats.storage import Status, Storage
from mmstats.storage.disk import DISK, status_of
from mmstats.storage.url import scheme_of
from mmstats.wording import nearest, visible


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """A folder that is a store; it is there although it may hold no files."""

    path: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder, a link or a manifest on disk whose state decides which files are found, and that state.

    See `mmstats.file_states`; it is taken before the folder is listed and the manifest read.
    """

    path: str
    state: str | None


Found = EventFile | PassedOver | StoreFolder | Seen


@dataclass(frozen=True, slots=True)
class FileList:
    """The event files of a dataset, each once and in order of path.

    `passed_over` counts files of unknown extension, `special` counts pipes, sockets and devices: neither is read.
    `seen` are the states by path of all that decided what is found on disk, these files too: while they are the same,
    the same files are found.
    """

    files: tuple[EventFile, ...]
    passed_over: int
    special: int = 0
    seen: Mapping[str, str | None] = field(default_factory=dict)


@contextmanager
def find_files(dataset: Dataset) -> Iterator[FileList]:
    """The event files of a dataset; what comes through a pipe is kept in a temporary folder until the block ends.

    A folder gives every event file below it but those whose name, or whose folder's name, starts with `.` or `_`; a
    folder that is a store gives those that its manifest lists. Raises NotEvents when a location names nothing or
    nothing of a known format, Unreadable when a folder may not be listed; these and any that the block raises say where
    the locations are named, if not in the question.
    """
    with ExitStack() as spool, _naming_origin(dataset.origin):
        files: dict[str, EventFile] = {}
        real: dict[str, str] = {}
        passed_over: set[str] = set()
        special: set[str] = set()
        seen: dict[str, str | None] = {}
        stores = 0
        for found in _discover(dataset, spool):
            if isinstance(found, Seen):
                seen[found.path] = found.state
            elif isinstance(found, EventFile):
                files.setdefault(_canonical(found, real), found)
                if found.storage is DISK and found.status:
                    seen[found.path] = found.status.identity
            elif isinstance(found, PassedOver):
                if not found.ignored:
                    (special if found.special else passed_over).add(found.path)
            else:
                stores += 1
        passed_over -= files.keys()  # read under another name
        if not files and not stores:
            where = f"{', '.join(map(visible, dataset.locations))}: no event files"
            if special and not passed_over:
                raise NotEvents(f"{where}, only {special_files(len(special))}", hint="a pipe is read when it is named")
            others = {0: "no files", 1: "only 1 file of another kind"}
            count = len(passed_over) + len(special)
            raise NotEvents(f"{where}, {others.get(count, f'only {count} files of other kinds')}", hint=KNOWN)
        in_order = tuple(sorted(files.values(), key=lambda file: file.path))
        yield FileList(in_order, len(passed_over), len(special), seen)


def _canonical(file: EventFile, real: dict[str, str]) -> str:
    """The one path of a file; `real` has the folders on disk, whose links are resolved once for all their files."""
    if file.storage is not DISK or os.path.islink(file.path):
        return file.storage.canonical(file.path)
    folder, name = os.path.split(file.path)
    if folder not in real:
        real[folder] = DISK.canonical(folder)
    return os.path.join(real[folder], name)  # noqa: PTH118 - of thousands of files


@contextmanager
def _naming_origin(origin: str) -> Iterator[None]:
    """Inside the block, whatever is wrong with the data is said to be of the data that `origin` names."""
    try:
        yield
    except DatasetError as error:
        told = f" (data from {visible(origin)})" if origin else ""
        if not error.message.endswith(told):
            error.message += told
            error.args = (error.message,)
        raise


def special_files(count: int) -> str:
    """How many pipes, sockets and devices there are."""
    return "1 pipe, socket or device" if count == 1 else f"{count:,} pipes, sockets or devices"


def _discover(dataset: Dataset, spool: ExitStack) -> Iterator[Found]:
    stores = None
    for location in dict.fromkeys(dataset.locations):
        if location == "-":
            from mmstats.files.text_file import spooled, standard_input

            yield spooled(standard_input(), "stdin", dataset, spool)
        elif "://" not in location or scheme_of(location) is None:
            yield from _on_disk(location.removeprefix("file://"), dataset, spool)
        else:
            from mmstats.files.object_keys import discover_objects
            from mmstats.storage import ObjectStores  # with what it takes to read from afar

            stores = stores or ObjectStores(dataset.storage_options)
            yield from discover_objects(location, dataset, stores)


def is_hidden(name: str) -> bool:
    """Whether what has this name is passed over in a folder, on disk as in an object store."""
    return name.startswith((".", "_"))


def store_files(folder: str, storage: Storage) -> Iterator[Found]:
    """A store, and the files that its manifest lists; what its folders say is in them."""
    yield StoreFolder(folder)
    manifest = read_manifest(folder, storage)
    columns = frozenset(manifest.columns)
    for file in manifest.files:
        path = storage.join(folder, file.path)
        storage.register(path, file.bytes)
        stored = Stored(folder, file, columns)
        found = EventFile(path, Format("parquet"), stored=stored, storage=storage, status=_status(path, storage))
        yield found if found.status else current_file(found)


def _status(path: str, storage: Storage) -> Status | None:
    with suppress(Unreadable):  # reading it says why
        return storage.status(path)
    return None


def current_file(file: EventFile) -> EventFile:
    """A file where it is now: a store on disk moves it when an import supersedes it."""
    if not file.stored or file.storage is not DISK or os.path.lexists(file.path):
        return file
    path = superseded_path(file.path)
    if not os.path.lexists(path):
        return file
    return replace(file, path=path, name=file.name or file.path, status=file.status or _status(path, file.storage))


def relisted(files: Iterable[EventFile]) -> tuple[EventFile, ...]:
    """The files, those of stores as the manifests list them now; raises Unreadable for a manifest that is gone."""
    by_path = {file.storage.canonical(file.path): file for file in files if not file.stored}
    stores = dict.fromkeys((file.stored.folder, file.storage) for file in files if file.stored)
    for folder, storage in stores:
        for found in store_files(folder, storage):
            if isinstance(found, EventFile):
                by_path.setdefault(storage.canonical(found.path), found)
    return tuple(sorted(by_path.values(), key=lambda file: file.path))


def is_listed(file: EventFile) -> bool:
    """Whether the manifest of a file's store lists it still; a file of no store is no manifest's."""
    return not file.stored or any(one.path == file.path for one in relisted([file]))


def _on_disk(location: str, dataset: Dataset, spool: ExitStack) -> Iterator[Found]:
    if "\0" in location or not location:
        raise NotEvents(f"not a location: {location!r}")
    if os.path.lexists(location):
        yield from _at_path(location, dataset, spool, named=True)
        return
    check_folders(location)  # before a glob that would pass over them in silence
    if glob.has_magic(location):
        yield from (Seen(path, state(path)[0]) for path in dict.fromkeys(looked_into(location)))
    matches = sorted(matches_of(location)) if glob.has_magic(location) else []
    if not matches:
        absent = "nothing matches" if glob.has_magic(location) else "no such file or folder"
        raise NotEvents(f"{visible(location)}: {absent}", hint=_beside(location))
    for match in matches:
        yield from _at_path(match, dataset, spool, named=False)


def _at_path(path: str, dataset: Dataset, spool: ExitStack, *, named: bool) -> Iterator[Found]:
    found = _stat(path)
    yield from _seen_link(path, found)
    if not found:
        if Path(path).is_symlink():
            raise _broken_link(path)
        if named:
            raise Unreadable(f"{visible(path)}: {os.strerror(errno.ENOENT)}")  # it was there a moment ago
        yield event_file(path, dataset, DISK, None, named=False)
        return
    if not named and not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        yield PassedOver(os.path.realpath(path), special=True)  # a glob waits for no pipe
        return
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        from mmstats.files.text_file import spooled

        try:
            stream = Path(path).open("rb")  # noqa: SIM115 - closed below; what goes wrong there is not the pipe's fault
        except OSError as error:
            raise refused(path, error) from None
        with stream:
            yield spooled(stream, path, dataset, spool)
    elif stat.S_ISDIR(found.st_mode):
        yield from _in_folder(path, dataset)
    else:
        yield event_file(path, dataset, DISK, _readable_status(path, found), named=named)


def _in_folder(folder: str, dataset: Dataset) -> Iterator[Found]:
    """The files below a folder, in order; a folder that links lead to again is entered once.

    Not by calling itself, since folders may be nested deeper than Python calls.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        found = _stat(path)
        yield from _seen_link(path, found)
        if found is None or stat.S_ISREG(found.st_mode):
            file = event_file(path, dataset, DISK, found and _readable_status(path, found), named=False)
            if found is None and isinstance(file, EventFile) and Path(path).is_symlink():
                raise _broken_link(path)
            yield file
        elif stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) not in entered:
            entered.add((found.st_dev, found.st_ino))
            if is_store(path):
                manifest = os.path.join(path, MANIFEST)  # noqa: PTH118
                yield Seen(manifest, state(manifest)[0])
                yield from store_files(path, DISK)
                continue
            yield Seen(path, identity(path, found))
            try:
                entries = sorted(os.listdir(path), reverse=True)
            except OSError as error:
                raise refused(path, error) from None
            waiting += [os.path.join(path, name) for name in entries if not is_hidden(name)]  # noqa: PTH118
        elif not stat.S_ISDIR(found.st_mode):
            yield PassedOver(path, special=True)


def _seen_link(path: str, found: os.stat_result | None) -> Iterator[Seen]:
    """The state of what a link leads to, as it was when it was looked at."""
    if found is None or os.path.islink(path):
        yield Seen(path, identity(path, found) if found else state(path)[0])


def _readable_status(path: str, found: os.stat_result) -> Status | None:
    """The status of a file that was looked at; None for one that may not be read, as reading it says."""
    return status_of(path, found) if os.access(path, os.R_OK) else None


def _stat(path: str) -> os.stat_result | None:
    """What the file system says of a file; None for a link to nothing or to itself."""
    try:
        return os.stat(path)  # noqa: PTH116 - a Path takes as long to make as the file to look at
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise refused(path, error) from None


def _broken_link(path: str) -> NotEvents:
    return NotEvents(f"{visible(path)}: a link to nothing")


def _beside(location: str) -> str:
    """An offer of what lies beside a location that does not exist and has a name like it."""
    path = Path(location)
    try:
        candidate = nearest(path.name, os.listdir(path.parent))
    except OSError:
        return ""
    return f"did you mean {visible(str(path.parent / candidate))}?" if candidate else ""
