"""What the first bytes of a file show that it is, where its name or a flag says something else."""

import re
from collections.abc import Mapping

from mmstats.errors import DatasetError, NotEvents, Unreadable
from mmstats.files.event_file import BINARY, EventFile, compression_of, text_format_of

HEAD = 1 << 12  # bytes that show what a file is
_NAMES = {"parquet": "Parquet", "arrow": "Arrow IPC"}
_MARKUP = {b"<?xml": "XML", **dict.fromkeys((b"<!doctype html", b"<html", b"<head", b"<body"), "HTML")}
_PACKED = {b"PK\3\4": "a zip archive", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
_ENDINGS = {"gzip": ".gz", "zstd": ".zst", "brotli": ".br", "parquet": ".parquet", "arrow": ".arrow"}
_SEPARATORS = re.compile(rb"[,;\t|]")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f"})


def other_content(file: EventFile, head: bytes) -> DatasetError | None:
    """The error for a file of events whose first bytes, unpacked, show that it is something else than its format.

    None where they do not; what is wrong then is said by its reader.
    """
    name = _NAMES.get(file.format.name, file.format.name.upper())
    if not head and not file.format.is_text:
        return Unreadable(f"{file}: an empty file is not {name}")
    if page := _begun(head.lstrip().lower(), _MARKUP):
        return NotEvents(f"{file}: is {page}, not {name}", hint="did a server send an error page?")
    if packed := _begun(head, _PACKED):
        return Unreadable(f"{file}: is {packed}, not {name}", hint="unpack it")
    found = _begun(head, BINARY)
    if not found and not file.format.is_text and is_text(head):
        found = "ndjson" if head.lstrip().startswith(b"{") else text_format_of(head)
        if found == "csv" and not _SEPARATORS.search(head.partition(b"\n")[0]):
            return None  # one word says nothing
    if not found or found == file.format.name:
        return None
    hint = f"{'unpack it: then ' * bool(file.format.compression)}--input-format {found} reads it"
    return Unreadable(f"{file}: is {_NAMES.get(found, found.upper())}, not {name}", hint=hint)


def not_compressed(file: EventFile, head: bytes) -> Unreadable | None:
    """The error for a file whose first bytes on disk are not of the compression that its name says."""
    named, found = file.format.compression, compression_of(head) or _begun(head, BINARY)
    if found and found != named:
        hint = f"its name should end in {_ENDINGS[found]}"
        return Unreadable(f"{file}: not valid {named}: it is {_NAMES.get(found, found)}", hint=hint)
    if is_text(head):
        return Unreadable(f"{file}: not valid {named}: it is not compressed", hint=f"take the {_ENDINGS[named]} off")
    return None


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 3:  # else a character was cut
            return False
    return bool(head.strip()) and len(head) == len(head.translate(None, _CONTROLS))


def _begun(head: bytes, known: Mapping[bytes, str]) -> str:
    return next((name for magic, name in known.items() if head.startswith(magic)), "")
