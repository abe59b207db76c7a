"""The terminal: how answers, pages as wide as it is, and messages are written to stdout and stderr."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstats.answer import Stats
from mmstats.cli.transcript import shown_untranscribed, transcribe
from mmstats.dataset import Dataset
from mmstats.errors import InvalidParams, MmstatsError, OutputError
from mmstats.question.query import StatsQuery
from mmstats.render import EXTENSIONS, WRITERS, to_parquet
from mmstats.settings import COLORS, Settings, settings_here

if TYPE_CHECKING:
    from rich.console import Console


class ClosedPipe(Exception):
    """Whoever read our output has seen enough."""


_UNKNOWN_SIZE = (100, 24)  # of a file or pipe that a page is sent to, in columns and lines


@dataclass(frozen=True, slots=True)
class Sink:
    """Where output goes: what writes bytes there, its width and encoding, and where a person reads it, its height."""

    write: Callable[[bytes], None]
    columns: int = _UNKNOWN_SIZE[0]
    lines: int | None = None
    encoding: str = "utf-8"


def standard_output() -> Sink:
    """Stdout, of the size of the terminal where it is one."""
    size = shutil.get_terminal_size(_UNKNOWN_SIZE)
    encoding = (sys.stdout and sys.stdout.encoding) or "utf-8"
    return Sink(_write, size.columns, size.lines if is_terminal() else None, encoding)


def write_text(text: str) -> None:
    """Write text to stdout as UTF-8, and what that lacks as escapes.

    Raises ClosedPipe when the reader is gone, OutputError when the output cannot be written.
    """
    _write(_encode(text))


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    return text.encode(encoding, "backslashreplace")


def _write(content: bytes) -> None:
    try:
        stream = sys.stdout.buffer
        stream.write(content)
        stream.flush()
    except BrokenPipeError:
        discard_stdout()
        raise ClosedPipe from None
    except (OSError, AttributeError, ValueError) as error:
        raise refused_by_stdout(error) from None
    transcribe(content)


def refused_by_stdout(error: Exception) -> OutputError:
    """The error to report where stdout takes no more; nothing is written to it from now on."""
    discard_stdout()
    return OutputError(f"cannot write to stdout: {error.strerror if isinstance(error, OSError) else 'it is closed'}")


def is_terminal() -> bool:
    """Whether a person is likely to read stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def discard_stdout() -> None:
    """Point stdout elsewhere, so that the interpreter's last flush finds nothing to complain of."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        sys.stdout = None


def report_error(error: MmstatsError) -> None:
    """`error: what is wrong`, and `hint: what to do` where there is one."""
    message, hint = error.message, error.hint
    if isinstance(error, InvalidParams):
        message, hint = error.sentence_by_flags(), error.hint_by_flags()
    say("error", message)
    if hint:
        say("hint", hint)


def warn(sentence: str) -> None:
    """Something about the answer that its reader should know."""
    say("warning", sentence)


def note(sentence: str) -> None:
    """Something about the run."""
    say("note", sentence)


_STYLES = {"error": "1;31", "hint": "36", "warning": "33", "note": "2", "stats": "2"}  # bold red, cyan, yellow, dim


class _Messages:
    """How messages are shown: `color` is what the command line says of it, None for nothing."""

    color: str | None = None

    def are_colored(self) -> bool:
        """Whether the first word of a message has a colour: by the command line, else on a terminal that shows them."""
        if self.color:
            return self.color == "always" or (self.color == "auto" and _takes_colors())
        if not _takes_colors():
            return False
        with contextlib.suppress(MmstatsError):  # settings that cannot be read are what this message is about
            return settings_here(os.environ).color != "never"
        return True


_messages = _Messages()


def _takes_colors() -> bool:
    return is_stderr_terminal() and not is_dumb() and not os.environ.get("NO_COLOR")


def is_stderr_terminal() -> bool:
    """Whether a person reads stderr on a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def is_dumb() -> bool:
    """Whether the terminal knows neither colours nor the way back on a line."""
    return os.environ.get("TERM") in ("dumb", "unknown")


def color_messages(arguments: Sequence[str]) -> None:
    """Colour messages as `--color` says wherever it stands: a command line that cannot be parsed has it too."""
    chosen = [word.removeprefix("--color=") for word in arguments if word.startswith("--color=")]
    chosen += [word for flag, word in pairwise(arguments) if flag == "--color"]
    _messages.color = chosen[0] if chosen and chosen[0] in COLORS else None


def say(kind: str, sentence: str) -> None:
    """One line of a kind; a stderr that is gone or full is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is None:
            return
        word = f"\x1b[{_STYLES[kind]}m{kind}:\x1b[0m" if _messages.are_colored() else f"{kind}:"
        line = f"{word} {' '.join(sentence.splitlines())}\n"
        encoding = sys.stderr.encoding or "utf-8"
        written = line.encode(encoding, "backslashreplace").decode(encoding)
        transcribe(written)
        sys.stderr.write(written)
        sys.stderr.flush()


_NO_COMMAND = 127  # what a shell ends with that does not find a command


def write_page(
    print_page: "Callable[[Console], None]", color: str, *, pager: bool = True, sink: Sink | None = None
) -> None:
    """Write what `print_page` prints, with colours when `color` is `always`, or `auto` and a person reads it.

    What is longer than a terminal goes through the user's pager, unless it may not. Raises as `write_text` does.
    """
    from rich.console import Console

    sink = sink or standard_output()
    page = _Page(sink.encoding)
    colored = color == "always" or (color == "auto" and sink.lines is not None and not os.environ.get("NO_COLOR"))
    print_page(
        Console(
            file=page,
            width=sink.columns,
            # With both given, the library does not take a dumb terminal for one of 80 columns.
            height=sink.lines or _UNKNOWN_SIZE[1],
            force_terminal=colored,
            color_system=("standard" if color == "always" else "auto") if colored else None,
            no_color=not colored,
            legacy_windows=False,
        )
    )
    content = _encode(page.getvalue(), sink.encoding)
    command = ""
    if pager and sink.lines and content.count(b"\n") >= sink.lines:
        shown_untranscribed()  # even without a pager: another time there may be one
        command = _pager()
    if not (command and _write_to_pager(command, content)):
        sink.write(content)


def _pager() -> str:
    """The command of the user's pager, empty for none: `PAGER`, else less where it is installed."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return ""
    named = os.environ.get("PAGER")
    return named.strip() if named is not None else "less" if shutil.which("less") else ""


def _write_to_pager(command: str, content: bytes) -> bool:
    """Write to a pager and wait until it is left; False where there is no such command."""
    # F: no pager for what fits after all, R: colours, X: the page stays on the screen.
    environment = {"LESS": "FRX", **os.environ}
    # POSIX says that PAGER is a command for the shell.
    with subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stderr=sys.stderr, env=environment) as pager:  # noqa: S602
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the pager: less ends a search by it
        try:
            pager.communicate(content)
        finally:
            signal.signal(signal.SIGINT, interrupt)
    return pager.returncode != _NO_COMMAND


class _Page(io.StringIO):
    """Text that will be written in an encoding, and so may hold what that can encode."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding that it will be written in."""
        return self._encoding


_MORE = "--limit or --all answers more"


def show(
    stats: Stats, query: StatsQuery, dataset: Dataset, values: Mapping[str, Any], settings: Settings, sink: Sink
) -> None:
    """Write the answer to a sink, then what there is to say of it to stderr.

    Raises ClosedPipe when the reader of stdout is gone, OutputError when it cannot be written.
    """
    form = _format(values, settings)
    if form == "table":
        from mmstats.render.table import Caption, print_table

        caption = Caption(
            *(query.start, query.end, query.filters, query.buckets, query.timezone),
            more=_MORE,
            data=dataset.named_elsewhere,
            previous=query.previous,
        )
        write_page(
            lambda console: print_table(stats, caption, console, sink.lines),
            values["color"] or settings.color,
            pager=not values["no_pager"],
            sink=sink,
        )
    elif form == "parquet":
        sink.write(to_parquet(stats))
    else:
        sink.write(_encode(WRITERS[form](stats)))
    for sentence in stats.notices:
        warn(sentence)
    # Whoever sees the table and stderr on one screen has read it below the table.
    if stats.truncated and not (form == "table" and sink.lines and is_stderr_terminal()):
        note(f"{len(stats.rows):,} of {stats.groups:,} rows; {_MORE}")


def show_report(
    json: str, print_page: "Callable[[Console], None]", values: Mapping[str, Any], settings: Settings, sink: Sink
) -> None:
    """Write a report to a sink: as JSON, or as the page that `print_page` prints.

    Raises ClosedPipe when the reader of stdout is gone, OutputError when it cannot be written.
    """
    if _format(values, settings) == "json":
        sink.write(_encode(json + "\n"))
    else:
        write_page(print_page, values["color"] or settings.color, pager=not values["no_pager"], sink=sink)


def _format(values: Mapping[str, Any], settings: Settings) -> str:
    """The option's format, else that of the output's name, else on a terminal the settings' or a table, else JSON."""
    if values["output"] and not values["format"]:
        return EXTENSIONS[Path(values["output"]).suffix.lower()]
    return values["format"] or ((settings.format or "table") if is_terminal() else "json")
