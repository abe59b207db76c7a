"""A bound on the memory that a computation takes: a thread measures the process, and stops what passes the bound.

Python does not know the engine's memory, so that the resident memory of the whole process counts, as the operating
system tells it. It is measured every 20 ms: what is taken in between, and until the engine stops, comes on top.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mmstats.errors import TooMuchMemory
from mmstats.interrupts import are_raised

T = TypeVar("T")

_INTERVAL_SECONDS = 0.02
_REPEAT_SECONDS = 1.0


class Watch:
    """A thread that calls `stop` when the process takes more than `size` bytes, and again as long as it does."""

    def __init__(self, size: int, stop: Callable[[], None]) -> None:
        self.passed = False
        self._size, self._stop = size, stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    def start(self) -> None:
        """Measure from now on."""
        self._thread.start()

    def end(self) -> None:
        """Stop measuring; an interrupt that is due comes before this returns."""
        self._over.set()
        self._thread.join()
        time.sleep(0)

    def _measure(self) -> None:
        resident = _resident()
        while not self._over.wait(_INTERVAL_SECONDS):
            if resident() > self._size:
                self.passed = True
                self._stop()
                self._over.wait(_REPEAT_SECONDS)


def _resident() -> Callable[[], int]:
    """A function that measures how many bytes of this process are resident."""
    import psutil  # not at the top: only a question with a bound needs it

    process = psutil.Process()
    return lambda: process.memory_info().rss


def bounded(size: int | None, compute: Callable[[], T]) -> T:
    """The result of `compute`, which is stopped when the process takes more than `size` bytes; None is no bound.

    It is stopped by an interrupt that we raise ourselves, since nothing else ends a streaming query of Polars: one of
    `LazyFrame.collect(background=True)` goes on after its `cancel` and takes more memory, and Python cannot end a
    thread. Only the main thread can be stopped so. This is a function and not a context manager: an interrupt may come
    twice, and the second time at the entry of an `__exit__`, before that could tell ours from a person's.

    Raises TooMuchMemory.
    """
    if size is None:
        return compute()
    if _resident()() > size:
        raise TooMuchMemory(size)
    watch = Watch(size, _interrupt)
    try:
        watch.start()
        try:
            answer = compute()
        finally:
            watch.end()
    except BaseException:  # an interrupt, and whatever the engine has made of it
        if not watch.passed:
            raise
    if watch.passed:
        raise TooMuchMemory(size) from None
    return answer


@contextmanager
def fatal_above(size: int | None, code: int) -> Iterator[None]:
    """End the process at once, with an exit code, when it takes more than `size` bytes in the block; None is no bound.

    For a process that has nothing to clean up, whatever its main thread does.
    """
    if size is None:
        yield
        return
    if _resident()() > size:
        os._exit(code)
    watch = Watch(size, lambda: os._exit(code))
    watch.start()
    try:
        yield
    finally:
        watch.end()


def _interrupt() -> None:
    """Interrupt the main thread, also in a system call that waits: a signal in this thread would not end that."""
    if hasattr(signal, "pthread_kill"):  # not on Windows
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def can_be_bounded() -> bool:
    """Whether `bounded` works here: in the main thread, where an interrupt is raised."""
    return threading.current_thread() is threading.main_thread() and are_raised()
