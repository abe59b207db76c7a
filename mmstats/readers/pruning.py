"""What the footers of Parquet files know of their rows, so that nobody need read the rows for it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256

import polars as pl

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.files.event_file import EventFile
from mmstats.readers import types
from mmstats.readers.columnar import ColumnarFiles, group_by_schema
from mmstats.readers.projection import REQUIRED, VISITOR, VISITOR_HASH, Projection, Selection
from mmstats.readers.report import ReadLog
from mmstats.readers.statistics import Chunks, UnknownFooter, Verdict, read_footer, statistics, verdict_of
from mmstats.version import build_id


@dataclass(frozen=True, slots=True)
class Known:
    """What is known without reading rows: how many, the nulls of some event columns, and maybe the range.

    `span` are the first and the last instant in microseconds since the epoch; an event column that is not among
    `nulls` has to be read.
    """

    rows: int
    nulls: dict[str, int]
    span: tuple[int, int] | None


def known_of(part: ColumnarFiles, columns: Collection[str]) -> Known:
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


def footer_range(part: ColumnarFiles) -> tuple[int, int] | None:
    """The first and the last instant of a part's Parquet files in microseconds since the epoch, None if untold.

    Raises Unreadable for a footer that cannot be read, UnknownFooter for one that is beyond the library.
    """
    return _span(part, _chunks(*(read_footer(file, part.shape.raw) for file in part.files)))


def _chunks(*files: Iterable[tuple[int, Chunks]]) -> list[Chunks]:
    return [by_name for groups in files for rows, by_name in groups if rows]


def _nulls(part: ColumnarFiles, column: str, rows: dict[str, int], chunks: list[Chunks]) -> int | None:
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


def _span(part: ColumnarFiles, chunks: list[Chunks]) -> tuple[int, int] | None:
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
    instants = pl.select(types.instant(pl.lit(ends).cast(dtype), dtype, None).to_physical()).to_series()
    if instants.null_count():
        return None  # of a row that names no instant
    return int(instants[0]), int(instants[1])


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here


class Overlap(Enum):
    """Where a file's events lie to the range that a question asks for."""

    INSIDE = "inside"
    CUT = "cut"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileRange:
    """A file's first and last instant, in microseconds since the epoch, and the names of its columns."""

    first: int
    last: int
    columns: tuple[str, ...] = ()


def overlap_of(span: FileRange | None, wanted: Selection) -> Overlap:
    """Where a span lies to the range wanted."""
    if not wanted.bounded:
        return Overlap.INSIDE
    if span is None:
        return Overlap.UNKNOWN
    start = span.first if wanted.start is None else _micros(wanted.start)
    end = span.last + 1 if wanted.end is None else _micros(wanted.end)
    if span.last < start or end <= span.first:
        return Overlap.OUTSIDE
    return Overlap.INSIDE if start <= span.first and span.last < end else Overlap.CUT


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def manifest_range(file: EventFile) -> FileRange | None:
    """The span that a store's manifest proves of a file."""
    if file.stored is None:
        return None
    return FileRange(_micros(file.stored.first), _micros(file.stored.last), (*REQUIRED, *file.stored.columns))


def file_ranges(
    files: Collection[EventFile], known: Mapping[str, str], shape: Projection, kept: "RangeCache"
) -> dict[str, FileRange]:
    """The spans of those Parquet files whose footers tell, by path; `known` are the identities of files by path.

    Raises Unreadable and NotEvents for a file that no question could be asked of.
    """
    told = [file for file in files if file.format.name == "parquet" and file.path in known]
    spans = kept.find()
    unknown = [file for file in told if known[file.path] not in spans]
    if sum(file.size for file in unknown) >= shape.limits.footer_bytes:
        spans |= {known[path]: span for path, span in _read(unknown, shape).items()}
        kept.keep({known[file.path]: spans.get(known[file.path]) for file in told})
    found = {file.path: spans.get(known[file.path]) for file in told}
    return {path: span for path, span in found.items() if span}


def _read(files: Sequence[EventFile], shape: Projection) -> dict[str, FileRange | None]:
    parts = [each for part in group_by_schema(files, shape, ReadLog()) for each in part.split()]
    return {part.files[0].path: _of(part) for part in parts}


def _of(part: ColumnarFiles) -> FileRange | None:
    try:
        span = footer_range(part)
    except UnknownFooter:
        return None
    return span and FileRange(*span, (*part.schema, *part.files[0].partition))


class RangeCache:
    """Spans in the cache, by the identity of their files; None for files whose footers do not tell."""

    def __init__(self, cache: Cache, dataset: Dataset) -> None:
        self._cache = cache
        asked = f"{build_id()} spans {dataset.locations} {dataset.columns.get('timestamp')} {dataset.input_format}"
        self._key = sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()

    def find(self) -> dict[str, FileRange | None]:
        """All that are kept."""
        content = self._cache.find(self._key)
        entries = json.loads(content) if content else {}
        return {known: entry and FileRange(entry[0], entry[1], tuple(entry[2])) for known, entry in entries.items()}

    def keep(self, spans: Mapping[str, FileRange | None]) -> None:
        """Keep these and no others."""
        entries = {known: span and (span.first, span.last, span.columns) for known, span in spans.items()}
        self._cache.keep(self._key, json.dumps(entries, ensure_ascii=True).encode())


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a file is read: bytes at most, and rows where that is known before.

    It `is_nothing` where range and event leave none of its row groups.
    """

    bytes: int
    rows: int | None
    is_nothing: bool = False


def reaches(
    files: Iterable[EventFile], shape: Projection, columns: Collection[str], verdicts: Collection[Verdict]
) -> dict[str, Reach]:
    """How much of each file has to be read, by path: of row groups with one of the verdicts, some event columns.

    Only footers are read for it. Raises Unreadable and NotEvents for a file that no question could be asked of.
    """
    known = {}
    others = []
    for file in files:
        if file.format.name == "parquet":
            others.append(file)
        else:
            known[file.path] = Reach(file.size, None)
    parts = [each for part in group_by_schema(others, shape, ReadLog()) for each in part.split()]
    return known | {part.files[0].path: _reach_of(part, _raw(part, columns), verdicts) for part in parts}


def _raw(part: ColumnarFiles, columns: Collection[str]) -> set[str]:
    """The file's own columns that serve as event columns."""
    hashed = part.is_stored and part.shape.wanted.hashed
    named = {name for column in columns for name in part.sources(column) if not (hashed and column == VISITOR)}
    if hashed and VISITOR in columns:
        named.add(VISITOR_HASH)
    return named & set(part.schema)


def _reach_of(part: ColumnarFiles, raw: Collection[str], verdicts: Collection[Verdict]) -> Reach:
    if not raw:
        return Reach(0, 0)  # the engine counts by the footer
    size, count, left_out = 0, 0, False
    try:
        for rows, chunks in read_footer(part.files[0], {*part.shape.raw, *raw}):
            if verdict_of(part, chunks) not in verdicts:
                left_out = True
            else:
                count += rows
                size += sum(chunks[name].total_compressed_size for name in raw if name in chunks)
    except UnknownFooter:
        return Reach(part.files[0].size, None)
    return Reach(size, count, is_nothing=left_out and not count)
