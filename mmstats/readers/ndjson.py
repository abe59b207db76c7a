"""Events from JSON: an object a line, or in a `.json` file one array of objects.

Lines are parsed in blocks, in parallel and with the declared schema. Only where a block cannot be parsed are its lines
looked at in halves, and those of a small part one by one, so that naming a bad line costs the good case nothing.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import polars as pl

from mmstats.errors import BadRow
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.json_columns import Keys
from mmstats.readers.json_text import BLANK, blocks_of, column_text, compacted, value_of
from mmstats.readers.projection import (
    SKIP_HINT,
    InstantRange,
    Projection,
    Taken,
    instant_range,
    judge,
    restrict,
    timestamp_fault,
    union_range,
)
from mmstats.readers.report import ReadLog

# A \u escape of a first half with no second behind it, or of a second half with no first before it.
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
Schema = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a block and what they hold: raw text columns, and by line what is wrong with those that hold none.

    Lines that hold no row are blank in `text`.
    """

    text: bytes
    first: int
    raw: pl.DataFrame
    broken: dict[int, str] = field(default_factory=dict)

    def line(self, row: int) -> int:
        """The line that a row stands on, counted as `first` is."""
        return next(number for index, number in enumerate(self.lines()) if index == row)

    def lines(self) -> Iterator[int]:
        """The line of each row; blank lines hold no row."""
        return (number for number, line in enumerate(self.text.split(b"\n"), self.first) if line.strip(BLANK))


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a piece: its events wanted, its rows, those left out, the raw columns with values, its span.

    `fault` is the line, counted within the block, of the first row that cannot be read, and what is wrong with it.
    """

    events: pl.DataFrame
    rows: int
    left_out: int
    valued: set[str]
    span: InstantRange | None
    fault: tuple[int, str] | None


class JsonText:
    """A file of JSON as it is read for one question."""

    _keys: Keys

    def __init__(self, file: EventFile, shape: Projection, log: ReadLog) -> None:
        self._file, self._shape, self._log = file, shape, log
        self._span: InstantRange | None = None

    def parts(self) -> Generator[Callable[[], Taken]]:
        """How to read each of the file's blocks, in order.

        What comes of it raises BadRow for a line that cannot be read, unless the log says to leave such lines out.
        """
        self._keys = Keys(self._file, self._shape)
        with open_bytes(self._file, self._log.read) as stream:
            for place, block in enumerate(blocks_of(self._file, stream, self._shape.limits)[1]):
                yield partial(self._read, place, block)

    def end(self) -> None:
        """Take note of what all the blocks held.

        Raises NotEvents when no object of the file has a column that must be there.
        """
        self._keys.require()
        self._log.columns[self._file.path] = self._keys.found
        self._log.spans[self._file.path] = self._span

    def _read(self, place: int, block: bytes) -> Taken:
        read = []
        for piece in sift(block, 0, self._keys.schema, self._shape.limits.single_line_bytes):
            read.append(_judged(piece, self._shape, self._file))
            if read[-1].fault and not self._log.skip_bad_rows:
                break
        return partial(self._take, place, b"" if self._keys.complete else block, read)

    def _take(self, place: int, block: bytes, read: list[_Read]) -> Iterator[pl.DataFrame]:
        for piece in read:
            self._keys.see(piece.rows, piece.valued)
            self._log.rows[self._file.path] += piece.rows
            if piece.fault and not self._log.skip_bad_rows:
                raise self._bad_row(place, *piece.fault)
            self._log.leave_out(self._file, piece.left_out)
            self._span = union_range(self._span, piece.span)
            yield piece.events
        self._keys.look(block)

    def _bad_row(self, place: int, line: int, fault: str) -> BadRow:
        """The error for a line of a block, whose number is found by reading the blocks before it again."""
        with open_bytes(self._file) as stream:
            kind, blocks = blocks_of(self._file, stream, self._shape.limits)
            number = 1 + line + sum(block.count(b"\n") for block in islice(blocks, place))
            self._keys.look_through(blocks)
        return BadRow(f"{self._file}: {kind} {number:,}: {fault}", hint=SKIP_HINT)


def _judged(piece: Piece, shape: Projection, file: EventFile) -> _Read:
    """The readable events of a piece, and the first row that is not."""
    raw = piece.raw
    frame, bad = judge(compacted(piece.text, raw, _texts(shape)), shape, file.partition)
    faults = list(piece.broken.items())
    if bad.any():
        row = bad.arg_max() or 0
        faults.append((piece.line(row), timestamp_fault(raw, shape, file.partition, row)))
        frame = frame.filter(~bad)
    valued = {name for name in raw.columns if raw[name].null_count() < raw.height}
    left_out = raw.height + len(piece.broken) - frame.height
    events = restrict(frame, shape.wanted)
    return _Read(events, raw.height, left_out, valued, instant_range(frame), min(faults, default=None))


def _texts(shape: Projection) -> set[str]:
    """The raw columns whose text matters; of `properties` only whether there are any is ever asked."""
    read = [column for column in shape.wanted.read if column != "properties"]
    return {name for column in read for name in shape.columns.sources(column)}


def sift(text: bytes, first: int, schema: Schema, single_line_bytes: int) -> Iterator[Piece]:
    """Whole lines in as few pieces as can be parsed, in order and parsed as they are asked for.

    Of what cannot be parsed, up to so many bytes are sooner decoded line by line than halved.
    """
    raw = _parsed(text, schema)
    if raw is not None:
        yield Piece(text, first, raw)
        return
    cut = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n", len(text) // 2, -1) + 1
    piece = _line_by_line(text, first, schema) if cut == 0 or len(text) <= single_line_bytes else None
    if piece:
        yield piece
    else:
        yield from sift(text[:cut], first, schema, single_line_bytes)
        yield from sift(text[cut:], first + text.count(b"\n", 0, cut), schema, single_line_bytes)


def _parsed(text: bytes, schema: Schema) -> pl.DataFrame | None:
    """The raw columns of some lines, or None where the engine refuses one, or would read half a character as NUL."""
    if b"\\" in text and (b"\\ud" in text or b"\\uD" in text) and _HALF.search(text):
        return None
    try:
        return pl.read_ndjson(text, schema=schema)
    except pl.exceptions.ComputeError:
        return None


def _line_by_line(text: bytes, first: int, schema: Schema) -> Piece | None:
    """Lines that the engine refuses together, judged one by one; None where one is so deep that only it can judge."""
    lines = text.split(b"\n")
    objects, broken = {}, {}
    for at, line in enumerate(lines):
        if not line.strip(BLANK):
            continue
        try:
            objects[at] = _object(line)
        except _NoObject as fault:
            broken[at] = str(fault)
        except RecursionError:
            if len(lines) > 1 + text.endswith(b"\n"):
                return None
            broken[at] = "broken JSON: nested too deep"
    raw = _parsed(_only(lines, objects), schema)
    if raw is None:
        raw = _raw(objects, broken, schema)
    return Piece(_only(lines, objects), first, raw, {first + at: fault for at, fault in broken.items()})


def _only(lines: list[bytes], objects: Mapping[int, object]) -> bytes:
    """The lines of some objects, the others blank."""
    return b"\n".join(line if at in objects else b"" for at, line in enumerate(lines))


def _raw(objects: dict[int, dict[str, object]], broken: dict[int, str], schema: Schema) -> pl.DataFrame:
    """The raw columns of objects that the engine refuses for a value of a key that perhaps nobody reads.

    Those refused with reason go from `objects` to `broken`.
    """
    rows = []
    for at, held in list(objects.items()):
        try:
            rows.append([column_text(held.get(name)) for name in schema])
        except UnicodeEncodeError:
            broken[at] = "a \\u escape in it is half a character"
        except ValueError as error:
            broken[at] = str(error)
        if at in broken:
            del objects[at]
    return pl.DataFrame(rows, schema=schema, orient="row")


class _NoObject(ValueError):
    """Why a line is not one JSON object."""


def _object(line: bytes) -> dict[str, object]:
    """The object that a line is; raises _NoObject, or RecursionError where it is nested too deep."""
    try:
        value = value_of(line)
    except UnicodeDecodeError as error:
        raise _NoObject(f"invalid UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise _NoObject(f"broken JSON: {error.msg} at column {error.pos + 1}") from None
    except ValueError as error:
        raise _NoObject(f"broken JSON: {error}") from None
    if isinstance(value, dict):
        return value
    raise _NoObject("not a JSON object")
