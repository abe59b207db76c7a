"""Requests that are waited for, and can be given up at any moment: an interrupt must not wait for a silent server.

The library's own waiting hears no signal, so that its requests are made on an event loop in a thread of its own. Its
threads hand their results to that loop. They must be through with it before the interpreter ends: one that came back
from it later would abort the process.
"""

import asyncio
import atexit
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from functools import cache
from threading import Thread, current_thread, get_ident, main_thread
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SIGNALS = 4096
_on_their_way: set[Future[Any]] = set()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that knows which threads are just handing something to it."""

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
    atexit.register(_end, loop, thread)
    if current_thread() is main_thread():
        _listen(loop)
    return loop


def _listen(loop: _Loop) -> None:
    """Hear of an interrupt at once: the main thread may be in the engine, which waits for its own threads first."""
    hearing, told = socket.socketpair()
    for end in (hearing, told):
        end.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    if before == -1:
        loop.call_soon_threadsafe(loop.add_reader, hearing, _hear, hearing, told)
        return
    signal.set_wakeup_fd(before)  # somebody else's
    for end in (hearing, told):
        end.close()


def _hear(hearing: socket.socket, _kept: socket.socket) -> None:
    ends = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a server lets its questions finish
    if signal.SIGINT in hearing.recv(_SIGNALS) and ends:
        give_up()


def _end(loop: _Loop, thread: Thread) -> None:
    """Take nothing more, once the threads of the library have handed over what they had."""
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    while loop.handing:
        time.sleep(0.001)


def answered(request: Coroutine[Any, Any, T]) -> T:
    """What a request gives; raises what it raises, and CancelledError where it is given up."""
    future = asyncio.run_coroutine_threadsafe(request, _loop())
    _on_their_way.add(future)
    try:
        return waited_for(future)
    finally:
        _on_their_way.discard(future)


def waited_for(future: "Future[T]") -> T:
    """The result of a future; interrupted, all requests are given up, and so who waits for them."""
    try:
        return future.result()
    except KeyboardInterrupt:
        give_up()
        raise


def give_up() -> None:
    """Give up all requests that are on their way."""
    for future in list(_on_their_way):
        future.cancel()
