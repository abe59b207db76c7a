"""A sign of life on stderr for what takes more than a second, on a terminal only, gone when it is done."""

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Display

_PATIENCE = 1.0  # seconds


class Progress:
    """Shows how much has been read and for how long, from the second second on.

    Used as a context manager; `advance` may be called from any thread.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._display: Display | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._begin)
        self._timer.daemon = True

    def advance(self, size: int) -> None:
        """So many more bytes have been read."""
        self._bytes += size
        if self._display:
            self._display.update(self._task, completed=self._bytes)

    def __enter__(self) -> "Progress":
        if sys.stderr is not None and sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._display:
                self._display.stop()
            self._done = True

    _done = False

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._done:
                return
            columns = (SpinnerColumn(), TextColumn("reading"), DownloadColumn(), TimeElapsedColumn())
            display = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = display.add_task("reading", total=None, completed=self._bytes)
            display.start()
            self._display = display
