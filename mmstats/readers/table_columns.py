"""Which columns of a table's file are columns of the table, when columns were added, dropped or renamed since."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile, Table
from mmstats.files.tables import refused_table
from mmstats.readers.columnar_file import FileSchema
from mmstats.readers.parquet_schema import Element, read_head
from mmstats.readers.projection import Projection
from mmstats.wording import visible

_FIELD_ID = 9  # of an element of a Parquet schema
_OF_NESTED = {"element", "key", "value"}  # writers name these as they like


def as_in_table(file: EventFile, known: FileSchema, projection: Projection) -> FileSchema:
    """The columns of a file that the table has too: those that it dropped stay in older files.

    Raises Unreadable for a column of the question that the file has under another name.
    """
    assert file.table
    columns = _columns_by_id(file, file.table, projection) if any(file.table.fields.values()) else file.table.fields
    own = {name: dtype for name, dtype in known.columns.items() if name in columns}
    if len(own) == len(known.columns):
        return known
    logical = {name: dtype for name, dtype in known.logical.items() if name in own}
    return replace(known, columns=pl.Schema(own), logical=logical)


def _columns_by_id(file: EventFile, table: Table, projection: Projection) -> Collection[str]:
    """The names under which a file has columns of the table, which are told by their ids."""
    elements = {one.name: one for one in read_head(file.storage.footer(file.path).read()).columns}
    ids = {name: one.fields.get(_FIELD_ID, table.unnumbered.get(name)) for name, one in elements.items()}
    by_id = {number: name for name, number in ids.items() if number is not None}
    own = {name for name, number in ids.items() if number is not None and table.fields.get(name) == number}
    for name in projection.as_spelled_in(file, table.fields).needed:
        number = table.fields.get(name)
        was = name if name in own else by_id.get(number) if number is not None else None
        if was is not None and (was != name or not _is_unchanged(elements[name], table)):
            raise _renamed(file, table, name)
    return own


def _is_unchanged(column: Element, table: Table) -> bool:
    """Whether all that a column holds is called as in the table."""
    for element in _held(column):
        number = element.fields.get(_FIELD_ID)
        name = None if number is None else table.nested.get(number)
        if number is not None and name not in {element.name, *_OF_NESTED}:
            return False
    return True


def _held(column: Element) -> Iterator[Element]:
    for child in column.children:
        yield child
        yield from _held(child)


def _renamed(file: EventFile, table: Table, name: str) -> Unreadable:
    why = f"has renamed the column {visible(name)!r}, or a part of it, which {file} has by its older name"
    return refused_table(table.folder, table.kind, why, "have what writes the table rewrite its data files")
