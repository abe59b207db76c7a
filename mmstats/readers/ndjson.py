"""Events from JSON: an object a line, or in a `.json` file one array of objects.

Lines are parsed in blocks, in parallel and with a declared schema. Only where a block cannot be parsed are its lines
looked at in halves, and those of a small piece one by one, so that naming a bad line costs the good case nothing.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import BinaryIO

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.files.text_file import open_bytes
from mmstats.paths import Path, readings
from mmstats.readers.json_columns import JsonColumns, json_schema
from mmstats.readers.json_text import (
    BLANK,
    MOST_LEVELS,
    ahead,
    blocks_of,
    column_text,
    compacted,
    first_sign,
    is_deep,
    value_of,
)
from mmstats.readers.path_columns import add_from_lines, paths_in_lines
from mmstats.readers.projection import (
    Projection,
    judge_rows,
    no_instant,
    range_of,
    select_rows,
    timestamp_text,
)
from mmstats.readers.report import SKIP_HINT, FileReport, FoundBadRow, InstantRange, ReadOptions, union_range

# A \u escape of a first half with no second behind it, or of a second half with no first before it.
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_Keys = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True)
class _Schema:
    """The raw columns to read: keys of the lines, and paths into them, each with the ways to read it."""

    keys: _Keys
    paths: Mapping[str, tuple[Path, ...]]


def _schema_of(file: EventFile, projection: Projection) -> _Schema:
    return _Schema(json_schema(file, projection), paths_in_lines(file, projection))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some lines of a block and what they hold: raw text columns, and by line what is wrong with those that hold none.

    Lines that hold no row are blank in `text`; `first` is the number of its first line; `seen` are the paths that some
    row has.
    """

    text: bytes
    first: int
    raw: pl.DataFrame
    broken: Mapping[int, str] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()

    def lines(self) -> Iterator[int]:
        """The line of each row; blank lines hold no row."""
        return (number for number, line in enumerate(self.text.split(b"\n"), self.first) if line.strip(BLANK))


@dataclass(frozen=True, slots=True)
class JsonBlock:
    """What was read of the block at a `place` in the file.

    `frames` have the events selected, `valued` are the raw columns with values. `text` is the block itself where it
    may show columns that have none. With a `refused` row, no bad row is left out.
    """

    place: int
    text: bytes
    frames: list[pl.DataFrame]
    rows: int
    bad_rows: int
    passed_over: int
    valued: set[str]
    range: InstantRange | None
    refused: bool


class JsonReader:
    """A file of JSON as it is read for one question."""

    def __init__(self, file: EventFile, projection: Projection, options: ReadOptions) -> None:
        self._file, self._projection, self._options = file, projection, options
        self._columns: JsonColumns | None = None
        self._rows = self._bad_rows = self._passed_over = 0
        self._range: InstantRange | None = None

    def blocks(self) -> Generator[Callable[[], JsonBlock]]:
        """How to read each of the file's blocks, in order; any thread may do so, several at once."""
        schema = _schema_of(self._file, self._projection)
        self._columns = JsonColumns(self._file, self._projection, schema.keys)
        with open_bytes(self._file, self._options.advance) as stream:
            for place, block in enumerate(blocks_of(self._file, stream, self._projection)[1]):
                yield partial(self._read, place, block, schema, self._columns)

    def _read(self, place: int, block: bytes, schema: _Schema, columns: JsonColumns) -> JsonBlock:
        frames, valued, found = [], set(), None
        rows = bad_rows = passed_over = 0
        refused = False
        for piece in _sift(block, 0, schema, self._projection.limits.single_line_bytes):
            raw = piece.raw
            compact = compacted(piece.text, raw, _texts(self._projection))
            judged = judge_rows(compact, self._projection, self._file.partition)
            frame, others = judged.events(), judged.passed_over
            refused = refused or judged.refused
            frames.append(select_rows(frame, self._projection.selection))
            valued |= {name for name in raw.columns if raw[name].null_count() < raw.height} | piece.seen
            rows, passed_over = rows + raw.height, passed_over + others
            bad_rows += raw.height + len(piece.broken) - frame.height - others
            found = union_range(found, range_of(frame))
            if bad_rows and not self._options.skip_bad_rows:
                break
        text = b"" if columns.complete else block
        return JsonBlock(place, text, frames, rows, bad_rows, passed_over, valued, found, refused)

    def take(self, block: JsonBlock) -> Iterator[pl.DataFrame]:
        """The events of a block; blocks are taken in order.

        Raises BadRow for a line that cannot be read, unless the options say to leave such lines out.
        """
        assert self._columns is not None
        self._columns.see(block.rows, block.valued)
        if block.refused or (block.bad_rows and not self._options.skip_bad_rows):
            raise self._first_bad(block.place, self._columns).error(self._file)
        self._rows += block.rows
        self._bad_rows += block.bad_rows
        self._passed_over += block.passed_over
        self._range = union_range(self._range, block.range)
        yield from block.frames
        self._columns.look(block.text)

    def _first_bad(self, place: int, columns: JsonColumns) -> FoundBadRow:
        """The first bad line of the block at a place; raises NotEvents where no block has a column that must be."""
        lines = find_bad_lines(self._file, self._projection, sound_blocks=place)
        found = next((one for one in lines if one.refused or not self._options.skip_bad_rows), None)
        if found is None:
            raise changed_error(str(self._file))
        with open_bytes(self._file) as stream:
            columns.look_through(islice(blocks_of(self._file, stream, self._projection)[1], place, None))
        return found

    def report(self) -> FileReport:
        """What all the blocks held, once they are taken.

        Raises NotEvents when no object of the file has a column that must be there.
        """
        assert self._columns is not None
        self._columns.require()
        columns = frozenset(self._columns.found)
        return FileReport(columns, self._bad_rows, self._rows, self._range, self._passed_over)


def parse_lines(
    text: bytes, keys: _Keys, paths: Mapping[str, tuple[Path, ...]], projection: Projection
) -> pl.DataFrame | None:
    """The raw columns of some lines that are all sound; None where one is not, or the engine cannot tell."""
    raw = _parsed(text, keys)
    if raw is None:
        return None
    found = add_from_lines(text, compacted(text, raw, _texts(projection)), paths)
    return None if found.faults else found.raw


def find_bad_lines(file: EventFile, projection: Projection, *, sound_blocks: int = 0) -> Iterator[FoundBadRow]:
    """The lines, or elements of an array, that cannot be read, in order, found as they are asked for.

    In so many `sound_blocks` there are known to be none.
    """
    schema = _schema_of(file, projection)
    with open_bytes(file) as stream:
        hint = _hint(stream)
        unit, blocks = blocks_of(file, stream, projection)
        first = 1 + sum(block.count(b"\n") for block in islice(blocks, sound_blocks))
        for block in blocks:
            for piece in _sift(block, first, schema, projection.limits.single_line_bytes):
                hint = SKIP_HINT if unit == "row" else hint
                found = {line: FoundBadRow(unit, line, reason, hint) for line, reason in piece.broken.items()}
                bad = judge_rows(piece.raw, projection, file.partition).bad
                lines = list(piece.lines()) if bad.any() else []
                for row in bad.arg_true():
                    text = timestamp_text(piece.raw, projection, file.partition, row)
                    found[lines[row]] = no_instant(text, projection, unit, lines[row])
                yield from (one for _, one in sorted(found.items()))
            first += block.count(b"\n")


def _hint(stream: BinaryIO) -> str:
    """What to do about a line that is no object: lines of which none is one would all be left out."""
    if first_sign(stream) == b"[":
        return "--input-format json reads an array"
    lines = ahead(stream).split(b"\n")
    return SKIP_HINT if any(line.lstrip().startswith(b"{") for line in lines) else "--input-format csv reads CSV"


def _texts(projection: Projection) -> set[str]:
    """The keys whose text matters; of `properties` only whether there are any is ever asked."""
    read = (column for column in projection.selection.read if column != "properties")
    named = (*(name for column in read for name in projection.sources[column]), *projection.only)
    return {name for name in named if not readings(name)}


def _sift(text: bytes, first: int, schema: _Schema, single_line_bytes: int) -> Iterator[_Piece]:
    """Whole lines in as few pieces as can be parsed, in order and parsed as they are asked for."""
    raw = _parsed(text, schema.keys)
    if raw is not None:
        yield _with_paths(_Piece(text, first, raw), schema)
        return
    cut = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n", len(text) // 2, -1) + 1
    piece = _line_by_line(text, first, schema.keys) if cut == 0 or len(text) <= single_line_bytes else None
    if piece:
        yield _with_paths(piece, schema)
    else:
        yield from _sift(text[:cut], first, schema, single_line_bytes)
        yield from _sift(text[cut:], first + text.count(b"\n", 0, cut), schema, single_line_bytes)


def _with_paths(piece: _Piece, schema: _Schema) -> _Piece:
    """The piece with what paths lead to; a line with a text that a path goes into, and that is no JSON, is broken."""
    found = add_from_lines(piece.text, piece.raw, schema.paths)
    if not found.faults:
        return replace(piece, raw=found.raw, seen=found.seen)
    lines = list(piece.lines())
    faults = {lines[row]: fault for row, fault in found.faults.items()}
    sound = {at: line for at, line in enumerate(piece.text.split(b"\n")) if piece.first + at not in faults}
    text = _only(piece.text.split(b"\n"), sound)
    return _Piece(text, piece.first, found.raw.filter(~found.broken), {**piece.broken, **faults}, found.seen)


def _parsed(text: bytes, schema: _Keys) -> pl.DataFrame | None:
    """The raw columns of some lines, or None where the engine refuses one, or would read half a character as NUL."""
    if b"\\" in text and (b"\\ud" in text or b"\\uD" in text) and _HALF.search(text):
        return None
    if is_deep(text):
        return None
    try:
        return pl.read_ndjson(text, schema=schema)
    except pl.exceptions.ComputeError:
        return None


def _line_by_line(text: bytes, first: int, schema: _Keys) -> _Piece | None:
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
    return _Piece(_only(lines, objects), first, raw, {first + at: fault for at, fault in broken.items()})


def _only(lines: list[bytes], objects: Mapping[int, object]) -> bytes:
    """The lines of some objects, the others blank."""
    return b"\n".join(line if at in objects else b"" for at, line in enumerate(lines))


def _raw(objects: dict[int, dict[str, object]], broken: dict[int, str], schema: _Keys) -> pl.DataFrame:
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
    if is_deep(line):
        raise _NoObject(f"nested deeper than {MOST_LEVELS} levels")
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
