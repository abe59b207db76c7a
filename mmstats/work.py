"""What answering a question takes: explained before it is done, and accounted for afterwards."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mmstats.answer import encode

VERSION = 1


class Use(StrEnum):
    """What is done with a file to answer a question."""

    READ = "read"
    KEPT = "kept"  # what is kept of it is used instead
    OUTSIDE = "outside"  # range and event leave nothing of it


@dataclass(frozen=True, slots=True)
class FileUse:
    """A file, its `size` in bytes as stored, and how much of it is read: bytes at most, rows where that is known."""

    file: str
    use: Use
    size: int
    bytes: int = 0
    rows: int | None = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a question would be answered.

    With `answer_kept` no file is read. `columns` are the event columns that are read of the files, `plan` is how the
    engine goes about it, in its own words.
    """

    engine: str
    answer_kept: bool
    columns: tuple[str, ...]
    files: tuple[FileUse, ...]
    plan: tuple[str, ...]

    def from_kept(self) -> "Explanation":
        """The same where the answer itself is kept."""
        files = tuple(FileUse(one.file, Use.KEPT, one.size) for one in self.files)
        return replace(self, answer_kept=True, files=files, plan=())

    def to_json(self) -> str:
        """All of it as one compact object, without a final newline."""
        return encode(
            {
                "version": VERSION,
                "engine": self.engine,
                "answer_kept": self.answer_kept,
                "columns": self.columns,
                "files": {"found": len(self.files), **{use.value: counted(self.files, use) for use in Use}},
                "bytes": {"stored": sum(one.size for one in self.files), "read": read_bytes(self.files)},
                "rows": read_rows(self.files),
                "uses": [
                    {"file": one.file, "use": one.use.value, "size": one.size, "bytes": one.bytes, "rows": one.rows}
                    for one in self.files
                ],
                "plan": self.plan,
            }
        )


@dataclass(slots=True)
class Account:
    """What answering one question took, filled on the way.

    `advance` is told of bytes read. Only where it is `itemized` are the `files` accounted for. `kept` is how many
    files' parts are kept from now on; `seconds` are by phase, in their order.
    """

    advance: Callable[[int], None] = lambda _: None
    itemized: bool = False
    files: tuple[FileUse, ...] = ()
    kept: int = 0
    answer_kept: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a phase."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


def counted(files: Sequence[FileUse], use: Use) -> int:
    """How many files are of one use."""
    return sum(one.use is use for one in files)


def read_bytes(files: Sequence[FileUse]) -> int:
    """How many bytes are read of files, at most."""
    return sum(one.bytes for one in files)


def read_rows(files: Sequence[FileUse]) -> int | None:
    """How many rows are read of files, None where that is not known of all."""
    rows = [one.rows for one in files]
    return None if None in rows else sum(count for count in rows if count is not None)
