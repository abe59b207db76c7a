"""How far reading is, shown on stderr while it lasts."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from mmstats.cli.terminal import is_dumb, is_stderr_terminal
from mmstats.cli.transcript import shown_untranscribed
from mmstats.interrupts import before_end

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import ProgressColumn, TaskID

_SHORTEST_BAR, _LONGEST_BAR = 10, 40
_BESIDE_BAR = 55  # columns for what stands beside the bar


class Progress:
    """Shows, after a `delay` in seconds and where stderr is a terminal, how much has been read and for how long.

    A dumb terminal, which could not take a line back, is shown nothing.

    Once it is known how much there is to read, also how fast it goes and how long it will take. Used as a context
    manager; `advance` may be called from any thread.
    """

    def __init__(self, delay: float = 1.0) -> None:
        self._bytes = 0
        self._work, self._total = "reading", 0
        self._display: Display | None = None
        self._task: TaskID
        self._done = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(delay, self._begin)
        self._timer.daemon = True

    @property
    def is_shown(self) -> bool:
        """Whether somebody may see it."""
        return is_stderr_terminal() and not is_dumb()

    def advance(self, size: int) -> None:
        """So many more bytes have been read."""
        with self._lock:
            self._bytes += size
            self._update()

    def expect(self, work: str, total: int) -> None:
        """Work of another kind begins, which will read so many bytes."""
        with self._lock:
            self._work, self._total, self._bytes = work, total, 0
            if self._display:
                self._display.columns = self._columns(self._display.console.width)
                self._display.remove_task(self._task)
                self._task = self._display.add_task(work, total=total)

    def __enter__(self) -> "Progress":
        if self.is_shown:
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

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Display

        with self._lock:
            if self._done:
                return
            console = Console(stderr=True)
            display = Display(*self._columns(console.width), console=console, transient=True)
            self._task = display.add_task(self._work, total=self._total or None)
            shown_untranscribed()
            before_end(display.stop)
            display.start()
            self._display = display
            self._update()

    def _update(self) -> None:
        """Shows how much has been read."""
        if not self._display:
            return
        from rich.filesize import decimal

        if self._total:
            # A file may have grown meanwhile.
            self._display.update(self._task, completed=min(self._bytes, self._total))
        elif self._bytes:
            self._display.update(self._task, description=f"{self._work} {decimal(self._bytes)}")

    def _columns(self, width: int) -> "tuple[ProgressColumn, ...]":
        """What there is to show on a terminal of so many columns."""
        from rich import progress

        begin = (progress.SpinnerColumn(), progress.TextColumn("{task.description}"))
        if not self._total:
            return (*begin, progress.TimeElapsedColumn())
        bar = progress.BarColumn(bar_width=min(max(width - _BESIDE_BAR, _SHORTEST_BAR), _LONGEST_BAR))
        share, left = progress.TaskProgressColumn(), progress.TimeRemainingColumn()
        if width < _SHORTEST_BAR + _BESIDE_BAR:
            return (*begin, bar, share, left)
        return (*begin, bar, share, progress.DownloadColumn(), progress.TransferSpeedColumn(), left)
