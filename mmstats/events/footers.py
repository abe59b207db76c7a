"""What the footers of Parquet files know of their rows, so that nobody need read the rows for it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import polars as pl

from mmstats.events import typed
from mmstats.events.part import Part
from mmstats.events.statistics import Chunks, read_footer, statistics


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
    groups = {file.path: list(read_footer(file, part.shape.raw)) for file in part.files}
    rows = {path: sum(rows for rows, _ in group) for path, group in groups.items()}
    chunks = _chunks(*groups.values())
    told = {column: _nulls(part, column, rows, chunks) for column in columns if column != "timestamp"}
    nulls = {column: count for column, count in told.items() if count is not None}
    return Known(sum(rows.values()), nulls, _span(part, chunks))


def span_of(part: Part) -> tuple[int, int] | None:
    """The first and the last instant of a part's Parquet files in microseconds since the epoch, None if untold.

    Raises Unreadable for a footer that cannot be read, UnknownFooter for one that is beyond the library.
    """
    return _span(part, _chunks(*(read_footer(file, part.shape.raw) for file in part.files)))


def _chunks(*files: Iterable[tuple[int, Chunks]]) -> list[Chunks]:
    return [by_name for groups in files for rows, by_name in groups if rows]


def _nulls(part: Part, column: str, rows: dict[str, int], chunks: list[Chunks]) -> int | None:
    """In how many rows an event column is null, None where the footers do not say; `rows` are by path."""
    sources = part.sources(column)
    if not sources:
        return sum(rows.values())
    if len(sources) > 1:
        return None
    if sources[0] not in part.schema:
        return sum(rows[file.path] for file in part.files if file.partition[sources[0]] is None)
    known = [statistics(by_name, sources[0]) for by_name in chunks]
    counted = all(one is not None and one.has_null_count for one in known)
    return sum(one.null_count for one in known) if counted else None


def _span(part: Part, chunks: list[Chunks]) -> tuple[int, int] | None:
    name = part.shape.columns.sources("timestamp")[0]
    dtype = part.schema.get(name)
    # Integers may be epochs of several units, so that the smallest need not be the first.
    if not isinstance(dtype, pl.Datetime | pl.Date) or not chunks:
        return None
    known = [statistics(by_name, name) for by_name in chunks]
    old = any(by_name[name].physical_type == "INT96" for by_name in chunks if name in by_name)
    if old or not all(one is not None and one.has_min_max for one in known):
        return None
    ends = pl.Series(name, [min(one.min_raw for one in known), max(one.max_raw for one in known)])
    instants = pl.select(typed.instant(pl.lit(ends).cast(dtype), dtype, None).to_physical()).to_series()
    if instants.null_count():
        return None  # of a row that names no instant
    return int(instants[0]), int(instants[1])
