"""Events from standard input or a pipe: kept in a temporary file, since a row at fault is looked for again."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from mmstats.errors import Unreadable
from mmstats.events.eventfile import EventFile
from mmstats.events.formats import BINARY, Format, compression_of, text_format_of
from mmstats.events.textfile import open_bytes

_HEAD = 1 << 16


def spooled(stream: BinaryIO, name: str, input_format: str | None, folder: str) -> EventFile:
    """A file in `folder` with all that comes from the stream, in the format named, or else the one its bytes show.

    Raises Unreadable when it cannot be read or there is no room for it.
    """
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise Unreadable(f"{name}: cannot be kept in {folder}: {error.strerror}") from None
    head = _head(Path(file.name))
    for magic, binary in BINARY.items():
        if head.startswith(magic) and not input_format:
            raise Unreadable(f"{name}: looks like {binary}, not text", hint=f"say --input-format {binary}")
    compression = compression_of(head)
    found = EventFile(file.name, Format(input_format or "csv", compression), name=name)
    if input_format or not head:
        return found
    with open_bytes(found) as opened:
        return EventFile(file.name, Format(text_format_of(_first_text(opened)), compression), name=name)


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Raises Unreadable when there is none.
    """
    if sys.stdin is None:
        raise Unreadable("stdin: it is closed")
    return sys.stdin.buffer


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _first_text(stream: BinaryIO) -> bytes:
    """Bytes of which the first is not blank, or none."""
    while head := stream.read(_HEAD):
        if head.strip():
            return head
    return b""
