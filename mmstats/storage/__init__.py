"""Where the bytes of files are: on disk, in an object store or on a web server, behind one protocol."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from mmstats.storage.objects import Objects
    from mmstats.storage.url import Url


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a file at one moment: its size in bytes, and an identity that differs after a change.

    `changed` is when it last changed, in nanoseconds since 1970. It is 0 where every change shows in the identity,
    however soon it follows another.
    """

    size: int
    identity: str
    changed: int = 0


_MAGIC = b"PAR1"
_TAIL = 32 << 10  # bytes of a file's end that hold most footers


def parquet_footer(size: int, fetch: Callable[[int, int], bytes]) -> bytes:
    """The footer of a Parquet file of so many bytes as a file of nothing else: given more, readers would fetch more.

    `fetch` gives the bytes between two offsets. Of a file that is no Parquet this is its end, as readers will say.
    """
    tail = fetch(max(0, size - _TAIL), size) if size else b""
    if not tail.endswith(_MAGIC):
        return tail
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if len(tail) < length <= size:
        tail = fetch(size - length, size - len(tail)) + tail
    return _MAGIC + tail[-length:]


class Storage(Protocol):
    """A place that files are read from, each by its path: on disk, or a URL."""

    @property
    def scan_options(self) -> Mapping[str, Any]:
        """Arguments for the engine's scan of files here, beside their paths."""
        ...

    @property
    def log_options(self) -> Mapping[str, str]:
        """Options for the library that reads the log of a Delta table here."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """The names of what is in a folder; raises OSError or Unreadable when it cannot be listed."""
        ...

    def open(self, path: str) -> BinaryIO:
        """A file, opened at its first byte; raises OSError or Unreadable when it cannot be read."""
        ...

    def read_head(self, path: str, count: int) -> bytes:
        """The first bytes of a file, fewer where it has no more; raises as `open` does."""
        ...

    def read(self, path: str) -> bytes:
        """All of a small file as it is now, even if it has changed since it was found; raises as `open` does."""
        ...

    def local_copy(self, path: str) -> str:
        """The path on disk of the whole file, there as long as this storage is; raises as `open` does."""
        ...

    def prefetch(self, paths: Iterable[str]) -> None:
        """Fetch small remote files many at once, before `local_copy` is asked for them one by one."""
        ...

    def footer(self, path: str) -> BinaryIO:
        """The footer of a Parquet file as a file of nothing else; raises as `open` does."""
        ...

    def prefetch_footers(self, paths: Iterable[str]) -> None:
        """Fetch footers of remote files many at once, before `footer` is asked for them one by one."""
        ...

    def status(self, path: str) -> Status:
        """The status of a file, as far as known without reading it; raises Unreadable for one that may not be read."""
        ...

    def content_id(self, path: str) -> str:
        """Content identifier (ETag and size), or empty."""
        ...

    def current_status(self, paths: Iterable[str]) -> Mapping[str, Status]:
        """The status of files at this moment, by path; files that are gone are missing."""
        ...

    def changed(self, found: Mapping[str, Status]) -> Iterable[str]:
        """The files that are another version now than they were found to be, by path.

        Raises Unreadable where there is no telling.
        """
        ...

    def cancel(self) -> None:
        """Cancel all reads in progress; whoever waits for one gets an error."""
        ...

    def register(self, path: str, size: int) -> None:
        """Register an immutable file of known size; skips a HEAD request."""
        ...

    def join(self, folder: str, name: str) -> str:
        """The path of a file in a folder."""
        ...

    def canonical(self, path: str) -> str:
        """The one path of a file that may be reached by several."""
        ...


class ObjectStores:
    """The object stores of one dataset, each opened when a location first needs it; `options` are the user's."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._open: dict[str, Objects] = {}

    def of(self, url: "Url") -> "Objects":
        """The store of a location.

        Raises NotEvents for an unknown scheme, InvalidSettings where a library is missing or the configuration is
        wrong, and Unreadable where credentials cannot be had.
        """
        if url.root not in self._open:
            from mmstats.storage.access import find_access

            access = find_access(url, self._options)  # says so where the library is missing that is imported next
            from mmstats.storage.objects import Objects

            self._open[url.root] = Objects(access)
        return self._open[url.root]
