"""What the statistics of a Parquet file prove of its row groups: all, none or some of the rows are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import polars as pl

from mmstats.events import typed

if TYPE_CHECKING:
    from mmstats.events.columnar import Part


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


def row_groups(part: "Part") -> Iterator[RowGroup]:
    """The row groups of a part of one Parquet file, in order, each with its verdict on range and event."""
    from pyarrow import parquet  # knows the statistics, which the engine keeps to itself

    try:
        metadata = parquet.read_metadata(part.files[0].path)
    except (OSError, ValueError) as error:
        from mmstats.events.columnar import unreadable  # which imports this module

        raise unreadable(part.files[0], error) from None
    first = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        chunks = {chunk.path_in_schema: chunk for chunk in map(group.column, range(group.num_columns))}
        yield RowGroup(first, group.num_rows, _verdict(part, chunks))
        first += group.num_rows


def _verdict(part: "Part", chunks: dict[str, Any]) -> Verdict:
    verdicts = {_of_range(part, chunks), _of_event(part, chunks)}
    if Verdict.NONE in verdicts:
        return Verdict.NONE
    return Verdict.SOME if Verdict.SOME in verdicts else Verdict.ALL


def _of_range(part: "Part", chunks: dict[str, Any]) -> Verdict:
    name = part.shape.columns.sources("timestamp")[0]
    known = _statistics(chunks, name)
    dtype = part.schema.get(name)
    if known is None or dtype is None or not typed.is_instant(dtype) or chunks[name].physical_type == "INT96":
        return Verdict.SOME
    low, high = known.min_raw, known.max_raw
    spans = typed.range_spans(dtype, part.shape.wanted, part.shape.timestamp_unit)
    if not any(start <= high and low < end for start, end in spans):
        return Verdict.NONE
    whole = known.null_count == 0 and any(start <= low and high < end for start, end in spans)
    return Verdict.ALL if whole else Verdict.SOME


def _of_event(part: "Part", chunks: dict[str, Any]) -> Verdict:
    wanted = part.shape.wanted.event
    if wanted is None:
        return Verdict.ALL
    sources = [name for name in part.shape.columns.sources("event_name") if name in part.schema]
    known = _statistics(chunks, sources[0]) if len(sources) == 1 and not part.partition else None
    if known is None or part.schema[sources[0]] != pl.String:
        return Verdict.SOME
    name = wanted.encode()
    low, high = (value if isinstance(value, bytes) else str(value).encode() for value in (known.min_raw, known.max_raw))
    if not low <= name <= high:
        return Verdict.NONE
    return Verdict.ALL if low == name == high and known.null_count == 0 else Verdict.SOME


def _statistics(chunks: dict[str, Any], name: str) -> Any:
    """The statistics of a column that has both ends and a count of nulls, else None."""
    known = chunks[name].statistics if name in chunks else None
    return known if known is not None and known.has_min_max and known.has_null_count else None
