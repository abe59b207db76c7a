"""Events from standard input or a pipe: kept in a temporary file, since a bad row is looked for by reading again."""

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from mmstats.errors import Unreadable
from mmstats.files.event_file import BINARY, EventFile, Format, compression_of, text_format_of
from mmstats.files.text_file import open_bytes
from mmstats.storage.disk import DISK

_HEAD = 1 << 16


def standard_input() -> BinaryIO:
    """The bytes of standard input; raises Unreadable when there is none."""
    if sys.stdin is None:
        raise Unreadable("stdin: it is closed")
    return sys.stdin.buffer


def spooled(stream: BinaryIO, name: str, input_format: str | None, spool: ExitStack) -> EventFile:
    """All that comes from a stream as a file, in the format named, or else the one that its bytes show.

    It lies in a temporary folder that goes with `spool`. Raises Unreadable when it cannot be read or there is no room.
    """
    folder = spool.enter_context(tempfile.TemporaryDirectory(prefix="mmstats-"))
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise Unreadable(f"{name}: cannot be kept in {folder}: {error.strerror}") from None
    with Path(file.name).open("rb") as opened:
        head = opened.read(_HEAD)
    for magic, binary in BINARY.items():
        if head.startswith(magic) and not input_format:
            raise Unreadable(f"{name}: looks like {binary}, not text", hint=f"say --input-format {binary}")

    def as_format(format_name: str) -> EventFile:
        known = Format(format_name, compression_of(head))
        return EventFile(file.name, known, name=name, status=DISK.status(file.name))

    if input_format or not head:
        return as_format(input_format or "csv")
    with open_bytes(as_format("csv")) as text:
        while (first := text.read(_HEAD)) and not first.strip():
            continue
    return as_format(text_format_of(first))
