"""Files on disk."""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mmstats.errors import Unreadable
from mmstats.events.storage import Status
from mmstats.wording import visible


class Disk:
    """The file systems of this machine."""

    scan: Mapping[str, Any] = {}

    def open(self, path: str) -> BinaryIO:
        """The file, opened."""
        return Path(path).open("rb")

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file."""
        with Path(path).open("rb") as opened:
            return opened.read(count)

    def latest(self, path: str) -> bytes:
        """All of a file."""
        return Path(path).read_bytes()

    def near(self, path: str) -> str:
        """The path itself."""
        return path

    def bring(self, paths: Iterable[str]) -> None:
        """Nothing, since a file is near."""

    def footer(self, path: str) -> str:
        """The path itself."""
        return path

    def expect(self, paths: Iterable[str]) -> None:
        """Nothing, since a file is near."""

    def status(self, path: str) -> Status:
        """What the file system tells of a file."""
        found = _looked_at(path)
        known = (path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        # The time of modification is for anybody to set, that of change is not.
        return Status(found.st_size, repr(known), found.st_ctime_ns)

    def tag(self, path: str) -> str:
        """Nothing, since times can be set back."""
        del path
        return ""

    def again(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """The same, of those that are still there."""
        found = {}
        for path in paths:
            with suppress(Unreadable):
                found[path] = self.status(path)
        return found

    def changed(self, paths: Iterable[str]) -> Iterable[str]:
        """None, since who replaces a file leaves the old one to those who have it open."""
        del paths
        return ()

    def give_up(self) -> None:
        """Nothing, since a read does not last."""

    def traces(self, paths: Iterable[str]) -> Iterator[str]:
        """When the folders that files lie in were changed."""
        for folder in sorted({str(Path(path).parent) for path in paths}):
            yield f"{folder} {_looked_at(folder).st_ctime_ns}"

    def promise(self, path: str, size: int) -> None:
        """Nothing, since a look costs nothing."""

    def below(self, folder: str, name: str) -> str:
        """The path of what lies in a folder."""
        return str(Path(folder, name))

    def absolute(self, path: str) -> str:
        """The path without links."""
        return os.path.realpath(path)


def _looked_at(path: str) -> os.stat_result:
    try:
        found = Path(path).stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found
    except OSError as error:
        raise Unreadable(f"{visible(path)}: {error.strerror}") from None


DISK = Disk()
