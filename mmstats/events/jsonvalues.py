"""JSON values as the text of a column: what the engine leaves to be done, or will not read at all."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any

import polars as pl

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
