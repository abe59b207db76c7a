"""What a Parquet footer says of its columns that the engine's schema does not: UUIDs, JSON and 96-bit instants.

A footer is in Thrift's compact protocol, and begins with the schema. Only that is read, since the row groups behind it
are long; PyArrow would tell as well, but takes longer to import than a small question to answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from mmstats.readers.value_text import JSON, UUID

_MAGIC = b"PAR1"
_END = 8  # the length of the footer, and the magic
_INT96, _FIXED = 3, 7  # physical types
_JSON_CONVERTED = 19
_JSON_LOGICAL, _UUID_LOGICAL = 12, 14
# Thrift's types
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)


@dataclass(slots=True)
class Element:
    """A column, or what one holds: its physical type as a number, None for a group, and the values of its fields."""

    fields: dict[int, int] = field(default_factory=dict)
    name: str = ""
    logical: int = 0
    children: "list[Element]" = field(default_factory=list)

    @property
    def physical(self) -> int | None:
        """The number of the physical type, None for a group."""
        return self.fields.get(1)

    @property
    def is_json(self) -> bool:
        """Whether its text is JSON."""
        return self.logical == _JSON_LOGICAL or self.fields.get(6) == _JSON_CONVERTED

    @property
    def is_uuid(self) -> bool:
        """Whether its bytes are a UUID."""
        return self.logical == _UUID_LOGICAL and self.physical == _FIXED


@dataclass(frozen=True, slots=True)
class FooterHead:
    """The beginning of a footer: the columns, and how many rows and row groups it says that there are."""

    columns: tuple[Element, ...]
    rows: int
    row_groups: int


@dataclass(frozen=True, slots=True)
class FooterForm:
    """What in a footer tells the schema: its bytes before the number of rows, and those behind the row groups.

    Files of one writer differ only in what is between. The bytes behind begin where a field does, so that they are not
    also the end of a footer that says more.
    """

    before: bytes
    behind: bytes

    def counts_in(self, footer: bytes) -> tuple[int, int] | None:
        """The rows and row groups of a footer that tells the same schema; None for another."""
        if not (footer.startswith(self.before) and footer.endswith(self.behind, 0, -_END)):
            return None
        try:
            return _counts(_Compact(footer, len(self.before)), 2)
        except (IndexError, ValueError, RecursionError):
            return None


def read_form(footer: bytes) -> FooterForm | None:
    """What in a footer that follows the magic tells the schema; None where it is not as it should be."""
    compact, before = _Compact(footer, len(_MAGIC)), b""
    try:
        for number, kind in compact.fields():
            compact.skip(kind)
            if number == 2:
                before = footer[: compact.at]
            elif number == 4:
                return FooterForm(before, footer[compact.at : -_END]) if before else None
    except (IndexError, ValueError, RecursionError):
        return None
    return None


def read_head(footer: bytes) -> FooterHead:
    """The beginning of a footer that follows the magic; of no columns where it is not as it should be."""
    try:
        return _head(_Compact(footer, len(_MAGIC)))
    except (IndexError, ValueError, RecursionError):
        return FooterHead((), 0, 0)


def _head(compact: "_Compact") -> FooterHead:
    elements: list[Element] = []
    for number, kind in compact.fields():
        if number == 2 and kind == _LIST:
            elements = [_element(compact) for _ in range(compact.list_header()[0])]
            break
        compact.skip(kind)
    rest = iter(elements)
    root = next(rest, Element())
    _adopt(root, rest)
    return FooterHead(tuple(root.children), *_counts(compact, 2))


def _counts(compact: "_Compact", after: int) -> tuple[int, int]:
    """The numbers of rows and of row groups, which come after a field."""
    rows = groups = 0
    for number, kind in compact.fields(after):
        if number == 3:
            rows = compact.integer()
        elif number == 4 and kind == _LIST:
            groups = compact.list_header()[0]
            break
        else:
            compact.skip(kind)
    return rows, groups


def _adopt(parent: Element, rest: Iterator[Element]) -> None:
    """Take the elements that belong to a group, which follow it depth first."""
    for _ in range(parent.fields.get(5, 0)):
        child = next(rest, None)
        if child is None:
            raise ValueError("a group has more children than there are elements")
        parent.children.append(child)
        _adopt(child, rest)


def _element(compact: "_Compact") -> Element:
    found = Element()
    for number, kind in compact.fields():
        if number == 4:
            found.name = compact.binary().decode("utf-8", "replace")
        elif number == 10 and kind == _STRUCT:  # a union: the number of its only field tells the type
            for found.logical, held in compact.fields():
                compact.skip(held)
        elif kind in _INTEGERS:
            found.fields[number] = compact.integer()
        else:
            compact.skip(kind)
    return found


def typed_as_engine(head: FooterHead, schema: pl.Schema) -> pl.Schema:
    """The engine's schema, with 96-bit instants in microseconds: in nanoseconds, 64 bits end in the year 2262."""
    old = {column.name for column in head.columns if column.physical == _INT96}
    if not old:  # of thousands of files hardly one has any
        return schema
    return pl.Schema({name: pl.Datetime("us") if name in old else dtype for name, dtype in schema.items()})


def logical_types(head: FooterHead, schema: pl.Schema) -> dict[str, pl.DataType]:
    """The types of columns that are, or hold, UUIDs or JSON, which to the engine are bytes."""
    found = {column.name: _logical(column, schema[column.name]) for column in head.columns if column.name in schema}
    return {name: dtype for name, dtype in found.items() if dtype != schema[name]}


def _logical(element: Element, dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Binary | pl.String):
        name = UUID if element.is_uuid else JSON if element.is_json else ""
        return pl.Extension(name, dtype) if name else dtype
    if isinstance(dtype, pl.Struct):
        held = {child.name: child for child in element.children}
        return pl.Struct({one.name: _logical(held.get(one.name, Element()), _typed(one.dtype)) for one in dtype.fields})
    if isinstance(dtype, pl.List):
        repeated = next(iter(element.children), Element())
        is_wrapped = len(repeated.children) == 1 and not isinstance(dtype.inner, pl.Struct)
        is_wrapped |= len(repeated.children) == 1 and repeated.children[0].physical is None
        return pl.List(_logical(repeated.children[0] if is_wrapped else repeated, _typed(dtype.inner)))
    return dtype


def _typed(dtype: object) -> pl.DataType:
    assert isinstance(dtype, pl.DataType)
    return dtype


class _Compact:
    """A value in Thrift's compact protocol, read from a place on."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    @property
    def at(self) -> int:
        """The place of what is read next."""
        return self._at

    def fields(self, number: int = 0) -> Iterator[tuple[int, int]]:
        """The number and the type of each field of a struct; whoever asks reads or skips it before the next."""
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, head & 15

    def list_header(self) -> tuple[int, int]:
        """The number of elements of a list, and their type."""
        head = self._byte()
        return (head >> 4 if head >> 4 < 15 else self._varint()), head & 15

    def integer(self) -> int:
        """An integer of any size but a byte."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def binary(self) -> bytes:
        """A text or bytes."""
        size = self._varint()
        self._at += size
        if self._at > len(self._data):
            raise ValueError("a text goes beyond the end")
        return self._data[self._at - size : self._at]

    def skip(self, kind: int) -> None:
        """Pass over a value."""
        if kind == _STRUCT:
            for _, held in self.fields():
                self.skip(held)
        elif kind in (_LIST, _SET):
            count, held = self.list_header()
            for _ in range(count):
                self.skip(_BYTE if held in (_TRUE, _FALSE) else held)
        elif kind == _BINARY:
            self.binary()
        elif kind in _INTEGERS:
            self._varint()
        elif kind == _MAP:
            raise ValueError("no map is expected")
        elif kind not in (_TRUE, _FALSE):
            self._at += 8 if kind == _DOUBLE else 1

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte
