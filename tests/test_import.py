"""Importing: what a store answers, what is a source, and what is written for whom."""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import polars_hash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.cli import run
from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.engine_address import LOCAL
from mmstats.engines.answer_cache import Answers
from mmstats.engines.local.engine import answer
from mmstats.errors import OutputError, Unreadable
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.store.importing import Callbacks, import_events
from tests import oracle
from tests.conftest import WRITERS, Ask, Ran
from tests.drawn import NEAR, Drawn, datasets, questions, write
from tests.importing import (
    Take,
    answered,
    event,
    events,
    files_of,
    holds_only_its_state,
    manifest,
    put,
    signed,
    take,
    total,
)

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
ROOT = Path(__file__).resolve().parent.parent
FEW_VALUES = {"event_name", "source", "medium", "campaign", "country", "device_type", "browser", "os", "path"}


@pytest.fixture
def import_(ask: Ask, capfd: pytest.CaptureFixture[str]) -> Take:
    """Run `mmstats import … --to store` in the test's own folder."""
    assert ask

    def imported(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = run(["import", *map(str, arguments), "--to", "store"])
        written = capfd.readouterr()
        return Ran(code, written.out, written.err)

    return imported


def summary(added: int, replaced: int, unchanged: int, rows: int) -> str:
    """How the note of an import begins."""
    return f"note: sources: {added} added, {replaced} replaced, {unchanged} unchanged; rows imported: {rows}; "


@given(datasets(), st.lists(questions(), min_size=4, max_size=4), st.booleans())
@settings(max_examples=35)
def test_a_store_answers_as_the_contract_says(drawn: Drawn, asked: list[StatsQuery], at_once: bool) -> None:
    """Any question over any events in any format has the bytes from a store that the contract says of the events."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # dozens of days an example, each a file
        source, store = Path(name, "source"), Path(name, "store")
        source.mkdir()
        drawn.write(source)
        for part in [source] if at_once else sorted(source.iterdir()):
            take(store, part)
        for query in asked:
            assert answered(store, query) == oracle.answer(query, drawn.events)
        assert holds_only_its_state(store)


CONTENTS = st.lists(
    st.fixed_dictionaries({"timestamp": NEAR, "event_name": st.just("e"), "path": st.sampled_from("ab")})
)
STEPS = st.lists(st.lists(st.tuples(st.sampled_from("xyz"), CONTENTS), min_size=1, max_size=2), max_size=6)


@given(STEPS, st.sampled_from((1, 2, 8)))
@settings(max_examples=25)
def test_a_store_holds_what_each_source_was_last(steps: list[list[tuple[str, list[oracle.Event]]]], most: int) -> None:
    """However sources come, change and are merged, the store has each source's latest events, and nothing else."""
    now: dict[str, list[oracle.Event]] = {}
    query = StatsQuery(group_by=("path",), interval="day", limit=None)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        source, store = Path(name, "source"), Path(name, "store")
        for step in steps:
            for key, content in step:
                now[key] = content
                put(source / f"{key}.parquet", content)
            take(store, source, limits=Limits(day_files=most, small_day_files=most, merged_rows=2))
            assert answered(store, query) == oracle.answer(query, [one for content in now.values() for one in content])
            assert holds_only_its_state(store)
            per_day = [file.parent for file in files_of(store)]
            assert all(per_day.count(day) <= most for day in per_day)


def test_the_same_again_adds_nothing(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """A source is taken once, by whatever name it is called; the store is not written to again."""
    put(tmp_path / "events" / "a.ndjson", events("a", 1, 2))
    put(tmp_path / "events" / "b.csv", events("b", 2))
    (tmp_path / "link").symlink_to("events")
    first = import_("events")
    assert (first.code, first.out) == (0, "")
    assert first.err.startswith(summary(2, 0, 0, 6))
    state = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")}
    for again in ("events", "./events/../events", tmp_path / "events", "events/*", "link", "link/a.ndjson"):
        ran = import_(again)
        assert (ran.code, ran.err.startswith(summary(0, 0, 1 if "link/" in str(again) else 2, 0))) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")} == state
    assert ask("store").value == 6


def test_a_changed_source_replaces_its_rows(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """A changed source replaces its own rows and no others, also in files that it shares."""
    for name in "abcdefghijk":
        put(tmp_path / "events" / f"{name}.ndjson", events(name, 1))
    import_("events")
    assert len(list((tmp_path / "store" / "day=2026-05-01").iterdir())) == 1
    put(tmp_path / "events" / "c.ndjson", events("c", 2, rows=5))
    ran = import_("events")
    assert ran.err.startswith(summary(0, 1, 10, 5))
    rows = {row["path"]: row["value"] for row in ask("store", "--group-by", "path").rows}
    assert rows == {name: 5 if name == "c" else 2 for name in "abcdefghijk"}
    put(tmp_path / "events" / "c.ndjson", [])
    import_("events/c.ndjson")
    assert ask("store").value == 20


def test_equal_content_elsewhere_counts_again(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """Two files are two sources, whatever they hold; one that is gone keeps its rows in the store."""
    put(tmp_path / "a.ndjson", events("a", 1))
    put(tmp_path / "b.ndjson", events("a", 1))
    assert import_("a.ndjson", "b.ndjson").err.startswith(summary(2, 0, 0, 4))
    (tmp_path / "a.ndjson").rename(tmp_path / "c.ndjson")
    assert import_(".").err.startswith(summary(1, 0, 1, 2))
    assert ask("store").value == 6


def test_a_source_read_otherwise_is_replaced(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """A source imported with another mapping or unit replaces what it gave before."""
    (tmp_path / "a.csv").write_text("timestamp,event_name,kind\n1000,a,b\n")
    import_("a.csv")
    ran = import_("a.csv", "--map", "event_name=kind", "--timestamp-unit", "ms")
    assert ran.err.startswith(summary(0, 1, 0, 1))
    assert ask("store", "--group-by", "event_name", "--interval", "hour").rows == [
        {"bucket": "1970-01-01 00:00:00", "event_name": "b", "value": 1}
    ]
    (file,) = manifest(tmp_path / "store")["files"]
    assert (file["first"], file["last"]) == (1_000_000, 1_000_000)


def test_what_was_mapped_is_not_mapped_again(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """Mappings and units are not applied to a store, also when it is asked together with other data."""
    (tmp_path / "a.csv").write_text("at,event_name,kind\n86400000,a,b\n")
    options = ("--map", "event_name=kind", "--map", "timestamp=at", "--timestamp-unit", "ms")
    import_("a.csv", *options)
    for data in (("store",), ("store", "--data", "a.csv")):
        rows = ask(*data, *options, "--group-by", "event_name", "--interval", "day").rows
        assert rows == [{"bucket": "1970-01-02 00:00:00", "event_name": "b", "value": len(data) // 3 + 1}]


def test_folders_above_a_store_say_nothing_of_it(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """Hive folders fill a source's columns when it is imported; where the store lies does not matter."""
    (tmp_path / "source=x").mkdir()
    (tmp_path / "source=x" / "a.csv").write_text("timestamp,event_name\n2026-05-01,a\n")
    import_("source=x")
    (tmp_path / "source=y").mkdir()
    (tmp_path / "store").rename(tmp_path / "source=y" / "store")
    assert ask("source=y/store", "--group-by", "source,medium").rows == [{"source": "x", "medium": None, "value": 1}]


def test_stdin_is_known_by_its_content(
    import_: Take, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input is identified by its content: the same again adds nothing."""
    for text, added in (("a", 1), ("a", 0), ("b", 1), ("a", 0)):
        data = f"timestamp,event_name\n2026-05-01,{text}\n".encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert import_("-").err.startswith(summary(added, 0, 1 - added, added))
    assert ask("store").value == 2
    sources = manifest(tmp_path / "store")["sources"]
    assert all(source["location"] == f"-#{source['digest']}" for source in sources)


def test_late_events_land_in_their_day(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """An event is in the folder of its own UTC day, whenever and wherever it came."""
    put(tmp_path / "day=2026-05-03" / "a.ndjson", events("a", 1, 2, 3))
    (tmp_path / "b.csv").write_text(
        "timestamp,event_name\n2026-05-02T00:30:00+02:00,b\n0001-01-01,b\n9999-12-31T23:59:59Z,b"
    )
    import_("day=2026-05-03", "b.csv")
    names = sorted(path.name for path in (tmp_path / "store").glob("day=*"))
    assert names == [f"day={day}" for day in ("0001-01-01", "2026-05-01", "2026-05-02", "2026-05-03", "9999-12-31")]
    assert ask("store", "--from", "2026-05-01", "--to", "2026-05-02").value == 3


def test_many_files_of_a_day_become_one(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """However often a little is imported, a day has few files, sorted by time."""
    for number in range(20):
        put(tmp_path / f"{number}.ndjson", events(f"/{number}", 1, 2, rows=3))
        import_(f"{number}.ndjson")
        for day in (tmp_path / "store").glob("day=*"):
            paths = list(day.iterdir())
            assert len(paths) <= Limits().small_day_files
            assert all(pl.read_parquet(path)["timestamp"].is_sorted() for path in paths)
    assert ask("store").value == 120


def test_large_imports_are_written_piece_by_piece(tmp_path: Path) -> None:
    """A source of more than is held at once is written in pieces, and these are merged by day."""
    for index in range(3):
        put(tmp_path / "events" / f"{index}.parquet", events(str(index), 1, 2, 3, rows=10))
    take(tmp_path / "store", tmp_path / "events", limits=Limits(held_bytes=1, day_files=1))
    assert len(files_of(tmp_path / "store")) == 3
    assert answered(tmp_path / "store") == answered(tmp_path / "events")


def test_a_long_day_in_no_order_is_merged_span_by_span(tmp_path: Path) -> None:
    """A day that comes in no order, more of it than is merged at once, is one sorted file of all its events."""
    moments = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=index * 7919 % 1440) for index in range(500)]
    (tmp_path / "events").mkdir()
    rows = pl.DataFrame({"timestamp": moments * 2, "event_name": "a", "path": [str(at) for at in range(1000)]})
    rows.write_parquet(tmp_path / "events" / "a.parquet", row_group_size=100)
    take(tmp_path / "store", tmp_path / "events", limits=Limits(held_bytes=1, day_files=1, merged_rows=64))
    (path,) = files_of(tmp_path / "store")
    stored = pl.read_parquet(path)
    assert stored["timestamp"].is_sorted()
    assert sorted(stored["path"].cast(str)) == sorted(rows["path"])
    query = StatsQuery(group_by=("path",), limit=None)
    assert answered(tmp_path / "store", query) == answered(tmp_path / "events", query)


@given(datasets(when=NEAR))
@settings(max_examples=15)
def test_other_tools_read_a_store_by_glob(drawn: Drawn) -> None:
    """A database finds by glob the very events, each in its day, and every column that an event may have."""
    columns = ", ".join(f'"{name}"' for name in EVENT_COLUMNS[1:])
    with tempfile.TemporaryDirectory() as name:
        Path(name, "source").mkdir()
        drawn.write(Path(name, "source"))
        take(Path(name, "store"), Path(name, "source"))
        files = f"read_parquet('{name}/store/day=*/*.parquet', hive_partitioning = true)"
        sql = f"SELECT day::VARCHAR, epoch_us(timestamp), {columns} FROM {files}"
        found = duckdb.connect().execute(sql).fetchall() if drawn.events else []
    expected = [
        (
            one["timestamp"].date().isoformat(),
            (one["timestamp"] - EPOCH) // timedelta(microseconds=1),
            *(one.get(column) for column in EVENT_COLUMNS[1:]),
        )
        for one in drawn.events
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_the_layout(import_: Take, tmp_path: Path) -> None:
    """A file has the event columns, the visitor's hash and the source's id, dictionaries, statistics and a version."""
    put(tmp_path / "a.ndjson", [*events("a", 1), event(1, "b")])
    import_("a.ndjson")
    (path,) = (tmp_path / "store").glob("day=2026-05-01/*.parquet")
    read = pl.read_parquet(path, hive_partitioning=False)
    assert read.schema == {
        **{name: pl.Categorical() if name in FEW_VALUES else pl.String() for name in EVENT_COLUMNS},
        "timestamp": pl.Datetime("us", "UTC"),
        "anonymous_id_xxh64": pl.UInt64(),
        "mmstats_source": pl.UInt32(),
    }
    expected = read.select(polars_hash.col("anonymous_id").nchash.xxhash64(seed=42))["anonymous_id"]
    assert read["anonymous_id_xxh64"].to_list() == expected.to_list()
    assert expected.null_count() == 1
    assert set(read["mmstats_source"]) == {1}
    assert pl.read_parquet_metadata(path)["mmstats.layout"] == "2"


def test_a_column_that_no_source_had_is_told(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """A store without visitors says so, as its sources would, although its files have the column."""
    (tmp_path / "a.csv").write_text("timestamp,event_name,kind\n2026-05-01,a,b\n")
    (tmp_path / "b.csv").write_text("timestamp,event_name,anonymous_id\n2026-05-01,a,b\n")
    import_("a.csv")
    told = ask("store", "--metric", "uniques")
    assert (told.value, told.err) == (0, ask("a.csv", "--metric", "uniques").err)
    assert told.err.startswith("warning: the data has no column 'anonymous_id'")
    import_("b.csv")
    told = ask("store", "--metric", "uniques")
    assert (told.value, told.err) == (1, "")


def test_only_the_days_of_the_range_are_opened(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """The manifest says which files a range needs; the others may even be broken."""
    put(tmp_path / "a.ndjson", events("a", 1, 2, 3))
    import_("a.ndjson")
    for path in (tmp_path / "store").glob("day=2026-05-0[13]/*"):
        path.write_bytes(b"broken")
    assert ask("store", "--from", "2026-05-02", "--to", "2026-05-03T12:00:04").value == 2
    assert ask("store", "--from", "2026-05-01T12:00:02", "--to", "2026-05-03").value == 2
    assert ask("store", "--from", "2026-05-04").value == 0
    ran = ask("store", "--to", "2026-05-03", "--group-by", "path")
    assert (ran.code, ran.error.split(":")[0].startswith("store/day=2026-05-01/")) == (4, True)
    for path in (tmp_path / "store").glob("day=2026-05-03/*"):
        path.unlink()
    ran = ask("store", "--from", "2026-05-03")
    assert (ran.code, ran.error.partition(": ")[2]) == (4, "the store has lost this file")


def test_files_that_the_manifest_does_not_list_are_not_in_the_store(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """Files that the manifest does not list are not read, however the store is found."""
    put(tmp_path / "events" / "a.ndjson", events("a", 1))
    import_("events")
    put(tmp_path / "store" / "day=2026-05-01" / "b.parquet", events("b", 1))
    put(tmp_path / "store" / "c.ndjson", events("c", 1))
    for location in ("store", "./store/", "st*", tmp_path / "store"):
        assert ask(location).value == 2
    assert ask(".").value == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not the manifest of a store"),
        ("{", "not the manifest of a store"),
        ("[]", "not the manifest of a store: it says no version"),
        ('{"version": "1"}', "not the manifest of a store: it says no version"),
        ('{"version": true}', "not the manifest of a store: it says no version"),
        ('{"version": 0}', "a store of version 0"),
        ('{"version": 3}', "a store of version 3"),
        ('{"version": 1}', "not the manifest of a store: it has no list of sources"),
        ('{"version": 1, "sources": [], "files": []}', "not the manifest of a store: its next source is not the next"),
        (
            '{"version": 1, "sources": [], "files": [], "next_source": 1, "columns": [], "superseded": {"x": "y"}}',
            "not the manifest of a store: it does not say since when files are in it no more",
        ),
        ('{"version": 1, "sources": [3], "files": []}', "not the manifest of a store: number 1 of its sources"),
    ],
)
def test_a_manifest_that_is_not_understood_is_named(
    import_: Take, ask: Ask, tmp_path: Path, text: str, says: str
) -> None:
    """A manifest that is damaged or of another version ends with exit 4 and its name, asked or imported into."""
    put(tmp_path / "a.ndjson", events("a", 1))
    import_("a.ndjson")
    (tmp_path / "store" / "_mmstats.json").write_text(text)
    before = sorted((tmp_path / "store").rglob("*"))
    for ran in (ask("store"), import_("a.ndjson")):
        assert (ran.code, ran.error.startswith(f"store/_mmstats.json: {says}")) == (4, True)
    assert sorted((tmp_path / "store").rglob("*")) == before


FIELDS = [("day", "../.."), ("day", 1), ("day", "2026-05-01\n"), ("name", "../a.parquet"),
          ("name", "0123456789abcdef.parquet\n"), ("rows", "1"), ("first", 10**30), ("first", 10**16),
          ("sources", []), ("sources", {"x": 1}), ("bytes", None), ("more", 1)]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=map(str, FIELDS))
def test_a_manifest_with_a_wrong_field_is_named(
    import_: Take, ask: Ask, tmp_path: Path, field: str, value: object
) -> None:
    """A manifest with a field that no import writes is refused, above all with a path out of the store."""
    put(tmp_path / "a.ndjson", events("a", 1))
    import_("a.ndjson")
    manifest = json.loads((tmp_path / "store" / "_mmstats.json").read_text())
    manifest["files"][0][field] = value
    (tmp_path / "store" / "_mmstats.json").write_bytes(signed(manifest))
    ran = ask("store")
    assert (ran.code, ran.error.startswith("store/_mmstats.json: not the manifest of a store: ")) == (4, True)


def test_a_row_that_cannot_be_read_stops_the_import(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """Nothing is imported when a row is at fault, named by file and line, on columns that no question may read."""
    put(tmp_path / "a.ndjson", events("a", 1))
    import_("a.ndjson")
    put(tmp_path / "events" / "b.ndjson", events("b", 1))
    (tmp_path / "events" / "c.csv").write_bytes(b"timestamp,event_name,referrer\n2026-05-01,c,\n2026-05-01,c,\xff\n")
    ran = import_("events")
    assert (ran.code, ran.error.startswith("events/c.csv: line 3: ")) == (4, True)
    assert ask("store").value == 2
    assert holds_only_its_state(tmp_path / "store")
    ran = import_("events", "--skip-bad-rows")
    warning, note, _ = ran.err.splitlines()
    assert (ran.code, warning) == (0, "warning: left out 1 row that could not be read: events/c.csv (1 row)")
    assert note.startswith(summary(2, 0, 0, 3)[:-1])
    assert import_("events", "--skip-bad-rows").err.startswith(summary(0, 0, 2, 0))
    assert import_("events").code == 4


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_rows_of_columns_are_judged_too(import_: Take, ask: Ask, tmp_path: Path, form: str) -> None:
    """A null timestamp in Parquet or Arrow is a row at fault."""
    rows = pl.DataFrame({"timestamp": ["2026-05-01", None, "2026-05-02"], "event_name": "e"})
    rows.write_parquet(tmp_path / "a.parquet") if form == "parquet" else rows.write_ipc(tmp_path / "a.arrow")
    ran = import_(f"a.{form}")
    assert (ran.code, ran.error.startswith(f"a.{form}: row 2: ")) == (4, True)
    assert ask("store").code == 3
    assert import_(f"a.{form}", "--skip-bad-rows").code == 0
    assert ask("store").value == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "store"], 2, "--data is required"),
        (["a.ndjson"], 2, "--to"),
        (["a.ndjson", "--to", ""], 2, "--to must not be empty"),
        (["", "--to", "store"], 2, "--data must not be empty"),
        (["a.ndjson", "--to", "store", "--input-format", "xml"], 2, "--input-format"),
        (["none", "--to", "store"], 3, "none: no such file"),
        (["b.ndjson", "--to", "store"], 3, "b.ndjson: no column 'event_name'"),
        (["broken.parquet", "--to", "store"], 4, "broken.parquet: cannot be read"),
        (["a.ndjson", "--to", "b.ndjson"], 5, "b.ndjson: is not a folder"),
        (["a.ndjson", "--to", "b.ndjson/store"], 5, "b.ndjson/store: cannot be written: "),
        (["a.ndjson", "--to", "/proc/none"], 5, "/proc/none: cannot be written: "),
        (["a.ndjson", "--to", "."], 5, ".: holds other files and is no store"),
        (["other", "--to", "store"], 3, "other: is a store"),
        (["other", "--to", "other"], 3, "other: no event files but those of the store itself"),
    ],
)
def test_what_cannot_be_imported_is_said(
    ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    """Every wrong word, source and store ends with its own exit code and one line, and nothing is read by then."""
    put(tmp_path / "a.ndjson", events("a", 1))
    (tmp_path / "b.ndjson").write_text('{"timestamp": 1}\n')
    (tmp_path / "broken.parquet").write_text("PAR1")
    take(tmp_path / "other", tmp_path / "a.ndjson")
    capfd.readouterr()
    ended = Ran(run(["import", *arguments]), *capfd.readouterr())
    assert ended.code == code
    assert says in ended.error
    assert ask("other").value == 2


def test_a_store_within_its_sources_is_not_imported_into_itself(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """`import .` into a folder below takes what lies around the store, every time."""
    put(tmp_path / "a.ndjson", events("a", 1))
    for unchanged in (0, 1, 1):
        assert import_(".").err.startswith(summary(1 - unchanged, 0, unchanged, 2 * (1 - unchanged)))
    assert import_("store/*/*", "a.ndjson").err.startswith(summary(0, 0, 1, 0))
    assert ask("store").value == 2


def test_an_empty_source_makes_an_empty_store(import_: Take, ask: Ask, tmp_path: Path) -> None:
    """An empty source makes an empty store, which answers."""
    (tmp_path / "a.ndjson").write_text("")
    assert import_("a.ndjson").err.startswith(summary(1, 0, 0, 0))
    assert ask("store").value == 0
    assert ask("store", "--group-by", "path", "--metric", "uniques").rows == []
    assert import_("a.ndjson").err.startswith(summary(0, 0, 1, 0))
    assert run(["describe", "--data", "store"]) == 0


def test_a_store_is_described(import_: Take, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`describe` says of a store what it says of the events."""
    put(tmp_path / "events" / "a.ndjson", [*events("a", 1, 2), event(3, "b")])
    import_("events")
    told = []
    for location in ("events", "store"):
        assert run(["describe", "--data", location, "--check", "--format", "json"]) == 0
        told.append(json.loads(capfd.readouterr().out))
    assert {key for key in told[0] if told[0][key] != told[1][key]} == {"locations", "formats", "bytes", "files"}


def test_a_source_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """A source that is written to while it is imported is refused."""
    source, store, steps = put(tmp_path / "a.ndjson", events("a", 1)), tmp_path / "store", list[str]()

    def append(_: int) -> None:
        if steps[-1] == "importing":
            steps.append("importing, and changed")
            with source.open("a") as file:
                file.write("\n")

    watch = Callbacks(expect=lambda step, _: steps.append(step), advance=append)
    with pytest.raises(Unreadable) as refused:
        import_events(Dataset((str(source),)), store, watch)
    assert refused.value.message == f"{source}: changed while it was read"
    assert not (store / "_mmstats.json").exists()


def test_a_file_that_a_store_has_lost_is_named(import_: Take, tmp_path: Path) -> None:
    """An import that has to rewrite it ends with 4, and leaves the store as it was."""
    source = put(tmp_path / "in" / "a.ndjson", events("a", 5))
    put(tmp_path / "in" / "b.ndjson", events("b", 5))
    assert import_("in").code == 0
    before = (tmp_path / "store" / "_mmstats.json").read_bytes()
    (lost,) = files_of(tmp_path / "store")
    lost.unlink()
    put(source, events("a", 6))
    ran = import_("in")
    assert (ran.code, ran.error) == (4, f"{lost.relative_to(tmp_path)}: the store has lost this file")
    assert (tmp_path / "store" / "_mmstats.json").read_bytes() == before


@pytest.mark.parametrize("form", ["ndjson", "csv.gz", "json", "parquet", "arrow"])
@pytest.mark.parametrize("step", ["checking", "importing"])
def test_a_source_that_goes_meanwhile_is_named(tmp_path: Path, form: str, step: str) -> None:
    """A source that vanishes before it is checked, or before it is read, is named."""
    source = tmp_path / f"a.{form}"
    source.write_bytes(WRITERS[form]([{"timestamp": "2026-05-05", "event_name": "a"}]))

    def lose(begun: str, _: int) -> None:
        if begun == step:
            source.unlink()

    with pytest.raises(Unreadable) as lost:
        import_events(Dataset((str(source),)), tmp_path / "store", Callbacks(expect=lose))
    assert lost.value.message == f"{source}: No such file or directory"


def test_cached_answers_change_with_the_store(tmp_path: Path) -> None:
    """A cached answer of a store is used until the store changes."""
    store, cache, computed = tmp_path / "store", Cache(tmp_path / "cache"), list[bool]()
    dataset = Dataset((str(store),), limits=Limits(settle_ns=-(10**9)))

    def compute() -> Stats:
        computed.append(True)
        return answer(StatsQuery(), dataset)

    for content, value, times in ((events("a", 1), 2, 1), (events("a", 1), 2, 1), ([], 0, 2)):
        take(store, put(tmp_path / "a.ndjson", content))
        assert Answers(cache, LOCAL).answer(StatsQuery(), dataset, compute).stats.rows == [{"value": value}]
        assert len(computed) == times


def test_imports_at_once_lose_nothing(tmp_path: Path) -> None:
    """Processes that import different sources at once all have them in the store in the end."""
    for name in "abc":
        put(tmp_path / f"{name}.ndjson", events(name, 1, 2))
    command = [sys.executable, "-m", "mmstats", "import", "--to", "store"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen([*command, f"{name}.ndjson"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        for name in "abc"
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert total(tmp_path / "store") == 12
    assert len(manifest(tmp_path / "store")["sources"]) == 3
    assert holds_only_its_state(tmp_path / "store")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[None]:
    """A store that another import has."""
    from filelock import FileLock

    (tmp_path / "store").mkdir()
    with FileLock(tmp_path / "store" / "_mmstats.lock"):
        yield


@pytest.mark.usefixtures("held")
def test_an_import_that_does_not_end_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that waits for another one says so, and gives up in the end."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "a.ndjson", events("a", 1))
    said: list[str] = []
    with pytest.raises(OutputError) as refused:
        import_events(Dataset(("a.ndjson",), limits=Limits(lock_seconds=0.01)), "store", Callbacks(note=said.append))
    assert said == ["waiting for another import into store"]
    assert refused.value.message == "store: another import has not ended for 0 seconds"
    assert refused.value.hint


def test_names_that_are_no_text_are_kept(import_: Take, tmp_path: Path) -> None:
    """A source's name may be any bytes; it is known again."""
    name = os.fsdecode(b"\xff\n'.ndjson")
    put(tmp_path / "a.ndjson", events("a", 1)).rename(tmp_path / name)
    assert import_(name).err.startswith(summary(1, 0, 0, 2))
    assert import_(name).err.startswith(summary(0, 0, 1, 0))


def test_a_store_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    """Python sees the same errors as the command line."""
    put(tmp_path / "a.ndjson", events("a", 1))
    with pytest.raises(OutputError):
        take(tmp_path / "a.ndjson", tmp_path / "a.ndjson")


def test_uniques_by_hash_are_those_of_the_ids(tmp_path: Path) -> None:
    """Estimated visitors are the same integer from the files and from the store, through any grouping."""
    rows = [{**event(1 + index % 3, f"/{index % 5}"), "anonymous_id": f"v{index % 3000}"} for index in range(12_000)]
    put(tmp_path / "a.parquet", rows)
    write(tmp_path / "b.ndjson", rows[::7])
    take(tmp_path / "store", tmp_path / "a.parquet", tmp_path / "b.ndjson")
    for group_by in ((), ("path",), ("path", "source")):
        query = StatsQuery(metric="uniques", group_by=group_by, interval="day")
        both = Dataset((str(tmp_path / "a.parquet"), str(tmp_path / "b.ndjson")))
        assert answered(tmp_path / "store", query) == answer(query, both).to_json()
