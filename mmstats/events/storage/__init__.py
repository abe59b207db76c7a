"""Where the bytes of files are: one protocol, and one visible table from the scheme of a location to who speaks it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Status:
    """What a file is at one moment: its size in bytes, and all that tells it from what it was before a change.

    `changed` is when it last was, in nanoseconds since 1970; 0 where every change shows in the identity, however soon
    it follows another.
    """

    size: int
    identity: str
    changed: int = 0


class Storage(Protocol):
    """A place that files are read from, each by its path: on disk, or a URL."""

    @property
    def scan(self) -> Mapping[str, Any]:
        """What the engine is told, beside the paths, when it scans files."""
        ...

    def open(self, path: str) -> BinaryIO:
        """The bytes of a file from its first; raises OSError or Unreadable when it cannot be read."""
        ...

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file, fewer where it has no more; raises as `open` does."""
        ...

    def latest(self, path: str) -> bytes:
        """All of a small file as it is now, whatever it was when it was found; raises as `open` does."""
        ...

    def near(self, path: str) -> str:
        """A path on disk where all of a file is, as long as this storage is; raises as `open` does."""
        ...

    def bring(self, paths: Iterable[str]) -> None:
        """All of these files will be wanted near, one by one: what is small and far away is fetched at once."""
        ...

    def footer(self, path: str) -> str | BinaryIO:
        """What readers of Parquet's footers are given in place of a file; raises as `open` does."""
        ...

    def expect(self, paths: Iterable[str]) -> None:
        """The footers of these files will be asked for one by one: what is far away is fetched at once."""
        ...

    def status(self, path: str) -> Status:
        """What a file is, as far as is known without reading it; raises Unreadable for one that may not be read."""
        ...

    def tag(self, path: str) -> str:
        """What stands for the content of a file, so that it need not be read for it; empty where nothing does."""
        ...

    def again(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """What those of the files that are still there are at this moment."""
        ...

    def changed(self, paths: Iterable[str]) -> Iterable[str]:
        """Those of the files that are not what they were when they were found, where what is read may be of both.

        Raises Unreadable where there is no telling.
        """
        ...

    def give_up(self) -> None:
        """Nobody waits any more for what is being read; whoever reads it is told so by an error."""
        ...

    def traces(self, paths: Iterable[str]) -> Iterable[str]:
        """What has changed when other files came and went beside these, though it does not show in them."""
        ...

    def promise(self, path: str, size: int) -> None:
        """A file's name was never another's and never will be, and its size is known: no look at it is needed."""
        ...

    def below(self, folder: str, name: str) -> str:
        """The path of what lies in a folder."""
        ...

    def absolute(self, path: str) -> str:
        """The one path of a file that may be reached by several."""
        ...
