"""The only writer on stdout: an answer's bytes, whole, or an error that says why not."""

import os
import sys

from mmstats.errors import OutputError


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
