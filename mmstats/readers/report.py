"""What reading a dataset learns on the way: rows left out, columns found, bytes read."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from mmstats.files.event_file import EventFile


@dataclass(slots=True)
class ReadLog:
    """Filled while the events of one question are read, by several threads.

    With `skip_bad_rows` a row that cannot be read is counted here and left out; without it, it ends the reading.
    `columns` are the event columns that a file has, by its path; `spans` are by the path of a text file that was read
    to its end the first and the last instant of its readable rows, in microseconds since the epoch, None without rows.
    `rows` are how many rows of text files were parsed, by path. `advance` is told of bytes read.
    """

    skip_bad_rows: bool = False
    advance: Callable[[int], None] = lambda _: None
    bad_rows: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    columns: dict[str, set[str]] = field(default_factory=dict)
    spans: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def found(self) -> set[str]:
        """The event columns that some file has."""
        return {name for names in self.columns.values() for name in names}

    def leave_out(self, file: EventFile, rows: int) -> None:
        """Note that so many rows of a file could not be read."""
        if rows:
            with self._lock:
                self.bad_rows[str(file)] += rows

    def begin_anew(self) -> None:
        """Forget what was counted, since all files are going to be read once more."""
        self.bad_rows.clear()
        self.rows.clear()
        self.spans.clear()

    def read(self, count: int) -> None:
        """Tell `advance` of bytes read, by one thread at a time."""
        with self._lock:
            self.advance(count)

    def notices(self) -> list[str]:
        """What a reader of the answer should know, a sentence each."""
        if not self.bad_rows:
            return []
        files = [f"{name} ({_rows(count)})" for name, count in sorted(self.bad_rows.items())]
        shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more files" if len(files) > 5 else "")
        return [f"left out {_rows(sum(self.bad_rows.values()))} that could not be read: {shown}"]


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
