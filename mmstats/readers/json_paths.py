"""What paths lead to in JSON: each text is parsed once for all paths, fast where that is exact, else by the slow way.

The fast parser is simdjson. It reads what we do, of a repeated key the first as well, but refuses some: integers beyond
64 bits, numbers too large, half characters. Such texts, and those of which a path leads to a list or an object, whose
numbers stay as they are spelled, are parsed again by the standard library.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import polars as pl

from mmstats.paths import Path, Step
from mmstats.readers.json_text import MOST_LEVELS, Number, column_text, is_deep, value_of

# What an entry's value may be an object of: the first that is not null counts.
TYPED_VALUES = ("string_value", "int_value", "float_value", "double_value")
_ABSENT: Any = object()
_NO_COLUMN: Any = object()
_MANY_DIGITS = re.compile(rb"[0-9.]{17}")  # 15 digits and a point are told by any double
_AT_ONCE = 2048  # texts
_BOM = 0xEF  # of the mark of a byte order, which simdjson passes over


@dataclass(frozen=True, slots=True)
class FoundTexts:
    """What paths lead to, by path: a text or None for each row, and whether any row has the path at all.

    `broken` are the rows that cannot be read, each with what is wrong with it.
    """

    texts: list[list[str | None]]
    present: list[bool]
    broken: dict[int, str] = field(default_factory=dict)


def has_many_digits(text: bytes) -> bool:
    """Whether JSON may have a number with more digits than a double is sure to tell."""
    return _MANY_DIGITS.search(text) is not None


def find_in_texts(texts: pl.Series, paths: Sequence[Path], *, unwrap: bool = False) -> FoundTexts:
    """What paths lead to in the texts, or bytes, of a column: JSON, or null, or empty, which is null.

    The values of a JSON type `unwrap`: one that is a string has that for its text, which is JSON, or null, or empty.
    """

    def ways(parser: "_Parser") -> list[_Way]:
        several, own = [_way(parser, path.steps) for path in paths], _OwnText(type(parser)())
        return [_unwrapped(way, own, parser) for way in several] if unwrap else several

    has_nul = any("\0" in step.key for path in paths for step in path.steps)
    spelled = [path.spelled for path in paths]
    return _find(_encoded(texts), len(texts), ways, _StandardLibrary() if has_nul else _SimdJson(), spelled)


def _encoded(texts: pl.Series) -> Iterator[bytes | None]:
    """The bytes of texts, few at a time: memory that is used again is in the processor's cache."""
    encoded = texts if texts.dtype == pl.Binary else texts.cast(pl.String).cast(pl.Binary)
    for first in range(0, len(encoded), _AT_ONCE):
        yield from encoded.slice(first, _AT_ONCE).to_list()


def find_in_lines(lines: Sequence[bytes], paths: Sequence[Sequence[Path]]) -> FoundTexts:
    """What paths lead to in lines that are an object each; of the ways to read a path the first whose column is there.

    A column's own text is parsed as JSON, too.
    """

    def ways(parser: "_Parser") -> list[_Way]:
        own: dict[str, _OwnText] = {}
        return [_first_there([_in_column(one, own, parser) for one in readings]) for readings in paths]

    keys = (key for readings in paths for one in readings for key in (one.column, *(step.key for step in one.steps)))
    spelled = [readings[0].spelled for readings in paths]
    parser: _Parser = _StandardLibrary() if any("\0" in key for key in keys) else _SimdJson()
    return _find(lines, len(lines), ways, parser, spelled)


_Way = Callable[[Any], Any]  # from a value to the one that a path leads to


def _find(
    texts: Iterable[bytes | None],
    rows: int,
    ways: "Callable[[_Parser], list[_Way]]",
    fast: "_Parser",
    spelled: Sequence[bool],
) -> FoundTexts:
    """What ways lead to; only the standard library finds a key that holds a NUL, and how a number is `spelled`."""
    slow = _StandardLibrary()
    parse, follow = fast.parse, list(enumerate(ways(fast)))
    columns: list[list[str | None]] = [[None] * rows for _ in follow]
    found, is_any_spelled = FoundTexts(columns, [False] * len(follow)), any(spelled)
    for row, text in enumerate(texts):
        if not text:
            continue
        try:
            if len(text) > 2 * MOST_LEVELS or text[0] == _BOM:
                _check(text)
            if is_any_spelled and has_many_digits(text):
                raise ValueError("not for the fast parser")
            value = parse(text)
            for place, way in follow:
                one = way(value)
                if one is not _ABSENT:
                    columns[place][row] = one if type(one) is str else fast.text(one)
                    found.present[place] = True
        except (ValueError, RuntimeError):
            _find_in_row(row, text, zip(ways(slow), spelled, strict=True), found)
    return found


def _find_in_row(row: int, text: bytes, ways: Iterable[tuple[_Way, bool]], found: FoundTexts) -> None:
    """The same for one row, by the standard library."""
    parser = _StandardLibrary()
    try:
        _check(text)
        value = parser.parse(text)
        texts = [
            one if (one := way(value)) is _ABSENT else str(one) if spelled and type(one) is Number else parser.text(one)
            for way, spelled in ways
        ]
    except (ValueError, RecursionError) as error:
        is_half = isinstance(error, UnicodeEncodeError)
        found.broken[row] = "a \\u escape in it is half a character" if is_half else str(error)
        texts = [_ABSENT for _ in found.texts]
    for place, one in enumerate(texts):
        found.texts[place][row] = None if one is _ABSENT else one
        found.present[place] |= one is not _ABSENT


def _check(text: bytes) -> None:
    """Raise ValueError for a text that is no JSON to us, though it may be to a parser."""
    if text[0] == _BOM or is_deep(text):
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels, or it begins with the mark of a byte order")


def _unwrapped(way: _Way, own: "_OwnText", parser: "_Parser") -> _Way:
    """The way from a value of a JSON type, whose text is parsed where it is a string."""

    def unwrapped(value: Any) -> Any:
        if type(value) is parser.scalar:
            raise ValueError("a scalar, of which simdjson does not say at once what it is")
        return way(own.value(value) if type(value) is str else value)

    return unwrapped


def _first_there(ways: Sequence[_Way]) -> _Way:
    """The way to the first of several values that is there."""

    def way(columns: Any) -> Any:
        for one in ways:
            value = one(columns)
            if value is not _NO_COLUMN:
                return value
        return _ABSENT

    return way


def _in_column(path: Path, own: "dict[str, _OwnText]", parser: "_Parser") -> _Way:
    """The way of a path from the object that has the columns; there may be no such column."""
    name, steps = path.column, _way(parser, path.steps)
    own_text = own.setdefault(name, _OwnText(type(parser)(), name))

    def way(columns: Any) -> Any:
        value = columns.get(name, _NO_COLUMN)
        if value is _NO_COLUMN or not path.steps:
            return value
        return steps(own_text.value(value) if type(value) is str else value)

    return way


class _OwnText:
    """The JSON that a column's own text is, parsed once for all its paths, by a parser that holds no other document."""

    def __init__(self, parser: "_Parser", name: str = "") -> None:
        self._parser, self._fault = parser, f"broken JSON in {name}"
        self._text, self._value = "", None

    def value(self, text: str) -> Any:
        """The value that a text is, None for an empty one."""
        if not text:
            return None
        if text != self._text:
            try:
                encoded = text.encode()
                _check(encoded)
                self._text, self._value = "", self._parser.parse(encoded)
            except (ValueError, RuntimeError, RecursionError):
                raise ValueError(self._fault) from None
            self._text = text
        return self._value


class _Parser(Protocol):
    """Parses JSON into values of its own: objects that have `get`, lists, and what Python has for the others.

    `scalar` is the type of another value than these that is no part of one, where it has a type for it.
    """

    object: Any
    list: Any
    scalar: Any

    def parse(self, text: bytes) -> Any:
        """The value that a text is, good until the next is parsed; raises ValueError or RuntimeError for none."""
        ...

    def text(self, value: Any) -> str | None:
        """A value as the text of a column; raises ValueError for one that has none."""
        ...


class _SimdJson:
    def __init__(self) -> None:
        import cysimdjson  # only paths into JSON need it

        self.object: Any = cysimdjson.JSONObject
        self.list: Any = cysimdjson.JSONArray
        self.scalar: Any = cysimdjson.JSONElement
        self.parse: Callable[[bytes], Any] = cysimdjson.JSONParser().parse

    def text(self, value: Any) -> str | None:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            shortest = repr(value) if value else "0"
            return (f"{Decimal(shortest):f}" if "e" in shortest else shortest).removesuffix(".0")
        if value is None:
            return None
        raise ValueError("a list or an object, whose numbers it does not spell as they are")


class _StandardLibrary:
    def __init__(self) -> None:
        self.object: Any = dict
        self.list: Any = list
        self.scalar: Any = None
        self.parse: Callable[[bytes], Any] = value_of

    def text(self, value: Any) -> str | None:
        found = column_text(value)
        return "0" if found == "-0" and isinstance(value, Number) else found


def _way(parser: _Parser, steps: Sequence[Step]) -> _Way:
    """The way of some steps from a value."""
    kind, first = parser.object, steps[0].key if steps else ""
    if len(steps) == 1 and not steps[0].entry:  # as most are, and there may be millions of rows
        return lambda value: value.get(first, _ABSENT) if type(value) is kind else _ABSENT

    def way(value: Any) -> Any:
        for step in steps:
            if step.entry:
                value = _entry(parser, value, step.key)
            elif type(value) is kind:
                value = value.get(step.key, _ABSENT)
            else:
                return _ABSENT
        return value

    return way


def _entry(parser: _Parser, entries: Any, key: str) -> Any:
    """The value of the first entry of a key."""
    if type(entries) is not parser.list:
        return _ABSENT
    for one in entries:
        if type(one) is parser.object and one.get("key", None) == key:
            value = one.get("value", _ABSENT)
            return _typed_value(value) if type(value) is parser.object else value
    return _ABSENT


def _typed_value(value: Any) -> Any:
    """The first of an object's typed values that is not null, the object itself where it has none of them."""
    typed = [one for name in TYPED_VALUES if (one := value.get(name, _ABSENT)) is not _ABSENT]
    if typed or not len(value):
        return next((one for one in typed if one is not None), None)
    return value
