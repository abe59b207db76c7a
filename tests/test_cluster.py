"""What an engine on a cluster promises: the local engine's answers and errors, or a refusal that says why."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql.connect.dataframe import DataFrame

from mmstats.dataset import SAMPLE, Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.errors import DatasetError, MmstatsError
from mmstats.question.filters import Filter, Operator
from mmstats.question.order import SortKey
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.conftest import Ask
from tests.importing import take
from tests.serving import serving

AT = datetime.fromisoformat("2026-05-04T12:30:15.123456")
Told = tuple[str, int, tuple[str, ...], int | None] | tuple[str, str, str]


def told(address: str, query: StatsQuery, dataset: Dataset) -> Told:
    """What an engine says to a question: its answer, groups, notices and total, or its error and hint."""
    try:
        stats = engine_for(read_engine(address))(query, dataset)
    except MmstatsError as error:
        return type(error).__name__, str(error), error.hint
    return stats.to_json(), stats.groups, stats.notices, stats.total


def same(cluster: Cluster, dataset: Dataset, *queries: StatsQuery) -> list[Told]:
    """What both the cluster and the local engine say to each question."""
    said = [told("local", query, dataset) for query in queries]
    assert [told(cluster.address, query, dataset) for query in queries] == said
    return said


def write(folder: Path, name: str, *events: Mapping[str, object]) -> Path:
    """A Parquet file of events in a folder, made where it is not there."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    pl.DataFrame(events).write_parquet(content)
    path.write_bytes(content.getvalue())  # Polars itself takes no name that is not UTF-8
    return path


EVENT = {"timestamp": AT, "event_name": "a"}


def test_an_answer_without_events_says_why(sail: Cluster, tmp_path: Path) -> None:
    """What may be wrong where no event answers is said as by the local engine: a name, a range."""
    write(tmp_path, "a.parquet", EVENT)
    dataset, later = Dataset((str(tmp_path),)), datetime(2027, 1, 1, tzinfo=UTC)
    for metric in ("count", "uniques"):
        query = StatsQuery(metric, later, None, "b", ("country",))
        (said,) = same(sail, dataset, query)
        assert said[2] == (
            *said[2][:-2],
            f"no event is in the range: the data's first is at {AT.isoformat()}Z, its last at {AT.isoformat()}Z",
            "the data has no event 'b'; it has 'a'",
        )


def test_both_executors_work(spark: Cluster, tmp_path: Path) -> None:
    """A question over several files is worked on by both executor processes of the cluster."""
    for index in range(8):
        times = [AT + timedelta(seconds=second) for second in range(1000)]
        pl.DataFrame({"timestamp": times, "event_name": ["a"] * 1000}).write_parquet(tmp_path / f"{index}.parquet")
    dataset, query = Dataset((str(tmp_path),)), StatsQuery(group_by=("event_name",), interval="hour")
    for _ in range(100):  # executors join when the server listens already
        same(spark, dataset, query)
        before = spark.tasks()
        if len(before) == 2:
            break
    assert len(before) == 2
    for _ in range(3):
        same(spark, dataset, query)
    assert all(done > before[executor] for executor, done in spark.tasks().items())


def test_uniques_are_the_same_integers(cluster: Cluster, tmp_path: Path) -> None:
    """Estimates by group and bucket are the very integers of the local engine, however rows are split over files."""
    for part in range(3):
        rows = [
            {
                "timestamp": AT + timedelta(minutes=row % 5000),
                "event_name": "view",
                "anonymous_id": None if row % 17 == 0 else f"v{row * 7919 % 9000}",
                "country": (None, "", "DE", "FR")[row % 4],
            }
            for row in range(part, 30_000, 3)
        ]
        pl.DataFrame(rows).write_parquet(tmp_path / f"{part}.parquet")
    asked = [
        StatsQuery(metric="uniques", group_by=groups, interval=interval, exact=exact, limit=limit)
        for groups, interval, exact, limit in [
            ((), None, False, 100),
            (("country",), None, False, 2),
            (("country",), "day", False, 5),
            ((), "week", True, 100),
        ]
    ]
    same(cluster, Dataset((str(tmp_path),)), *asked)


TEXT_TIMES = [
    "2026-05-04",
    "2026-05-04T10",  # none
    "2026-05-04T10:11",
    "2026-05-04 10:11:12",
    "2026-05-04T10:11:12Z",
    "2026-05-04T10:11:12.1234567Z",
    "2026-05-04T10:11:12,5+05:30",
    "2026-05-04T10:11-0330",
    "2026-05-04T23:11:12-07",
    "2024-02-29T00:00:00",
    "0001-01-01T00:00:00+01:00",  # none: before the year 1
    "9999-12-31T23:59:59.999999",
    "1777889412",
    "-1",
    "1777889412.5",
    "-0.0000005",
    "1777889412123",
    "1777889412123.4567",
    "1777889412123456",
    "1777889412123456789",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999",
    "100000000000",
]
NO_TIMES = ["2026-02-30", "2023-02-29", "24:00", "", "x", "2026-05-04T24:00:00", "2026-05-04\n", "12345678901234567890"]


@pytest.mark.parametrize("unit", [None, "s", "ms", "us", "ns"])
def test_text_timestamps(sail: Cluster, tmp_path: Path, unit: str | None) -> None:
    """Every form of a timestamp as text names the same instant, and what is none is left out as often."""
    texts = [*TEXT_TIMES, *NO_TIMES]
    pl.DataFrame({"timestamp": texts, "event_name": texts}).write_parquet(tmp_path / "a.parquet")
    dataset = Dataset((str(tmp_path),), timestamp_unit=unit, skip_bad_rows=True)
    said = same(sail, dataset, StatsQuery(group_by=("event_name",), interval="hour", limit=None))
    assert "left out" in said[0][2][0]


def test_text_timestamps_on_spark(spark: Cluster, tmp_path: Path) -> None:
    """Apache Spark reads them all alike as well."""
    test_text_timestamps(spark, tmp_path, None)


@pytest.mark.parametrize("skip", [False, True])
def test_a_timestamp_with_an_exponent_is_refused(cluster: Cluster, tmp_path: Path, skip: bool) -> None:
    """A form that the local engine reads and the cluster does not is refused, and never left out as a bad row."""
    write(tmp_path, "a.parquet", {**EVENT, "timestamp": "2026-05-04"}, {**EVENT, "timestamp": "1.7e9"})
    with pytest.raises(DatasetError, match=r"a\.parquet: 1 row in a form that engines read differently"):
        engine_for(read_engine(cluster.address))(StatsQuery(), Dataset((str(tmp_path),), skip_bad_rows=skip))


TYPED_TIMES = {
    "us": pl.Series([AT, None, datetime.fromisoformat("1969-12-31T23:59:59.999999")], dtype=pl.Datetime("us")),
    "ms": pl.Series([AT, None, datetime.fromisoformat("1969-12-31T23:59:59")], dtype=pl.Datetime("ms")),
    "ns": pl.Series([1777889412123456789, None, -1]).cast(pl.Datetime("ns")),
    "first ns": pl.Series([1 - 2**63, None, 999 - 2**63]).cast(pl.Datetime("ns")),
    "zoned": pl.Series([AT, None, AT]).dt.replace_time_zone("Europe/Berlin"),
    "date": pl.Series([AT.date(), None, AT.date()]),
    "int64": pl.Series([1777889412, None, -1777889412123]),
    "int32": pl.Series([1777889412, None, -1], dtype=pl.Int32),
    "uint64": pl.Series([1777889412, None, 2**64 - 1], dtype=pl.UInt64),
}


@pytest.mark.parametrize("kind", TYPED_TIMES)
def test_typed_timestamps(cluster: Cluster, tmp_path: Path, kind: str) -> None:
    """Timestamps, dates and epochs of Parquet name the same instants, within a range too, and nulls are bad rows."""
    frame = pl.DataFrame({"timestamp": TYPED_TIMES[kind], "event_name": ["a", "b", "c"]})
    frame.write_parquet(tmp_path / "a.parquet")
    asked = [
        StatsQuery(group_by=("event_name",), interval="hour"),
        StatsQuery(start=datetime(2026, 5, 4, tzinfo=UTC), end=datetime(2026, 5, 5, tzinfo=UTC)),
    ]
    same(cluster, Dataset((str(tmp_path),)), *asked[:1])
    same(cluster, Dataset((str(tmp_path),), skip_bad_rows=True), *asked)


def test_timestamps_as_spark_itself_writes_them(cluster: Cluster, tmp_path: Path) -> None:
    """The 96-bit timestamps of older writers are read as the local engine reads them."""
    table = pa.table({"timestamp": pa.array([AT, AT], pa.timestamp("us")), "event_name": ["a", "b"]})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    same(cluster, Dataset((str(tmp_path),)), StatsQuery(interval="hour"))


def test_schemas_folders_and_names(cluster: Cluster, tmp_path: Path) -> None:
    """Files of several schemas, folders that fill columns, mapped and awkward names are one dataset."""
    at = pl.Series([AT, AT])
    folder = tmp_path / "a b" / "country=D%20E"
    folder.mkdir(parents=True)
    both = pl.DataFrame({"timestamp": at, "event": ["x", None], "event_name": [None, "y"]})
    both.write_parquet(folder / "é [1].parquet")
    frame = pl.DataFrame({"timestamp": at, "event_name": ["x", "z"], "my `os`.x": [7, None], "source": [True, False]})
    frame.write_parquet(tmp_path / "b.parquet")
    write(tmp_path, "country=FR/c.parquet", {"timestamp": "2026-05-04", "event": "x", "country": "IT"})
    write(tmp_path, "country=FR/d.parquet", {"timestamp": "2026-05-04", "event_name": "x"})
    awkward = [{"event_name": 'x, "y"', "timestamp": AT, "os": None}, {"event_name": "z", "timestamp": AT, "os": ""}]
    write(tmp_path, "country=FR/e.parquet", *awkward)
    same(
        cluster,
        Dataset((str(tmp_path),), columns={"os": "my `os`.x"}),
        StatsQuery(group_by=("event_name", "country", "source", "os")),
        StatsQuery(events=("x",), group_by=("country",)),
    )


BAD = {
    "null": [EVENT, {**EVENT, "timestamp": None}],
    "no instant": [{**EVENT, "timestamp": "2026-05-04"}, {**EVENT, "timestamp": "never"}],
    "nameless": [{"timestamp": AT, "name": "a"}],
    "empty": [],
}
BYTES = [{**EVENT, "path": b"ok"}, {**EVENT, "path": b"\xff"}]


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows(cluster: Cluster, tmp_path: Path, kind: str) -> None:
    """What cannot be read has the local engine's error, naming file and row, and is counted by file where asked."""
    write(tmp_path, "a.parquet", EVENT)
    frame = pl.DataFrame(BAD[kind] or [EVENT])
    (frame if BAD[kind] else frame.clear()).write_parquet(tmp_path / f"{kind}.parquet")
    query = StatsQuery(group_by=("event_name", "path"))
    same(cluster, Dataset((str(tmp_path),)), query)
    same(cluster, Dataset((str(tmp_path),), skip_bad_rows=True), query)


def test_bytes_that_are_no_text(cluster: Cluster, tmp_path: Path) -> None:
    """A row whose bytes are no text is bad; Sail cannot read on behind it, which is said."""
    write(tmp_path, "a.parquet", *BYTES)
    query = StatsQuery(group_by=("path",))
    same(cluster, Dataset((str(tmp_path),)), query)
    skipping = Dataset((str(tmp_path),), skip_bad_rows=True)
    if cluster.executors_url:  # Apache Spark
        same(cluster, skipping, query)
    else:
        said = told(cluster.address, query, skipping)
        assert said[1] == f"{tmp_path / 'a.parquet'}: text that is not valid UTF-8, which no cluster is asked of"


def test_no_parquet(cluster: Cluster, tmp_path: Path) -> None:
    """A file that is not what its name says is unreadable, as it is here."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    (said,) = same(cluster, Dataset((str(tmp_path),)), StatsQuery())
    assert said[0] == "Undecodable"


def damage(path: Path, column: int) -> None:
    """Destroy the last bytes of a column of a file."""
    chunk = pq.read_metadata(path).row_group(0).column(column)
    content = bytearray(path.read_bytes())
    end = chunk.data_page_offset + chunk.total_compressed_size
    content[end - 20 : end] = b"\xff" * 20
    path.write_bytes(content)


def test_a_damaged_file_with_a_bad_row(sail: Cluster, tmp_path: Path) -> None:
    """A file that has a bad row and is damaged elsewhere is unreadable, as it is here."""
    path = tmp_path / "events.parquet"
    table = pa.table({"timestamp": [AT, None], "event_name": ["a", "b"], "source": ["x" * 99, "y" * 99]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    damage(path, 2)
    (said,) = same(sail, Dataset((str(path),), skip_bad_rows=True), StatsQuery(group_by=("source",)))
    assert said[0] == "Undecodable"


def test_a_damaged_file_is_named(cluster: Cluster, tmp_path: Path) -> None:
    """Of many files the one that nobody can read is named, in the local engine's words."""
    for name in "abcde":
        write(tmp_path, f"é {name}.parquet", *({**EVENT, "source": f"{one * 7919 % 997}"} for one in range(500)))
    damage(tmp_path / "é d.parquet", 2)
    (said,) = same(cluster, Dataset((str(tmp_path),)), StatsQuery(group_by=("source",)))
    assert said[0] == "Undecodable"
    assert "é d.parquet" in str(said[1])


def test_a_file_that_changes_while_it_is_asked_of(
    sail: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that come between the judging of a file and the answer are not left out in silence."""
    path = write(tmp_path, "a.parquet", EVENT)
    collect = DataFrame.collect

    def change_after(frame: DataFrame) -> list[Any]:
        rows = collect(frame)
        write(tmp_path, "a.parquet", {**EVENT, "timestamp": None})
        return rows

    monkeypatch.setattr(DataFrame, "collect", change_after)
    said = told(sail.address, StatsQuery(), Dataset((str(path),)))
    assert said == ("Changed", f"{path}: changed while it was read", "try again when it is complete")


REFUSED = {
    "a.ndjson": "NDJSON",
    "a.ndjson.gz": "NDJSON",
    "a.json": "JSON",
    "a.csv": "CSV",
    "a.csv.zst": "CSV",
    "a.tsv": "TSV",
    "a.arrow": "Arrow IPC",
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_formats_than_parquet_are_refused(ask: Ask, tmp_path: Path, name: str) -> None:
    """Text and Arrow IPC are refused before a server is asked, with exit 4, the file's name and the way to Parquet."""
    write(tmp_path, "0.parquet", EVENT)
    (tmp_path / name).write_bytes(b"whatever is in it")
    ran = ask(tmp_path, "--no-cache", "--engine", "sc://127.0.0.1:1")
    assert (ran.code, ran.error) == (4, f"{tmp_path / name}: {REFUSED[name]}, which no cluster is asked of")
    assert "hint: import first: 'mmstats import DATA --to STORE' writes Parquet; or ask without --engine" in ran.err


def test_what_was_refused_is_answered_once_imported(sail: Cluster, tmp_path: Path) -> None:
    """Text that no cluster is asked of is one that it answers from when it is in a store."""
    text = tmp_path / "a.ndjson"
    text.write_text('{"timestamp":"2026-05-04","event_name":"a","path":"first","path":"second"}\n')
    take(tmp_path / "store", text)
    (said,) = same(sail, Dataset((str(tmp_path / "store"),)), StatsQuery(group_by=("path",)))
    assert "first" in str(said[0])


def test_names_that_plans_use_are_refused(ask: Ask, tmp_path: Path) -> None:
    """A column whose name ends as those of a plan's own do is refused, and is never taken for one of them."""
    write(tmp_path, "a.parquet", {**EVENT, "instant'": "b"})
    asked = ("--group-by", "os", "--map", "os=instant'", "--no-cache", "--engine", "sc://127.0.0.1:1")
    ran = ask(tmp_path, *asked)
    assert (ran.code, ran.error) == (
        4,
        f'{tmp_path / "a.parquet"}: a column named "instant\'", which no cluster is asked of',
    )


def test_paths_are_refused(ask: Ask, tmp_path: Path) -> None:
    """A path into a struct is refused with the way to a store, unless it is the name of a column."""
    write(tmp_path, "a.parquet", {**EVENT, "p": {"plan": "pro"}})
    asked = ("--group-by", "os", "--map", "os=p.plan", "--no-cache", "--engine", "sc://127.0.0.1:1")
    ran = ask(tmp_path, *asked)
    assert (ran.code, ran.error) == (4, f"{tmp_path / 'a.parquet'}: the path 'p.plan', which no cluster is asked of")
    assert "hint: import first:" in ran.err
    write(tmp_path, "a.parquet", {**EVENT, "p.plan": "pro"})
    assert "the path" not in ask(tmp_path, *asked).err


@pytest.mark.parametrize(
    ("column", "values"), [("path", [1.5, 2.0]), ("path", [[1], [2]]), ("timestamp", [1777889412.5, 1.5])]
)
def test_types_without_a_common_text_are_refused(
    sail: Cluster, tmp_path: Path, column: str, values: Sequence[object]
) -> None:
    """A column of floats or lists, whose text engines write differently, is refused by name."""
    frame = pl.DataFrame({"timestamp": [AT, AT], "event_name": ["a", "b"]})
    frame.with_columns(pl.Series(column, values)).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=f"column '{column}' is"):
        engine_for(read_engine(sail.address))(StatsQuery(group_by=("path",)), Dataset((str(tmp_path),)))


def test_a_store_is_read_by_its_manifest(cluster: Cluster, tmp_path: Path) -> None:
    """A store answers through a cluster as it does here, with what lies beside its files left alone."""
    source = write(tmp_path, "a.parquet", {"timestamp": AT, "event": "x", "anonymous_id": "v"})
    take(tmp_path / "store", source)
    stray = tmp_path / "store" / "day=2026-05-04" / "stray.parquet"
    pl.DataFrame({"timestamp": [AT], "event_name": ["stray"]}).write_parquet(stray)
    asked = (StatsQuery(group_by=("event_name",)), StatsQuery(metric="uniques"))
    same(cluster, Dataset((str(tmp_path / "store"),)), *asked)


def test_a_dataset_without_visitors(cluster: Cluster, tmp_path: Path) -> None:
    """A dataset without the column of visitors answers 0 and says so."""
    write(tmp_path, "a.parquet", EVENT)
    write(tmp_path, "b.parquet", {**EVENT, "timestamp": "2026-05-04"})
    said = same(cluster, Dataset((str(tmp_path),)), StatsQuery(metric="uniques"))
    assert "no column 'anonymous_id'" in said[0][2][0]


def test_through_the_command_line(cluster: Cluster, ask: Ask, tmp_path: Path) -> None:
    """`--engine` and `MMSTATS_ENGINE` name the engine, and what a limit cut off is told."""
    write(tmp_path, "a.parquet", *({**EVENT, "event_name": f"e{one}"} for one in range(5)))
    options = ("--group-by", "event_name", "--limit", "2", "--no-cache")
    here = ask(tmp_path, *options)
    there = ask(tmp_path, *options, "--engine", cluster.address)
    assert (there.out, there.err) == (here.out, here.err)
    assert "5" in there.err


def test_a_server_of_something_else(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers but does not speak Spark Connect is told in one line, with what to look at."""
    write(tmp_path, "a.parquet", EVENT)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        monkeypatch.setattr(BaseHTTPRequestHandler, "log_message", lambda *_: None)
        Thread(target=server.serve_forever, daemon=True).start()
        ran = ask(tmp_path, "--no-cache", "--engine", f"sc://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert ran.code == 4
    assert ran.error.startswith(f"sc://127.0.0.1:{server.server_port}: failed to connect")
    assert "hint: does a Spark Connect server run there" in ran.err


def test_through_the_server(sail: Cluster, tmp_path: Path) -> None:
    """`serve --engine` answers through the cluster, and no parameter of a request can choose another engine."""
    write(tmp_path, "a.parquet", EVENT)
    with serving("--data", str(tmp_path), "--engine", sail.address) as server:
        assert server.stats().json == {"metric": "count", "rows": [{"value": 1}]}
        assert "engine" in server.stats(engine="local").faults


def test_a_session_that_the_server_forgot_is_opened_anew(sail: Cluster, tmp_path: Path) -> None:
    """An engine that is asked again when its session is over answers all the same."""
    from mmstats.engines.spark.cluster import Cluster as Engine

    write(tmp_path, "a.parquet", EVENT)
    engine = Engine(read_engine(sail.address))
    for _ in range(2):
        assert engine.answer(StatsQuery(), Dataset((str(tmp_path),))).rows == [{"value": 1}]
        assert engine._session is not None
        engine._session.spark.stop()


@pytest.mark.parametrize("skip", [False, True])
def test_strings_that_are_no_text(cluster: Cluster, tmp_path: Path, skip: bool) -> None:
    """A Parquet file whose strings are not UTF-8 is unreadable, and named, if the question reads them."""
    stored = pa.array([b"ok", b"\xff\xfe"], pa.binary())
    path = pa.Array.from_buffers(pa.string(), 2, stored.buffers())
    pq.write_table(pa.table({"timestamp": [AT, AT], "event_name": ["a", "b"], "path": path}), tmp_path / "bad.parquet")
    for name in "ac":
        sound = pa.table({"timestamp": [AT], "event_name": ["x"], "path": pa.array([None], pa.string())})
        pq.write_table(sound, tmp_path / f"{name}.parquet")
    said = same(
        cluster,
        Dataset((str(tmp_path),), columns={"anonymous_id": "path"}, skip_bad_rows=skip),
        StatsQuery(group_by=("path",)),
        StatsQuery(metric="uniques", events=("a",), end=datetime(2027, 1, 1, tzinfo=UTC)),
        StatsQuery(group_by=("event_name",)),
    )
    assert ["bad.parquet" in str(one[1]) for one in said] == [True, True, False]


def test_files_of_many_writers(cluster: Cluster, tmp_path: Path) -> None:
    """Strings are the same whatever their writer calls them: plain, large, or numbers of a dictionary."""
    words = pa.array(["a", None, "b"])
    kinds = (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    for number, kind in enumerate(kinds):
        table = pa.table({"timestamp": [AT] * 3, "event_name": ["x"] * 3, "path": words.cast(kind)})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    pl.DataFrame({"timestamp": [AT], "event_name": ["x"], "path": ["a"]}).write_parquet(tmp_path / "polars.parquet")
    (said,) = same(cluster, Dataset((str(tmp_path),)), StatsQuery(group_by=("path",)))
    assert said[1] == 3


def test_what_only_the_cluster_cannot_read_is_named(spark: Cluster, tmp_path: Path) -> None:
    """Of many files the one that only the cluster cannot read, for want of a codec, is named; no other is read here."""
    for name in "abcde":
        frame = pl.DataFrame([EVENT])
        frame.write_parquet(tmp_path / f"é {name}.parquet", compression="brotli" if name == "d" else "zstd")
    with pytest.raises(DatasetError, match=r"é d\.parquet: a form that the cluster cannot read") as refused:
        engine_for(read_engine(spark.address))(StatsQuery(group_by=("event_name",)), Dataset((str(tmp_path),)))
    assert "without --engine" in refused.value.hint


def test_a_fault_of_the_cluster_has_no_file_read_here(
    sail: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that fails without a word of a file is not a reason to read the dataset on this machine."""

    def lost(*_: object) -> None:
        raise SparkConnectGrpcException(
            f"<_MultiThreadedRendezvous of RPC that terminated with: UNAVAILABLE {tmp_path}>"
        )

    monkeypatch.setattr(DataFrame, "collect", lost)
    monkeypatch.setattr(pl.LazyFrame, "sink_batches", None)
    write(tmp_path, "a.parquet", EVENT)
    with pytest.raises(DatasetError, match="UNAVAILABLE"):
        engine_for(read_engine(sail.address))(StatsQuery(), Dataset((str(tmp_path),)))


def test_filters_and_orders_are_answered(cluster: Cluster, tmp_path: Path) -> None:
    """Equality, lists and nulls in filters, several events and any order of rows are the local engine's."""
    texts = ("a", "b", "", None)
    events = [
        {
            "timestamp": f"2026-05-0{n % 3 + 1}",
            "event_name": "xyz"[n % 3],
            "campaign": texts[n % 4],
            "url": texts[n % 3],
        }
        for n in range(24)
    ]
    write(tmp_path, "e.parquet", *events)
    filters = [
        Filter("campaign", Operator.IN, ("a", "")),
        Filter("campaign", Operator.IN, ("a", "b"), negated=True),
        Filter("campaign", Operator.IS_NULL),
        Filter("url", Operator.IS_NULL, negated=True),
        Filter("referrer", Operator.IS_NULL),
        Filter("referrer", Operator.IN, ("a",), negated=True),
    ]
    order = (SortKey("campaign", descending=True), SortKey("value"))
    queries = [StatsQuery(where=(one,), group_by=("campaign", "event_name"), order=order, limit=3) for one in filters]
    queries += [StatsQuery(events=("x", "z"), interval="day"), StatsQuery(events=("y",), where=tuple(filters[1:3]))]
    same(cluster, Dataset((str(tmp_path),)), *queries)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (("--interval", "month"), "buckets of a month"),
        (("--interval", "day", "--timezone", "Europe/Berlin"), "buckets in Europe/Berlin"),
        (("--interval", "week", "--week-start", "sunday"), "weeks that start on sunday"),
        (("--metric", "uniques", "--group-by", "anonymous_id"), "visitors by anonymous_id"),
        (("--where", "source ~ a"), "filters with ~"),
        (("--where", "source > 1"), "filters with >"),
    ],
)
def test_what_clusters_do_not_answer_yet_is_refused(asked: tuple[str, ...], what: str, ask: Ask) -> None:
    """A question that no plan for a cluster knows is refused before any is asked, and the local engine is named."""
    ran = ask(*SAMPLE, *asked, "--engine", "sc://127.0.0.1:1")
    assert (ran.code, ran.error) == (4, f"the engine on a cluster does not answer {what} yet")
    assert "hint: the local engine does: --engine local" in ran.err
