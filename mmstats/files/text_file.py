"""The bytes of text: a file, decompressed as they come, in blocks of whole lines; a stream, kept as a file first."""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from gzip import BadGzipFile
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmstats.dataset import Dataset
from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import BINARY, BOM, EventFile, Format, compression_of, text_format_of
from mmstats.files.fingerprint import changed_error
from mmstats.resources import lack_in, refused
from mmstats.storage.disk import DISK

_HEAD = 1 << 16  # bytes of a stream that show its format
_MARKUP = (b"<!doctype html", b"<html", b"<head", b"<body", b"<?xml")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # marks of either byte order
UTF16_HINT = "convert it to UTF-8: iconv -f UTF-16 -t UTF-8"
_COMPARED = 1 << 12  # bytes of a file that show whether it was written anew


@contextmanager
def open_bytes(file: EventFile, advance: Callable[[int], None] = lambda _: None) -> Iterator[BinaryIO]:
    """The decompressed bytes of a file, without a byte order mark; `advance` is told of the bytes read from disk.

    Raises NotEvents for a web page. Raises Unreadable, naming the file, for whatever opening it or reading from it
    inside the block meets, and for one that begins otherwise once it is read: a file that grows begins as it did.
    """
    try:
        with file.storage.open(file.path) as disk:
            head = _head(file, disk)
            with _decompressed(disk, file.format.compression, advance) as stream:
                _pass_over_mark(file, stream)
                _refuse_markup(file, stream)
                yield cast(BinaryIO, stream)
            if _head(file, disk) != head:
                raise changed_error(str(file))
    except EOFError:
        raise Unreadable(f"{file}: the compressed data is cut off", hint="was it copied whole?") from None
    except BadGzipFile as error:
        raise Unreadable(f"{file}: not valid gzip ({error})") from None
    except OSError as error:
        raise _unreadable(file, error) from None


def _head(file: EventFile, disk: BinaryIO) -> bytes:
    """The first bytes of an open file as they are on disk now; nothing of an object, which is read as it was found."""
    if file.storage is not DISK:
        return b""
    raw = cast(io.RawIOBase, cast(io.BufferedReader, disk).raw)
    raw.seek(0)
    head = raw.read(_COMPARED) or b""
    raw.seek(0)
    return head


def _pass_over_mark(file: EventFile, stream: io.BufferedReader) -> None:
    """Pass over a byte order mark; refuse text that is compressed although its name does not say so."""
    head = stream.peek(4)[:4]
    if head.startswith(BOM):
        stream.read(len(BOM))
    if head.startswith(_UTF16) or (len(head) > 1 and 0 in head[:2]):
        raise Unreadable(f"{file}: looks like UTF-16", hint=UTF16_HINT)
    compression = compression_of(head)
    if compression:
        raise Unreadable(f"{file}: is {compression}, not text", hint="name it .gz or .zst, or send it through --data -")


def _refuse_markup(file: EventFile, stream: io.BufferedReader) -> None:
    """Refuse a web page, which would be read as a header without rows, or as a line that is no object."""
    head = stream.peek(_COMPARED)[:_COMPARED].lstrip()
    if head.startswith(b"<") and (head := head.lower()).startswith(_MARKUP):
        page = "is XML" if head.startswith(b"<?xml") else "is HTML"
        raise NotEvents(f"{file}: {page}, not {file.format.name.upper()}", hint="did a server send an error page?")


def _unreadable(file: EventFile, error: OSError) -> Unreadable:
    if error.strerror or file.format.compression not in ("zstd", "brotli"):
        return refused(file, error)
    if "Truncated" in str(error):
        return Unreadable(f"{file}: the compressed data is cut off", hint="was it copied whole?")
    return Unreadable(f"{file}: not valid {file.format.compression} ({error})")


@contextmanager
def _decompressed(disk: BinaryIO, compression: str, advance: Callable[[int], None]) -> Iterator[io.BufferedReader]:
    counted = cast(BinaryIO, _Counted(disk, advance))
    if compression and not disk.read(1):
        raise EOFError
    disk.seek(0)
    if compression in ("zstd", "brotli"):
        import pyarrow as pa  # knows them, which Python 3.11 does not

        with pa.CompressedInputStream(pa.PythonFile(counted, "r"), compression) as stream:
            yield io.BufferedReader(stream, 1 << 20)
    elif compression == "gzip":
        from isal.igzip import IGzipFile  # three times as fast as the standard library's
        from isal.igzip_lib import IsalError

        try:
            yield io.BufferedReader(cast(Any, IGzipFile)(fileobj=counted), 1 << 20)
        except cast(type[Exception], IsalError) as error:  # its types call it an instance
            raise BadGzipFile(str(error)) from None
    else:
        yield io.BufferedReader(cast(io.RawIOBase, counted), 1 << 16)


class _Counted(io.RawIOBase):
    """A file that tells how many bytes have been read from it, those read again only once."""

    def __init__(self, disk: BinaryIO, advance: Callable[[int], None]) -> None:
        self._disk, self._advance = disk, advance
        self._told = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._disk.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._disk.seek(offset, whence)

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        count = cast(io.RawIOBase, self._disk).readinto(buffer) or 0
        more = self._disk.tell() - self._told
        if count and more > 0:
            self._told += more
            self._advance(more)
        return count


def line_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The bytes of a stream in blocks of about `size` that end where a line ends; the last line needs no newline."""
    raw = getattr(stream, "raw", None)
    lines = _lines_at_once if isinstance(raw, _Counted) and raw.seekable() else _lines
    while data := lines(stream, size):
        yield data


def _lines(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    return data if data.endswith(b"\n") else data + stream.readline()


def _lines_at_once(stream: BinaryIO, size: int) -> bytes:
    """The same of a file that can be read again: where its last line ends is found first, which spares a copy."""
    start = stream.tell()
    stream.seek(start + size - 1)
    stream.readline()
    end = stream.tell()
    stream.seek(start)
    return stream.read(end - start)


def standard_input() -> BinaryIO:
    """The bytes of standard input; raises Unreadable when there is none."""
    if sys.stdin is None:
        raise Unreadable("stdin: it is closed")
    return sys.stdin.buffer


def spooled(stream: BinaryIO, name: str, dataset: Dataset, spool: ExitStack) -> EventFile:
    """All that comes from a stream as a file, in the format given, or else the one that its bytes show.

    It lies in a temporary folder that goes with `spool`. Raises Unreadable when it cannot be read or there is no room.
    """
    folder = spool.enter_context(tempfile.TemporaryDirectory(prefix="mmstats-"))
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise lack_in(error) or Unreadable(f"{name}: cannot be kept in {folder}: {error.strerror}") from None
    with Path(file.name).open("rb") as opened:
        head = opened.read(_HEAD)
    for magic, binary in BINARY.items():
        if head.startswith(magic) and not dataset.input_format:
            raise Unreadable(f"{name}: looks like {binary}, not text", hint=f"say --input-format {binary}")

    def as_format(format_name: str) -> EventFile:
        known = Format(format_name, compression_of(head))
        return EventFile(file.name, known, name=name, status=DISK.status(file.name))

    unsaid = dataset.dialect.unsaid_format or "csv"
    if dataset.input_format or not head:
        return as_format(dataset.input_format or unsaid)
    with open_bytes(as_format("csv")) as text:
        while (first := text.read(_HEAD)) and not first.strip():
            continue
    shown = text_format_of(first)
    return as_format(unsaid if shown == "csv" else shown)
