"""Events from JSON: an object a line, or in a `.json` file one array of objects.

Lines are parsed in blocks, in parallel and with the declared schema. Only where a block cannot be parsed are its lines
looked at in halves, and those of a small part one by one, so that naming a bad line costs the good case nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from mmstats.errors import BadRow
from mmstats.events.eventfile import EventFile
from mmstats.events.jsonkeys import Keys
from mmstats.events.jsontext import blocks_of
from mmstats.events.jsonvalues import BLANK, column_text, compacted, value_of
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import SKIP_HINT, Shape, judge, restrict, timestamp_fault
from mmstats.events.textfile import open_bytes

_FEW = 64 << 10  # bytes of lines that are sooner decoded one by one than halved
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


def read_json(file: EventFile, shape: Shape, log: ReadLog) -> Iterator[pl.DataFrame]:
    """The events wanted, block by block.

    Raises BadRow for a line that cannot be read, unless the log says to leave such lines out, and NotEvents when no
    object of the file has a column that must be there.
    """
    keys = Keys(file, shape)
    first = 1
    with open_bytes(file, log.advance) as stream:
        kind, blocks = blocks_of(file, stream)
        for block in blocks:
            for piece in sift(block, first, keys.schema):
                keys.see(piece.raw)
                frame, fault = _judged(piece, shape, file)
                if fault and not log.skip_bad_rows:
                    keys.look_through(block, blocks)
                    raise _bad_row(file, kind, *fault)
                log.leave_out(file, piece.raw.height + len(piece.broken) - frame.height)
                yield restrict(frame, shape.wanted)
            keys.look(block)
            first += block.count(b"\n")
    keys.require()
    log.found |= keys.found


def _judged(piece: Piece, shape: Shape, file: EventFile) -> tuple[pl.DataFrame, tuple[int, str] | None]:
    """The readable events of a piece, and the line and fault of the first row that is not."""
    frame, bad = judge(compacted(piece.text, piece.raw, _texts(shape)), shape, file.partition)
    faults = list(piece.broken.items())
    if bad.any():
        row = bad.arg_max() or 0
        faults.append((piece.line(row), timestamp_fault(piece.raw, shape, file.partition, row)))
        frame = frame.filter(~bad)
    return frame, min(faults, default=None)


def _texts(shape: Shape) -> set[str]:
    """The raw columns whose text matters; of `properties` only whether there are any is ever asked."""
    read = [column for column in shape.wanted.read if column != "properties"]
    return {name for column in read for name in shape.columns.sources(column)}


def _bad_row(file: EventFile, kind: str, number: int, fault: str) -> BadRow:
    return BadRow(f"{file}: {kind} {number:,}: {fault}", hint=SKIP_HINT)


def sift(text: bytes, first: int, schema: Schema) -> Iterator[Piece]:
    """Whole lines in as few pieces as can be parsed, in order and parsed as they are asked for."""
    raw = _parsed(text, schema)
    if raw is not None:
        yield Piece(text, first, raw)
        return
    cut = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n", len(text) // 2, -1) + 1
    piece = _line_by_line(text, first, schema) if cut == 0 or len(text) <= _FEW else None
    if piece:
        yield piece
    else:
        yield from sift(text[:cut], first, schema)
        yield from sift(text[cut:], first + text.count(b"\n", 0, cut), schema)


def _parsed(text: bytes, schema: Schema) -> pl.DataFrame | None:
    """The raw columns of some lines, or None where the engine refuses one, or would read half a character as NUL."""
    if (b"\\ud" in text or b"\\uD" in text) and _HALF.search(text):
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
