"""HTTP/1.1 connections: the bounds of a request, how a connection ends, and clients that close their side of it."""

import asyncio
import contextlib
import sys
from asyncio import TimerHandle
from functools import partial
from typing import Any, cast

import h11
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from mmstats.serve.errors import ApiError

# Seconds in which a request's head must come in, and a client must close its side after the server has closed its own.
HEAD_SECONDS = 10.0
_HEAD_BYTES = 64 << 10
# Open files that connections leave free: for those accepted in a row, the dataset, the keys and the workers' pipes.
_SPARE_FILES = 128
_FILES_OF_A_WORKER = 4
# Every answer begins with this, whatever its status. The first byte may go out early after so many seconds, the next
# ones each after twice as long, which is enough for 100 seconds.
_BEGINNING = b"HTTP/1.1 "
_PROBE_SECONDS = 0.2
_CLOSE = (b"connection", b"close")


class ConnectionLimit:
    """How many connections may be open, and those that wait for a request, the longest idle first."""

    def __init__(self, workers: int) -> None:
        self.idle: dict[HttpProtocol, None] = {}
        self.max = max(_open_file_limit() - _SPARE_FILES - _FILES_OF_A_WORKER * workers, 16)
        self.stopping = False

    def stop(self) -> None:
        """Take up no more connections: one that was accepted just before has not been told that the server stops."""
        self.stopping = True


def _open_file_limit() -> int:
    """How many files may be open, with the limit raised as far as it goes."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1 << 20
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS reports no limit, and has one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


class StrictConnection(h11.Connection):
    """The server's side of HTTP/1.1 that bounds a request's head, and takes none after one that has two lengths."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        self._head: list[bytes] = []

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """The bytes of an event; those of an answer's head come with what follows, so that both are one packet."""
        data = super().send_with_data_passthrough(event)
        if isinstance(event, h11.Response):
            self._head = data or []
            return []
        head, self._head = self._head, []
        return None if data is None else head + data

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event of what was received.

        Raises RemoteProtocolError for what is no HTTP/1.1, and for a head that is too long.
        """
        before = len(self.trailing_data[0]) if self.their_state is h11.IDLE else 0
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        if before - len(self.trailing_data[0]) > _HEAD_BYTES:  # h11 bounds only heads that have not come in whole
            raise h11.RemoteProtocolError("Receive buffer too long")
        if not event.http_version.startswith(b"1."):
            raise h11.RemoteProtocolError("another version of HTTP")
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
            # What comes next may be a request or not, as whoever passed this one on has read it (RFC 9112, 6.3).
            headers = [*event.headers, _CLOSE]
            return h11.Request(
                method=event.method, target=event.target, headers=headers, http_version=event.http_version
            )
        return event


class ClientTransport:
    """A connection's transport, which closes in stages, and may write the beginning of an answer before the rest."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.awaits_client = True
        self._half_closed = False
        self._begun = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is written."""
        return self._half_closed or self._transport.is_closing()

    def close(self) -> None:
        """Close for writing if it awaits that the client closes its side (RFC 9112, 9.6), else altogether.

        The system resets a connection when it is closed with something unread, or something comes in afterwards: then
        a client that is still sending, as the rest of a large body, does not get to read its answer.
        """
        if self.awaits_client and not self._half_closed:
            self._half_closed = True
            self._transport.write_eof()
            self._transport.resume_reading()
        elif not self.awaits_client:
            self._transport.close()

    def write(self, data: bytes) -> None:
        """Write, without the bytes of an answer that are written already."""
        if data:
            self._transport.write(data[self._begun :])
            self._begun = 0

    def begin_answer(self) -> None:
        """Write one more byte of the answer to come."""
        self._transport.write(_BEGINNING[self._begun : self._begun + 1])
        self._begun = min(self._begun + 1, len(_BEGINNING))


async def _run(app: Any, connection: h11.Connection, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an application; an answer that comes before the end of the request's body is the connection's last."""

    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start" and connection.their_state is h11.SEND_BODY:
            message["headers"] = [*message["headers"], _CLOSE]
        await send(message)

    await app(scope, receive, send_last)


class HttpProtocol(H11Protocol):
    """Uvicorn's protocol with a deadline for each request's head, a limit of connections, and our JSON in a 400."""

    def __init__(self, limit: ConnectionLimit, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn = StrictConnection()
        # No method: the connection, with what it has received, is to be freed when it is lost, and not by and by.
        self.app = partial(_run, self.app, self.conn)
        self._limit = limit
        self._deadline: TimerHandle | None = None
        self._half_closed = False
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection; above the limit, the one idle longest is closed, in a stopping server this one."""
        self._client_transport = ClientTransport(transport)
        super().connection_made(cast(asyncio.Transport, self._client_transport))
        self._update_deadline()
        if self._limit.stopping:
            self.transport.abort()
        while len(self.connections) > self._limit.max and self._limit.idle:
            oldest = next(iter(self._limit.idle))
            oldest._set_deadline(None)
            oldest.connections.discard(oldest)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, unless its last request is taken already."""
        if not self.transport.is_closing() and self.conn.their_state is not h11.MUST_CLOSE:
            super().data_received(data)
            self._update_deadline()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what a client asked before it closed its side, and then close; a request that it cut off is refused.

        Returns whether the connection stays open.
        """
        self._half_closed, self._client_transport.awaits_client = True, False
        if self._answering and self.conn.their_state is not h11.SEND_BODY:
            self.loop.call_later(_PROBE_SECONDS, self._probe, self.cycle, _PROBE_SECONDS)
            return True
        if not self.transport.is_closing() and (self._answering or self.conn.trailing_data[0]):
            self.conn.receive_data(b"")
            self.handle_events()
        return False

    def _probe(self, cycle: RequestResponseCycle, seconds: float) -> None:
        """See whether a client that has closed its side still waits for its answer.

        One that has gone has sent nothing else, but its system resets the connection when something is written.
        """
        if not (cycle.response_started or cycle.disconnected):
            self._client_transport.begin_answer()
            self.loop.call_later(2 * seconds, self._probe, cycle, 2 * seconds)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._update_deadline()
        if self._half_closed and not self.eof_received():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._set_deadline(None)

    def shutdown(self) -> None:
        """Stop: a request is answered yet, clients are not waited for."""
        self._client_transport.awaits_client = False
        super().shutdown()
        if self.transport.is_closing():
            self.transport.close()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not (self.cycle.response_complete or self.cycle.disconnected)

    def _update_deadline(self) -> None:
        """Give a client until the deadline to ask, or to receive its last answer."""
        if self._answering:
            self._set_deadline(None)
        elif self._deadline is None:
            self._set_deadline(HEAD_SECONDS)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        if seconds is None:
            self._deadline = None
            self._limit.idle.pop(self, None)
        else:
            self._deadline = self.loop.call_later(seconds, self._expire)
            self._limit.idle[self] = None

    def _expire(self) -> None:
        """Close the connection, unless its client is still receiving the last answer."""
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        if unsent and unsent != before:
            self._set_deadline(HEAD_SECONDS)
        else:
            self.transport.abort()

    def _should_upgrade(self) -> bool:
        """No: a server may pass over the wish for another protocol (RFC 9110, 7.8); uvicorn would log advice."""
        return False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is no HTTP."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            # Of h11's message only what comes before the client's own bytes.
            why = str(sys.exc_info()[1]).partition(":")[0].partition("(")[0].strip()
            fault = f"is no HTTP/1.1 request with a head of at most 64 KiB: {why}"
            body = ApiError("invalid_params", {"fieldErrors": {"request": [fault]}}).body()
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), _CLOSE]
            head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            events = (head, h11.Data(data=body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._set_deadline(HEAD_SECONDS)
        self.transport.close()
