"""Exit codes: what each means, and which error ends with which."""

from enum import IntEnum

from mmstats.errors import (
    InvalidQuestion,
    InvalidSettings,
    MmstatsError,
    NotEvents,
    OutputError,
    TooMuchMemory,
    Unreadable,
)


class ExitCode(IntEnum):
    """How the command line ended; the value is the contract's."""

    ANSWERED = 0
    DOES_NOT_HOLD = 1
    WRONG_QUESTION = 2
    NOT_EVENTS = 3
    UNREADABLE = 4
    NOT_WRITTEN = 5
    BUG = 70
    INTERRUPTED = 130


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


def exit_code_for(error: MmstatsError) -> ExitCode:
    """The exit code of an error: that of the nearest of its classes that has one."""
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), ExitCode.BUG)
