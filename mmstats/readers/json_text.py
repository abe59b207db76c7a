"""JSON text in blocks of lines, an object a line: as the lines of a file come, or from the elements of an array."""

import codecs
import json
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, cast

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import line_blocks
from mmstats.limits import Limits

_BLANK = re.compile(r"[ \t\r\n]*")
_LONGEST_SIGN = 16  # characters of a literal or an escape that may be cut


def blocks_of(file: EventFile, stream: BinaryIO, limits: Limits) -> tuple[str, Iterator[bytes]]:
    """What a line of a block is in the file, `line` or `row`, and the blocks."""
    if file.format.name == "json" and _first_byte(stream) == b"[":
        return "row", _array_blocks(file, stream, limits)
    return "line", line_blocks(stream, limits.text_block_bytes)


def _first_byte(stream: BinaryIO) -> bytes:
    """The first byte that is not blank; blanks before it are passed over."""
    peek = getattr(stream, "peek")  # noqa: B009 - a BufferedReader, which BinaryIO does not say
    while head := peek(1):
        found = cast(bytes, head).lstrip()
        if found:
            return found[:1]
        stream.read(len(head))
    return b""


def _array_blocks(file: EventFile, stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    elements: list[str] = []
    for element in _elements(file, _ArrayText(file, stream, limits.text_block_bytes)):
        elements.append(element)
        if len(elements) == limits.array_elements:
            yield ("\n".join(elements) + "\n").encode()
            elements.clear()
    yield "\n".join(elements).encode()


class _ArrayText:
    """The text of an array as it is read: what was passed is forgotten, and no more is read than an element takes."""

    def __init__(self, file: EventFile, stream: BinaryIO, block_bytes: int) -> None:
        self._file, self._stream, self._block = file, stream, block_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self.text, self.at, self.ended = "", 0, False

    def read_more(self) -> None:
        """Read on, as much again as an element that is not whole yet has."""
        data = self._stream.read(max(self._block, len(self.text) - self.at))
        self.ended = not data
        try:
            more = self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            held = len(error.object) - len(data)  # bytes of a character that was cut
            place = self._bytes - held + error.start + 1
            raise Unreadable(f"{self._file}: invalid UTF-8 at byte {place:,} of the array") from None
        self._bytes += len(data)
        self.text, self.at = self.text[self.at :] + more, 0

    def next_sign(self, *, passed: int = 0) -> str:
        """The next character that is not blank, behind so many; empty at the end. The text stands at it then."""
        self.at += passed
        while True:
            found = _BLANK.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.read_more()


def _elements(file: EventFile, array: _ArrayText) -> Iterator[str]:
    """The text of each element of one array, on one line each.

    Raises Unreadable where the array is cut off or broken: there is no telling where its next element begins.
    """
    decode = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # only to find where an element ends
    array.next_sign()
    sign, row = array.next_sign(passed=1), 1
    while sign != "]":
        try:
            _, end = decode(array.text, array.at)
            cut = end + 2 >= len(array.text)  # a number may go on, as 1 with e+9
        except RecursionError:
            raise Unreadable(f"{file}: row {row:,}: broken JSON array: nested too deep") from None
        except json.JSONDecodeError as error:
            cut = error.pos > len(array.text) - _LONGEST_SIGN or error.msg.startswith("Unterminated string")
            if array.ended or not cut:
                raise Unreadable(f"{file}: row {row:,}: broken JSON array: {error.msg}") from None
        if cut and not array.ended:
            array.read_more()
            continue
        yield array.text[array.at : end].replace("\n", " ").replace("\r", " ")  # which stand between tokens only
        sign = array.next_sign(passed=end - array.at)
        if sign == ",":
            sign, row = array.next_sign(passed=1), row + 1
            sign = "," if sign == "]" else sign  # nothing but an element may follow it
        elif sign != "]":
            raise Unreadable(f"{file}: row {row:,}: broken JSON array: no ',' or ']' after it", hint="is it whole?")
    if array.next_sign(passed=1):
        raise Unreadable(f"{file}: text after the array's end")


BLANK = b" \t\r"  # what a line that holds nothing may hold, to the engine
_BEGUN, _BEGINS = r"^[\[{]", rb"[\[{]"  # a list or an object, in a column and in a line
_DIGITS = 4300  # of an integer: Python's own bound


class Number(str):
    """A JSON number as it is spelled."""

    __slots__ = ()


def value_of(line: bytes) -> object:
    """The JSON value that a line is, numbers as they are spelled.

    Raises ValueError, or RecursionError where it is nested too deep.
    """
    return _decode(line.decode("utf-8"))


def column_text(value: object) -> str | None:
    """A value of `value_of` as the text that the engine reads it as, lists and objects compact.

    Raises ValueError for a value that has no such text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return _number(value)
    if isinstance(value, str):
        value.encode()  # fails on half a character
        return value
    return None if value is None else _compact(value)


def compacted(text: bytes, raw: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """The raw columns of some lines, with lists and objects in `names` as compact JSON, which the engine writes wide.

    Only a value that begins like one is looked at again; a string may begin so too, so its line is searched first.
    """
    columns = [name for name in raw.columns if name in names and raw[name].str.contains(_BEGUN).any()]
    keys = [key_pattern(name, _BEGINS) for name in (*columns, None)] if columns else []
    keys = [key for key in keys if key.search(text)]
    if not keys:
        return raw
    begun = pl.any_horizontal(pl.col(name).str.contains(_BEGUN) for name in columns)
    lines = rows_of(text)
    rows = raw.select(begun.fill_null(value=False)).to_series().arg_true().to_list()
    rows = [row for row in rows if any(key.search(lines[row]) for key in keys)]
    objects = [_object(lines[row]) for row in rows]
    return raw.with_columns(
        raw[name].scatter(rows, list(_texts(objects, name, raw[name].gather(rows)))) for name in columns
    )


def rows_of(text: bytes) -> list[bytes]:
    """The lines that hold a row."""
    return [line for line in text.split(b"\n") if line.strip(BLANK)]


def key_pattern(name: str | None, value: bytes = b"") -> re.Pattern[bytes]:
    """A key as it is mostly spelled, at any depth, and how its value begins; without a name, any spelled with escapes.

    A pattern begins with a literal, which is found fast.
    """
    spelled = {json.dumps(name), json.dumps(name, ensure_ascii=False)} if name is not None else set()
    key = rb"|".join(re.escape(one.encode()) for one in spelled) or rb'\\[^"\\\n]*"'
    return re.compile(rb"(?:%s)[ \t\r]*:[ \t\r]*%s" % (key, value))


def _object(line: bytes) -> dict[str, object]:
    try:
        value = value_of(line)
    except RecursionError:
        return {}
    assert isinstance(value, dict), "the engine has read an object there"
    return value


def _texts(objects: list[dict[str, object]], name: str, as_read: Iterable[str | None]) -> Iterator[str | None]:
    for thing, old in zip(objects, as_read, strict=True):
        value = thing.get(name)
        yield _compact(value) if isinstance(value, dict | list) else old


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as the engine reads it, where a repeated key keeps its first value."""
    values = dict(pairs)
    return values if len(values) == len(pairs) else values | dict(reversed(pairs))


def _compact(value: object) -> str:
    """Compact JSON text; half a character, which no text can hold, stays an escape."""
    try:
        return _written(value).encode("utf-8", "backslashreplace").decode()
    except RecursionError:
        raise ValueError("nested too deep") from None


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join([f"{_dump(key)}:{_written(held)}" for key, held in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_written(held) for held in value]) + "]"
    return str(value) if isinstance(value, Number) else _dump(value)


def _number(number: Number) -> str:
    """A number as the engine writes it: never with an exponent."""
    if number.lstrip("-").isdigit():
        return "0" if number == "-0" else str(number)
    value = float(number)
    if value in (float("inf"), -float("inf")):
        raise ValueError("a number in it is too large")
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _integer(text: str) -> Number:
    if len(text) > _DIGITS:
        raise ValueError(f"a number of more than {_DIGITS:,} digits")
    return Number(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_float=Number, parse_int=_integer, parse_constant=_no_constant
).decode
_dump = json.JSONEncoder(ensure_ascii=False).encode
