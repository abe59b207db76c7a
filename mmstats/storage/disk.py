"""Files on disk."""

import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mmstats.errors import Unreadable
from mmstats.file_states import identity
from mmstats.resources import refused
from mmstats.storage import Status, parquet_footer


class Disk:
    """The file systems of this machine."""

    scan_options: Mapping[str, Any] = {}
    log_options: Mapping[str, str] = {}

    def names(self, folder: str) -> Iterable[str]:
        """The names of what is in a folder."""
        return os.listdir(folder)

    def open(self, path: str) -> BinaryIO:
        """The file, opened."""
        return Path(path).open("rb")

    def read_head(self, path: str, count: int) -> bytes:
        """The first bytes of a file."""
        with Path(path).open("rb") as file:
            return file.read(count)

    def read(self, path: str) -> bytes:
        """All of a file."""
        return Path(path).read_bytes()

    def local_copy(self, path: str) -> str:
        """The path itself."""
        return path

    def prefetch(self, paths: Iterable[str]) -> None:
        """Nothing: files are local."""

    def footer(self, path: str) -> BinaryIO:
        """The footer of a file, read: the engine would map a path, and a mapped file that shrinks ends the process."""
        with Path(path).open("rb") as file:
            return io.BytesIO(parquet_footer(os.fstat(file.fileno()).st_size, partial(_read_between, file)))

    def prefetch_footers(self, paths: Iterable[str]) -> None:
        """Nothing: files are local."""

    def status(self, path: str) -> Status:
        """What the file system says of a file now."""
        return status_of(path, _stat(path))

    def content_id(self, path: str) -> str:
        """Empty: times can be set back."""
        del path
        return ""

    def current_status(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """What the file system says of the files that are there."""
        found = {}
        for path in paths:
            with suppress(Unreadable):
                found[path] = self.status(path)
        return found

    def changed(self, found: Mapping[str, Status]) -> Iterator[str]:
        """The files that were written to or replaced; one that is gone was read before, or could not be read."""
        for path, status in found.items():
            with suppress(OSError):
                if status_of(path, os.stat(path)) != status:  # noqa: PTH116 - a Path takes as long to make
                    yield path

    def cancel(self) -> None:
        """Nothing: reads do not last."""

    def register(self, path: str, size: int) -> None:
        """Nothing: a look at a file costs nothing."""

    def join(self, folder: str, name: str) -> str:
        """The path of a file in a folder."""
        return str(Path(folder, name))

    def canonical(self, path: str) -> str:
        """The path with links resolved."""
        return os.path.realpath(path)


def status_of(path: str, stat: os.stat_result) -> Status:
    """The status of a file that was looked at already."""
    # Anybody may set the time of modification, but not that of change.
    return Status(stat.st_size, identity(path, stat), stat.st_ctime_ns)


def _read_between(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _stat(path: str) -> os.stat_result:
    try:
        found = Path(path).stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found
    except OSError as error:
        raise refused(path, error) from None


DISK = Disk()
