"""The bytes below a CSV header as Arrow's reader takes them: valid UTF-8, and with an end that can be told."""

import atexit
import codecs
import re
import secrets
import time
from typing import BinaryIO
from weakref import WeakSet

_UNDECODED = re.compile("[\udc80-\udcff]+")


_PATIENCE = 1  # seconds


class Body:
    """A stream of CSV records.

    Below a header of so many `fields`, `read` is what was already read of the stream. Bytes that are not UTF-8 come as
    `invalid`, since they concern only a question that reads them. A last record is added, of one field more than the
    header has. Where the reader does not meet it, a quote was never closed: Arrow closes it in silence.
    """

    fault = ""  # what the reader gave up on
    stopped = False  # nobody wants the records any more

    def __init__(self, stream: BinaryIO, read: bytes, fields: int, delimiter: str) -> None:
        token = secrets.token_hex(8)  # what nobody can know, no data can hold
        self.invalid = f"\ufdd0{token}"
        self._stream, self._end = stream, delimiter.join([f"\ufdd1{token}"] * (fields + 1))
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ended = self._met = False
        self.has_invalid = False
        self._ready = self._as_utf8(read)

    def is_empty(self) -> bool:
        """Whether there is nothing left to read."""
        return not self._ready and not self._stream.peek(1)  # type: ignore[attr-defined]

    def take_end(self, record: str) -> bool:
        """Whether a record of the wrong length is the one that was added; notes where that one was found."""
        if record.endswith(self._end):
            self._met = True
        return record == self._end

    @property
    def swallows_its_end(self) -> bool:
        """Once everything is read: whether the last record, of the right length, goes on beyond the end."""
        return self._ended and not self._met

    def stop(self) -> None:
        """Have nothing more to read, so that whoever reads ahead comes to an end."""
        self.stopped = self._ended = True
        self._ready = b""

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        while len(self._ready) < size and not self._ended:
            data = self._stream.read(size - len(self._ready))
            self._ready += self._as_utf8(data) if data else self._last()
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _last(self) -> bytes:
        self._ended = True
        return self._as_utf8(b"", final=True) + f"\n{self._end}\n".encode()

    def _as_utf8(self, data: bytes, *, final: bool = False) -> bytes:
        if data.isascii() and not final and not self._decoder.getstate()[0]:
            return data
        text = self._decoder.decode(data, final)
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.has_invalid = True
            return _UNDECODED.sub(self.invalid, text).encode()


class Source:
    """A body as Arrow holds it, whose own threads read ahead."""

    closed = False

    def __init__(self, body: Body) -> None:
        self._body = body
        _held.add(self)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        return self._body.read(size)


_held: WeakSet[Source] = WeakSet()


@atexit.register
def _let_go() -> None:
    """Wait until Arrow holds nothing: a thread of it that still needs the interpreter then would hang or break it."""
    end = time.monotonic() + _PATIENCE
    while _held and time.monotonic() < end:
        time.sleep(0.001)
