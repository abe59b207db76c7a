"""The command line: reads a question, shows an answer, and turns every error into one line and an exit code."""

import errno
import os
import traceback
from collections.abc import Sequence

from mmstats.cli.exits import ExitCode, exit_code_for
from mmstats.cli.terminal import ClosedPipe, discard_stdout, report_error, say
from mmstats.errors import MmstatsError, OutputError

_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EBADF)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing the user can cause shows a traceback."""
    try:
        return _run(arguments)
    except (ClosedPipe, BrokenPipeError):
        discard_stdout()
        return ExitCode.ANSWERED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer ends with 1 when nobody reads the help
            return ExitCode.ANSWERED
        raise
    except BaseException as error:  # a panic of the engine is no Exception
        if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
            discard_stdout()
            error = OutputError(f"cannot write to stdout: {error.strerror}")  # the help, or the version
        if isinstance(error, MmstatsError):
            report_error(error)
            return exit_code_for(error)
        traceback.print_exc()
        say("error", "this is a bug in mmstats, not a fault of yours")
        return ExitCode.BUG


def _run(arguments: Sequence[str]) -> int:
    import typer
    from typer._click.exceptions import ClickException

    from mmstats.cli.app import app
    from mmstats.cli.parsing import wrong_usage

    command = typer.main.get_command(app)
    if "_MMSTATS_COMPLETE" in os.environ:
        from mmstats.cli.completion import replace_shells

        replace_shells()
    try:
        return command.main(list(arguments), prog_name="mmstats", standalone_mode=False) or ExitCode.ANSWERED
    except ClickException as error:
        raise wrong_usage(error) from None
