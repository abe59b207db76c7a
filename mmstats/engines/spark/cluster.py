"""A cluster as an engine: one session for all questions, and the way of one question through it."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import polars as pl

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.engines.spark import plan
from mmstats.engines.spark.bad_rows import blame_file, check_rows
from mmstats.engines.spark.errors import CLUSTER_ERRORS, is_mixed_up, refused, translated
from mmstats.engines.spark.parquet import parquet_scans
from mmstats.engines.spark.scan import ParquetScan, check_sizes, union_all
from mmstats.engines.spark.session import Session
from mmstats.engines.stages import Rows, selection_of, stats_of
from mmstats.errors import InvalidParams, Unreadable
from mmstats.paths import readings
from mmstats.question.filters import Operator
from mmstats.question.parameters import INTERVALS, METRICS
from mmstats.question.query import VALUE, StatsQuery
from mmstats.question.ranges import UTC_NAME
from mmstats.readers.columnar_file import read_schema
from mmstats.readers.projection import VISITOR
from mmstats.readers.report import FileReport, ReadReport
from mmstats.readers.source import Source, read_source
from mmstats.readers.timestamps import TIMESTAMP
from mmstats.wording import visible

_OPERATORS = (Operator.IN, Operator.IS_NULL)  # of filters


class Cluster:
    """The cluster at an address."""

    def __init__(self, address: EngineAddress) -> None:
        self._address = address
        self._session: Session | None = None
        self._lock = Lock()

    def answer(self, query: StatsQuery, dataset: Dataset) -> Stats:
        """The answer; raises DatasetError when the events cannot be had, or not through a cluster."""
        if "-" in dataset.locations:
            raise InvalidParams({"data": ["must not be '-': no cluster sees this machine's standard input"]})

        _refuse_question(query)

        def read(source: Source) -> Stats:
            _refuse(source)
            try:
                with translated(self._address):
                    rows, report = self._rows(query, source)
            except KeyboardInterrupt:
                if self._session and not self._session.interrupt():
                    self._session = None
                raise
            return stats_of(query, rows, source, source.report(report))

        with self._lock:  # one question at a time: Sail mixes up two that are planned in one session at once
            return read_source(dataset, selection_of(query), read)

    def _rows(self, query: StatsQuery, source: Source) -> tuple[Rows, ReadReport]:
        """The rows, asked for once more in a new session where the server has mixed up two plans."""
        if not (self._session and self._session.is_alive()):
            self._session = Session(self._address)
        try:
            return _run(query, source, self._session)
        except CLUSTER_ERRORS as error:
            if not is_mixed_up(error):
                raise
        session, self._session = self._session, None
        session.close()
        self._session = Session(self._address)
        return _run(query, source, self._session)


def _refuse_question(query: StatsQuery) -> None:
    """Raise Unreadable for what is asked beyond what plans for clusters know."""
    lacking = [
        (query.interval and query.interval not in INTERVALS, f"buckets of a {query.interval}"),
        (query.interval and query.timezone != UTC_NAME, f"buckets in {query.timezone}"),
        (query.interval == "week" and query.week_start != "monday", f"weeks that start on {query.week_start}"),
        (query.top, "the largest groups (top)"),
        (query.previous, "comparisons (compare)"),
        (query.totals, "totals"),
        (query.metric not in METRICS, f"the metric {query.metric}"),
        (query.metric == "uniques" and VISITOR in query.group_by, f"visitors by {VISITOR}"),
        *((True, f"filters with {one.operator.value}") for one in query.where if one.operator not in _OPERATORS),
    ]
    for is_asked, what in lacking:
        if is_asked:
            hint = "the local engine does: --engine local"
            raise Unreadable(f"the engine on a cluster does not answer {what} yet", hint=hint)


def _refuse(source: Source) -> None:
    """Raise Unreadable for what clusters might read otherwise than the contract says."""
    schema = source.dataset.schema
    if schema and not (schema.is_names or source.is_stored):
        raise refused(schema.title, "a schema that says more than names")
    dialect = source.projection.dialect
    for file in source.files:
        if not file.stored and dialect.timestamp_format:
            raise refused(file, "a format of timestamps")
        if not file.stored and dialect.null_texts:
            raise refused(file, "texts that are null")
        if file.format.name != "parquet":
            raise refused(file, "Arrow IPC" if file.format.name == "arrow" else file.format.name.upper())
        projection = source.projection.as_stored if file.stored else source.projection
        for name in projection.raw:
            if name.endswith("'"):  # as do the columns that plans add
                raise refused(file, f"a column named {visible(name)!r}")
        if any(map(readings, projection.raw)):  # unless it is the name of a column
            own = file.stored.columns if file.stored else read_schema(file).columns
            for name in projection.as_spelled_in(file, own).paths:
                raise refused(file, f"the path {visible(name)!r}")


def _run(query: StatsQuery, source: Source, session: Session) -> tuple[Rows, ReadReport]:
    """Scan, check for bad rows, aggregate; a file that the cluster cannot read is named."""
    scans: list[ParquetScan] = []
    try:
        scans += parquet_scans(source.files, source.projection, session)
        check_sizes([file for scan in scans for file in scan.files], session)
        bad_rows = check_rows(scans, source.options)
        files = {file.path: FileReport(scan.found, bad_rows.get(file.path, 0)) for scan in scans for file in scan.files}
        return _aggregated(query, scans), ReadReport(files, tuple(source.files))
    except CLUSTER_ERRORS as error:
        if not is_mixed_up(error):
            blame_file(scans, source, error)
        raise


def _aggregated(query: StatsQuery, scans: Sequence[ParquetScan]) -> Rows:
    """The rows of the answer, or as many as the limit may leave; only then the groups are counted by a second query."""
    if not scans:
        return Rows.whole(_frame(query, [] if query.labels else [(0,)]))
    events = union_all([scan.events() for scan in scans])
    rows = plan.aggregated(query, events)
    if query.limit is None or query.fill or query.order:
        return Rows.whole(_frame(query, rows.toArrow()))
    # Not as Arrow, which asks the server twice: first for the types, and planning takes as long each time.
    frame = _frame(query, plan.limited(query, rows, query.limit).collect())
    if frame.height <= query.limit:
        return Rows.whole(frame)
    ((groups, total),) = plan.totals(query, events).collect()
    return Rows(frame, groups, total)


def _frame(query: StatsQuery, rows: Any) -> pl.DataFrame:
    """Rows of the cluster, an Arrow table or tuples, as a frame with a Datetime for a bucket."""
    schema = {**dict.fromkeys(query.labels, pl.String()), **({"bucket": pl.Int64()} if query.interval else {})}
    frame = pl.DataFrame(rows, {**schema, VALUE: pl.Int64()}, orient="row")
    return frame.cast({"bucket": TIMESTAMP}) if query.interval else frame
