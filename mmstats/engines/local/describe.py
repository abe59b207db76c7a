"""Rows, range, nulls and event names of some events, counted in one pass; summaries of parts add up."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

import polars as pl

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.errors import DatasetError, NotEvents
from mmstats.files.discovery import find_files
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import check_as_found
from mmstats.files.listing import Listing, kept_until_read
from mmstats.readers.bad_rows import faults
from mmstats.readers.columnar import ENGINE_FAULTS, ColumnarFiles, group_by_schema, unreadable
from mmstats.readers.projection import ColumnMap, Projection, Selection
from mmstats.readers.pruning import known_of
from mmstats.readers.report import ReadLog
from mmstats.readers.scan import Scan, blamed
from mmstats.readers.statistics import UnknownFooter
from mmstats.reports import MAX_EVENT_NAMES, MAX_FAULTS, Check, ColumnUse, Description, Fault, FormatUse

_EVENT, _COUNT = "event_name", "count"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here


def _no_events() -> pl.DataFrame:
    return pl.DataFrame(schema={_EVENT: pl.String, _COUNT: pl.Int64})


@dataclass(frozen=True, slots=True)
class Summary:
    """What was counted of some events.

    `nulls` are by event column, `span` the first and the last instant in microseconds since the epoch, None without
    rows; `events` has the event names and how many events of each.
    """

    rows: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    span: tuple[int, int] | None = None
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
        return (_iso(self.span[0]), _iso(self.span[1])) if self.span else (None, None)


def _iso(micros: int) -> str | None:
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None
    finest = "microseconds" if micros % 1_000 else "milliseconds" if micros % 1_000_000 else "seconds"
    return moment.isoformat(timespec=finest) + "Z"


def summarised(events: pl.LazyFrame, columns: Collection[str] = EVENT_COLUMNS) -> Summary:
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
    return Summary(int(counted[_COUNT].sum()), nulls, _span(counted), counted.select(_EVENT, _COUNT))


def _span(counted: pl.DataFrame) -> tuple[int, int] | None:
    if "first" not in counted.columns or counted.is_empty():
        return None
    return counted.select(pl.col("first").min(), pl.col("last").max()).row(0)


def added(summaries: Iterable[Summary]) -> Summary:
    """One summary of all the events that several are of."""
    parts = list(summaries)
    nulls: Counter[str] = Counter()
    for part in parts:
        nulls.update(part.nulls)
    spans = [part.span for part in parts if part.span]
    events = pl.concat([_no_events(), *(part.events for part in parts)])
    return Summary(
        sum(part.rows for part in parts),
        nulls,
        (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None,
        events.group_by(_EVENT).agg(pl.col(_COUNT).sum()),
    )


Advance = Callable[[int], None]
_OWN_NAME = {"the column event_name itself": "event_name", "the column event": "event"}


def describe(dataset: Dataset, advance: Advance = lambda _: None) -> Description:
    """What is in a dataset, rows that cannot be read left out and counted; `advance` is told of bytes read.

    Raises NotEvents and Unreadable as a question would.
    """
    with kept_until_read(find_files(dataset.locations, dataset.input_format, dataset.storage_options)) as listing:
        return _described(dataset, listing, advance)


def _described(dataset: Dataset, listing: Listing, advance: Advance) -> Description:
    shape, log = _shape(dataset), ReadLog(skip_bad_rows=True)
    events = Scan(listing.files, shape, log)
    known = [file for file in listing.files if _is_known(file, log)]
    others = [file for file in listing.files if not _is_known(file, log)]
    rest = Scan(others, shape, ReadLog(skip_bad_rows=True, advance=advance)) if others else None
    summaries = [_read(rest, rest.frame())] if rest else []
    summaries += [_by_footers(part, events) for part in group_by_schema(known, shape, log)]
    found = log.found | (rest.log.found if rest else set())
    bad_rows = rest.log.bad_rows if rest else Counter[str]()
    check_as_found(listing.files)
    return _Seen(dataset, listing, added(summaries), found, bad_rows).description()


def _is_known(file: EventFile, log: ReadLog) -> bool:
    """Whether a file's own footer tells of its rows; it counts those that cannot be read as well."""
    return file.format.name == "parquet" and str(file) not in log.bad_rows


def check(dataset: Dataset, advance: Advance = lambda _: None) -> Description:
    """What is in a dataset, every row of every file judged on every event column that the file has.

    Files that cannot be read are left out of it and named. Raises NotEvents when there are no files at all.
    """
    with kept_until_read(find_files(dataset.locations, dataset.input_format, dataset.storage_options)) as listing:
        return _checked(dataset, listing, advance)


def _checked(dataset: Dataset, listing: Listing, advance: Advance) -> Description:
    shape = _shape(dataset)
    summaries: list[Summary] = []
    log, found = ReadLog(skip_bad_rows=True, advance=advance), _Found()
    for file in listing.files:
        try:
            summaries.append(_whole(file, shape, log))
        except DatasetError as error:
            found.broken(file, shape, log, error)
        else:
            found.bad(file, shape, log.bad_rows[str(file)])
    check_as_found(listing.files)
    seen = _Seen(dataset, listing, added(summaries), log.found, log.bad_rows)
    return replace(seen.description(), check=found.check())


def _whole(file: EventFile, shape: Projection, log: ReadLog) -> Summary:
    """The summary of one file, every event column that it has read to the end."""
    try:
        events = Scan([file], shape, log)
        return _read(events, events.frame())
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def _shape(dataset: Dataset) -> Projection:
    own = {} if "event_name" in dataset.columns else _OWN_NAME
    wanted, columns = Selection((*EVENT_COLUMNS, *own)), ColumnMap({**own, **dataset.columns})
    return Projection(wanted, columns, dataset.timestamp_unit, dataset.limits)


def _read(events: Scan, frame: pl.LazyFrame, columns: Sequence[str] = EVENT_COLUMNS) -> Summary:
    with blamed([events]):
        return summarised(frame, columns)


def _by_footers(part: ColumnarFiles, events: Scan) -> Summary:
    """The summary of a part whose rows can all be read; read are the event's name and what the footers do not know."""
    try:
        known = known_of(part, EVENT_COLUMNS)
    except UnknownFooter:
        return _read(events, part.events(part.scan()))
    unknown = [name for name in EVENT_COLUMNS if name not in known.nulls and name != "timestamp"]
    columns = [*unknown, *([] if known.span else ["timestamp"])]
    narrow = replace(part, shape=replace(part.shape, wanted=Selection(("event_name", *columns))))
    read = _read(events, narrow.events(narrow.scan()), columns)
    return replace(read, nulls=Counter({**known.nulls, **read.nulls}), span=known.span or read.span)


@dataclass(slots=True)
class _Found:
    """What does not hold: how much of it, and the first of it by name, files before rows.

    A file that cannot be read shall not go unnamed because another has many bad rows.
    """

    total: int = 0
    files: list[Fault] = field(default_factory=list)
    rows: list[Fault] = field(default_factory=list)

    def check(self) -> Check:
        """All of it."""
        return Check(self.total, tuple([*self.files, *self.rows][:MAX_FAULTS]))

    def bad(self, file: EventFile, shape: Projection, rows: int) -> None:
        """So many rows of a file cannot be read."""
        self.total += rows
        room = min(rows, MAX_FAULTS - len(self.rows))
        if room > 0:
            self.rows += [Fault(_name(file), *fault) for fault in islice(_until_broken(file, shape), room)]

    def broken(self, file: EventFile, shape: Projection, log: ReadLog, error: DatasetError) -> None:
        """A file cannot be read, or only in part: then it counts as one fault, besides the bad rows before."""
        if isinstance(error, NotEvents):  # without a timestamp every row would be bad
            log.bad_rows.pop(str(file), None)
        self.bad(file, shape, log.bad_rows[str(file)])
        self.total += 1
        self.files.append(Fault(_name(file), "", error.message.removeprefix(f"{file}: ")))


def _until_broken(file: EventFile, shape: Projection) -> Iterable[tuple[str, str]]:
    try:
        yield from faults(file, shape)
    except (DatasetError, *ENGINE_FAULTS, OSError):
        return


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found and counted, to be put into words."""

    dataset: Dataset
    listing: Listing
    summary: Summary
    found: set[str]
    bad_rows: Counter[str]

    def description(self) -> Description:
        """All of it."""
        first, last = self.summary.instants()
        have = [column for column in EVENT_COLUMNS if column in self.found]
        counted = {_name(file): self.bad_rows[str(file)] for file in self.listing.files}
        return Description(
            self.dataset.locations,
            tuple(_formats(self.listing.files)),
            self.summary.rows,
            first,
            last,
            tuple(ColumnUse(column, self._sources(column), self.summary.nulls[column]) for column in have),
            tuple(column for column in EVENT_COLUMNS if column not in self.found),
            self.summary.top(MAX_EVENT_NAMES),
            self.summary.distinct,
            self.listing.unknown,
            {path: rows for path, rows in counted.items() if rows},
        )

    def _sources(self, column: str) -> tuple[str, ...]:
        """The columns of the data that serve as an event column."""
        if column in self.dataset.columns:
            return (self.dataset.columns[column],)
        own = tuple(name for asked, name in _OWN_NAME.items() if asked in self.found)
        return own if column == "event_name" else (column,)


def _name(file: EventFile) -> str:
    return file.name or file.path


def _formats(files: Sequence[EventFile]) -> list[FormatUse]:
    """The formats of files, the one with the most files first."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for file in files:
        sizes.setdefault((file.format.name, file.format.compression), []).append(file.size)
    uses = [FormatUse(*kind, len(each), sum(each)) for kind, each in sizes.items()]
    return sorted(uses, key=lambda use: (-use.files, use.format, use.compression))
