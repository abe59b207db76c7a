"""What the footers of Parquet files prove of their rows without reading them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import polars as pl

from mmstats.files.checksums import check_file
from mmstats.files.event_file import EventFile
from mmstats.question.filters import COMPARISONS, WHOLE_DIGITS, Filter, Operator, compares
from mmstats.readers import types
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.columnar_file import unreadable
from mmstats.readers.report import InstantRange
from mmstats.storage.disk import DISK

Slice = tuple[int, int]  # the first row and how many
Chunks = dict[str, Any]  # the metadata of a row group's column chunks, by name
_SLICES = 16  # so many scans cost less than reading what they spare


class UnknownFooter(Exception):
    """A footer tells of types that the library cannot tell apart, 128-bit integers for one: the rows must be read."""


class Match(Enum):
    """How many rows of a row group a predicate selects, as far as statistics prove."""

    ALL = "all"
    NONE = "none"
    SOME = "some"


_COMPLEMENTS = {Match.ALL: Match.NONE, Match.NONE: Match.ALL, Match.SOME: Match.SOME}


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The rows of one file from `first` on, for as many as `rows`."""

    first: int
    rows: int
    match: Match


@dataclass(frozen=True, slots=True)
class NestedChunk:
    """What a row group holds of a nested column: the chunks of its leaves, whose statistics are not the column's."""

    total_compressed_size: int
    statistics: None = None
    physical_type: str = ""


def row_groups(
    file: ColumnarFiles, match: "Callable[[ColumnarFiles, Chunks], Match] | None" = None
) -> Iterator[RowGroup]:
    """The row groups of one Parquet file, in order, each matched with range and filters, or as `match` does."""
    first = 0
    for rows, chunks in read_footer(file.files[0], file.projection.raw):
        yield RowGroup(first, rows, (match or match_selection)(file, chunks))
        first += rows


def slices(groups: Iterable[RowGroup], matches: Collection[Match]) -> list[Slice]:
    """The rows of the row groups with one of the matches, adjacent groups as one."""
    found: list[Slice] = []
    for group in groups:
        if group.match not in matches:
            continue
        first, rows = found[-1] if found else (0, 0)
        if found and first + rows == group.first:
            found[-1] = (first, rows + group.rows)
        else:
            found.append((group.first, group.rows))
    return found


def count_by_statistics(group: ColumnarFiles) -> tuple[int, list[pl.LazyFrame]]:
    """How many of the selected events statistics prove, without reading them, and the rest to be counted."""
    try:
        groups = [(each, list(row_groups(each))) for each in group.split()]
    except UnknownFooter:
        return 0, [group.events()]
    proven = sum(one.rows for _, some in groups for one in some if one.match is Match.ALL)
    undecided = [(each, one) for each, some in groups for one in slices(some, {Match.SOME})]
    if undecided and (not proven or len(undecided) > _SLICES):
        return 0, [group.events()]
    return proven, [each.events(each.scan().slice(first, rows)) for each, (first, rows) in undecided]


def read_footer(file: EventFile, columns: Collection[str]) -> Iterator[tuple[int, Chunks]]:
    """The number of rows of each row group of a Parquet file, and what its footer says of some columns, by name.

    Raises Unreadable for a footer that cannot be read, UnknownFooter for one that is beyond the library.
    """
    from pyarrow import parquet  # knows the statistics, which the engine keeps to itself

    if file.stored and file.storage is DISK:
        check_file(file.path, file.stored.file, (), name=file.name)
    try:
        metadata = parquet.read_metadata(file.storage.footer(file.path))
        described = [metadata.schema.column(at) for at in range(metadata.num_columns)]
        # A leaf of a nested column has a path with dots, as a column may have in its name: only the latter is meant.
        columns = () if file.format.by_pyarrow else columns  # which may give a column another unit than it is stored in
        flat = ((at, column.name) for at, column in enumerate(described) if column.name == column.path)
        places = {name: at for at, name in flat if name in columns}
        nested = {
            name: [at for at, column in enumerate(described) if column.path.startswith(f"{name}.")]
            for name in set(columns) - places.keys()
        }
        for index in range(metadata.num_row_groups):
            group = metadata.row_group(index)
            chunks = {name: group.column(at) for name, at in places.items()}
            # Asked of a damaged one for its statistics, the library would end the process.
            if any(chunk.physical_type != described[places[name]].physical_type for name, chunk in chunks.items()):
                raise ValueError("a column of a row group is of another type than the file's")
            sizes = {name: sum(group.column(at).total_compressed_size for at in some) for name, some in nested.items()}
            yield group.num_rows, {**chunks, **{name: NestedChunk(size) for name, size in sizes.items()}}
    except NotImplementedError as error:
        raise UnknownFooter from error
    except (OSError, ValueError) as error:  # a name that is not UTF-8 is a ValueError
        raise unreadable(file, error) from None


def _statistics(chunks: Chunks, name: str) -> Any:
    """The statistics of a column of a row group, None where there are none."""
    return chunks[name].statistics if name in chunks else None


def match_selection(group: ColumnarFiles, chunks: Chunks) -> Match:
    """How many rows of a row group range and filters select, as far as its statistics prove."""
    filters = (match_filter(group, chunks, asked) for asked in group.projection.selection.where)
    matches = {match_range(group, chunks), *filters}
    if Match.NONE in matches:
        return Match.NONE
    return Match.SOME if Match.SOME in matches else Match.ALL


def match_range(group: ColumnarFiles, chunks: Chunks) -> Match:
    """How many rows of a row group the range selects, as far as its statistics prove."""
    name = group.projection.timestamp
    known = _complete(chunks, name)
    dtype = group.schema.get(name)
    if known is None or dtype is None or not types.is_instant(dtype) or chunks[name].physical_type == "INT96":
        return Match.SOME
    low, high = (_stored(raw, chunks[name], dtype) for raw in (known.min_raw, known.max_raw))
    if low > high:
        return Match.SOME
    ranges = types.stored_ranges(dtype, group.projection.selection, group.projection.timestamp_unit)
    if not any(start <= high and low < end for start, end in ranges):
        return Match.NONE
    whole = known.null_count == 0 and any(start <= low and high < end for start, end in ranges)
    return Match.ALL if whole else Match.SOME


def _stored(raw: int, chunk: Any, dtype: pl.DataType) -> int:
    """A stored integer: statistics come as signed numbers, whatever the column's type."""
    if raw >= 0 or not dtype.is_unsigned_integer():
        return raw
    return raw + (1 << 32 if chunk.physical_type == "INT32" else 1 << 64)


def match_filter(group: ColumnarFiles, chunks: Chunks, asked: Filter) -> Match:
    """How many rows of a row group a filter selects, as far as its statistics prove."""
    found = _match_test(group, chunks, asked)
    return _COMPLEMENTS[found] if asked.negated else found


def _match_test(group: ColumnarFiles, chunks: Chunks, asked: Filter) -> Match:
    """How many rows of a row group pass the test of a filter."""
    sources = group.sources(asked.column)
    if not sources:  # null throughout
        return Match.ALL if asked.operator is Operator.IS_NULL else Match.NONE
    if len(sources) > 1 or sources[0] not in group.schema:
        return Match.SOME
    name, dtype = sources[0], group.columns[sources[0]]
    if asked.operator is Operator.IS_NULL:
        return _match_null(_statistics(chunks, name), chunks, name)
    known = _complete(chunks, name)
    if known and asked.operator is Operator.IN and dtype in {pl.String, pl.Categorical}:
        return _match_texts(known, [text.encode() for text in asked.values])
    if known and asked.operator in COMPARISONS and dtype.is_integer():
        low, high = (_stored(raw, chunks[name], dtype) for raw in (known.min_raw, known.max_raw))
        return _match_numbers(known, asked, (low, high))
    return Match.SOME


def _match_null(known: Any, chunks: Chunks, name: str) -> Match:
    if known is None or not known.has_null_count:
        return Match.SOME
    if known.null_count == 0:
        return Match.NONE
    return Match.ALL if known.null_count == chunks[name].num_values else Match.SOME


def _match_texts(known: Any, texts: Collection[bytes]) -> Match:
    low, high = (value if isinstance(value, bytes) else str(value).encode() for value in (known.min_raw, known.max_raw))
    if low > high or any(low <= text <= high for text in texts):
        return Match.ALL if low == high and low in texts and known.null_count == 0 else Match.SOME
    return Match.NONE


def _match_numbers(known: Any, asked: Filter, ends: Sequence[int]) -> Match:
    if ends[0] > ends[1] or max(map(abs, ends)) >= 10**WHOLE_DIGITS:  # which is too long to be a number
        return Match.SOME
    passed = [compares(asked.operator, end, asked.number) for end in ends]
    if all(passed):
        return Match.ALL if known.null_count == 0 else Match.SOME
    return Match.SOME if any(passed) else Match.NONE


def _complete(chunks: Chunks, name: str) -> Any:
    """The statistics of a column that has both ends and a count of nulls, else None."""
    known = _statistics(chunks, name)
    return known if known is not None and known.has_min_max and known.has_null_count else None


@dataclass(frozen=True, slots=True)
class FooterSummary:
    """What footers tell of some files: how many rows, the nulls of some event columns, and maybe the range.

    An event column that is not among `nulls` has to be read.
    """

    rows: int
    nulls: dict[str, int]
    range: InstantRange | None


def summarize_footers(group: ColumnarFiles, columns: Collection[str]) -> FooterSummary:
    """What the footers of Parquet files tell of some event columns.

    The files must have no row that cannot be read, since footers count those as well. Raises Unreadable for a footer
    that cannot be read, UnknownFooter for one that is beyond the library.
    """
    footers = {file.path: list(read_footer(file, group.projection.raw)) for file in group.files}
    rows = {path: sum(count for count, _ in some) for path, some in footers.items()}
    chunks = [by_name for some in footers.values() for count, by_name in some if count]
    counts = {column: _nulls(group, column, rows, chunks) for column in columns if column != "timestamp"}
    nulls = {column: count for column, count in counts.items() if count is not None}
    return FooterSummary(sum(rows.values()), nulls, _range(group, chunks))


def footer_range(group: ColumnarFiles) -> InstantRange | None:
    """The first and the last instant of Parquet files, None where their footers do not tell; raises as above."""
    footers = (read_footer(file, group.projection.raw) for file in group.files)
    return _range(group, [by_name for footer in footers for rows, by_name in footer if rows])


def _nulls(group: ColumnarFiles, column: str, rows: dict[str, int], chunks: list[Chunks]) -> int | None:
    """In how many rows an event column is null, None where the footers do not say; `rows` are by path."""
    sources = group.sources(column)
    if not sources:
        return sum(rows.values())
    if len(sources) > 1:
        return None
    if sources[0] in group.projection.paths:
        return None
    if sources[0] not in group.schema:
        return sum(rows[file.path] for file in group.files if file.partition[sources[0]] is None)
    known = [_statistics(by_name, sources[0]) for by_name in chunks]
    counted = all(one is not None and one.has_null_count for one in known)
    return sum(one.null_count for one in known) if counted else None


def _range(group: ColumnarFiles, chunks: list[Chunks]) -> InstantRange | None:
    name = group.projection.timestamp
    dtype = group.schema.get(name)
    # Integers may be epochs of several units, so that the smallest need not be the first.
    if not isinstance(dtype, pl.Datetime | pl.Date) or not chunks:
        return None
    known = [_statistics(by_name, name) for by_name in chunks]
    old = any(by_name[name].physical_type == "INT96" for by_name in chunks if name in by_name)
    if old or not all(one is not None and one.has_min_max for one in known):
        return None
    ends = pl.Series(name, [min(one.min_raw for one in known), max(one.max_raw for one in known)])
    instants = pl.select(types.instant(pl.lit(ends).cast(dtype), dtype, None).to_physical()).to_series()
    if instants.null_count():
        return None  # of a row that names no instant
    return int(instants[0]), int(instants[1])
