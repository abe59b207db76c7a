"""A cluster that is asked questions, one session for all of them."""

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.engines import finish
from mmstats.engines.finish import stats_of
from mmstats.engines.local import plan
from mmstats.engines.spark import columnar
from mmstats.engines.spark import plan as cluster_plan
from mmstats.engines.spark.blame import blame
from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.faults import CLUSTER_FAULTS, explained, is_mixed_up
from mmstats.engines.spark.judge import judge, settle
from mmstats.engines.spark.opening import compare, refuse_format
from mmstats.engines.spark.scans import Scan, united
from mmstats.engines.spark.texts import lines_of
from mmstats.errors import InvalidParams
from mmstats.files.event_file import EventFile
from mmstats.files.fingerprint import unchanged
from mmstats.question.query import StatsQuery
from mmstats.readers.source import Source, open_events
from mmstats.readers.timestamps import TIMESTAMP
from mmstats.wording import visible

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import Row


class Cluster:
    """The engine at an address."""

    def __init__(self, address: EngineAddress) -> None:
        self._address = address
        self._session: Session | None = None
        self._lock = Lock()

    def answer(self, query: StatsQuery, dataset: Dataset) -> Stats:
        """What the events of the dataset answer to the question.

        Raises DatasetError when the events cannot be had, or not through a cluster.
        """
        if "-" in dataset.locations:
            raise InvalidParams({"data": ["must not be '-': no cluster sees this machine's standard input"]})
        # One question at a time: Sail mixes up two that are planned in one session at once.
        with self._lock, open_events(dataset, plan.wanted_of(query)) as source, unchanged(source.files):
            try:
                with explained(self._address):
                    rows = self._rows(query, source)
            except KeyboardInterrupt:
                if self._session and not self._session.interrupt():
                    self._session = None
                raise
        return stats_of(query, rows, source)

    def _rows(self, query: StatsQuery, source: Source) -> finish.Rows:
        """The rows, asked for once more in a session of its own where the server has mixed up two plans."""
        try:
            return _rows(query, source, self._opened())
        except CLUSTER_FAULTS as fault:
            if not is_mixed_up(fault):
                raise
        if self._session:
            self._session.end()
            self._session = None
        source.log.begin_anew()
        return _rows(query, source, self._opened())

    def _opened(self) -> Session:
        """The session, a new one where the server has ended the last."""
        if self._session and not self._session.lives():
            self._session = None
        self._session = self._session or Session(self._address)
        return self._session


def _rows(query: StatsQuery, source: Source, session: Session) -> finish.Rows:
    """The rows that the limit may leave, found on the cluster; a file that it cannot read is blamed."""
    for name in source.shape.raw:
        if name.endswith("'") and source.files:  # as do the names that plans have for columns of their own
            raise refuse_format(source.files[0], f"a column named {visible(name)!r}")
    scans: list[Scan] = []
    try:
        scans += columnar.scans(_files(source, is_text=False), source.shape, source.log, session)
        scans += _texts(source, session)
        compare([file for scan in scans for file in scan.files], session)
        judge(scans, source.log)
        return _answered(query, scans) if scans else _nothing(query)
    except CLUSTER_FAULTS as fault:
        if not is_mixed_up(fault):
            blame(scans, source, fault)
        raise


def _texts(source: Source, session: Session) -> Iterator[Scan]:
    for text in lines_of(_files(source, is_text=True), source.shape, source.log, session):
        for settled in settle(text):
            yield settled.scan()


def _files(source: Source, *, is_text: bool) -> list[EventFile]:
    return [file for file in source.files if file.format.is_text is is_text]


def _answered(query: StatsQuery, scans: Sequence[Scan]) -> finish.Rows:
    """The rows of the answer; only where there are more than the limit the groups are counted, by asking again."""
    events = united([scan.events() for scan in scans])
    answered = cluster_plan.answered(query, events)
    if query.limit is None or query.fill:
        frame = _framed(query, answered.toArrow())
        return finish.Rows(frame, frame.height)
    # As Arrow they would be asked for twice: first for their types, which takes a server as long to plan.
    frame = _framed(query, cluster_plan.cut(query, answered).collect())
    return finish.Rows(
        frame, cluster_plan.groups(query, events).count() if frame.height > query.limit else frame.height
    )


def _framed(query: StatsQuery, rows: "pa.Table | list[Row]") -> pl.DataFrame:
    schema = {**dict.fromkeys(query.labels, pl.String()), **({"bucket": pl.Int64()} if query.interval else {})}
    found = pl.DataFrame(rows, {**schema, finish.VALUE: pl.Int64()}, orient="row")
    return found.cast({"bucket": TIMESTAMP}) if query.interval else found


def _nothing(query: StatsQuery) -> finish.Rows:
    """The rows of no events."""
    schema = {**dict.fromkeys(query.labels, pl.String()), **({"bucket": TIMESTAMP} if query.interval else {})}
    none = pl.DataFrame(schema={name: schema[name] for name in query.labels} | {finish.VALUE: pl.Int64()})
    total = pl.DataFrame({finish.VALUE: [0]})
    return finish.Rows(none if query.labels else total, 0 if query.labels else 1)
