"""The only writer of messages on stderr: one line each, the data in them made visible, no colour and no box."""

import contextlib
import sys

from mmstats.errors import InvalidParams, MmstatsError


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
