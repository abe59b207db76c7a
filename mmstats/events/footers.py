"""What the footers of Parquet files know of their rows, so that nobody need read the rows for it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from mmstats.events import typed
from mmstats.events.columnar import Part, unreadable
from mmstats.events.eventfile import EventFile


@dataclass(frozen=True, slots=True)
class Known:
    """What is known without reading rows: how many, the nulls of some event columns, and maybe the range.

    `span` are the first and the last instant in microseconds since the epoch; an event column that is not among
    `nulls` has to be read.
    """

    rows: int
    nulls: dict[str, int]
    span: tuple[int, int] | None


def known_of(part: Part, columns: Collection[str]) -> Known:
    """What the footers of a part's Parquet files know of some event columns.

    The part must have no row that cannot be read, since footers count those as well. Raises Unreadable for a footer
    that cannot be read.
    """
    groups = [group for file in part.files for group in _row_groups(file)]
    rows = sum(rows for rows, _ in groups)
    chunks = [by_name for rows, by_name in groups if rows]
    told = {column: _nulls(part, column, rows, chunks) for column in columns if column != "timestamp"}
    nulls = {column: count for column, count in told.items() if count is not None}
    return Known(rows, nulls, _span(part, chunks))


def _row_groups(file: EventFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of rows of each row group of a file, and its columns by name."""
    from pyarrow import parquet  # knows the statistics, which the engine keeps to itself

    try:
        metadata = parquet.read_metadata(file.path)
        for index in range(metadata.num_row_groups):
            group = metadata.row_group(index)
            yield group.num_rows, {chunk.path_in_schema: chunk for chunk in map(group.column, range(group.num_columns))}
    except (OSError, ValueError) as error:  # a name that is not UTF-8 is a ValueError
        raise unreadable(file, error) from None


def _nulls(part: Part, column: str, rows: int, chunks: list[dict[str, Any]]) -> int | None:
    """In how many rows an event column is null, None where the footers do not say."""
    sources = [name for name in part.shape.columns.sources(column) if name in part.schema or name in part.partition]
    if not sources:
        return rows
    if len(sources) > 1:
        return None
    if sources[0] not in part.schema:
        return rows if part.partition[sources[0]] is None else 0
    known = [_statistics(by_name, sources[0]) for by_name in chunks]
    counted = all(one is not None and one.has_null_count for one in known)
    return sum(one.null_count for one in known) if counted else None


def _span(part: Part, chunks: list[dict[str, Any]]) -> tuple[int, int] | None:
    name = part.shape.columns.sources("timestamp")[0]
    dtype = part.schema.get(name)
    # Integers may be epochs of several units, so that the smallest need not be the first.
    if not isinstance(dtype, pl.Datetime | pl.Date) or not chunks:
        return None
    known = [_statistics(by_name, name) for by_name in chunks]
    old = any(by_name[name].physical_type == "INT96" for by_name in chunks if name in by_name)
    if old or not all(one is not None and one.has_min_max for one in known):
        return None
    ends = pl.Series(name, [min(one.min_raw for one in known), max(one.max_raw for one in known)])
    instants = pl.select(typed.instant(pl.lit(ends).cast(dtype), dtype, None).to_physical()).to_series()
    return int(instants[0]), int(instants[1])


def _statistics(chunks: dict[str, Any], name: str) -> Any:
    return chunks[name].statistics if name in chunks else None
