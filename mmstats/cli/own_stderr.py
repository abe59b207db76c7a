"""A stderr that is ours alone: libraries print panics of their threads there, whatever becomes of the error."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2  # the descriptor that libraries write to


@contextmanager
def own_stderr() -> Iterator[None]:
    """Inside the block, only `sys.stderr` writes to stderr.

    What a thread of the engine prints as it panics is in the error, too, that is raised for it.
    """
    outer = sys.stderr
    try:
        is_stderr = outer is not None and outer.fileno() == _STDERR
        saved = _duplicated(_STDERR)
    except (OSError, io.UnsupportedOperation):  # there is no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    if is_stderr:
        sys.stderr = os.fdopen(
            saved, "w", buffering=1, encoding=outer.encoding, errors="backslashreplace", closefd=False
        )
    try:
        yield
    finally:
        sys.stderr = outer
        os.dup2(saved, _STDERR)
        os.close(saved)


def _duplicated(descriptor: int) -> int:
    """A duplicate that does not take the place of a standard stream that is closed."""
    duplicate = os.dup(descriptor)
    if duplicate > _STDERR:
        return duplicate
    try:
        return _duplicated(descriptor)
    finally:
        os.close(duplicate)
