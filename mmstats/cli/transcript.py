"""Transcripts of what command lines write to stdout and stderr, from which an output is recalled."""

from collections.abc import Iterator
from contextlib import contextmanager


class Transcript:
    """What is written, in order: bytes to stdout, text to stderr.

    It `is_whole` unless something else is shown, which may be otherwise another time: by a pager, or while reading
    lasts.
    """

    def __init__(self) -> None:
        self.written: list[bytes | str] = []
        self.is_whole = True


_open: list[Transcript] = []  # also the display of progress, in a thread of its own, has to find it


@contextmanager
def transcribed() -> Iterator[Transcript]:
    """The transcript of what is written inside the block."""
    transcript = Transcript()
    _open.append(transcript)
    try:
        yield transcript
    finally:
        _open.remove(transcript)


def transcribe(written: bytes | str) -> None:
    """Something is written: bytes to stdout, or text to stderr."""
    for transcript in _open:
        transcript.written.append(written)


def shown_untranscribed() -> None:
    """Something is shown that no transcript has."""
    for transcript in _open:
        transcript.is_whole = False
