"""What is in a dataset, as plain data, and the JSON that tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmstats.answer import encode

VERSION = 1
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
                "version": VERSION,
                "locations": self.locations,
                "files": self.files,
                "bytes": self.bytes,
                "formats": [_format(use) for use in self.formats],
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


def _format(use: FormatUse) -> dict[str, object]:
    return {"format": use.format, "compression": use.compression or None, "files": use.files, "bytes": use.bytes}


def _check(check: Check) -> dict[str, object]:
    named = [{"file": fault.file, "where": fault.where or None, "what": fault.what} for fault in check.faults]
    return {"holds": check.holds, "total": check.total, "faults": named}
