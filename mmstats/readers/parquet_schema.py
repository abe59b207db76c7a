"""What a Parquet footer says of its columns that the engine's schema does not: UUIDs, JSON and 96-bit instants.

A footer begins with the schema. Only that is read here, since the row groups behind it are long.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from mmstats.readers.thrift import (
    BINARY,
    FAULTS,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    Struct,
    integer,
    list_header,
    read_struct,
)
from mmstats.readers.value_text import JSON, UUID

_MAGIC = b"PAR1"
_END = 8  # bytes behind a footer: its length and the magic
_INT96, _FIXED = 3, 7  # physical types
_JSON_CONVERTED = 19
_JSON_LOGICAL, _UUID_LOGICAL = 12, 14
_INTEGERS = (I16, I32, I64)


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
    """The beginning of a footer: the columns, and how many rows and row groups it says that there are.

    The list of row groups is `behind` it.
    """

    columns: tuple[Element, ...]
    rows: int
    row_groups: int
    behind: int = 0


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
            rows, at = integer(footer, len(self.before))
            _, at = read_struct(footer, at, number=3, stop=4)
            return rows, list_header(footer, at)[0]
        except FAULTS:
            return None


def read_form(footer: bytes) -> FooterForm | None:
    """What in a footer that follows the magic tells the schema; None where it is not as it should be."""
    try:
        _, rows = read_struct(footer, len(_MAGIC), stop=3)
        _, behind = read_struct(footer, len(_MAGIC), stop=5)
    except FAULTS:
        return None
    return FooterForm(footer[:rows], footer[behind - 1 : -_END])  # with the byte that tells which field comes there


def read_head(footer: bytes) -> FooterHead:
    """The beginning of a footer that follows the magic; of no columns where it is not as it should be."""
    try:
        head, at = read_struct(footer, len(_MAGIC), stop=4)
        groups = list_header(footer, at)[0] if at < len(footer) else 0
        root, *elements = map(_element, head[2, LIST])
        _adopt(root, iter(elements))
        return FooterHead(tuple(root.children), head.get((3, I64), 0), groups, at)
    except FAULTS:
        return FooterHead((), 0, 0)


def _adopt(parent: Element, rest: Iterator[Element]) -> None:
    """Take the elements that belong to a group, which follow it depth first."""
    for _ in range(parent.fields.get(5, 0)):
        child = next(rest, None)
        if child is None:
            raise ValueError("a group has more children than there are elements")
        parent.children.append(child)
        _adopt(child, rest)


def _element(struct: Struct) -> Element:
    fields = {number: value for (number, kind), value in struct.items() if kind in _INTEGERS}
    name = struct.get((4, BINARY), b"")
    # The logical type is a union: the number of its only field tells which.
    logical = next((number for number, _ in struct.get((10, STRUCT), ())), 0)
    return Element(fields, name.decode("utf-8", "replace"), logical)


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
