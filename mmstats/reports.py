"""What is told beside an answer: how it would be computed, what that took, and what is in a dataset."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mmstats.answer import encode

DESCRIPTION_VERSION = 1
TOP = 10  # event names shown; more are kept, to be offered by completion
REMEMBERED = 1_000
NAMED_FAULTS = 20


@dataclass(frozen=True, slots=True)
class FormatUse:
    """How many files are in one format, and their bytes as stored; `compression` is empty where there is none."""

    format: str
    compression: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """An event column that the data has: the data's columns that serve as it, and in how many rows it is null."""

    column: str
    sources: tuple[str, ...]
    nulls: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold: `where` in the file, or empty when it concerns the whole of it, and what."""

    file: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """What judging every row has found: how much does not hold, and the first `NAMED_FAULTS` of it."""

    total: int
    faults: tuple[Fault, ...]

    @property
    def holds(self) -> bool:
        """Whether every file and every row can be read."""
        return self.total == 0


@dataclass(frozen=True, slots=True)
class Description:
    """What is in a dataset.

    `rows`, nulls, range and events are of the rows that can be read; `bad_rows` counts the others by file. `first` and
    `last` are instants in ISO 8601, None without rows or outside the years 1 to 9999. `events` are the most frequent
    names with their counts, at most `REMEMBERED` of `distinct` (null is counted among the former, not the latter).
    `passed_over` are files of unknown extension. `check` is None when nobody asked for one.
    """

    locations: tuple[str, ...]
    formats: tuple[FormatUse, ...]
    rows: int
    first: str | None
    last: str | None
    columns: tuple[ColumnUse, ...]
    missing: tuple[str, ...]
    events: tuple[tuple[str | None, int], ...]
    distinct: int
    passed_over: int = 0
    bad_rows: Mapping[str, int] = field(default_factory=dict)
    check: Check | None = None

    @property
    def files(self) -> int:
        """How many event files there are."""
        return sum(use.files for use in self.formats)

    @property
    def bytes(self) -> int:
        """Their bytes as stored."""
        return sum(use.bytes for use in self.formats)

    @property
    def holds(self) -> bool:
        """Whether no check has found anything wrong."""
        return self.check is None or self.check.holds

    def to_json(self) -> str:
        """All of it as one compact object, without a final newline."""
        return encode(
            {
                "version": DESCRIPTION_VERSION,
                "locations": self.locations,
                "files": self.files,
                "bytes": self.bytes,
                "formats": [_format_use(use) for use in self.formats],
                "passed_over": self.passed_over,
                "rows": self.rows,
                "first": self.first,
                "last": self.last,
                "columns": [self._column(use) for use in self.columns],
                "missing": self.missing,
                "events": {"distinct": self.distinct, "top": self._top()},
                "bad_rows": {"total": sum(self.bad_rows.values()), "files": self._bad_files()},
                "check": None if self.check is None else _check(self.check),
            }
        )

    def _column(self, use: ColumnUse) -> dict[str, object]:
        share = round(use.nulls / self.rows, 6) if self.rows else None
        return {"column": use.column, "from": use.sources, "nulls": use.nulls, "null_share": share}

    def _top(self) -> list[dict[str, object]]:
        return [{"event_name": name, "count": count} for name, count in self.events[:TOP]]

    def _bad_files(self) -> list[dict[str, object]]:
        return [{"file": file, "rows": rows} for file, rows in self.bad_rows.items()]


def _format_use(use: FormatUse) -> dict[str, object]:
    return {"format": use.format, "compression": use.compression or None, "files": use.files, "bytes": use.bytes}


def _check(check: Check) -> dict[str, object]:
    named = [{"file": fault.file, "where": fault.where or None, "what": fault.what} for fault in check.faults]
    return {"holds": check.holds, "total": check.total, "faults": named}


EXPLANATION_VERSION = 1


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
                "version": EXPLANATION_VERSION,
                "engine": self.engine,
                "answer_kept": self.answer_kept,
                "columns": self.columns,
                "files": {"found": len(self.files), **{use.value: count_files(self.files, use) for use in Use}},
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


def count_files(files: Sequence[FileUse], use: Use) -> int:
    """How many files are of one use."""
    return sum(one.use is use for one in files)


def read_bytes(files: Sequence[FileUse]) -> int:
    """How many bytes are read of files, at most."""
    return sum(one.bytes for one in files)


def read_rows(files: Sequence[FileUse]) -> int | None:
    """How many rows are read of files, None where that is not known of all."""
    rows = [one.rows for one in files]
    return None if None in rows else sum(count for count in rows if count is not None)
