"""Rows that cannot be read: all of a file, found lazily, and how many a scan has."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import changed_error
from mmstats.readers import types
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.csv_bad_records import find_bad_records
from mmstats.readers.log_lines import find_bad_log_lines
from mmstats.readers.metadata_cache import keep_readable, unjudged
from mmstats.readers.ndjson import find_bad_lines
from mmstats.readers.projection import Projection, Selection, no_instant
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
    elif file.format.name == "log":
        yield from find_bad_log_lines(file, projection)
    elif file.format.is_text:
        yield from find_bad_lines(file, projection)
    else:
        for group in group_by_schema([file], projection):
            yield from _find_in(group, group.bad)


def count_bad_rows(group: ColumnarFiles, *, skip: bool) -> dict[str, int]:
    """How many rows of each file of a scan cannot be read, by path; none where there are none at all.

    That is asked first, by itself: where statistics show that no timestamp is null, the engine reads no data for it.
    Raises BadRow for the first, or with `skip` for the first that is refused.
    """
    settle_ns = group.projection.limits.settle_ns
    judged = repr((replace(group.projection, selection=Selection(())), *group.texts_that_fail()))
    files = unjudged(group.files, judged, settle_ns)
    if not (files and _count(replace(group, files=files).bad_rows())):
        keep_readable(files, judged, settle_ns)
        return {}
    counts = {}
    for file in replace(group, strict=False).split():
        (one,) = file.files
        counts[one.path] = sum(_count(scan.filter(file.bad)) for scan, _ in _unpruned(file))
        if counts[one.path]:
            first = next(_find_in(file, file.refused if skip else file.bad, most=1), None)
            if first or not skip:
                raise first.error(one) if first else changed_error(str(one))
    return counts


def count_passed_over(group: ColumnarFiles) -> dict[str, int]:
    """How many rows of each file of a scan are no events, by path; none where nothing tells."""
    if group.others is None:
        return {}
    files = replace(group, strict=False).split()
    each = {file.files[0].path: (file.others, _unpruned(file)) for file in files}
    return {
        path: sum(_count(scan.filter(others)) for scan, _ in scans)
        for path, (others, scans) in each.items()
        if others is not None
    }


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


def _find_in(file: ColumnarFiles, which: pl.Expr, most: int | None = None) -> Iterator[FoundBadRow]:
    """Those `which` are meant of the bad rows of one file, of each scan of it at `most` so many."""
    texts = {fault: fails.alias(fault) for fault, fails in file.texts_that_fail().items()}
    form = file.projection.timestamps
    is_none = types.no_instant(*file.timestamp, form).alias("no instant")
    text = file.text("timestamp").alias("text")
    for scan, before in _unpruned(file):
        bad = scan.with_row_index("row").filter(which).select("row", is_none, text, *texts.values())
        first = bad if most is None else bad.head(most)
        for row, has_none, stated, *failed in first.collect(engine="streaming").iter_rows():
            if has_none:
                yield no_instant(stated, file.projection, "row", before + row + 1)
            else:
                fault = next(fault for fault, fails in zip(texts, failed, strict=True) if fails)
                yield FoundBadRow("row", before + row + 1, fault)
