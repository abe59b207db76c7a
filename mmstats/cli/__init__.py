"""The command line: reads a question, shows an answer, and turns every error into one line and an exit code."""

import errno
import os
import traceback
from collections.abc import Sequence
from enum import IntEnum

from mmstats import interrupts
from mmstats.cli.own_stderr import own_stderr
from mmstats.cli.terminal import (
    ClosedPipe,
    color_messages,
    discard_stdout,
    refused_by_stdout,
    report_error,
    say,
)
from mmstats.cli.transcript import transcribed
from mmstats.errors import (
    InvalidQuestion,
    InvalidSettings,
    MmstatsError,
    NotEvents,
    OutputError,
    TooMuchMemory,
    Unreadable,
)
from mmstats.recall import Asked, Recallable, keep
from mmstats.resources import lack_in


class ExitCode(IntEnum):
    """How the command line ended; the value is the contract's."""

    ANSWERED = 0
    DOES_NOT_HOLD = 1
    WRONG_QUESTION = 2
    NOT_EVENTS = 3
    UNREADABLE = 4
    NOT_WRITTEN = 5
    BUG = 70
    INTERRUPTED = interrupts.EXIT_CODE


MEANING = {
    ExitCode.ANSWERED: "answered; a closed pipe is no error",
    ExitCode.DOES_NOT_HOLD: "a check found something that does not hold",
    ExitCode.WRONG_QUESTION: "the question, a flag or a settings file was wrong, or it needs more than `--max-memory`",
    ExitCode.NOT_EVENTS: "the dataset is not there or is not events",
    ExitCode.UNREADABLE: "a file that is there cannot be opened or decoded, or storage, network or credentials fail",
    ExitCode.NOT_WRITTEN: "an output, store or key file cannot be written, or a port not be had",
    ExitCode.BUG: "a bug in mmstats",
    ExitCode.INTERRUPTED: "interrupted",
}

EXITS: dict[type[MmstatsError], ExitCode] = {
    InvalidQuestion: ExitCode.WRONG_QUESTION,
    InvalidSettings: ExitCode.WRONG_QUESTION,
    TooMuchMemory: ExitCode.WRONG_QUESTION,
    NotEvents: ExitCode.NOT_EVENTS,
    Unreadable: ExitCode.UNREADABLE,
    OutputError: ExitCode.NOT_WRITTEN,
}

_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EBADF)


def run(arguments: Sequence[str], question: Asked | None = None) -> int:
    """Run one command line and return its exit code; nothing the user can cause shows a traceback.

    With the `question` that it asks, its output is kept, to be recalled.
    """
    color_messages(arguments)
    with own_stderr():
        return _ended(arguments, question)


def _ended(arguments: Sequence[str], question: Asked | None) -> int:
    try:
        return _run(arguments, question)
    except (ClosedPipe, BrokenPipeError):
        discard_stdout()
        return ExitCode.ANSWERED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer ends with 1 when nobody reads the help
            return ExitCode.ANSWERED
        raise
    except BaseException as error:  # a panic of the engine is no Exception
        # For want of memory we interrupt ourselves.
        if isinstance(error, KeyboardInterrupt) or (interrupts.was_raised() and not isinstance(error, TooMuchMemory)):
            return ExitCode.INTERRUPTED
        if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
            discard_stdout()
            error = OutputError(f"cannot write to stdout: {error.strerror}")  # the help, or the version
        error = lack_in(error) or error
        if isinstance(error, MmstatsError):
            report_error(error)
            return exit_code_for(error)
        traceback.print_exc()
        say("error", "this is a bug in mmstats, not a fault of yours")
        return ExitCode.BUG


def report_unwritten(arguments: Sequence[str], error: OSError) -> int:
    """Report that stdout has not taken an output that was recalled, as if it was written first."""
    color_messages(arguments)
    refused = refused_by_stdout(error)
    report_error(refused)
    return exit_code_for(refused)


def exit_code_for(error: MmstatsError) -> ExitCode:
    """The exit code of an error: that of the nearest of its classes that has one."""
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), ExitCode.BUG)


def _run(arguments: Sequence[str], question: Asked | None) -> int:
    import typer
    from typer._click.exceptions import ClickException

    from mmstats.cli.app import app
    from mmstats.cli.parsing import WrongUsage, wrong_usage

    command = typer.main.get_command(app)
    if "_MMSTATS_COMPLETE" in os.environ:
        from mmstats.cli.completion import replace_shells

        replace_shells()
    if len(arguments) == 2 and arguments[0] in ("--install-completion", "--show-completion"):
        from mmstats.cli.completion import for_shell

        try:
            for_shell(*arguments)
        except ValueError as fault:
            raise WrongUsage(f"{arguments[0]} {fault}") from None
        return ExitCode.ANSWERED
    try:
        with transcribed() as transcript:
            ended = command.main(list(arguments), prog_name="mmstats", standalone_mode=False)
    except ClickException as error:
        raise wrong_usage(error) from None
    if not isinstance(ended, Recallable):
        return ended or ExitCode.ANSWERED
    if question and transcript.is_whole:
        keep(question, ended, transcript.written)
    return ExitCode.ANSWERED
