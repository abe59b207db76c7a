"""The bytes of CSV below the header as Arrow is given them: UTF-8, and records whose quotes are where they may be."""

import atexit
import codecs
import re
import secrets
import time
from typing import BinaryIO
from weakref import WeakSet

from mmstats.readers.csv_quotes import SoundRecords
from mmstats.readers.csv_swallowed import hold_rows
from mmstats.readers.csv_syntax import CsvSyntax

_UNDECODED = re.compile("[\udc80-\udcff]+")
_EXIT_SECONDS = 1  # that the end of the process waits for Arrow's threads


class Body:
    """A stream of CSV records.

    `read` is what was already read of the stream below the header. Bytes that are not UTF-8 come as `invalid`, since
    they concern only a question that reads them. It ends before a record that has a quote where none may be, unless
    the `records` leave such out, and where the names of the fields change.
    """

    fault = ""  # what the reader gave up on
    stopped = False  # nobody wants the records any more
    holds_rows = False  # some quoted field has lines that would be rows by themselves

    def __init__(self, stream: BinaryIO, read: bytes, records: SoundRecords, syntax: CsvSyntax) -> None:
        self.invalid = f"\ufdd0{secrets.token_hex(8)}"  # what nobody can know, no data can hold
        self.records, self._syntax = records, syntax
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ended = self._stream_ended = False
        self.has_invalid = False
        self._ready = self._sound(read)

    def go_on(self) -> None:
        """Have the records come next that stand below other names."""
        self.records.go_on()
        self._ended = False
        self._ready = self._sound(b"")

    def is_empty(self) -> bool:
        """Whether there is nothing left to read."""
        while not self._ready and not self._ended:
            self._read_on(1 << 16)
        return not self._ready

    def stop(self) -> None:
        """Have nothing more to read, so that whoever reads ahead comes to an end."""
        self.stopped = self._ended = True
        self._ready = b""

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        while len(self._ready) < size and not self._ended:
            self._read_on(size - len(self._ready))
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _read_on(self, size: int) -> None:
        data = self._stream.read(size)
        self._stream_ended = not data
        self._ready += self._sound(data)

    def _sound(self, data: bytes) -> bytes:
        sound = self.records.pass_on(self._as_utf8(data, final=self._stream_ended), ended=self._stream_ended)
        self.holds_rows = self.holds_rows or hold_rows(sound, self._syntax, len(self.records.names))
        self._ended = self._stream_ended or self.records.is_broken or self.records.has_other_names
        return sound

    def _as_utf8(self, data: bytes, *, final: bool) -> bytes:
        if data.isascii() and not final and not self._decoder.getstate()[0]:
            return data
        text = self._decoder.decode(data, final)
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.has_invalid = True
            return _UNDECODED.sub(self.invalid, text).encode()


class HeldBody:
    """A body as Arrow holds it, whose own threads read ahead."""

    closed = False

    def __init__(self, body: Body) -> None:
        self._body = body
        _held.add(self)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        return self._body.read(size)


_held: WeakSet[HeldBody] = WeakSet()


@atexit.register
def _wait_for_arrow() -> None:
    """Wait until Arrow holds nothing: a thread of it that still needs the interpreter then would hang or break it."""
    end = time.monotonic() + _EXIT_SECONDS
    while _held and time.monotonic() < end:
        time.sleep(0.001)
