"""Reports beside an answer: how it would be computed, what computing it took, and what is in a dataset."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from mmstats.answer import encode
from mmstats.errors import NotEvents
from mmstats.question.instants import utc_text
from mmstats.wording import visible

if TYPE_CHECKING:
    from mmstats.schemas.outline import Outline

DESCRIPTION_VERSION = 1
TOP = 10  # event names that are shown
MAX_EVENT_NAMES = 1_000  # event names in a description, which completion offers
MAX_FAULTS = 20  # faults that a check lists


@dataclass(frozen=True, slots=True)
class FormatUse:
    """How many files are in one format, and their bytes as stored; `compression` is empty where there is none."""

    format: str
    compression: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableUse:
    """A table of a lake, `Delta` or `Iceberg`, and the version of it that was read."""

    location: str
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """An event column that the data has: the data's columns that it is read from, and in how many rows it is null."""

    column: str
    sources: tuple[str, ...]
    nulls: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a file, and `where`, which is empty when it is wrong with the whole file."""

    file: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """What a check of every row has found: the number of faults, and the first `MAX_FAULTS` of them."""

    total: int
    faults: tuple[Fault, ...]

    @property
    def holds(self) -> bool:
        """Whether every file and every row can be read."""
        return self.total == 0


@dataclass(frozen=True, slots=True)
class Lead:
    """Where to go on from data that is not flat, or not yet events.

    The `outline` says what is there, `fits` which known exports it may be; `flags` read it, behind those `given` for
    the description, and `asks` is the command to go on with.
    """

    outline: "Outline"
    fits: tuple[str, ...]
    asks: str
    flags: tuple[str, ...]
    given: tuple[str, ...] = ()

    def command(self, locations: Sequence[str]) -> str:
        """The command line to go on with, for a shell."""
        return visible(shlex.join(["mmstats", self.asks, *locations, *self.given, *self.flags]))


@dataclass(frozen=True, slots=True)
class Description:
    """What is in a dataset.

    `rows`, nulls, range and events are of the rows that can be read; `bad_rows` counts the others by file. `first` and
    `last` are instants in ISO 8601, None without rows or outside the years 1 to 9999. `events` are the most frequent
    names with their counts, at most `MAX_EVENT_NAMES` of `distinct` (null is one of the former, not of the latter).
    `passed_over` counts files of unknown extension, pipes, sockets and devices. `check` is None for a description
    without one. `notices` are for its reader, beside it; `tables` are those of a lake. There is a `lead` where events
    are not flat, and where a file lacks a column that must be there: then nothing is counted, `rows` is None, and the
    `fault` says which.
    """

    locations: tuple[str, ...]
    formats: tuple[FormatUse, ...]
    rows: int | None
    first: str | None
    last: str | None
    columns: tuple[ColumnUse, ...]
    missing: tuple[str, ...]
    events: tuple[tuple[str | None, int], ...]
    distinct: int
    passed_over: int = 0
    bad_rows: Mapping[str, int] = field(default_factory=dict)
    check: Check | None = None
    notices: tuple[str, ...] = ()
    tables: tuple[TableUse, ...] = ()
    lead: Lead | None = None
    fault: NotEvents | None = None

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
        """Whether no check has found a fault."""
        return self.check is None or self.check.holds

    def to_json(self) -> str:
        """The description as one compact object, without a final newline."""
        columns = [
            {
                "column": use.column,
                "from": use.sources,
                "nulls": use.nulls,
                "null_share": round(use.nulls / self.rows, 6) if self.rows else None,
            }
            for use in self.columns
        ]
        top = [{"event_name": name, "count": count} for name, count in self.events[:TOP]]
        bad_files = [{"file": file, "rows": rows} for file, rows in self.bad_rows.items()]
        paths = [
            {
                "path": use.text,
                "kinds": use.kinds,
                "null_share": round(use.nulls / use.rows, 6) if use.rows else None,
                "samples": use.samples,
            }
            for use in (self.lead.outline.paths if self.lead else ())
        ]
        check = self.check and {
            "holds": self.check.holds,
            "total": self.check.total,
            "faults": [{**asdict(fault), "where": fault.where or None} for fault in self.check.faults],
        }
        return encode(
            {
                "version": DESCRIPTION_VERSION,
                "locations": self.locations,
                "files": self.files,
                "bytes": self.bytes,
                "formats": [{**asdict(use), "compression": use.compression or None} for use in self.formats],
                "tables": [asdict(one) for one in self.tables],
                "passed_over": self.passed_over,
                "rows": self.rows,
                "first": self.first,
                "last": self.last,
                "columns": columns,
                "missing": self.missing,
                "events": {"distinct": self.distinct, "top": top},
                "bad_rows": {"total": sum(self.bad_rows.values()), "files": bad_files},
                "check": check,
                "paths": paths,
                "fits": self.lead.fits if self.lead else (),
                "next": self.lead and self.lead.command(self.locations),
            }
        )


EXPLANATION_VERSION = 1


class Use(StrEnum):
    """How a file is used to answer a question; pages and JSON use these words."""

    READ = "read"
    CACHED = "cached"  # its partial aggregates are in the cache
    PRUNED = "pruned"  # what is known of it answers for it


COUNTED = "counted before"


@dataclass(frozen=True, slots=True)
class FileUse:
    """A file, its `size` in bytes as stored, and what is read of it: at most so many bytes, rows where it is known.

    `why` says in a few words why no events of it are read, and is empty where they are.
    """

    file: str
    use: Use
    size: int
    bytes: int = 0
    rows: int | None = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a question would be answered.

    If the answer is cached, no file is read. `start` and `end` are the range in UTC, None for no bound, `timezone` is
    that of its buckets. `columns` are the event columns that are read of the files; `plan` is the
    engine's own.
    """

    engine: str
    answer_cached: bool
    start: datetime | None
    end: datetime | None
    timezone: str
    columns: tuple[str, ...]
    files: tuple[FileUse, ...]
    plan: tuple[str, ...]

    def from_cache(self) -> "Explanation":
        """The same where the answer itself is cached."""
        files = tuple(FileUse(one.file, Use.CACHED, one.size, why=COUNTED) for one in self.files)
        return replace(self, answer_cached=True, files=files, plan=())

    def to_json(self) -> str:
        """The explanation as one compact object, without a final newline."""
        return encode(
            {
                "version": EXPLANATION_VERSION,
                "engine": self.engine,
                "answer_cached": self.answer_cached,
                "from": self.start and utc_text(self.start),
                "to": self.end and utc_text(self.end),
                "timezone": self.timezone,
                "columns": self.columns,
                "files": {"found": len(self.files), **{use.value: count_files(self.files, use) for use in Use}},
                "bytes": {"stored": sum(one.size for one in self.files), "read": read_bytes(self.files)},
                "rows": read_rows(self.files),
                "uses": [{**asdict(one), "why": one.why or None} for one in self.files],
                "plan": self.plan,
            }
        )


@dataclass(slots=True)
class Profile:
    """What answering one question took: files, and seconds by phase.

    The engine calls `advance` with the bytes that it has read, and sets the rest; `files` only if `with_files`. Where
    there is an `expect`, it calls that before it reads, with how many bytes `advance` will be told of.
    `files_stored` counts those whose partial aggregates it has added to the cache.
    """

    advance: Callable[[int], None] = lambda _: None
    expect: Callable[[int], None] | None = None
    with_files: bool = False
    files: tuple[FileUse, ...] = ()
    files_stored: int = 0
    answer_cached: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    _phase: str = ""
    _began: float = 0.0

    def begin(self, phase: str) -> None:
        """A phase begins, and the one before it ends; an empty name is none."""
        now = time.perf_counter()
        if self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._began
        self._phase, self._began = phase, now

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """The block is a phase."""
        self.begin(name)
        try:
            yield
        finally:
            self.begin("")


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
