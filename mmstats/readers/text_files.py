"""Text files read by as many threads as there are cores, in their order: several files, and several parts of a file.

A file is asked for its parts by one thread at a time, since its bytes come one after the other; what a part holds is
found by any thread, while another asks for the next part. What was found is taken in order, so that neither the rows
nor the first fault depend on which thread is done first. Only so much is read as is soon taken.
"""

import atexit
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Lock, Thread, current_thread

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.readers.csv import DelimitedText
from mmstats.readers.ndjson import JsonText
from mmstats.readers.projection import Projection, Taken
from mmstats.readers.report import ReadLog

_READERS: dict[str, type[JsonText] | type[DelimitedText]] = {
    "ndjson": JsonText,
    "json": JsonText,
    "csv": DelimitedText,
    "tsv": DelimitedText,
}
_PATIENCE = 10  # seconds
_AHEAD = 4  # parts of a file that may be read before those of the files before it are taken


def read_texts(files: Sequence[EventFile], shape: Projection, log: ReadLog) -> Iterator[tuple[EventFile, pl.DataFrame]]:
    """The events wanted of text files, in order; once closed or at fault it leaves no thread behind.

    Raises what the first file at fault raises: BadRow for a row that cannot be read, unless the log says to leave such
    rows out, NotEvents for a file without a column that must be there, and Unreadable.
    """
    if not files:
        return
    lines = [_Line(file, _READERS[file.format.name](file, shape, log)) for file in files]
    crew = _Crew(lines, pl.thread_pool_size())
    _at_work.add(crew)
    try:
        yield from crew.events()
    finally:
        try:
            crew.end()
        except KeyboardInterrupt:  # Python raises for the signal that closes us once more
            crew.end()


class _Line:
    """One file on its way: what was found in its parts, in order, and None behind the last."""

    def __init__(self, file: EventFile, text: JsonText | DelimitedText) -> None:
        self.file, self.text, self.parts = file, text, text.parts()
        self.found: SimpleQueue[Future[Taken] | None] = SimpleQueue()
        self.idle = True  # nobody asks it for a part, and there may be one
        self.ahead = 0  # parts asked for and not yet taken


class _Crew:
    """The threads that read some files, and how far they may go."""

    def __init__(self, lines: list[_Line], threads: int) -> None:
        self._lines, self._threads = lines, threads
        self._own: set[Thread] = set()
        self._pool = ThreadPoolExecutor(threads, "text", lambda: self._own.add(current_thread()))
        self._lock, self._ending = Lock(), Lock()
        self._stopped = False
        self._away = Event()  # whoever takes the events is not in here, waiting for more

    def events(self) -> Iterator[tuple[EventFile, pl.DataFrame]]:
        """The events of the files, in order; once stopped, no more."""
        while self._lines and not self._stopped:
            first = self._lines[0]
            for frame in self._of_first(first):
                self._away.set()
                yield first.file, frame
                self._away.clear()

    def _of_first(self, line: _Line) -> Iterator[pl.DataFrame]:
        self._go_on()
        while (found := line.found.get()) is not None:
            yield from found.result()()
            self._go_on(taken=line)
        if not self._stopped:
            line.text.end()
            del self._lines[0]

    def end(self) -> None:
        """End all threads, each with the part that it is at, and close the files."""
        if current_thread() in self._own:  # which may be told so by the engine, and cannot wait for itself
            Thread(target=self.end, name="text end").start()
            return
        with self._ending:
            if self in _at_work:
                self._stop()
                for line in self._lines:
                    line.parts.close()
                self._away.set()
                _at_work.discard(self)

    def leave(self) -> None:
        """End as the process does: first wait until nobody is in here, waiting for more events."""
        self._stop()
        self._away.wait(_PATIENCE)
        self.end()

    def _stop(self) -> None:
        self._stopped = True
        for line in self._lines:
            line.file.storage.cancel()
        self._pool.shutdown(cancel_futures=True)
        for line in self._lines:
            line.found.put(None)

    def _go_on(self, taken: _Line | None = None) -> None:
        """Have the files asked for parts as far as there is room, now that one part of a file is taken."""
        with self._lock:
            if taken:
                taken.ahead -= 1
            for place, line in enumerate(self._lines[: self._threads]):
                if line.idle and not self._stopped and line.ahead < (_AHEAD if place else 2 * self._threads):
                    line.idle = False
                    line.ahead += 1
                    self._submit(line)

    def _submit(self, line: _Line) -> None:
        try:
            self._pool.submit(self._ask, line)
        except RuntimeError:  # the process ends
            self._stopped = True

    def _ask(self, line: _Line) -> None:
        """Ask a file for a part, have it asked for the next, and find what is in this one."""
        found: Future[Taken] = Future()
        work: Callable[[], Taken] | None = None
        try:
            work = next(line.parts, None)
        except BaseException as error:
            found.set_exception(error)
        line.found.put(found if work or found.done() else None)
        if work:
            line.idle = True
            self._go_on()
            try:
                found.set_result(work())
            except BaseException as error:
                found.set_exception(error)


_at_work: set[_Crew] = set()


@atexit.register
def _leave_all() -> None:
    """Let no thread of the engine still wait in here while the interpreter is taken down, as after an interrupt."""
    for crew in list(_at_work):
        crew.leave()
