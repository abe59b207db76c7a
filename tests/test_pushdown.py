"""What a question does not need is not read: the tests destroy it, and no answer changes."""

import random
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from mmstats.answer import Stats
from mmstats.dataset import Dataset
from mmstats.engines.local.describe import describe
from mmstats.engines.local.engine import answer
from mmstats.errors import BadRow
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

from .conftest import WRITERS, Ask

DAYS = 4
PER_DAY = 1000
START = datetime.fromisoformat("2026-05-01")
SECOND_DAY = ("--from", "2026-05-02", "--to", "2026-05-03")
SECOND = {"start": datetime(2026, 5, 2, tzinfo=UTC), "end": datetime(2026, 5, 3, tzinfo=UTC)}
COLUMNS = ("timestamp", "event_name", "source", "path", "anonymous_id")


def micros(instant: datetime) -> int:
    """The instant as microseconds since the epoch."""
    return (instant - datetime.fromisoformat("1970-01-01")) // timedelta(microseconds=1)


TIMESTAMPS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "ns": lambda at: at.dt.cast_time_unit("ns"),
    "us": lambda at: at,
    "ms": lambda at: at.dt.cast_time_unit("ms"),
    "zone": lambda at: at.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "date": lambda at: at.dt.date(),
    "epoch s": lambda at: at.dt.epoch("s").cast(pl.Int32),
    "epoch ms": lambda at: at.dt.epoch("ms"),
    "epoch us": lambda at: at.dt.epoch("us"),
    "epoch ns": lambda at: at.dt.epoch("ns"),
    "epoch UInt64": lambda at: at.dt.epoch("ms").cast(pl.UInt64),
}


def events(timestamps: Callable[[pl.Series], pl.Series] = TIMESTAMPS["us"]) -> pl.DataFrame:
    """Four days of events, `a` on the first two and `b` on the last two, a thousand a day, on the hours."""
    count = DAYS * PER_DAY
    at = pl.Series([START + timedelta(days=row // PER_DAY, hours=row % 24) for row in range(count)]).cast(
        pl.Datetime("us")
    )
    names = [("a", "a", "b", "b")[row // PER_DAY] for row in range(count)]
    texts = {name: [f"{name}{row % 7}" for row in range(count)] for name in COLUMNS[2:]}
    return pl.DataFrame({"timestamp": timestamps(at), "event_name": names, **texts})


def write(path: Path, frame: pl.DataFrame, **options: Any) -> None:
    """The frame with a row group a day."""
    frame.write_parquet(path, row_group_size=PER_DAY, **{"compression": "uncompressed", **options})


def counted(path: Path, *, worth: int = 0, skip: bool = False, **asked: Any) -> Stats:
    """The answer in which statistics are asked from files of so many bytes on."""
    dataset = Dataset((str(path),), skip_bad_rows=skip, limits=Limits(statistics_bytes=worth))
    return answer(StatsQuery(**asked), dataset)


def value(path: Path, **asked: Any) -> int:
    """The value of the only row of the same."""
    (row,) = counted(path, **asked).rows
    return int(row["value"])


def utc(text: str) -> datetime:
    """An instant of a range."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spoil(path: Path, columns: Collection[str] = COLUMNS, groups: Collection[int] = range(DAYS)) -> None:
    """Overwrite the data of some columns in some row groups; the footer stays."""
    data = bytearray(path.read_bytes())
    footer = parquet.read_metadata(path)
    for group in groups:
        for index in range(footer.num_columns):
            chunk = footer.row_group(group).column(index)
            if chunk.path_in_schema in columns:
                first = chunk.dictionary_page_offset or chunk.data_page_offset
                data[first : first + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Four days of events."""
    path = tmp_path / "events.parquet"
    write(path, events())
    return path


@pytest.mark.parametrize("column", COLUMNS)
def test_spoiling_is_noticed_by_who_reads(ask: Ask, file: Path, column: str) -> None:
    """A column that the question needs and cannot decode ends in exit 4 and one line, whatever the column."""
    spoil(file, [column])
    dimension = column if column in ("event_name", "source", "path") else "event_name"
    ran = ask(file, "--metric", "uniques", "--group-by", dimension, "--interval", "day")
    assert ran.code == 4
    assert ran.error.startswith(f"{file}: cannot be read as Parquet (")


def test_only_the_columns_needed_are_decoded(ask: Ask, file: Path) -> None:
    """A grouping decodes its own column and no other."""
    spoil(file, set(COLUMNS) - {"source"})
    assert [row["value"] for row in ask(file, "--group-by", "source", "--limit", "2").rows] == [572, 572]


def test_an_interval_and_an_event_need_two_columns(ask: Ask, file: Path) -> None:
    """Days of one event decode the timestamps and the names."""
    spoil(file, set(COLUMNS) - {"timestamp", "event_name"})
    assert [row["value"] for row in ask(file, "--interval", "day", "--event", "a").rows] == [PER_DAY, PER_DAY]


@pytest.mark.parametrize("kind", TIMESTAMPS)
def test_only_row_groups_in_range_are_decoded(ask: Ask, tmp_path: Path, kind: str) -> None:
    """Statistics of any type of timestamp keep row groups outside of the range from being decoded."""
    path = tmp_path / "events.parquet"
    write(path, events(TIMESTAMPS[kind]))
    spoil(path, groups=(0, 2, 3))
    rows = ask(path, *SECOND_DAY, "--group-by", "event_name", "--interval", "day").rows
    assert rows == [{"bucket": "2026-05-02 00:00:00", "event_name": "a", "value": PER_DAY}]
    assert ask(path, "--from", "2026-05-02T00:00:00", "--to", "2026-05-02T23:59:59.999999").value == PER_DAY
    assert ask(path, "--metric", "uniques", *SECOND_DAY).value == 7


def test_a_row_group_on_the_edge_is_decoded(ask: Ask, file: Path) -> None:
    """A range that begins within a row group reads that group."""
    spoil(file, groups=(0, 3))
    first, end = datetime.fromisoformat("2026-05-02T12:00"), datetime.fromisoformat("2026-05-03T12:00")
    expected = events().filter(pl.col("timestamp").is_between(first, end, closed="left")).height
    assert ask(file, "--from", first.isoformat(), "--to", end.isoformat()).value == expected


@pytest.mark.parametrize("kind", TIMESTAMPS)
@pytest.mark.parametrize(
    "asked",
    [{}, SECOND, {**SECOND, "events": ("a",)}, {"events": ("b",)}],
    ids=["all", "day", "day and event", "event"],
)
def test_a_count_that_statistics_prove_reads_no_data(tmp_path: Path, kind: str, asked: dict[str, Any]) -> None:
    """Where every row group lies wholly in or out of range and event, the footer answers."""
    path = tmp_path / "events.parquet"
    write(path, events(TIMESTAMPS[kind]))
    expected = value(path, **asked)
    spoil(path)
    assert value(path, **asked) == expected


def test_a_large_file_is_counted_by_its_statistics(ask: Ask, tmp_path: Path) -> None:
    """Beyond a megabyte the footer is asked first; only a row group on the edge is decoded."""
    path = tmp_path / "events.parquet"
    wide = events().with_columns(pl.lit("x" * 500).alias("note"), pl.int_range(pl.len()).cast(pl.String).alias("id"))
    wide = wide.with_columns((pl.col("note") + pl.col("id")).alias("note"))
    write(path, wide)
    assert path.stat().st_size > 1 << 20
    spoil(path, groups=(0, 2, 3))
    half = wide.filter(pl.col("timestamp") < datetime.fromisoformat("2026-05-02T12:00")).height
    assert ask(path, "--from", "2026-05-01", "--to", "2026-05-02T12:00:00", "--event", "a").value == half
    assert ask(path, "--to", "2026-05-03").value == 2 * PER_DAY


@pytest.mark.parametrize("statistics", [True, False], ids=["statistics", "none"])
def test_statistics_change_no_count(tmp_path: Path, statistics: bool) -> None:
    """With statistics or without, over small files and large, any range and event counts the same."""
    draw = random.Random(7)
    path = tmp_path / "events.parquet"
    frame = events().sample(fraction=1, shuffle=True, seed=1).sort(pl.col("timestamp").dt.date())
    frame = frame.with_columns(pl.when(pl.int_range(pl.len()) % 13 != 0).then("event_name").alias("event_name"))
    write(path, frame, statistics=statistics)
    for _ in range(20):
        first = START + timedelta(hours=draw.randrange(-24, 24 * DAYS))
        end = first + timedelta(hours=draw.randrange(1, 72), microseconds=draw.randrange(2))
        event = draw.choice(["a", "b", "c"])
        inside = frame.filter(pl.col("timestamp").is_between(first, end, closed="left"))
        bounds = {"start": first.replace(tzinfo=UTC), "end": end.replace(tzinfo=UTC)}
        for worth in (0, 1 << 40):
            assert value(path, worth=worth, **bounds) == inside.height
            named = inside.filter(pl.col("event_name") == event).height
            assert value(path, worth=worth, events=(event,), **bounds) == named


LATER: dict[str, Callable[[pl.Series], pl.Series]] = {
    **TIMESTAMPS,
    "epoch UInt32": lambda at: at.dt.epoch("s").cast(pl.UInt32),
    "epoch Int128": lambda at: at.dt.epoch("s").cast(pl.Int128),
}
del LATER["epoch s"]  # in 32 bits with a sign


@pytest.mark.parametrize("worth", [0, 1 << 40], ids=["statistics", "scan"])
@pytest.mark.parametrize("kind", LATER)
def test_counts_add_up_beyond_the_year_2038(tmp_path: Path, kind: str, worth: int) -> None:
    """A count is the sum of the grouped counts where seconds need an unsigned integer of 32 bits."""
    path = tmp_path / "events.parquet"
    later = events(lambda at: LATER[kind](at.dt.offset_by("12y")))
    write(path, later)
    asked: list[tuple[dict[str, Any], int | None]] = [
        ({"start": utc("2038-05-02"), "end": utc("2038-05-04")}, 2 * PER_DAY),
        ({"start": utc("2038-05-02T12:00:00")}, None),
        ({"end": utc("2038-01-01")}, 0),
    ]
    for bounds, expected in asked:
        count = value(path, worth=worth, **bounds)
        rows = counted(path, worth=worth, group_by=("event_name",), **bounds).rows
        assert count == sum(int(row["value"]) for row in rows)
        assert expected in (None, count)


def test_unsigned_integers_beyond_every_instant_are_bad_rows(tmp_path: Path) -> None:
    """Integers that are no instant are bad rows to a count by statistics, too."""
    path = tmp_path / "events.parquet"
    write(path, pl.DataFrame({"timestamp": [2**63, 2**64 - 1], "event_name": ["a", "a"]}, schema_overrides=UNSIGNED))
    for group_by in ((), ("event_name",)):
        with pytest.raises(BadRow) as bad:
            counted(path, group_by=group_by)
        assert bad.value.message == f'{path}: row 1: the timestamp "9223372036854775808" is no instant'
        assert counted(path, group_by=group_by, skip=True).notices == (LEFT_OUT.format(path),)
    assert value(path, start=utc("1970-01-01")) == 0  # statistics keep them out of every range
    assert counted(path, start=utc("1970-01-01"), group_by=("event_name",)).rows == []


UNSIGNED = {"timestamp": pl.UInt64}
LEFT_OUT = "left out 2 rows that could not be read: {} (2 rows)"


@pytest.mark.parametrize("start", [None, "2026-05-02T12:00:00"])
def test_row_groups_that_statistics_leave_open_are_one_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str | None
) -> None:
    """Hundreds of row groups of which every other has to be read are counted right in a few scans."""
    scans = []
    scan = pl.scan_parquet
    monkeypatch.setattr(pl, "scan_parquet", lambda *args, **options: scans.append(args) or scan(*args, **options))
    path = tmp_path / "events.parquet"
    odd = pl.int_range(pl.len()) // 10 % 2 == 1
    mixed = pl.when(odd & (pl.int_range(pl.len()) % 3 == 0)).then(pl.lit("b")).otherwise(pl.lit("a"))
    frame = events().sort("timestamp").with_columns(mixed.alias("event_name"))
    frame.write_parquet(path, row_group_size=10)
    first = datetime.fromisoformat(start or "2026-05-01")
    expected = frame.filter((pl.col("timestamp") >= first) & (pl.col("event_name") == "a")).height
    assert value(path, start=utc(start) if start else None, events=("a",)) == expected
    assert len(scans) < 5


@pytest.mark.parametrize("extension", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize("folders", [3, 40])
def test_folders_that_differ_are_read_together(ask: Ask, tmp_path: Path, extension: str, folders: int) -> None:
    """A Hive folder's value is a column like any other, of few folders or many, with odd names and null among them."""
    odd = ["é ü", "a%2Fb", "[x]*?", "__HIVE_DEFAULT_PARTITION__", "#&'", *map(str, range(folders))][:folders]
    for number, name in enumerate(odd):
        folder = tmp_path / "events" / f"source={name}" / f"event={'ab'[number % 2]}"
        folder.mkdir(parents=True)
        row: dict[str, object] = {"timestamp": "2026-05-02", "path'": "its own"}
        (folder / f"x.{extension}").write_bytes(WRITERS[extension]([row] * (number + 1)))
    said = {"__HIVE_DEFAULT_PARTITION__": None, "a%2Fb": "a/b"}
    expected = {said.get(name, name): number + 1 for number, name in enumerate(odd)}
    rows = ask("events", "--group-by", "source", "--all").rows
    assert {row["source"]: row["value"] for row in rows} == expected
    assert ask("events").value == ask("events", *SECOND_DAY).value == sum(expected.values())
    assert ask("events", "--event", "a").value == sum(list(expected.values())[::2])
    grouped = ask("events", "--event", "b", "--group-by", "source", "--all").rows
    assert {row["source"] for row in grouped} == set(list(expected)[1::2])


def test_a_column_of_the_file_beats_the_folders(ask: Ask, tmp_path: Path) -> None:
    """A column of the file takes precedence over its Hive folders."""
    for number in range(20):
        folder = tmp_path / "events" / f"source={number}"
        folder.mkdir(parents=True)
        row = {"timestamp": "2026-05-02", "event_name": "a", "source": "own"}
        (folder / "x.parquet").write_bytes(WRITERS["parquet"]([row]))
    assert ask("events", "--group-by", "source").rows == [{"source": "own", "value": 20}]


@pytest.mark.parametrize("statistics", [True, False], ids=["statistics", "none"])
@pytest.mark.parametrize("column", ["timestamp", "source"])
def test_spoiled_data_without_statistics_is_an_error(ask: Ask, tmp_path: Path, column: str, statistics: bool) -> None:
    """A file that cannot be judged is named as one that cannot be read."""
    path = tmp_path / "events.parquet"
    write(path, events(), statistics=statistics)
    spoil(path, [column])
    for options in ((), SECOND_DAY, ("--skip-bad-rows",)):
        ran = ask(path, "--group-by", "source", "--interval", "hour", *options)
        assert ran.code == 4
        assert ran.error.startswith(f"{path}: cannot be read as Parquet (")


def test_null_timestamps_are_judged_in_the_row_groups_of_the_range(ask: Ask, tmp_path: Path) -> None:
    """A null timestamp is a bad row to ranges that read its row group, and to no other."""
    path = tmp_path / "events.parquet"
    row = pl.int_range(pl.len())
    write(path, events().with_columns(pl.when(row != 2 * PER_DAY + 4).then("timestamp").alias("timestamp")))
    assert ask(path, *SECOND_DAY).value == PER_DAY
    for options in ((), ("--from", "2026-05-03"), ("--from", "2026-05-03", "--to", "2026-05-03T01:00:00")):
        ran = ask(path, *options)
        assert ran.code == 4
        assert ran.error == f"{path}: row 2,005: the timestamp is null"
    left = ask(path, "--skip-bad-rows", "--from", "2026-05-03")
    assert left.value == 2 * PER_DAY - 1
    assert left.err == f"warning: left out 1 row that could not be read: {path} (1 row)\n"
    unasked = ask(path, "--skip-bad-rows", *SECOND_DAY)
    assert (unasked.value, unasked.err) == (PER_DAY, "")


def test_trusted_folders_open_the_files_of_the_range_only(ask: Ask, tmp_path: Path) -> None:
    """One day of a year of daily folders is one file opened."""
    for day in range(365):
        folder = tmp_path / "events" / f"day={date(2026, 1, 1) + timedelta(days=day)}"
        folder.mkdir(parents=True)
        (folder / "a.parquet").write_bytes(b"spoiled")
        (folder / "b.ndjson").write_bytes(b"spoiled")
    (tmp_path / "events" / "day=2026-05-02" / "a.parquet").write_bytes(
        WRITERS["parquet"]([{"timestamp": "2026-05-02", "event_name": "a"}])
    )
    (tmp_path / "events" / "day=2026-05-02" / "b.ndjson").write_bytes(b"")
    assert ask("events", *SECOND_DAY, "--trust-partitions").value == 1
    assert ask("events", *SECOND_DAY).code == 4


@pytest.mark.parametrize("first", ["column", "struct"])
@pytest.mark.parametrize("names", [("event.name", "time.stamp"), ("event.name.x", "time.list.element")])
def test_statistics_of_a_field_are_not_those_of_a_column(tmp_path: Path, first: str, names: tuple[str, str]) -> None:
    """A column whose name has dots has its own statistics, whatever nested fields have the same path."""
    name, stamp = names
    column = pa.table({name: ["signup"] * 6, stamp: pa.array([START] * 6, pa.timestamp("us"))})
    old = pa.scalar(START - timedelta(days=900), pa.timestamp("us")).as_py()
    fields = {"event.name": [{"name": "a"}], "event.name.x": [{"name": {"x": "a"}}]}[name]
    stamps = {"time.stamp": [{"stamp": old}], "time.list.element": [[old]]}[stamp]
    struct = pa.table({"event": fields * 6, "time": stamps * 6})
    tables = [column, struct] if first == "column" else [struct, column]
    path = tmp_path / "events.parquet"
    together = {one: table[one] for table in tables for one in table.column_names}
    parquet.write_table(pa.table(together), path, row_group_size=2)
    dataset = Dataset((str(path),), {"event_name": name, "timestamp": stamp}, limits=Limits(statistics_bytes=0))
    ranges = ({}, {"start": START.replace(tzinfo=UTC)}, {"end": START.replace(tzinfo=UTC) + timedelta(days=1)})
    for asked in ranges:
        for events in ((), ("signup",)):
            assert answer(StatsQuery(events=events, **asked), dataset).rows == [{"value": 6}]
    assert answer(StatsQuery(events=("a",)), dataset).rows == [{"value": 0}]
    assert answer(StatsQuery(end=START.replace(tzinfo=UTC)), dataset).rows == [{"value": 0}]
    told = describe(dataset)
    assert (told.first, told.last) == ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z")
    assert {use.column: use.nulls for use in told.columns} == {"timestamp": 0, "event_name": 0}
