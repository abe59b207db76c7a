"""Rows that cannot be read: all of a file, found lazily, and how many a scan has."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.readers import types, value_text
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.csv_records import find_bad_records
from mmstats.readers.ndjson import find_bad_lines
from mmstats.readers.projection import Projection, not_an_instant
from mmstats.readers.report import FoundBadRow
from mmstats.readers.schema_groups import group_by_schema
from mmstats.readers.statistics import Match, UnknownFooter, match_range, row_groups, slices


def find_bad_rows(file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    """The rows of a file that cannot be read, in order, found as they are asked for.

    Of Parquet, only the row groups that the range leaves are looked at. Raises DatasetError where the file as a whole
    cannot be read any further.
    """
    if file.format.name in ("csv", "tsv"):
        yield from find_bad_records(file, projection)
    elif file.format.is_text:
        yield from find_bad_lines(file, projection)
    else:
        for group in group_by_schema([file], projection):
            yield from _find_in(group)


def count_bad_rows(group: ColumnarFiles, *, skip: bool) -> dict[str, int]:
    """How many rows of each file of a scan cannot be read, by path; none where there are none at all.

    That is asked first, by itself: where statistics show that no timestamp is null, the engine reads no data for it.
    Without `skip`, raises BadRow for the first.
    """
    if not _count(group.bad_rows()):
        return {}
    counts = {}
    for file in replace(group, strict=False).split():
        counts[file.files[0].path] = sum(_count(scan.filter(file.bad)) for scan, _ in _unpruned(file))
        if counts[file.files[0].path] and not skip:
            first = next(_find_in(file, most=1), None)
            raise first.error(file.files[0]) if first else changed_error(str(file.files[0]))
    return counts


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def _unpruned(file: ColumnarFiles) -> list[tuple[pl.LazyFrame, int]]:
    """Scans of the row groups of one file that the range leaves, each with the number of rows before it."""
    if file.files[0].format.name != "parquet" or not file.projection.selection.bounded:
        return [(file.scan(), 0)]
    try:
        left = slices(row_groups(file, match_range), {Match.SOME, Match.ALL})
    except UnknownFooter:
        return [(file.scan(), 0)]
    return [(file.scan().slice(first, rows), first) for first, rows in left]


def _find_in(file: ColumnarFiles, most: int | None = None) -> Iterator[FoundBadRow]:
    """The bad rows of one file, of each scan of it at `most` so many."""
    texts = {fault: fails.alias(fault) for fault, fails in file.texts_that_fail().items()}
    no_instant = types.no_instant(*file.timestamp, file.projection.timestamp_unit).alias("no instant")
    text = value_text.text(*file.timestamp).alias("text")
    for scan, before in _unpruned(file):
        bad = scan.with_row_index("row").filter(file.bad).select("row", no_instant, text, *texts.values())
        first = bad if most is None else bad.head(most)
        for row, is_none, stated, *failed in first.collect(engine="streaming").iter_rows():
            fault = next((fault for fault, fails in zip(texts, failed, strict=True) if fails), "")
            yield FoundBadRow("row", before + row + 1, not_an_instant(stated, file.projection) if is_none else fault)
