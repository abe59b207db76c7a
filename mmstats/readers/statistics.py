"""What the statistics of a Parquet file prove of its row groups: all, none or some of the rows are wanted."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.readers import types
from mmstats.readers.columnar import ColumnarFiles, unreadable

Slice = tuple[int, int]  # the first row and how many
Chunks = dict[str, Any]  # what a row group's footer says of columns, by name
_SLICES = 16  # so many scans of a part cost less than reading what they spare


class UnknownFooter(Exception):
    """A footer tells of types that the library cannot tell apart, 128-bit integers for one: the rows must be read."""


class Verdict(Enum):
    """How much of a row group the question wants, as far as statistics prove."""

    ALL = "all"
    NONE = "none"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The rows of one file from `first` on, for as many as `rows`."""

    first: int
    rows: int
    verdict: Verdict


def row_groups(
    part: ColumnarFiles, judged: Callable[[ColumnarFiles, Chunks], Verdict] | None = None
) -> Iterator[RowGroup]:
    """The row groups of a part of one Parquet file, in order, each with its verdict, on range and event."""
    first = 0
    for rows, chunks in read_footer(part.files[0], part.shape.raw):
        yield RowGroup(first, rows, (judged or verdict_of)(part, chunks))
        first += rows


def slices(groups: Iterable[RowGroup], verdicts: Collection[Verdict]) -> list[Slice]:
    """The rows of the row groups that have one of the verdicts, adjacent groups as one."""
    found: list[Slice] = []
    for group in groups:
        if group.verdict not in verdicts:
            continue
        first, rows = found[-1] if found else (0, 0)
        if found and first + rows == group.first:
            found[-1] = (first, rows + group.rows)
        else:
            found.append((group.first, group.rows))
    return found


def count_by_statistics(part: ColumnarFiles) -> tuple[int, list[pl.LazyFrame]]:
    """How many of the wanted events of a part statistics prove, without reading them, and the rest to be counted."""
    try:
        groups = [(each, list(row_groups(each))) for each in part.split()]
    except UnknownFooter:
        return 0, [part.events(part.scan())]
    proven = sum(group.rows for _, some in groups for group in some if group.verdict is Verdict.ALL)
    undecided = [(each, one) for each, some in groups for one in slices(some, {Verdict.SOME})]
    if undecided and (not proven or len(undecided) > _SLICES):
        return 0, [part.events(part.scan())]
    return proven, [each.events(each.scan().slice(first, rows)) for each, (first, rows) in undecided]


def read_footer(file: EventFile, columns: Collection[str]) -> Iterator[tuple[int, Chunks]]:
    """The number of rows of each row group of a Parquet file, and what its footer says of some columns, by name.

    Raises Unreadable for a footer that cannot be read, UnknownFooter for one that is beyond the library.
    """
    from pyarrow import parquet  # knows the statistics, which the engine keeps to itself

    try:
        metadata = parquet.read_metadata(file.storage.footer(file.path))
        described = [metadata.schema.column(at) for at in range(metadata.num_columns)]
        places = {column.path: at for at, column in enumerate(described) if column.path in columns}
        for index in range(metadata.num_row_groups):
            group = metadata.row_group(index)
            chunks = {name: group.column(at) for name, at in places.items()}
            # Asked of a damaged one for its statistics, the library would end the process.
            if any(chunk.physical_type != described[places[name]].physical_type for name, chunk in chunks.items()):
                raise ValueError("a column of a row group is of another type than the file's")
            yield group.num_rows, chunks
    except NotImplementedError as error:
        raise UnknownFooter from error
    except (OSError, ValueError) as error:  # a name that is not UTF-8 is a ValueError
        raise unreadable(file, error) from None


def statistics(chunks: Chunks, name: str) -> Any:
    """The statistics of a column of a row group, None where there are none."""
    return chunks[name].statistics if name in chunks else None


def verdict_of(part: ColumnarFiles, chunks: Chunks) -> Verdict:
    """How much of a row group range and event leave, as far as its statistics prove."""
    verdicts = {verdict_of_range(part, chunks), _of_event(part, chunks)}
    if Verdict.NONE in verdicts:
        return Verdict.NONE
    return Verdict.SOME if Verdict.SOME in verdicts else Verdict.ALL


def verdict_of_range(part: ColumnarFiles, chunks: Chunks) -> Verdict:
    """How much of a row group the range leaves, as far as its statistics prove."""
    name = part.shape.columns.sources("timestamp")[0]
    known = _complete(chunks, name)
    dtype = part.schema.get(name)
    if known is None or dtype is None or not types.is_instant(dtype) or chunks[name].physical_type == "INT96":
        return Verdict.SOME
    low, high = (_stored(raw, chunks[name], dtype) for raw in (known.min_raw, known.max_raw))
    if low > high:
        return Verdict.SOME
    spans = types.stored_ranges(dtype, part.shape.wanted, part.shape.timestamp_unit)
    if not any(start <= high and low < end for start, end in spans):
        return Verdict.NONE
    whole = known.null_count == 0 and any(start <= low and high < end for start, end in spans)
    return Verdict.ALL if whole else Verdict.SOME


def _stored(raw: int, chunk: Any, dtype: pl.DataType) -> int:
    """A stored integer: statistics come as signed numbers, whatever the column's type."""
    if raw >= 0 or not dtype.is_unsigned_integer():
        return raw
    return raw + (1 << 32 if chunk.physical_type == "INT32" else 1 << 64)


def _of_event(part: ColumnarFiles, chunks: Chunks) -> Verdict:
    wanted = part.shape.wanted.event
    if wanted is None:
        return Verdict.ALL
    sources = part.sources("event_name")
    known = _complete(chunks, sources[0]) if len(sources) == 1 else None
    if known is None or part.schema.get(sources[0]) not in {pl.String, pl.Categorical}:
        return Verdict.SOME
    name = wanted.encode()
    low, high = (value if isinstance(value, bytes) else str(value).encode() for value in (known.min_raw, known.max_raw))
    if low > high:
        return Verdict.SOME
    if not low <= name <= high:
        return Verdict.NONE
    return Verdict.ALL if low == name == high and known.null_count == 0 else Verdict.SOME


def _complete(chunks: Chunks, name: str) -> Any:
    """The statistics of a column that has both ends and a count of nulls, else None."""
    known = statistics(chunks, name)
    return known if known is not None and known.has_min_max and known.has_null_count else None
