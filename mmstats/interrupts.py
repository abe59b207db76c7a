"""What an interrupt (Ctrl-C) does to the program: it ends it at once, or is raised where something must be cleaned up.

Raised in the middle of an import, it may be printed, swallowed or made another error by whichever library is loaded.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 130


class _Handler:
    """The program's own handler: it ends the process, once `tidy` is called, or raises the interrupt in its place."""

    def __init__(self) -> None:
        self.raises = self.has_raised = False
        self.tidy: Callable[[], None] = lambda: None

    def __call__(self, _number: int, _frame: object) -> None:
        if not self.raises:
            self.tidy()
            os._exit(EXIT_CODE)
        self.has_raised = True
        raise KeyboardInterrupt


_handler = _Handler()


def end_at_once() -> None:
    """From now on, an interrupt ends the process at once, with its exit code and without a word.

    Where interrupts are ignored, as in a job that a shell has started in the background, they stay so. The handler is
    never replaced: the engine, when it is imported, puts its own before it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _handler)
    # Registered first and so called last: after that, Python would let the signal kill the process.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    show = sys.unraisablehook

    def show_other(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):  # it came up where nobody can catch it
            os._exit(EXIT_CODE)
        show(unraisable)

    sys.unraisablehook = show_other


@contextmanager
def raised() -> Iterator[None]:
    """Have an interrupt raised as KeyboardInterrupt inside the block, also out of a read that waits.

    The engine's import has stopped it from ending such a read (polars#21739).
    """
    if hasattr(signal, "siginterrupt"):  # not on Windows
        signal.siginterrupt(signal.SIGINT, True)
    _handler.raises = True
    try:
        yield
    finally:
        _handler.raises = False


def are_raised() -> bool:
    """Whether an interrupt would be raised as KeyboardInterrupt now, by Python's handler or by ours."""
    handler = signal.getsignal(signal.SIGINT)
    return handler is signal.default_int_handler or (_handler.raises and handler is _handler)


def was_raised() -> bool:
    """Whether our handler has raised an interrupt: any error after that may be what a library has made of it."""
    return _handler.has_raised


def before_end(tidy: Callable[[], None]) -> None:
    """What to call before an interrupt ends the process at once."""
    _handler.tidy = tidy
