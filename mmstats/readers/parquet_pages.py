"""Page headers of Parquet that contradict themselves or the footer, found before the engine reads the pages.

The engine takes a header at its word: a negative number of values ends the process, and where one is missing garbage
becomes labels. Only headers are read, of the columns asked for: about 10 µs a page, which holds a megabyte as a rule.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.nested import narrowed
from mmstats.readers.parquet_schema import Element, FooterHead, read_head
from mmstats.readers.thrift import FAULTS, I32, I64, LIST, STRUCT, Struct, list_header, read_struct
from mmstats.storage.disk import DISK
from mmstats.wording import visible

_REPEATED = 2
_UNCOMPRESSED = 0
_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)  # types of pages
_HEADER_BYTES = 256  # that hold nearly every header, and most of one with long statistics
_LONGEST_HEADER = 1 << 24
_STATISTICS = (12, STRUCT)  # of a chunk
_SLACK = 100  # bytes that a chunk of an old writer is longer than its footer says: PARQUET-816


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A column of values: its path, its place among all leaves, and whether it has one value for each row."""

    path: tuple[str, ...]
    place: int
    is_flat: bool


def check_pages(group: ColumnarFiles) -> None:
    """Raise Unreadable where pages that a question reads contradict their headers or the footer.

    Of Parquet files on disk: what is in an object store would be fetched twice. A store's files have checksums. Where
    statistics may spare the engine pages, by range, filters or nulls, they are not looked at: what is not read must not
    matter.
    """
    projection = group.projection
    selection, paths = projection.selection, projection.paths
    is_whole = not (selection.bounded or selection.where or selection.columns == ("timestamp",))
    sources = {name for column in selection.columns if is_whole for name in group.sources(column)}
    whole = {paths[name].column if name in paths else name for name in sources}
    for file in group.files:
        has_checksums = file.stored and file.stored.file.tail_checksum
        if file.format.name == "parquet" and file.storage is DISK and not has_checksums:
            _check_file(file, narrowed(group.schema, projection), whole)


def _check_file(file: EventFile, columns: Mapping[str, pl.DataType], whole: Collection[str]) -> None:
    """Check the pages of columns: of those that are read as a `whole` all, of others those without statistics."""
    footer = file.storage.footer(file.path).read()
    head = read_head(footer)
    with Path(file.path).open("rb", buffering=0) as opened:
        for leaf in _leaves(head.columns):
            if not _is_read(leaf.path, columns):
                continue
            try:
                chunks = _chunks(footer, head, leaf, is_refused=file.format.by_pyarrow)
                if leaf.is_flat and head.rows and sum(chunk[5, I64] for chunk in chunks) != head.rows:
                    raise ValueError("it has not as many values as there are rows")
                for chunk in chunks:
                    if leaf.path[0] in whole or _STATISTICS not in chunk:
                        _check_chunk(opened, chunk)
            except FAULTS as fault:
                why = str(fault) if isinstance(fault, ValueError) else "a header cannot be read"
                why = f"the pages of its column {visible(leaf.path[0])} contradict themselves: {why}"
                raise Unreadable(f"{file}: cannot be read as Parquet ({why})", hint="restore it") from None


def _leaves(elements: Sequence[Element]) -> Iterator[_Leaf]:
    """The leaves of a schema, in the order in which row groups have their chunks."""
    waiting: list[tuple[tuple[str, ...], Element, bool]] = [((one.name,), one, True) for one in reversed(elements)]
    place = 0
    while waiting:
        path, element, is_flat = waiting.pop()
        is_flat &= element.fields.get(3) != _REPEATED
        if element.physical is None:
            waiting += (((*path, child.name), child, is_flat) for child in reversed(element.children))
        else:
            yield _Leaf(path, place, is_flat)
            place += 1


def _is_read(path: Sequence[str], columns: Mapping[str, pl.DataType]) -> bool:
    """Whether a leaf lies in one of some columns, and of a struct in one of the fields that its type has."""
    name, *fields = path
    if name not in columns:
        return False
    dtype = columns[name]
    return not (fields and isinstance(dtype, pl.Struct)) or _is_read(fields, dtype.to_schema())  # type: ignore[arg-type]


def _chunks(footer: bytes, head: FooterHead, leaf: _Leaf, *, is_refused: bool) -> list[Struct]:
    """What the footer says of a leaf's chunk in each row group.

    They are found by the leaf's path, which stands before what is asked of a chunk: a footer may be long. Where that is
    not in it as often as there are row groups, or the footer is one that the engine refuses, all of it is read.
    """
    names = [name.encode() for name in leaf.path]
    if not is_refused and len(names) < 15 and all(len(name) < 128 for name in names):
        pattern = bytes([0x19, len(names) << 4 | 8]) + b"".join(bytes([len(name)]) + name for name in names)
        if footer.count(pattern, head.behind) == head.row_groups:
            at, found = head.behind, []
            for _ in range(head.row_groups):
                at = footer.index(pattern, at) + len(pattern)
                found.append(read_struct(footer, at, number=3)[0])
            return found
    count, _, at = list_header(footer, head.behind)
    chunks = []
    for _ in range(count):
        row_group, at = read_struct(footer, at)
        chunks.append(row_group[1, LIST][leaf.place][3, STRUCT])
    return chunks


def _check_chunk(file: BinaryIO, chunk: Struct) -> None:
    """Raise one of FAULTS where the pages of a chunk contradict it."""
    values = chunk[5, I64]
    at = min(place for place in (chunk[9, I64], chunk.get((11, I64), 0)) if place > 0)  # of data or a dictionary
    end = at + chunk[7, I64]
    while at < end:
        header, at = _read_header(file, at)
        values -= _checked_values(header, is_compressed=chunk[4, I32] != _UNCOMPRESSED)
        at += header[3, I32]
    if values:
        raise ValueError("they have not as many values as the footer says")
    if at > end + _SLACK:
        raise ValueError("they are longer than the footer says")


def _read_header(file: BinaryIO, at: int) -> tuple[Struct, int]:
    """The header of the page that begins at a place, and where it ends."""
    file.seek(at)
    data = file.read(_HEADER_BYTES)
    try:
        header, size = read_struct(data)
    except FAULTS:
        if len(data) < _HEADER_BYTES:
            raise
        header, size = read_struct(data + file.read(_LONGEST_HEADER))
    return header, at + size


def _checked_values(header: Struct, *, is_compressed: bool) -> int:
    """How many values of the column a page has by its header; raises one of FAULTS where that cannot be."""
    kind, whole, stored = header[1, I32], header[2, I32], header[3, I32]
    values: int
    if min(whole, stored) < 0:
        raise ValueError("a page has a negative size")
    if whole != stored and not is_compressed:
        raise ValueError("a page has two sizes")
    if kind == _DATA:
        values = header[5, STRUCT][1, I32]
        counts = [values]
    elif kind == _DATA_V2:
        page = header[8, STRUCT]
        values, nulls, rows, levels = page[1, I32], page[2, I32], page[3, I32], (page[5, I32], page[6, I32])
        counts = [values, values - nulls, values - rows, nulls, rows, *levels, min(whole, stored) - sum(levels)]
    elif kind == _DICTIONARY:
        values, words = 0, header[7, STRUCT][1, I32]
        counts = [words, whole - words]  # a word takes a byte at least
    elif kind == _INDEX:
        values, counts = 0, []
    else:
        raise ValueError("a page is of no known type")
    if min(counts, default=0) < 0:
        raise ValueError("a page has a number of values that cannot be")
    return values
