"""One connection: what is no HTTP is refused in our form, and nobody holds a connection without asking on it."""

import asyncio
import contextlib
from asyncio import TimerHandle

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mmstats.serve.envelope import Refused

# Seconds in which a request must have come in, and in which a refused client may go on sending before it is cut off.
HEAD_SECONDS = 10.0
LINGER_SECONDS = 2.0
_SPARE_FILES = 64
_MALFORMED = Refused("invalid_params", {"fieldErrors": {"request": ["is no HTTP/1.1 request of at most 64 KiB"]}})


class Connection(H11Protocol):
    """The library's protocol with a deadline for each request, and room for new clients when files run out."""

    idle: "dict[Connection, None]" = {}  # noqa: RUF012 - of all connections, the longest idle first
    most = 1 << 20
    _deadline: TimerHandle | None = None
    _lingering = False
    _unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection; when there are too many, the one idle longest is closed."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most and self.idle:
            next(iter(self.idle)).transport.abort()

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
            self.idle.pop(self, None)
        else:
            self._deadline = self.loop.call_later(seconds, self._expire)
            self.idle[self] = None

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
        body = _MALFORMED.body()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        events = (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        self.transport.write(b"".join(filter(None, (self.conn.send(event) for event in events))))
        self._lingering = True
        self._set_deadline(LINGER_SECONDS)
        if self.transport.can_write_eof():
            self.transport.write_eof()


def make_room() -> None:
    """Raise the number of files that may be open as far as it goes, and keep connections below it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says it has no limit, and has
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    Connection.most = max(soft - _SPARE_FILES, 1) if soft != resource.RLIM_INFINITY else Connection.most
