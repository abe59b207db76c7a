"""One connection: what is no HTTP is refused in our form, and nobody holds a connection without asking on it."""

import asyncio
import contextlib
import sys
from asyncio import TimerHandle
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mmstats.serve.envelope import Refused

# Seconds in which a request must have come in, and in which a refused client may go on sending before it is cut off.
HEAD_SECONDS = 10.0
LINGER_SECONDS = 2.0
# Files that connections leave: for those accepted in a row, the workers' pipes, the dataset and the keys.
_SPARE_FILES = 128
_FILES_OF_A_WORKER = 4


class Room:
    """How many connections there may be, and those on which nothing is asked, the longest idle first."""

    def __init__(self, workers: int) -> None:
        self.idle: dict[Connection, None] = {}
        self.most = max(_open_files() - _SPARE_FILES - _FILES_OF_A_WORKER * workers, 16)


class Connection(H11Protocol):
    """The library's protocol with a deadline for each request, and room for new clients when files run out."""

    def __init__(self, room: Room, **of_the_library: Any) -> None:
        super().__init__(**of_the_library)
        self._room = room
        self._deadline: TimerHandle | None = None
        self._lingering = False
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection; while there are too many, the one idle longest is closed."""
        super().connection_made(transport)
        self._watch()
        while len(self.connections) > self._room.most and self._room.idle:
            next(iter(self._room.idle))._cut_off()

    def _cut_off(self) -> None:
        """End the connection, which counts no more from now on."""
        self._set_deadline(None)
        self.connections.discard(self)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if not self._lingering:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        super().connection_lost(exc)
        self._set_deadline(None)

    def _watch(self) -> None:
        """Whether a client that asks nothing has until when to do so."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.is_closing():
            self._set_deadline(None)
        elif self._deadline is None:
            self._set_deadline(HEAD_SECONDS)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        if seconds is None:
            self._deadline = None
            self._room.idle.pop(self, None)
        else:
            self._deadline = self.loop.call_later(seconds, self._expire)
            self._room.idle[self] = None

    def _expire(self) -> None:
        """Close the connection, unless its client is still taking the last answer in."""
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        if unsent and unsent != before:
            self._set_deadline(HEAD_SECONDS)
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the library's signature
        """Refuse what is no HTTP, and read on for a while: a client still sending would else not see why."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        # Of the library's words only those before the client's own.
        why = str(sys.exc_info()[1]).partition(":")[0].partition("(")[0].strip()
        fault = f"is no HTTP/1.1 request with a head of at most 64 KiB: {why}"
        body = Refused("invalid_params", {"fieldErrors": {"request": [fault]}}).body()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        self.transport.write(b"".join(filter(None, (self.conn.send(event) for event in events))))
        self._lingering = True
        self._set_deadline(LINGER_SECONDS)
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _open_files() -> int:
    """How many files may be open, raised as far as it goes."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1 << 20
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says it has no limit, and has
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
