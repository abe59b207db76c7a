"""What a cluster is set to, or a file says of its writer, changes no answer: it is set right or refused."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql.connect.conf import RuntimeConf

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.engines.spark.session import Session
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.test_cluster import same, told

OLD = [datetime(1500, 1, 1), datetime(1582, 10, 10), datetime(1890, 1, 1), datetime(2026, 5, 4, 12)]  # noqa: DTZ001
DAYS = [instant.date() for instant in OLD]
ASKED = (
    StatsQuery(group_by=("event_name",), interval="hour"),
    StatsQuery(group_by=("event_name",), end=datetime(1500, 1, 5, tzinfo=UTC)),
)


@pytest.mark.parametrize("times", [pl.Series(DAYS), pl.Series(OLD), pl.Series(OLD, dtype=pl.Datetime("ms", "UTC"))])
def test_old_instants(cluster: Cluster, tmp_path: Path, times: pl.Series) -> None:
    """Instants before the calendar's reform are those of the local engine, whatever the server rebases by itself."""
    frame = pl.DataFrame({"timestamp": times, "event_name": list("abcd")})
    frame.write_parquet(tmp_path / "a.parquet")
    same(cluster, Dataset((str(tmp_path),)), *ASKED)


def test_old_instants_in_96_bits(spark: Cluster, tmp_path: Path) -> None:
    """Those of older writers are too."""
    table = pa.table({"timestamp": pa.array(OLD, pa.timestamp("us")), "event_name": list("abcd")})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    same(spark, Dataset((str(tmp_path),)), *ASKED)


def keep(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Have servers let nobody set a setting, which has a value of its own."""
    set_up, get = RuntimeConf.set, RuntimeConf.get

    def refusing(conf: RuntimeConf, key: str, wanted: str) -> None:
        if key == name:
            raise PySparkException("[CONFIG_NOT_AVAILABLE] not here")
        set_up(conf, key, wanted)

    def telling(conf: RuntimeConf, key: str, *default: str) -> str | None:
        return value if key == name else get(conf, key, *default)

    monkeypatch.setattr(RuntimeConf, "set", refusing)
    monkeypatch.setattr(RuntimeConf, "get", telling)


def test_a_setting_that_is_right_need_not_be_set(sail: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lets nobody set what is set as it should be is fine."""
    keep(monkeypatch, "spark.sql.ansi.enabled", "FALSE")
    Session(read_engine(sail.address)).close()


def test_a_setting_that_stays_wrong_is_named(sail: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that will not be set as the contract needs is refused, naming the setting."""
    keep(monkeypatch, "spark.sql.ansi.enabled", "true")
    with pytest.raises(Unreadable, match=r"spark\.sql\.ansi\.enabled cannot be false there") as refused:
        Session(read_engine(sail.address))
    assert "on the server" in refused.value.hint


def parquet(path: Path, times: list[datetime], wide: bool, **notes: str) -> None:
    """A file of timestamps, of 96 bits where they are wide, as a writer leaves it that notes this in the footer."""
    table = pa.table({"timestamp": pa.array(times, pa.timestamp("us")), "event_name": list("abcd")[: len(times)]})
    with pq.ParquetWriter(path, table.schema, use_deprecated_int96_timestamps=wide, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({f"org.apache.spark.{name}": value for name, value in notes.items()})


WRITERS = [
    (False, {"version": "2.4.8"}),
    (False, {"version": "4.2.0", "legacyDateTime": ""}),
    (True, {"version": "3.0.1"}),
    (True, {"version": "4.2.0", "legacyINT96": ""}),
    (True, {"version": "4.2.0"}),
]


@pytest.mark.parametrize(("wide", "notes"), WRITERS)
def test_timestamps_that_spark_wrote(cluster: Cluster, tmp_path: Path, wide: bool, notes: dict[str, str]) -> None:
    """Files of every Spark are read, in 96 bits too, which it writes unless told otherwise."""
    parquet(tmp_path / "a.parquet", [OLD[-1], datetime(1969, 12, 31, 23, 59, 59, 999999)], wide, **notes)  # noqa: DTZ001
    same(cluster, Dataset((str(tmp_path),)), *ASKED)


@pytest.mark.parametrize(("wide", "notes"), WRITERS[:-1])
def test_old_instants_that_spark_may_have_moved(
    spark: Cluster, tmp_path: Path, wide: bool, notes: dict[str, str]
) -> None:
    """Where Spark itself would take old instants for those of another calendar, it is not asked."""
    parquet(tmp_path / "a.parquet", OLD, wide, **notes)
    dataset = Dataset((str(tmp_path),), skip_bad_rows=True)
    with pytest.raises(Unreadable, match=r"a\.parquet: [0-9] rows? in a form that engines read differently"):
        engine_for(read_engine(spark.address))(ASKED[0], dataset)


def test_old_instants_that_spark_wrote_as_they_are(cluster: Cluster, tmp_path: Path) -> None:
    """Later Sparks write old instants of today's calendar, in 96 bits also those that 64 bits could not hold."""
    wide, notes = WRITERS[-1]
    late = datetime(2900, 2, 28, 23, 59, 59, 999999)  # noqa: DTZ001 - naive means UTC here
    parquet(tmp_path / "a.parquet", [*OLD[:-1], late], wide, **notes)
    same(cluster, Dataset((str(tmp_path),)), *ASKED)


@pytest.mark.parametrize("change", [1, -1])
def test_an_old_copy_on_the_cluster(
    spark: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: int
) -> None:
    """A file that has another size there than here is another file, and refused."""
    parquet(tmp_path / "a.parquet", OLD[-1:], wide=False)
    here = (tmp_path / "a.parquet").stat().st_size + change
    monkeypatch.setattr(EventFile, "size", property(lambda _: here))
    with pytest.raises(Unreadable, match=f"a.parquet: {here} bytes here, {here - change} on the cluster") as refused:
        engine_for(read_engine(spark.address))(StatsQuery(), Dataset((str(tmp_path),)))
    assert "same paths" in refused.value.hint


def test_bytes_of_a_fixed_size(cluster: Cluster, tmp_path: Path) -> None:
    """Bytes of a fixed size are read as text, or refused by the name of their column where a server cannot."""
    path = pa.array([b"0123456789abcdef"], pa.binary(16))
    pq.write_table(pa.table({"timestamp": OLD[-1:], "event_name": ["a"], "path": path}), tmp_path / "a.parquet")
    query, dataset = StatsQuery(group_by=("path",)), Dataset((str(tmp_path),))
    here, there = told("local", query, dataset), told(cluster.address, query, dataset)
    assert here == there or "a.parquet: column 'path' is Binary, which no cluster is asked of" in str(there[1])
