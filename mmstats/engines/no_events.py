"""What may be wrong with a question that no event answers: an event that the data lacks, or a range outside the data's.

It is looked at only then, so that a question with an answer pays nothing. What it takes is bounded: manifests, footers
and what was read already come first, and only so many bytes more are read, on this machine, whatever the engine. What
stays unknown is not said.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace

import polars as pl

from mmstats.engines.local.streaming import collect
from mmstats.errors import DatasetError
from mmstats.files.event_file import EventFile
from mmstats.question.instants import micros_text
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar_file import ENGINE_FAULTS
from mmstats.readers.projection import Selection
from mmstats.readers.pruning import FileRange, Overlap, estimate_reads, overlap_of
from mmstats.readers.report import InstantRange, ReadOptions, ReadReport, union_range
from mmstats.readers.schema_groups import group_by_schema
from mmstats.readers.source import Source
from mmstats.readers.statistics import Match, UnknownFooter, footer_range
from mmstats.readers.text_files import read_texts
from mmstats.wording import did_you_mean, visible

_EVENT, _COUNT = "event_name", "count"
_LISTED = 5  # event names that are listed where none is near
_CANDIDATES = 10_000  # of the most frequent names one may be meant
_LONGEST = 100  # characters of a name that may be meant, or is shown: comparing takes the square of it
_NOTHING = "the data has no events"


def reasons(query: StatsQuery, groups: int, source: Source, report: ReadReport) -> list[str]:
    """What may be wrong where all the values of an answer of so many groups are 0, a sentence each.

    `report` is of reading the source. There are none where events were found, none of which has a visitor.
    """
    if query.metric != "count" and query.labels and groups:
        return []
    if not (query.events or source.projection.selection.bounded):
        is_known = (query.metric == "count" or query.labels) and not query.where
        return [_NOTHING] if is_known and not report.bad_rows() else []
    found: list[str] = []
    # A file that the question has not read may be damaged, which is no fault of the answer.
    with suppress(DatasetError, *ENGINE_FAULTS, OSError):
        if source.projection.selection.bounded:
            found += _of_range(_ranges(source, report), query)
        if query.events and found != [_NOTHING]:
            names, is_complete = _names(_looking_at(_EVENT, source))
            found += [reason for event in query.events for reason in _of_event(event, names, is_complete)]
    return found


def _looking_at(column: str, source: Source) -> Source:
    """All the files, for one column of all their events."""
    everything = replace(source.dataset, skip_bad_rows=True, trust_partitions=False)
    return Source(everything, Selection((column,)), source.found, source.options.advance, None)


def _of_range(ranges: Sequence[InstantRange | None] | None, query: StatsQuery) -> list[str]:
    """What is wrong with the range asked for, and with the one that it is compared with, if no event is in either.

    `ranges` are those of the files, None where some are not known.
    """
    if ranges is None:
        return []
    found = None
    for one in ranges:
        found = union_range(found, one)
    if found is None:
        return [_NOTHING]
    for ends in ((query.start, query.end), *([query.previous] if query.previous else [])):
        start, end = (bound and bound.replace(tzinfo=None) for bound in ends)
        if overlap_of(FileRange(*found), Selection((), start, end)) is not Overlap.OUTSIDE:
            return []
    first, last = (micros_text(end) or "beyond the years 1 to 9999" for end in found)
    return [f"no event is in the range: the data's first is at {first}, its last at {last}"]


def _ranges(source: Source, report: ReadReport) -> list[InstantRange | None] | None:
    """The ranges of all files, None for one without rows; None where finding them would take too much."""
    known = {path: one.range for path, one in report.files.items() if one.range or one.rows is not None}
    known |= source.known_ranges()
    unknown = [file for file in source.found.files if file.path not in known]
    if len(unknown) > source.projection.limits.no_events_files:
        return None
    looked = _looking_at("timestamp", source)
    known |= _footer_ranges([file for file in unknown if file.format.name == "parquet"], looked)
    rest = [file for file in unknown if file.path not in known]
    sizes = estimate_reads(rest, looked.projection, ("timestamp",), {*Match})
    if sum(one.bytes for one in sizes.values()) > source.projection.limits.no_events_bytes:
        return None
    return [*known.values(), _scanned_range(looked, rest)]


def _footer_ranges(files: Sequence[EventFile], source: Source) -> dict[str, InstantRange]:
    """The ranges of Parquet files, by path, of those whose footers tell."""
    found: dict[str, InstantRange] = {}
    for group in group_by_schema(files, source.projection):
        for each in group.split():
            with suppress(UnknownFooter):
                if known := footer_range(each):
                    found[each.files[0].path] = known
    return found


def _scanned_range(source: Source, files: Sequence[EventFile]) -> InstantRange | None:
    instant = pl.col("timestamp")
    ends = source.scan(files, judge=False).frame().select(first=instant.min(), last=instant.max())
    first, last = collect(ends.select(pl.all().to_physical())).row(0)
    return None if first is None else (first, last)


def _of_event(event: str, names: Sequence[str], is_complete: bool) -> list[str]:
    """What is wrong with the event asked for; `names` are those of the data, or of a part of it."""
    if event in names:
        return []
    if not names:
        return [_NOTHING] if is_complete else []
    where = "the data" if is_complete else "the part of the data that was looked at"
    near = did_you_mean(event, [name for name in names[:_CANDIDATES] if len(name) <= _LONGEST], "'{}'")
    others = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    offer = f": {visible(near)}" if near else f"; it has {', '.join(map(_quoted, names[:_LISTED]))}{others}"
    return [f"{where} has no event {_quoted(event)}{offer}"]


def _quoted(name: str) -> str:
    return f"'{visible(name if len(name) <= _LONGEST else name[:_LONGEST] + '…')}'"


def _names(source: Source) -> tuple[list[str], bool]:
    """The names of events, the most frequent first, and whether all the files were looked at for them."""
    others = [file for file in source.files if not file.format.is_text]
    sizes = estimate_reads(others, source.projection, (_EVENT,), {*Match})
    left, columnar = source.projection.limits.no_events_bytes, []
    for file in others:
        if sizes[file.path].bytes <= left:
            left -= sizes[file.path].bytes
            columnar.append(file)
    counts = [_counted(source.scan(columnar, judge=False).frame())] if columnar else []
    texts = _Texts(source, left)
    counts += [_counted(frame.lazy()) for frame in texts]
    nothing = pl.DataFrame(schema={_EVENT: pl.String, _COUNT: pl.UInt32})
    counted = pl.concat([nothing, *counts]).group_by(_EVENT).agg(pl.col(_COUNT).sum())
    ordered = counted.drop_nulls(_EVENT).sort(_COUNT, _EVENT, descending=[True, False])
    return ordered[_EVENT].to_list(), len(columnar) == len(others) and texts.is_complete


def _counted(events: pl.LazyFrame) -> pl.DataFrame:
    return collect(events.group_by(_EVENT).agg(pl.len().alias(_COUNT)))


class _Texts:
    """The events of text files, until so many bytes are read of them."""

    def __init__(self, source: Source, most_bytes: int) -> None:
        self._source, self._left = source, most_bytes
        self.is_complete = True

    def __iter__(self) -> Iterator[pl.DataFrame]:
        files = [file for file in self._source.files if file.format.is_text]
        options = ReadOptions(skip_bad_rows=True, advance=self._advance)
        with closing(read_texts(files, self._source.projection, options)) as frames:
            for found in frames:
                if isinstance(found, pl.DataFrame):
                    yield found
                if self._left < 0:
                    self.is_complete = False
                    return

    def _advance(self, count: int) -> None:
        self._left -= count
        self._source.options.advance(count)
