"""Text files read by as many threads as there are cores, in their order: several batches, and several blocks of one.

A batch is asked for its blocks by one thread at a time, since its bytes come one after the other; a block is parsed by
any thread, while another asks for the next one. Parsed blocks are taken in order, so that neither the rows nor the
first bad one depend on which thread is done first. Only so much is read as is soon taken.
"""

import atexit
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Lock, Thread, current_thread
from typing import Any

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.readers.batches import Batch, batches_of
from mmstats.readers.projection import Projection
from mmstats.readers.report import FileReport, ReadOptions

_EXIT_SECONDS = 10  # that the end of the process waits for whoever takes the events
_AHEAD = 4  # blocks of a batch that may be read before those of the batches before it are taken


def read_texts(
    files: Sequence[EventFile],
    projection: Projection,
    options: ReadOptions,
    numbers: Mapping[str, int] | None = None,
) -> Generator[pl.DataFrame | Mapping[str, FileReport]]:
    """The events selected of text files, and behind the last of a file its report, by its path.

    With `numbers` of the files, by path, the events have that of theirs as the column FILE.
    Once closed, or where a file cannot be read, it leaves no thread behind. Raises what the first such file raises:
    BadRow for a row that cannot be read, unless the options say to leave such rows out, NotEvents for a file without a
    column that must be there, and Unreadable.
    """
    if not files:
        return
    queues = [_BatchQueue(batch) for batch in batches_of(files, projection, options, numbers)]
    pool = _ReaderPool(queues, pl.thread_pool_size())
    _open_pools.add(pool)
    try:
        yield from pool.events()
    finally:
        try:
            pool.end()
        except KeyboardInterrupt:  # Python raises for the signal that closes us once more
            pool.end()


class _BatchQueue:
    """One batch of files on its way: its parsed blocks in order, and None behind the last."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.blocks = batch, batch.blocks()
        self.parsed: SimpleQueue[Future[Any] | None] = SimpleQueue()
        self.idle = True  # nobody asks it for a block, and there may be one
        self.ahead = 0  # blocks asked for and not yet taken


class _ReaderPool:
    """The threads that read batches of files, and how far ahead they may go."""

    def __init__(self, queues: list[_BatchQueue], threads: int) -> None:
        self._queues, self._threads = queues, threads
        self._own: set[Thread] = set()
        self._pool = ThreadPoolExecutor(threads, "text", lambda: self._own.add(current_thread()))
        self._lock, self._ending = Lock(), Lock()
        self._stopped = False
        self._away = Event()  # whoever takes the events is not in here, waiting for more

    def events(self) -> Iterator[pl.DataFrame | Mapping[str, FileReport]]:
        """The events of the files, in order, their reports behind them; once stopped, no more."""
        while self._queues and not self._stopped:
            for found in self._of_first(self._queues[0]):
                self._away.set()
                yield found
                self._away.clear()

    def _of_first(self, queue: _BatchQueue) -> Iterator[pl.DataFrame | Mapping[str, FileReport]]:
        self._read_ahead()
        while (parsed := queue.parsed.get()) is not None:
            yield from queue.batch.take(parsed.result())
            self._read_ahead(taken=queue)
        if not self._stopped:
            reports = queue.batch.reports()
            del self._queues[0]
            yield reports

    def end(self) -> None:
        """End all threads, each with the block that it is at, and close the files."""
        if current_thread() in self._own:  # which may be told so by the engine, and cannot wait for itself
            Thread(target=self.end, name="text end").start()
            return
        with self._ending:
            if self in _open_pools:
                self._stop()
                for queue in self._queues:
                    queue.blocks.close()
                self._away.set()
                _open_pools.discard(self)

    def leave(self) -> None:
        """End as the process does: first wait until nobody is in here, waiting for more events."""
        self._stop()
        self._away.wait(_EXIT_SECONDS)
        self.end()

    def _stop(self) -> None:
        self._stopped = True
        for queue in self._queues:
            queue.batch.stop()
        self._pool.shutdown(cancel_futures=True)
        for queue in self._queues:
            queue.parsed.put(None)

    def _read_ahead(self, taken: _BatchQueue | None = None) -> None:
        """Have the batches asked for blocks as far as there is room, now that one block of one is taken."""
        with self._lock:
            if taken:
                taken.ahead -= 1
            for place, queue in enumerate(self._queues[: self._threads]):
                if queue.idle and not self._stopped and queue.ahead < (_AHEAD if place else 2 * self._threads):
                    queue.idle = False
                    queue.ahead += 1
                    self._submit(queue)

    def _submit(self, queue: _BatchQueue) -> None:
        try:
            self._pool.submit(self._ask, queue)
        except RuntimeError as error:  # no thread can be started any more, or the process ends
            if not self._own:  # else one of those that there are does it
                failed: Future[Any] = Future()
                failed.set_exception(error)
                queue.parsed.put(failed)

    def _ask(self, queue: _BatchQueue) -> None:
        """Ask a batch for a block, have it asked for the next, and parse this one."""
        parsed: Future[Any] = Future()
        parse: Callable[[], Any] | None = None
        try:
            parse = next(queue.blocks, None)
        except BaseException as error:  # raised where the block is taken
            parsed.set_exception(error)
        queue.parsed.put(parsed if parse or parsed.done() else None)
        if parse:
            queue.idle = True
            self._read_ahead()
            try:
                parsed.set_result(parse())
            except BaseException as error:  # raised where the block is taken
                parsed.set_exception(error)


_open_pools: set[_ReaderPool] = set()


@atexit.register
def _end_all() -> None:
    """Let no thread of the engine still wait in here while the interpreter is taken down, as after an interrupt."""
    for pool in list(_open_pools):
        pool.leave()
