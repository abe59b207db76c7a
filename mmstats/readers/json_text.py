"""JSON text in blocks of lines, an object a line: as the lines of a file come, or from the elements of an array."""

import codecs
import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, cast

import polars as pl

from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import line_blocks
from mmstats.limits import Limits
from mmstats.readers.projection import Projection
from mmstats.wording import did_you_mean, visible

_BLANK = re.compile(r"[ \t\r\n]*")
_LONGEST_SIGN = 16  # characters of a literal or an escape that may be cut


def blocks_of(file: EventFile, stream: BinaryIO, projection: Projection) -> tuple[str, Iterator[bytes]]:
    """What a line of a block is in the file, `line` or `row`, and the blocks.

    Objects need not be a line each: they may be printed over several, or follow one another on one, as the first shows,
    or be the elements of one array, or of the array under the dialect's key of records.
    """
    limits = projection.limits
    if projection.dialect.records:
        text = _ReadText(file, stream, limits.text_block_bytes)
        return "row", _element_blocks(_records(file, text, projection.dialect.records), limits)
    if file.format.name == "json" and _first_byte(stream) == b"[":
        return "row", _element_blocks(_elements(file, _ReadText(file, stream, limits.text_block_bytes)), limits)
    if first_sign(stream) == b"{" and _runs_on(stream):
        return "row", _element_blocks(_objects(file, _ReadText(file, stream, limits.text_block_bytes)), limits)
    return "line", line_blocks(stream, limits.text_block_bytes)


def first_sign(stream: BinaryIO) -> bytes:
    """The first byte that is not blank, as far as the stream has read ahead."""
    return ahead(stream).lstrip()[:1]


def ahead(stream: BinaryIO) -> bytes:
    """The next bytes of a stream, as far as it has read ahead."""
    peek = getattr(stream, "peek")  # noqa: B009 - a BufferedReader, which BinaryIO does not say
    return cast(bytes, peek(1))


def _runs_on(stream: BinaryIO) -> bool:
    """Whether the first object goes on over its line, or another one follows it on its line."""
    text = ahead(stream).decode("utf-8", "ignore").lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:  # it may be longer than what was read ahead
        return _is_cut(error, text) and "\n" in text.rstrip()
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end] or text[end:].lstrip(" \t\r").startswith("{")


def _first_byte(stream: BinaryIO) -> bytes:
    """The first byte that is not blank; blanks before it are passed over."""
    while head := ahead(stream):
        found = head.lstrip()
        if found:
            return found[:1]
        stream.read(len(head))
    return b""


def _element_blocks(found: Iterable[str], limits: Limits) -> Iterator[bytes]:
    elements: list[str] = []
    for element in found:
        elements.append(element)
        if len(elements) == limits.array_elements:
            yield ("\n".join(elements) + "\n").encode()
            elements.clear()
    yield "\n".join(elements).encode()


class _ReadText:
    """JSON text as it is read: what was passed is forgotten, and no more is read than an element takes."""

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
            raise Unreadable(f"{self._file}: invalid UTF-8 at byte {place:,}") from None
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


def _elements(file: EventFile, array: _ReadText) -> Iterator[str]:
    """The text of each element of one array, on one line each.

    Raises Unreadable where the array is cut off or broken: there is no telling where its next element begins.
    """
    array.next_sign()
    yield from _array(file, array, 1)
    if array.next_sign():
        raise Unreadable(f"{file}: text after the array's end")


def _array(file: EventFile, array: _ReadText, row: int) -> Generator[str, None, int]:
    """The text of each element of the array that the text stands at, from this row on; the row behind the last."""
    sign = array.next_sign(passed=1)
    while sign != "]":
        end = _value_end(f"{file}: row {row:,}: broken JSON array", array)
        yield _on_one_line(array.text[array.at : end])
        sign, row = array.next_sign(passed=end - array.at), row + 1
        if sign == ",":
            sign = array.next_sign(passed=1)
            sign = "," if sign == "]" else sign  # nothing but an element may follow it
        elif sign != "]":
            raise Unreadable(f"{file}: row {row - 1:,}: broken JSON array: no ',' or ']' after it", hint="is it whole?")
    array.at += 1
    return row


def _records(file: EventFile, text: _ReadText, key: str) -> Iterator[str]:
    """The text of each element of the array under a key of an object, or of each of several that follow one another.

    Raises Unreadable as for an array, and NotEvents for what is no object with such an array.
    """
    row, sign = 1, text.next_sign()
    while sign:
        if sign != "{":
            raise _no_records(file, key, ())
        others: list[str] = []
        sign, found = text.next_sign(passed=1), False
        while sign != "}":
            name = _next_value(file, text)
            if not isinstance(name, str) or text.next_sign() != ":":
                raise Unreadable(f"{file}: broken JSON around {visible(key)!r}: a key is expected", hint="is it whole?")
            sign = text.next_sign(passed=1)
            if name == key and sign == "[" and not found:
                row, found = (yield from _array(file, text, row)), True
            else:
                _next_value(file, text)
                others.append(name)
            sign = text.next_sign()
            if sign == ",":
                sign = text.next_sign(passed=1)
            elif sign != "}":
                raise Unreadable(f"{file}: broken JSON behind {visible(name)!r}: no ',' or '}}'", hint="is it whole?")
        if not found:
            raise _no_records(file, key, others)
        sign = text.next_sign(passed=1)


def _next_value(file: EventFile, text: _ReadText) -> object:
    """The value that the text stands at, which it is behind of then; raises Unreadable for what is none."""
    end = _value_end(f"{file}: broken JSON", text)
    value: object = json.loads(text.text[text.at : end])
    text.at = end
    return value


def _no_records(file: EventFile, key: str, others: Collection[str]) -> NotEvents:
    has = f"it has {', '.join(visible(one) for one in others)}" if others else "it is no object with such a key"
    meant = did_you_mean(key, others, "--records {}")
    return NotEvents(f"{file}: no array under the key {visible(key)!r}", hint=f"{meant} {has}".strip())


def _objects(file: EventFile, text: _ReadText) -> Iterator[str]:
    """The text of each of the values that follow one another, on one line each; raises Unreadable as for an array."""
    row, sign = 1, text.next_sign()
    while sign:
        end = _value_end(f"{file}: row {row:,}: broken JSON", text)
        yield _on_one_line(text.text[text.at : end])
        row, sign = row + 1, text.next_sign(passed=end - text.at)


def _value_end(fault: str, text: _ReadText) -> int:
    """Where the value ends that the text stands at; raises Unreadable, saying the fault, where it does not."""
    decode = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
    while True:
        try:
            _, end = decode(text.text, text.at)
            cut = end + 2 >= len(text.text)  # a number may go on, as 1 with e+9
        except RecursionError:
            raise Unreadable(f"{fault}: nested too deep") from None
        except json.JSONDecodeError as error:
            cut = _is_cut(error, text.text)
            if text.ended or not cut:
                raise Unreadable(f"{fault}: {error.msg}") from None
        if not cut or text.ended:
            return end
        text.read_more()


def _is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether a value may be at fault only since the text ends before it does."""
    return error.pos > len(text) - _LONGEST_SIGN or error.msg.startswith("Unterminated string")


def _on_one_line(value: str) -> str:
    return value.replace("\n", " ").replace("\r", " ")  # which stand between tokens only


BLANK = b" \t\r"  # what a line that holds nothing may hold, to the engine
_BEGUN, _BEGINS = r"^(?:[\[{]|-0$)", rb"(?:[\[{]|-0)"  # a list, an object or -0, in a column and in a line
MOST_LEVELS = 512  # of lists and objects in a line, its own object among them
_OPENING = (b"[", b"{")
_NESTING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]')  # texts, which may hold brackets, and brackets
_DIGITS = 4300  # of an integer: Python's own bound


class Number(str):
    """A JSON number as it is spelled."""

    __slots__ = ()


def is_deep(text: bytes) -> bool:
    """Whether a line of JSON is nested deeper than what is read: no two readers have the same bound of their own."""
    lines = text.split(b"\n")
    if max(map(len, lines)) <= MOST_LEVELS:
        return False
    several = (line for line in lines if sum(map(line.count, _OPENING)) > MOST_LEVELS)
    return any(_levels(line) > MOST_LEVELS for line in several)


def _levels(line: bytes) -> int:
    level = deepest = 0
    for found in _NESTING.finditer(line):
        sign = found[0]
        level += (sign in _OPENING) - (sign in (b"]", b"}"))
        deepest = max(deepest, level)
    return deepest


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

    It keeps the sign of -0, too. Only a value that begins like one is looked at again; a string may begin so too, so
    its line is searched first.
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
        if isinstance(value, dict | list):
            yield _compact(value)
        else:
            yield "0" if old == "-0" and isinstance(value, Number) else old


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as the engine reads it, where a repeated key keeps its first value."""
    values = dict(pairs)
    return values if len(values) == len(pairs) else values | dict(reversed(pairs))


def _compact(value: object) -> str:
    """Compact JSON text; half a character, which no text can hold, stays an escape."""
    return "".join(_written(value)).encode("utf-8", "backslashreplace").decode()


def _written(value: object) -> Iterator[str]:
    """The pieces of compact JSON; without calling itself, since values may be nested deeper than Python calls."""
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Sign):
            yield str(one)
        elif isinstance(one, dict):
            parts = [part for key, held in one.items() for part in (_Sign("," + _dump(key) + ":"), held)]
            first = [_Sign("{" + str(parts[0])[1:]), *parts[1:]] if parts else [_Sign("{")]
            waiting += reversed([*first, _Sign("}")])
        elif isinstance(one, list):
            parts = [part for held in one for part in (_Sign(","), held)]
            waiting += reversed([_Sign("["), *parts[1:], _Sign("]")])
        else:
            yield str(one) if isinstance(one, Number) else _dump(one)


class _Sign(str):
    """A piece of JSON that stands between values."""

    __slots__ = ()


def _number(number: Number) -> str:
    """A number as the engine writes it: never with an exponent."""
    if number.lstrip("-").isdigit():
        return "0" if number == "-0" else str(number)
    value = float(number)
    if value in (float("inf"), -float("inf")):
        raise ValueError("a number in it is too large")
    return f"{Decimal(repr(value)):f}".removesuffix(".0") if value else "0"


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
