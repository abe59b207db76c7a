"""Pruning: files that lie outside the range asked for, and how much of the others has to be read."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from mmstats.cache import Cache, Kind, make_key
from mmstats.dataset import Dataset
from mmstats.files.event_file import EventFile, partition_range
from mmstats.readers.columnar import VISITOR_HASH, ColumnarFiles
from mmstats.readers.projection import REQUIRED, VISITOR, Projection, Selection
from mmstats.readers.schema_groups import group_by_schema
from mmstats.readers.statistics import Match, UnknownFooter, footer_range, match_selection, read_footer
from mmstats.save_pace import SavePace

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here


class Overlap(Enum):
    """Where a file's events lie to the range that a question asks for."""

    INSIDE = "inside"
    PARTIAL = "partial"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileRange:
    """A file's first and last instant, in microseconds since the epoch, and the names of its columns."""

    first: int
    last: int
    columns: tuple[str, ...] = ()


def overlap_of(known: FileRange | None, selection: Selection) -> Overlap:
    """Where a file of a known range lies to the range selected."""
    if not selection.bounded:
        return Overlap.INSIDE
    if known is None:
        return Overlap.UNKNOWN
    start = known.first if selection.start is None else _micros(selection.start)
    end = known.last + 1 if selection.end is None else _micros(selection.end)
    if known.last < start or end <= known.first:
        return Overlap.OUTSIDE
    return Overlap.INSIDE if start <= known.first and known.last < end else Overlap.PARTIAL


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def lies_outside(file: EventFile, selection: Selection) -> bool:
    """Whether the folders of a file, which the user trusts, name a time outside the range selected."""
    named = partition_range(file.partition)
    if named is None:
        return False
    first, end = named
    before = selection.start is not None and selection.start >= end
    return before or (selection.end is not None and first >= selection.end)


def overlaps(
    files: Sequence[EventFile], projection: Projection, fingerprints: Mapping[str, str], ranges: "RangeCache | None"
) -> dict[str, tuple[Overlap, FileRange | None]]:
    """Where files lie to the range selected, and their ranges as far as these are known, by path.

    A store's manifest tells a range, and so do the footers of Parquet files: these are read only with a cache that
    keeps what they tell, for files with a fingerprint. Raises Unreadable and NotEvents for a file that no question
    could be asked of.
    """
    selection = projection.selection
    if not selection.bounded:
        return dict.fromkeys((file.path for file in files), (Overlap.INSIDE, None))
    known = _ranges(files, projection, fingerprints, ranges)
    return {file.path: (overlap_of(one := known.get(file.path), selection), one) for file in files}


def _ranges(
    files: Sequence[EventFile], projection: Projection, fingerprints: Mapping[str, str], ranges: "RangeCache | None"
) -> dict[str, FileRange]:
    known = {
        file.path: FileRange(stored.file.first, stored.file.last, (*REQUIRED, *stored.columns))
        for file in files
        if (stored := file.stored)
    }
    if ranges is None:
        return known
    parquet = [
        file for file in files if not file.stored and file.format.name == "parquet" and file.path in fingerprints
    ]
    cached = ranges.find()
    found = {name: cached[name] for file in parquet if (name := fingerprints[file.path]) in cached}
    unknown = [file for file in parquet if fingerprints[file.path] not in found]
    # Of few bytes, reading a column costs less than loading the reader of footers.
    if sum(file.size for file in unknown) >= projection.limits.footer_bytes:
        try:
            for path, told in _footer_ranges(unknown, projection):
                found[fingerprints[path]] = told
                ranges.store_when_due(found)
        finally:  # what a question that fails or is interrupted has read, too
            ranges.store(found)
    ranged = {file.path: found.get(fingerprints[file.path]) for file in parquet}
    return known | {path: one for path, one in ranged.items() if one}


def _footer_ranges(files: Sequence[EventFile], projection: Projection) -> Iterator[tuple[str, FileRange | None]]:
    """The paths of files and what their footers tell, None for those that do not; so many at once that it is quick."""
    count = projection.limits.footer_files
    for at in range(0, len(files), count):
        for group in group_by_schema(files[at : at + count], projection):
            for each in group.split():
                yield each.files[0].path, _footer_range(each)


def _footer_range(file: ColumnarFiles) -> FileRange | None:
    try:
        found = footer_range(file)
    except UnknownFooter:
        return None
    return found and FileRange(*found, (*file.schema, *file.files[0].partition))


class RangeCache:
    """The ranges of files in the cache, by fingerprint; None for files whose footers do not tell."""

    def __init__(self, cache: Cache, dataset: Dataset) -> None:
        read_as = (dataset.columns.get("timestamp"), dataset.input_format)
        self._cache, self._key = cache, make_key(Kind.RANGES, dataset.locations, read_as)
        self._pace = SavePace(dataset.limits.save_seconds)

    def find(self) -> dict[str, FileRange | None]:
        """All that are cached."""
        content = self._cache.find(self._key)
        entries = json.loads(content) if content else {}
        return {known: entry and FileRange(entry[0], entry[1], tuple(entry[2])) for known, entry in entries.items()}

    def store(self, ranges: Mapping[str, FileRange | None]) -> None:
        """Cache these and no others."""
        entries = {known: one and (one.first, one.last, one.columns) for known, one in ranges.items()}
        self._cache.store(self._key, json.dumps(entries, ensure_ascii=True).encode())

    def store_when_due(self, ranges: Mapping[str, FileRange | None]) -> None:
        """The same every so often, for a question that is stopped and asked again."""
        if self._pace.is_due():
            with self._pace.saving():
                self.store(ranges)


@dataclass(frozen=True, slots=True)
class ReadEstimate:
    """How much of a file is read: bytes at most, and rows where that is known before.

    It is `pruned` where statistics prove that range and event select none of its rows.
    """

    bytes: int
    rows: int | None
    pruned: bool = False


def estimate_reads(
    files: Iterable[EventFile], projection: Projection, columns: Collection[str], matches: Collection[Match]
) -> dict[str, ReadEstimate]:
    """How much of each file has to be read, by path: of row groups with one of the matches, some event columns.

    Only footers are read for it. Raises Unreadable and NotEvents for a file that no question could be asked of.
    """
    files = list(files)
    for file in files:
        if file.status is None:
            file.storage.status(file.path)  # says why it cannot be looked at
    estimates = {file.path: ReadEstimate(file.size, None) for file in files if file.format.name != "parquet"}
    for group in group_by_schema((file for file in files if file.format.name == "parquet"), projection):
        for each in group.split():
            estimates[each.files[0].path] = _estimate(each, raw_columns(each, columns), matches)
    return estimates


def raw_columns(file: ColumnarFiles, columns: Collection[str]) -> set[str]:
    """The file's own columns that serve as event columns, or that hold what does."""
    hashed = file.is_stored and file.projection.selection.hashed
    named = {name for column in columns for name in file.sources(column) if not (hashed and column == VISITOR)}
    if hashed and VISITOR in columns:
        named.add(VISITOR_HASH)
    paths = file.projection.paths
    return {paths[name].column if name in paths else name for name in named} & set(file.schema)


def _estimate(file: ColumnarFiles, raw: Collection[str], matches: Collection[Match]) -> ReadEstimate:
    if not raw:
        return ReadEstimate(0, 0)  # the engine counts by the footer
    size, count, left_out = 0, 0, False
    try:
        for rows, chunks in read_footer(file.files[0], {*file.projection.raw, *raw}):
            if match_selection(file, chunks) not in matches:
                left_out = True
            else:
                count += rows
                size += sum(chunks[name].total_compressed_size for name in raw if name in chunks)
    except UnknownFooter:
        return ReadEstimate(file.files[0].size, None)
    return ReadEstimate(size, count, pruned=left_out and not count)
