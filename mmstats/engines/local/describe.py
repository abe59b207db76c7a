"""What is in a dataset, computed on this machine: by Parquet's footers where they tell, else by reading.

Which of several columns of the data serves as the event's name is found by asking for each of them by itself too.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

import polars as pl

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.engines.local.leads import lead_of, lead_of_events
from mmstats.engines.local.manifest_check import manifest_faults
from mmstats.errors import DatasetError, NoColumns, NotEvents, Undecodable
from mmstats.files.discovery import current_file, is_listed
from mmstats.files.event_file import EventFile
from mmstats.question.columns import DIMENSIONS
from mmstats.question.instants import micros_text
from mmstats.readers.bad_rows import find_bad_rows
from mmstats.readers.columnar_file import ENGINE_FAULTS, unreadable
from mmstats.readers.integrity import check_all
from mmstats.readers.projection import Selection
from mmstats.readers.report import FileReport, FoundBadRow, InstantRange, ReadReport
from mmstats.readers.scan import Scan
from mmstats.readers.schema_groups import by_pyarrow
from mmstats.readers.source import Source, read_source
from mmstats.reports import MAX_EVENT_NAMES, MAX_FAULTS, Check, ColumnUse, Description, Fault, FormatUse, TableUse
from mmstats.schemas.detection import looks_like
from mmstats.schemas.lookups import without_lacking

Advance = Callable[[int], None]
_OWN_NAME = {"the column event_name itself": "event_name", "the column event": "event"}
_EVENT, _COUNT = "event_name", "count"


def _no_events() -> pl.DataFrame:
    return pl.DataFrame(schema={_EVENT: pl.String, _COUNT: pl.Int64})


@dataclass(frozen=True, slots=True)
class Summary:
    """What was counted of some events.

    `nulls` are by event column, `range` the first and the last instant in microseconds since the epoch, None without
    rows; `events` has the event names and how many events of each.
    """

    rows: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    range: InstantRange | None = None
    events: pl.DataFrame = field(default_factory=_no_events)

    def top(self, most: int) -> tuple[tuple[str | None, int], ...]:
        """The most frequent event names with their counts; of equally frequent ones the smaller, null last."""
        ordered = self.events.sort(_COUNT, _EVENT, descending=[True, False], nulls_last=True)
        return tuple(ordered.head(most).iter_rows())

    @property
    def distinct(self) -> int:
        """How many event names there are; null is none."""
        return self.events[_EVENT].drop_nulls().len()

    def instants(self) -> tuple[str | None, str | None]:
        """The first and the last instant, in ISO 8601; None for one outside the years 1 to 9999."""
        return (micros_text(self.range[0]), micros_text(self.range[1])) if self.range else (None, None)


def _summarize(events: pl.LazyFrame, columns: Collection[str] = EVENT_COLUMNS) -> Summary:
    """The summary of events, its nulls and range those of the columns named; each column is read once."""
    others = [name for name in columns if name not in ("timestamp", _EVENT)]
    ends = [pl.col("timestamp").min().alias("first"), pl.col("timestamp").max().alias("last")]
    counted = (
        events.group_by(_EVENT)
        .agg(
            pl.len().cast(pl.Int64).alias(_COUNT),
            *(end.to_physical() for end in ends if "timestamp" in columns),
            *(pl.col(name).null_count() for name in others),
        )
        .collect(engine="streaming")
    )
    nulls = Counter({name: int(counted[name].sum()) for name in others})
    nulls[_EVENT] = int(counted.filter(pl.col(_EVENT).is_null())[_COUNT].sum())
    known = counted.select(pl.col("first").min(), pl.col("last").max()).row(0) if "first" in counted.columns else None
    return Summary(int(counted[_COUNT].sum()), nulls, known if len(counted) else None, counted.select(_EVENT, _COUNT))


def _merge(summaries: Iterable[Summary]) -> Summary:
    """One summary of all the events that several are of."""
    several = list(summaries)
    nulls: Counter[str] = Counter()
    for one in several:
        nulls.update(one.nulls)
    ranges = [one.range for one in several if one.range]
    events = pl.concat([_no_events(), *(one.events for one in several)])
    return Summary(
        sum(one.rows for one in several),
        nulls,
        (min(first for first, _ in ranges), max(last for _, last in ranges)) if ranges else None,
        events.group_by(_EVENT).agg(pl.col(_COUNT).sum()),
    )


def describe(dataset: Dataset, advance: Advance = lambda _: None) -> Description:
    """What is in a dataset, rows that cannot be read left out and counted; `advance` is told of bytes read.

    Where a file lacks a column that must be there, that is the description's fault. Raises NotEvents otherwise, and
    Unreadable, as a question would.
    """

    def read(source: Source) -> Description:
        try:
            return read_events(source)
        except NoColumns as fault:
            return _no_events_yet(dataset, source, fault)

    def read_events(source: Source) -> Description:
        columnar = source.scan([file for file in source.files if not file.format.is_text])
        bad = {path for path, one in columnar.report().files.items() if one.bad_rows or one.passed_over}
        # A footer counts rows that cannot be read, or are no events, as well.
        by_footer = [file for file in columnar.files if file.format.name == "parquet" and file.path not in bad]
        paths = {file.path for file in by_footer}
        others = [file for file in source.files if file.path not in paths]
        scans = [source.scan(by_footer, judge=False), source.scan(others)]
        summaries = [*_by_footers(scans[0]), *([_summarize(scans[1].frame())] if others else [])]
        report = source.report(*(scan.report() for scan in scans))
        return _description(dataset, source, _merge(summaries), report)

    return _read(dataset, read, advance)


def check(dataset: Dataset, advance: Advance = lambda _: None) -> Description:
    """What is in a dataset, every row of every file judged on every event column that the file has.

    Files that cannot be read are left out of it and named. Raises NotEvents when there are no files at all.
    """

    def read(source: Source) -> Description:
        summaries: list[Summary] = []
        reports: list[ReadReport] = []
        found = _Found()
        waiting = deque(source.files)
        while waiting:
            file, scan = waiting.popleft(), None
            try:
                scan = source.scan([file])
                check_all(file, source.projection)
                summaries.append(_summarize(scan.frame()))
            except (*ENGINE_FAULTS, OSError, DatasetError) as error:
                # It is not broken, but was superseded meanwhile: read all again.
                if current_file(file) != file or not is_listed(file):
                    raise
                fault = error if isinstance(error, DatasetError) else source.blame(error, [file])
                if isinstance(fault, Undecodable):
                    with suppress(Undecodable):
                        waiting.extendleft(by_pyarrow([file], fault))
                        continue
                columns = scan.report().columns if scan else frozenset()
                found.broken(file, source, fault or unreadable(file, error), columns)
            else:
                reports.append(scan.report())
                found.bad(file, source, sum(scan.report().bad_rows().values()))
                if file.stored:
                    found.otherwise(file, manifest_faults(file, file.stored, source.projection))
        report = source.report(*reports, ReadReport(found.partly, tuple(source.files)))
        return replace(_description(dataset, source, _merge(summaries), report), check=found.check())

    return _read(dataset, read, advance)


def _read(dataset: Dataset, read: Callable[[Source], Description], advance: Advance) -> Description:
    is_named = "event_name" in dataset.columns or (dataset.schema and "event_name" in dataset.schema.columns)
    own = {} if is_named else _OWN_NAME
    schema, lacking = without_lacking(dataset.schema, dataset.geo_database) if dataset.schema else (None, [])
    columns = {**own, **dataset.columns}
    as_read = replace(dataset, skip_bad_rows=True, trust_partitions=False, columns=columns, schema=schema)
    found = read_source(as_read, Selection((*EVENT_COLUMNS, *own)), read, advance)
    return replace(found, notices=(*lacking, *found.notices))


def _by_footers(scan: Scan) -> Iterator[Summary]:
    """The summaries of files whose rows can all be read; read are the event's name and what footers do not tell."""
    for known, events in scan.beside_footers(EVENT_COLUMNS):
        read = _summarize(events, events.collect_schema().names())
        yield replace(read, nulls=Counter({**known.nulls, **read.nulls}), range=known.range or read.range)


@dataclass(slots=True)
class _Found:
    """What does not hold: how much of it, and the first of it by name, files before rows.

    A file that cannot be read shall not go unnamed because another has many bad rows.
    """

    total: int = 0
    files: list[Fault] = field(default_factory=list)
    rows: list[Fault] = field(default_factory=list)
    partly: dict[str, FileReport] = field(default_factory=dict)  # of files that are broken, by path

    def check(self) -> Check:
        """All of it."""
        return Check(self.total, tuple([*self.files, *self.rows][:MAX_FAULTS]))

    def bad(self, file: EventFile, source: Source, rows: int) -> None:
        """So many rows of a file cannot be read."""
        room = min(rows, MAX_FAULTS - len(self.rows))
        if room > 0:
            self.rows += [_fault(file, one) for one in islice(_until_broken(file, source), room)]
        self.total += rows

    def broken(self, file: EventFile, source: Source, error: DatasetError, columns: frozenset[str]) -> None:
        """A file cannot be read, or only in part: it counts as one fault, besides the bad rows that can be found."""
        rows = 0
        # Without a timestamp every row would be bad; those of a store were judged when they were imported.
        if not (isinstance(error, NotEvents) or file.stored):
            for one in _until_broken(file, source):
                rows += 1
                if len(self.rows) < MAX_FAULTS:
                    self.rows.append(_fault(file, one))
        self.total += rows + 1
        self.partly[file.path] = FileReport(columns, rows)
        self.files.append(Fault(_name(file), "", error.message.removeprefix(f"{file}: ")))

    def otherwise(self, file: EventFile, faults: Sequence[str]) -> None:
        """A file that can be read is not as it should be."""
        self.files += [Fault(_name(file), "", what) for what in faults]
        self.total += len(faults)


def _until_broken(file: EventFile, source: Source) -> Iterator[FoundBadRow]:
    try:
        yield from find_bad_rows(file, source.projection)
    except (DatasetError, *ENGINE_FAULTS, OSError):
        return


def _fault(file: EventFile, found: FoundBadRow) -> Fault:
    return Fault(_name(file), f"{found.unit} {found.number}", found.reason)


def _name(file: EventFile) -> str:
    return file.name or file.path


def _description(dataset: Dataset, source: Source, summary: Summary, report: ReadReport) -> Description:
    """What was found and counted, put into words."""
    own_names = tuple(name for column, name in _OWN_NAME.items() if column in report.columns)

    def sources(column: str) -> tuple[str, ...]:
        """The columns of the data that serve as an event column."""
        if column == "event_name" and own_names:
            return own_names
        return source.projection.sources[column]

    first, last = summary.instants()
    lacks_some = any(source.lacks(name, report) for name in DIMENSIONS)
    is_led = lacks_some and dataset.schema is None and not source.is_stored
    lead = lead_of_events(source, report.columns) if is_led else None
    export = looks_like(lead.outline.keys, lead.outline.width) if lead else ""
    bad = {_name(file): one.bad_rows for file in source.files if (one := report.files.get(file.path)) and one.bad_rows}
    return Description(
        dataset.locations,
        tuple(_formats(source.files)),
        summary.rows,
        first,
        last,
        tuple(ColumnUse(name, sources(name), summary.nulls[name]) for name in EVENT_COLUMNS if name in report.columns),
        tuple(name for name in EVENT_COLUMNS if name not in report.columns),
        summary.top(MAX_EVENT_NAMES),
        summary.distinct,
        source.found.passed_over + source.found.special,
        bad,
        notices=(*report.swallowing(), *source.mapped_to_nothing(report.columns), *([export] if export else [])),
        tables=_tables(source),
        lead=lead,
    )


def _no_events_yet(dataset: Dataset, source: Source, fault: NoColumns) -> Description:
    """What there is to say of a dataset of which a file lacks a column that must be there."""
    first = [file for file in source.files if file.path == fault.path]
    files = [*first, *(file for file in source.files if file.path != fault.path)]
    named = {*dataset.columns, *(dataset.schema.columns if dataset.schema else ())}
    return Description(
        locations=dataset.locations,
        formats=tuple(_formats(source.files)),
        rows=None,
        first=None,
        last=None,
        columns=(),
        missing=fault.missing,
        events=(),
        distinct=0,
        passed_over=source.found.passed_over + source.found.special,
        tables=_tables(source),
        lead=lead_of(source, files, named.difference(fault.missing)),
        fault=fault,
    )


def _tables(source: Source) -> tuple[TableUse, ...]:
    return tuple(TableUse(one.folder, one.kind, one.version) for one in source.found.tables)


def _formats(files: Sequence[EventFile]) -> list[FormatUse]:
    """The formats of files, the one with the most files first."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for file in files:
        sizes.setdefault((file.format.name, file.format.compression), []).append(file.size)
    uses = [FormatUse(*kind, len(each), sum(each)) for kind, each in sizes.items()]
    return sorted(uses, key=lambda use: (-use.files, use.format, use.compression))
