"""Requests that are waited for, and can be given up at any moment: an interrupt must not wait for a silent server.

The library's own waiting hears no signal, so that its requests are made on an event loop in a thread of its own.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_on_their_way: set[Future[Any]] = set()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="requests", daemon=True).start()
    return loop


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
