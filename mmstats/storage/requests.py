"""Requests to a store that an interrupt cancels at once: nobody waits for a silent server.

The library's own waiting hears no signal, so its requests are made on an event loop in a thread of its own. The
library's threads hand their results to that loop. They must be through with it before the interpreter ends: one that
came back from it later would abort the process.
"""

import asyncio
import atexit
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context
from functools import cache
from threading import Thread, current_thread, get_ident, main_thread
from typing import Any, TypeVar, TypeVarTuple, cast

import obstore
from obstore.exceptions import BaseError

from mmstats.interrupts import are_raised
from mmstats.storage.errors import store_error

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LIBRARY_ERRORS = (BaseError, OSError, ValueError)
_PAGE = 1000
_pending: set[Future[Any]] = set()


@contextmanager
def translated_errors(location: str, *, found: bool = False) -> Iterator[None]:
    """Inside the block, the library's errors become ours, naming a location, and whether it was `found` before."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise store_error(location, error, found=found) from None


def head_object(store: Any, key: str) -> Mapping[str, Any]:
    """What the store tells of an object: path, size, ETag and time of the last write."""

    async def head() -> Mapping[str, Any]:
        return cast(Mapping[str, Any], await obstore.head_async(store, key))

    return _response(head())


def list_pages(store: Any, prefix: str, offset: str | None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """What the store tells of the objects below a prefix, and after `offset`, by pages."""
    pages: Any = obstore.list(store, prefix or None, offset=offset, chunk_size=_PAGE)

    async def following() -> Any:
        return await anext(aiter(pages), None)

    while (page := _response(following())) is not None:
        yield page


def get_bytes(store: Any, key: str, options: Mapping[str, Any]) -> bytes:
    """The bytes of an object, or of the range of it that `options` give."""

    async def get() -> bytes:
        response = await obstore.get_async(store, key, options=cast(Any, options))
        return bytes(await response.bytes_async())

    return _response(get())


def _response(request: Coroutine[Any, Any, T]) -> T:
    """The result of a request; raises what it raises, and CancelledError where it is cancelled."""
    future = asyncio.run_coroutine_threadsafe(request, _loop())
    _pending.add(future)
    try:
        return wait_for(future)
    finally:
        _pending.discard(future)


def wait_for(future: "Future[T]") -> T:
    """The result of a future; an interrupt cancels all requests, so that everybody who waits for one gets an error."""
    try:
        return future.result()
    except KeyboardInterrupt:
        cancel_requests()
        raise


def cancel_requests() -> None:
    """Cancel all requests in progress."""
    for future in list(_pending):
        future.cancel()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that knows which threads are handing it something right now."""

    def __init__(self) -> None:
        super().__init__()
        self.handing: set[int] = set()

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Wake the loop to call something."""
        self.handing.add(get_ident())
        try:
            return super().call_soon_threadsafe(callback, *args, context=context)
        finally:
            self.handing.discard(get_ident())


@cache
def _loop() -> _Loop:
    loop = _Loop()
    thread = Thread(target=loop.run_forever, name="requests", daemon=True)
    thread.start()
    atexit.register(_stop, loop, thread)
    if current_thread() is main_thread():
        _watch_interrupts(loop)
    return loop


def _stop(loop: _Loop, thread: Thread) -> None:
    """Stop the loop, once the library's threads have handed over what they had."""
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    while loop.handing:
        time.sleep(0.001)


def _watch_interrupts(loop: _Loop) -> None:
    """Hear of an interrupt at once: the main thread may be in the engine, which waits for its own threads first."""
    receiver, sender = socket.socketpair()
    for end in (receiver, sender):
        end.setblocking(False)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    if before == -1:
        loop.call_soon_threadsafe(loop.add_reader, receiver, _on_signal, receiver, sender)
        return
    signal.set_wakeup_fd(before)  # somebody else's
    for end in (receiver, sender):
        end.close()


def _on_signal(receiver: socket.socket, _sender: socket.socket) -> None:  # which stays open as long as it is known here
    signals = receiver.recv(4096)
    # Only where an interrupt ends the program: a server lets its questions finish.
    if signal.SIGINT in signals and are_raised():
        cancel_requests()
