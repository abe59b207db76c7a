"""Events from JSON: an object a line, or in a `.json` file one array of objects.

Lines are parsed in blocks, in parallel and with the declared schema. Only where a block cannot be parsed are its lines
looked at in halves, down to the one at fault, so that naming it costs the good case nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from mmstats.errors import BadRow
from mmstats.events.eventfile import EventFile
from mmstats.events.jsonkeys import Keys
from mmstats.events.jsontext import blocks_of
from mmstats.events.jsonvalues import compacted
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import SKIP_HINT, Shape, judge, restrict, timestamp_fault
from mmstats.events.schema import TIMESTAMP
from mmstats.events.textfile import open_bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a block and what they hold: raw text columns, or None for one line that is not an object."""

    text: bytes
    first: int
    raw: pl.DataFrame | None

    def line(self, row: int) -> int:
        """The line that a row stands on, counted as `first` is; blank lines hold no row."""
        lines = (number for number, line in enumerate(self.text.split(b"\n"), self.first) if line.strip())
        return next(number for index, number in enumerate(lines) if index == row)


def read_json(file: EventFile, shape: Shape, log: ReadLog) -> Iterator[pl.DataFrame]:
    """The events wanted, block by block.

    Raises BadRow for a line that cannot be read, unless the log says to leave such lines out, and NotEvents when no
    object of the file has a column that must be there.
    """
    keys = Keys(file, shape)
    schema: dict[str, pl.DataType] = dict.fromkeys(keys.raw, pl.String())
    first = 1
    with open_bytes(file, log.advance) as stream:
        kind, blocks = blocks_of(file, stream)
        for block in blocks:
            pieces = list(sift(block, first, schema))
            for piece in pieces:
                if piece.raw is not None:
                    keys.see(piece.raw)
            keys.look(block)
            for piece in pieces:
                frame, fault = _judged(piece, shape, file)
                if fault and not log.skip_bad_rows:
                    keys.look_through(blocks)
                    raise _bad_row(file, kind, *fault)
                log.leave_out(file, (1 if piece.raw is None else piece.raw.height) - frame.height)
                yield restrict(frame, shape.wanted)
            first += block.count(b"\n")
    keys.require()
    log.found |= keys.found


def _judged(piece: Piece, shape: Shape, file: EventFile) -> tuple[pl.DataFrame, tuple[int, str] | None]:
    """The readable events of a piece, and the line and fault of the first that is not."""
    if piece.raw is None:
        none = dict.fromkeys(shape.wanted.read, pl.String()) | {"timestamp": TIMESTAMP}
        return pl.DataFrame(schema=none), (piece.first, why_no_object(piece.text))
    frame, bad = judge(compacted(piece.text, piece.raw, _texts(shape)), shape, file.partition)
    if not bad.any():
        return frame, None
    row = bad.arg_max() or 0
    return frame.filter(~bad), (piece.line(row), timestamp_fault(piece.raw, shape, file.partition, row))


def _texts(shape: Shape) -> set[str]:
    """The raw columns whose text matters; of `properties` only whether there are any is ever asked."""
    read = [column for column in shape.wanted.read if column != "properties"]
    return {name for column in read for name in shape.columns.sources(column)}


def _bad_row(file: EventFile, kind: str, number: int, fault: str) -> BadRow:
    return BadRow(f"{file}: {kind} {number:,}: {fault}", hint=SKIP_HINT)


def sift(text: bytes, first: int, schema: dict[str, pl.DataType]) -> Iterator[Piece]:
    """Whole lines in as few pieces as can be parsed; a line that is not an object is a piece of its own."""
    try:
        raw = pl.read_ndjson(text, schema=schema)
    except pl.exceptions.ComputeError:
        cut = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n", len(text) // 2, -1) + 1
        if cut == 0:
            yield Piece(text, first, None)
            return
        yield from sift(text[:cut], first, schema)
        yield from sift(text[cut:], first + text.count(b"\n", 0, cut), schema)
    else:
        yield Piece(text, first, raw)


def why_no_object(line: bytes) -> str:
    """Why a line is not one JSON object."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_no_constant, parse_int=str)
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg} at column {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return f"broken JSON: {error}"
    if isinstance(value, dict):
        return "a number in it is too large, or a \\u escape is half a character"
    return "not a JSON object"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
