"""How files are read, and what reading found out: the columns of each file, its range, and rows that were left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mmstats.errors import BadRow
from mmstats.files.event_file import EventFile
from mmstats.wording import plural

SKIP_HINT = "--skip-bad-rows leaves such rows out and counts them"

QUOTE_HINT = "--quote none reads quotes as themselves"

InstantRange = tuple[int, int]  # the first and the last instant, in microseconds since the epoch


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    With `skip_bad_rows` a row that cannot be read is counted and left out; without it, it ends the reading. `advance`
    is told of bytes read, by one thread at a time, also of those files whose number of `rows` is there, by path.
    """

    skip_bad_rows: bool = False
    advance: Callable[[int], None] = lambda _: None
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundBadRow:
    """A row that cannot be read: the number of its `line` or `row`, from 1, what is wrong with it, and what to do.

    A `refused` one is not left out either: that would leave out all there are.
    """

    unit: str
    number: int
    reason: str
    hint: str = SKIP_HINT
    refused: bool = False

    def error(self, file: EventFile) -> BadRow:
        """The error that names it."""
        return BadRow(f"{file}: {self.unit} {self.number:,}: {self.reason}", hint=self.hint)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What reading one file found out.

    `columns` are the event columns that it has, `bad_rows` how many rows were left out. Of a text file that was read
    to its end, `rows` is how many rows were parsed and `range` that of those that can be read, None without any.
    `passed_over` counts rows that are no events, as the schema of their export says. `swallowing` is the line of the
    first record of CSV with a quoted field whose lines would be rows by themselves, 0 without one.
    """

    columns: frozenset[str] = frozenset()
    bad_rows: int = 0
    rows: int | None = None
    range: InstantRange | None = None
    passed_over: int = 0
    swallowing: int = 0


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What reading files found out, by their paths; `found` are the files."""

    files: Mapping[str, FileReport] = field(default_factory=dict)
    found: tuple[EventFile, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The event columns that some file has."""
        return frozenset().union(*(one.columns for one in self.files.values()))

    def bad_rows(self) -> Counter[str]:
        """How many rows of each file were left out, by the name of the file, of those that have some."""
        counts: Counter[str] = Counter()
        for file in self.found:
            if bad_rows := self._of(file).bad_rows:
                counts[str(file)] += bad_rows
        return counts

    def swallowing(self) -> list[str]:
        """What to know of files whose rows a quoted field may have swallowed, in a sentence."""
        lines = {str(file): line for file in self.found if (line := self._of(file).swallowing)}
        if not lines:
            return []
        name, line = min(lines.items())
        more = f", and so in {plural(len(lines) - 1, 'more file')}" if len(lines) > 1 else ""
        return [f"{name}: line {line:,}: each line in a quoted field would be a row by itself{more}: {QUOTE_HINT}"]

    def _of(self, file: EventFile) -> FileReport:
        return self.files.get(file.path) or FileReport()

    def notices(self) -> list[str]:
        """What a reader of the answer should know, a sentence each."""
        others = sum(one.passed_over for one in self.files.values())
        passed_over = [f"passed over {plural(others, 'row')} that the schema says are no events"] if others else []
        passed_over += self.swallowing()
        bad = sorted(self.bad_rows().items())
        if not bad:
            return passed_over
        files = [f"{name} ({plural(count, 'row')})" for name, count in bad]
        shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more files" if len(files) > 5 else "")
        return [
            *passed_over,
            f"left out {plural(sum(count for _, count in bad), 'row')} that could not be read: {shown}",
        ]


def merged(reports: Iterable[ReadReport]) -> ReadReport:
    """One report of the files that several are of."""
    several = list(reports)
    files = {path: one for report in several for path, one in report.files.items()}
    found = {file.path: file for report in several for file in report.found}
    return ReadReport(files, tuple(found.values()))


def union_range(one: InstantRange | None, other: InstantRange | None) -> InstantRange | None:
    """The range of two ranges together."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
