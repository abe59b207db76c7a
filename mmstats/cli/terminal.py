"""The terminal: the only writer of stdout and stderr, pages as wide as it is, and a sign of life."""

import contextlib
import io
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from mmstats.answer import Stats
from mmstats.errors import InvalidParams, MmstatsError, OutputError
from mmstats.question.query import StatsQuery
from mmstats.render import FORMATS, WRITERS
from mmstats.settings import COLORS, Settings
from mmstats.wording import one_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import ProgressColumn, TaskID


class ClosedPipe(Exception):
    """Whoever read our output has seen enough."""


def write_page(text: str) -> None:
    """Write text that a person reads, in the encoding of stdout, as `write_text` does."""
    write_text(text, encoding())


def encoding() -> str:
    """What stdout is written in."""
    return (sys.stdout and sys.stdout.encoding) or "utf-8"


def write_text(text: str, encoding: str = "utf-8") -> None:
    """Write text; what the encoding lacks is written as escapes.

    Raises ClosedPipe when the reader is gone, OutputError when the output cannot be written.
    """
    try:
        stream = sys.stdout.buffer
        stream.write(text.encode(encoding, "backslashreplace"))
        stream.flush()
    except BrokenPipeError:
        _let_go()
        raise ClosedPipe from None
    except (OSError, AttributeError, ValueError) as error:
        _let_go()
        why = error.strerror if isinstance(error, OSError) else "it is closed"
        raise OutputError(f"cannot write to stdout: {why}") from None


def is_terminal() -> bool:
    """Whether a person is likely to read stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def _let_go() -> None:
    """Point stdout elsewhere, so that the interpreter's last flush finds nothing to complain of."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        sys.stdout = None


def report_error(error: MmstatsError) -> None:
    """`error: what is wrong`, and `hint: what to do` where there is one."""
    message = error.sentence("--") if isinstance(error, InvalidParams) else error.message
    say("error", message)
    if error.hint:
        say("hint", error.hint)


def warn(sentence: str) -> None:
    """Something about the answer that its reader should know."""
    say("warning", sentence)


def note(sentence: str) -> None:
    """Something about the run."""
    say("note", sentence)


def say(kind: str, sentence: str) -> None:
    """One line of a kind; a stderr that is gone or full is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is None:
            return
        line = f"{kind}: {' '.join(sentence.splitlines())}\n"
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()


def keep_interruptible() -> None:
    """Let an interrupt end a read that waits, which the engine's import has stopped it from doing (polars#21739)."""
    if hasattr(signal, "siginterrupt"):  # not on Windows
        signal.siginterrupt(signal.SIGINT, True)


_UNKNOWN_WIDTH = 100  # of a file or pipe that a page is sent to


def drawn(draw: "Callable[[Console], None]", color: str) -> str:
    """What `draw` prints, with colours when `color` is `always`, or `auto` and a person reads it."""
    from rich.console import Console

    page = _Page()
    colored = color == "always" or (color == "auto" and is_terminal() and not os.environ.get("NO_COLOR"))
    draw(
        Console(
            file=page,
            width=shutil.get_terminal_size((_UNKNOWN_WIDTH, 24)).columns,
            force_terminal=colored,
            color_system=("standard" if color == "always" else "auto") if colored else None,
            no_color=not colored,
            legacy_windows=False,
        )
    )
    return page.getvalue()


class _Page(io.StringIO):
    """Text that will be written to stdout, and so may hold what stdout can encode."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of stdout."""
        return encoding()


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """The options that say how something is shown, as given; `formats` are those that it has."""

    format: str | None
    color: str | None
    formats: tuple[str, ...] = FORMATS

    def check(self, faults: dict[str, list[str]]) -> None:
        """Add what is wrong with an option to the faults."""
        for name, given, choices in (("format", self.format, self.formats), ("color", self.color, COLORS)):
            try:
                given is None or one_of(given, choices)
            except ValueError as fault:
                faults[name] = [str(fault)]

    def chosen(self, settings: Settings) -> tuple[str, str]:
        """The format and the use of colour; a format that is set counts on a terminal, and where there is it."""
        color = self.color or settings.color
        if self.format or not is_terminal():
            return self.format or "json", color
        return settings.format if settings.format in self.formats else "table", color


def show(stats: Stats, query: StatsQuery, form: str, color: str) -> None:
    """Write the answer to stdout, then what there is to say of it to stderr.

    Raises ClosedPipe when the reader of stdout is gone, OutputError when it cannot be written.
    """
    if form == "table":
        write_page(_table(stats, query, color))
    else:
        write_text(WRITERS[form](stats))
    for sentence in stats.notices:
        warn(sentence)
    if stats.truncated:
        note(f"{len(stats.rows):,} of {stats.groups:,} rows; --limit or --all answers more")


def _table(stats: Stats, query: StatsQuery, color: str) -> str:
    from mmstats.render.table import Caption, print_table

    caption = Caption(query.start, query.end, query.event)
    return drawn(lambda console: print_table(stats, caption, console), color)


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
            display = Progress(*_progress_columns(self._total > 0), console=Console(stderr=True), transient=True)
            self._task = display.add_task(self._work, total=self._total or None, completed=self._bytes)
            display.start()
            self._display = display


def _progress_columns(total_is_known: bool) -> "list[ProgressColumn]":
    from rich import progress as columns

    shown = [columns.SpinnerColumn(), columns.TextColumn("{task.description}")]
    if total_is_known:
        shown += [columns.BarColumn(), columns.DownloadColumn(), columns.TransferSpeedColumn()]
        return [*shown, columns.TimeRemainingColumn()]
    return [*shown, columns.DownloadColumn(), columns.TimeElapsedColumn()]
