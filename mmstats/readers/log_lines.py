"""Lines of web servers' access logs, in nginx's and Apache's combined and common formats.

A value is what stands in the line, escapes as they are written; `-` is null, and so is what a request of nothing lacks.
"""

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.files.text_file import line_blocks, open_bytes
from mmstats.readers.csv_quotes import is_quoted_rightly
from mmstats.readers.csv_syntax import CsvSyntax
from mmstats.readers.projection import Projection, judge_rows, no_instant, range_of, select_rows, timestamp_text
from mmstats.readers.report import FileReport, FoundBadRow, InstantRange, ReadOptions, union_range

NAMES = ("address", "user", "time", "method", "target", "status", "bytes", "referer", "agent")
_QUOTED = r'(?:[^"\\]|\\.)*'
_LINE = (
    r"^(?P<address>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]*)\] "
    rf'"(?:(?P<method>\S+) (?P<target>{_QUOTED}?)(?: HTTP/[0-9.]+)?|{_QUOTED})" '
    rf'(?P<status>[0-9]{{3}}|-) (?P<bytes>[0-9]+|-)(?: "(?P<referer>{_QUOTED})" "(?P<agent>{_QUOTED})"(?: .*)?)?\r?$'
)
_FAULT = "not a line of the combined or the common log format"


@dataclass(frozen=True, slots=True)
class LogBlock:
    """What was read of the block that follows so many lines: its events, rows and range; `text` where a row is bad."""

    lines_before: int
    text: bytes
    events: pl.DataFrame
    rows: int
    bad_rows: int
    passed_over: int
    range: InstantRange | None


class LogReader:
    """A log as it is read for one question."""

    def __init__(self, file: EventFile, projection: Projection, options: ReadOptions) -> None:
        self._file, self._options = file, options
        self._columns = projection.columns_in(file, NAMES)
        self._projection = projection.as_spelled_in(file, NAMES)
        self._rows = self._bad_rows = self._passed_over = 0
        self._range: InstantRange | None = None

    def blocks(self) -> Generator[Callable[[], LogBlock]]:
        """How to read each of the log's blocks, in order; any thread may do so, several at once."""
        lines = 0
        with open_bytes(self._file, self._options.advance) as stream:
            for block in line_blocks(stream, self._projection.limits.text_block_bytes):
                yield partial(self._read, block, lines)
                lines += block.count(b"\n")

    def _read(self, block: bytes, lines_before: int) -> LogBlock:
        raw, are_lines = _parse(block, self._projection)
        judged = judge_rows(raw, self._projection, self._file.partition, ~are_lines)
        sound, others = judged.events(), judged.passed_over
        bad = raw.height - sound.height - others
        events = select_rows(sound, self._projection.selection)
        return LogBlock(lines_before, block if bad else b"", events, raw.height, bad, others, range_of(sound))

    def take(self, block: LogBlock) -> Iterator[pl.DataFrame]:
        """The events of a block; blocks are taken in order.

        Raises BadRow for a line that cannot be read, unless the options say to leave such lines out.
        """
        if block.bad_rows and not self._options.skip_bad_rows:
            for found in _find_in(block.text, block.lines_before, self._file, self._projection):
                raise found.error(self._file)
            raise changed_error(str(self._file))
        self._rows += block.rows - block.bad_rows
        self._bad_rows += block.bad_rows
        self._passed_over += block.passed_over
        self._range = union_range(self._range, block.range)
        yield block.events

    def report(self) -> FileReport:
        """What all the blocks held, once they are taken."""
        return FileReport(self._columns, self._bad_rows, self._rows, self._range, self._passed_over)


def find_bad_log_lines(file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    """The lines that cannot be read, in order, found as they are asked for."""
    lines, projection = 0, projection.as_spelled_in(file, NAMES)
    with open_bytes(file) as stream:
        for block in line_blocks(stream, projection.limits.text_block_bytes):
            yield from _find_in(block, lines, file, projection)
            lines += block.count(b"\n")


def _find_in(block: bytes, lines_before: int, file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    raw, are_lines = _parse(block, projection)
    bad = judge_rows(raw, projection, file.partition, ~are_lines).bad
    numbers = [number for number, line in enumerate(block.split(b"\n"), lines_before + 1) if line.strip()]
    for row in bad.arg_true():
        if not are_lines[row]:
            yield FoundBadRow("line", numbers[row], _FAULT)
        else:
            text = timestamp_text(raw, projection, file.partition, row)
            yield no_instant(text, projection, "line", numbers[row])


def _parse(block: bytes, projection: Projection) -> tuple[pl.DataFrame, pl.Series]:
    """The raw columns of the lines of a block that are not blank, and whether each line has the form of one."""
    names = tuple(name for name in NAMES if name in projection.raw) or ("time",)
    found = _parse_regular(block, names)
    if found is not None:
        are_lines = pl.Series([True]).new_from_index(0, found.height)
    else:
        found, are_lines = _parse_by_pattern(block, names)
    return found.select(
        pl.when(~pl.col(name).is_in(("", "-"))).then(pl.col(name)).alias(name) for name in names
    ), are_lines


def _parse_regular(block: bytes, names: tuple[str, ...]) -> pl.DataFrame | None:
    """The same of lines of one format that have no escapes, as fields that blanks separate; None for other lines."""
    import pyarrow as pa
    from pyarrow import csv

    quotes, lines = block.count(b'"'), block.count(b"\n") + (not block.endswith(b"\n"))
    fields = {2 * lines: 8, 6 * lines: 10}.get(quotes, 0)
    if not fields or b"\\" in block or b'""' in block or b"\r" in block or not is_quoted_rightly(block, _BLANKS):
        return None
    columns = [f"f{at}" for at in range(fields)]
    try:
        read = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(column_names=columns, block_size=len(block), use_threads=False),
            parse_options=csv.ParseOptions(delimiter=" "),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, "string")),
        )
    except pa.ArrowInvalid:
        return None
    frame = cast(pl.DataFrame, pl.from_arrow(read))
    if frame.height != lines or not frame.select(pl.all_horizontal(_IS_LINE).all()).item():
        return None
    request = pl.col("f5").str.extract_groups(_REQUEST).struct
    parts = {
        "address": pl.col("f0"),
        "user": pl.col("f2"),
        "time": pl.col("f3").str.slice(1) + " " + pl.col("f4").str.head(-1),
        "method": request.field("method"),
        "target": request.field("target"),
        "status": pl.col("f6"),
        "bytes": pl.col("f7"),
        "referer": pl.col("f8") if fields > 8 else pl.lit(None, pl.String),
        "agent": pl.col("f9") if fields > 8 else pl.lit(None, pl.String),
    }
    return frame.select(parts[name].alias(name) for name in names)


_BLANKS = CsvSyntax(" ")
_REQUEST = r"^(?P<method>\S+) (?P<target>.*?)(?: HTTP/[0-9.]+)?$"
_IS_LINE = [
    pl.col("f0", "f1", "f2") != "",
    pl.col("f3").str.contains(r"^\[[^\]]*$"),
    pl.col("f4").str.contains(r"^[^\]]*\]$"),
    pl.col("f6").str.contains("^([0-9]{3}|-)$"),
    pl.col("f7").str.contains("^([0-9]+|-)$"),
]


def _parse_by_pattern(block: bytes, names: tuple[str, ...]) -> tuple[pl.DataFrame, pl.Series]:
    try:
        texts = [line for line in block.decode().split("\n") if line.strip()]
    except UnicodeDecodeError:
        texts = [_text(line) for line in block.split(b"\n") if line.strip()]
    lines = pl.Series("line", texts, pl.String)
    found = lines.str.extract_groups(_pattern(names)).struct.unnest()
    return found, found[names[0]].is_not_null() if names[0] in _ALWAYS else lines.str.contains(_pattern(()))


_ALWAYS = ("address", "user", "time", "status", "bytes")  # which every line has


def _pattern(names: tuple[str, ...]) -> str:
    """The pattern of a line, with groups for these names only: each one takes its time."""
    return re.sub(r"\?P<(\w+)>", lambda found: found[0] if found[1] in names else "?:", _LINE)


def _text(line: bytes) -> str:
    """A line as text; one that is not UTF-8 is none that has the form."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return "\0"
