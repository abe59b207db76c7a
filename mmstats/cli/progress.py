"""A sign of life on stderr for what takes more than a second, on a terminal only, gone when it is done."""

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import ProgressColumn, TaskID

_PATIENCE = 1.0  # seconds


class Progress:
    """Shows how much has been read and for how long, from the second second on.

    Once it is known how much there is, also how fast it goes and how long it will take. Used as a context manager;
    `advance` may be called from any thread.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._work, self._total = "reading", 0
        self._display: Display | None = None
        self._task: TaskID
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._begin)
        self._timer.daemon = True

    def advance(self, size: int) -> None:
        """So many more bytes have been read."""
        self._bytes += size
        if self._display:
            self._display.update(self._task, completed=self._bytes)

    def expect(self, work: str, total: int) -> None:
        """Work of another kind begins, which will read so many bytes."""
        with self._lock:
            self._work, self._total, self._bytes = work, total, 0
            if self._display:
                self._display.remove_task(self._task)
                self._task = self._display.add_task(work, total=total)

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
        from rich.progress import Progress

        with self._lock:
            if self._done:
                return
            display = Progress(*_columns(self._total > 0), console=Console(stderr=True), transient=True)
            self._task = display.add_task(self._work, total=self._total or None, completed=self._bytes)
            display.start()
            self._display = display


def _columns(total_is_known: bool) -> "list[ProgressColumn]":
    from rich import progress as columns

    shown = [columns.SpinnerColumn(), columns.TextColumn("{task.description}")]
    if total_is_known:
        shown += [columns.BarColumn(), columns.DownloadColumn(), columns.TransferSpeedColumn()]
        return [*shown, columns.TimeRemainingColumn()]
    return [*shown, columns.DownloadColumn(), columns.TimeElapsedColumn()]
