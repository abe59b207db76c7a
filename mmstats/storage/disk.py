"""Files on disk."""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mmstats.errors import Unreadable
from mmstats.storage import Status
from mmstats.wording import visible


class Disk:
    """The file systems of this machine."""

    scan_options: Mapping[str, Any] = {}

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

    def footer(self, path: str) -> str:
        """The path itself."""
        return path

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

    def changed(self, paths: Iterable[str]) -> Iterable[str]:
        """None: a file that is replaced stays the old one for whoever has it open."""
        del paths
        return ()

    def cancel(self) -> None:
        """Nothing: reads do not last."""

    def folder_fingerprints(self, paths: Iterable[str]) -> Iterator[str]:
        """When the files' folders last changed."""
        for folder in sorted({str(Path(path).parent) for path in paths}):
            yield f"{folder} {_stat(folder).st_ctime_ns}"

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
    known = (path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    # Anybody may set the time of modification, but not that of change.
    return Status(stat.st_size, repr(known), stat.st_ctime_ns)


def _stat(path: str) -> os.stat_result:
    try:
        found = Path(path).stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found
    except OSError as error:
        raise Unreadable(f"{visible(path)}: {error.strerror}") from None


DISK = Disk()
