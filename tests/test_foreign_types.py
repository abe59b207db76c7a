"""Columnar files that the engine refuses or would read wrongly: what nobody asks for is no matter, the rest is read."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import compute, parquet

from mmstats.cli import run
from mmstats.files.event_file import EventFile, Format
from mmstats.readers.columnar_file import read_schema

from .arrow_types import Level
from .conftest import Ask, Ran

AT = ["2026-05-01T00:00:00Z", "2026-05-01T01:00:00Z", "2026-05-02T00:00:00Z"]
NAMES = ["view", "buy", "view"]
ANSWER = [{"event_name": "view", "value": 2}, {"event_name": "buy", "value": 1}]
FORMS = ["parquet", "arrow", "feather"]


def write(table: pa.Table, path: Path, **options: Any) -> None:
    """The table as Parquet, an Arrow IPC file, or a stream for `.feather`."""
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
        return
    how = pa.ipc.IpcWriteOptions(**options)
    with (pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream)(path, table.schema, options=how) as writer:
        writer.write_table(table)


def events(**columns: Any) -> pa.Table:
    """Three events with some columns beside."""
    return pa.table({"timestamp": AT, "event_name": NAMES, **columns})


def union(kind: str) -> pa.Array:
    """A union of integers and texts."""
    tags = pa.array([0, 1, 0], pa.int8())
    children = [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    if kind == "sparse":
        return pa.UnionArray.from_sparse(tags, children)
    return pa.UnionArray.from_dense(tags, pa.array([0, 0, 1], pa.int32()), children)


def lists(values: pa.Array) -> pa.Array:
    """Lists of one value each."""
    return pa.ListArray.from_arrays(range(len(values) + 1), values)


def maps() -> dict[str, pa.Array]:
    """Maps in which keys are repeated, by themselves and nested."""
    flat, deep = pa.map_(pa.string(), pa.int64()), pa.map_(pa.int8(), pa.map_(pa.string(), pa.bool_()))
    return {
        "map": pa.array([[("a", 1), ("a", 2)], [("b", None), ("a", 1), ("b", 2)], None], flat),
        "map of maps": pa.array([[(1, [("x", True), ("x", False)])], [], None], deep),
        "map in a list": pa.array([[[("k", 1), ("k", 2)], []], [], None], pa.list_(flat)),
    }


INTS = pa.array([[1], [], None], pa.list_(pa.int8()))
MARS = pa.timestamp("us", "Mars/Base")
EPOCH, LATER = "1970-01-01 00:00:00.000", "1970-01-01 00:00:01.000"
INTERVALS = [pa.MonthDayNano([1, 2, 3]), None, None]
STRUCTS = pa.list_(pa.struct({"a": pa.int8()}), 1)
IPC = ["arrow", "feather"]
# By name: the column, the forms that can hold it, and its labels, None where its values have no text.
EXOTIC: dict[str, tuple[Callable[[], pa.Array], list[str], list[str | None] | None]] = {
    "sparse union": (lambda: union("sparse"), IPC, None),
    "dense union": (lambda: union("dense"), IPC, None),
    "union in a list": (lambda: lists(union("dense")), IPC, None),
    "interval": (lambda: pa.array(INTERVALS, pa.month_day_nano_interval()), IPC, None),
    "list view": (lambda: pa.array([[1, 2], [], None], pa.list_view(pa.int64())), FORMS, ["[1,2]", "[]", None]),
    "large view": (lambda: pa.array([["a"], [], None], pa.large_list_view(pa.string())), FORMS, ['["a"]', "[]", None]),
    "run-end encoded": (lambda: compute.run_end_encode(pa.array(["a", "a", "b"])), IPC, ["a", "a", "b"]),
    "wide": (
        lambda: pa.array([Decimal("1.50"), None, Decimal(-2)], pa.decimal256(50, 2)),
        FORMS,
        ["1.50", None, "-2.00"],
    ),
    "small": (lambda: pa.array([Decimal("1.5"), None, None], pa.decimal32(5, 1)), FORMS, ["1.5", None, None]),
    "unknown zone": (lambda: pa.array([0, None, 1], pa.timestamp("s", "Mars/Base")), FORMS, [EPOCH, None, LATER]),
    "zone in a list": (lambda: pa.array([[0], [], None], pa.list_(MARS)), FORMS, [f'["{EPOCH}000"]', "[]", None]),
    "view of text": (lambda: pa.array(["a", "b", None], pa.string_view()), FORMS, ["a", "b", None]),
    "view of bytes": (lambda: pa.array([b"a", b"b", None], pa.binary_view()), FORMS, ["a", "b", None]),
    "half a float": (lambda: pa.array([1.5, 2.0, None], pa.float16()), FORMS, ["1.5", "2", None]),
    "map": (lambda: maps()["map"], FORMS, ['{"a":1}', '{"b":null,"a":1}', None]),
    "map of maps": (lambda: maps()["map of maps"], FORMS, ['{"1":{"x":true}}', "{}", None]),
    "map in a list": (lambda: maps()["map in a list"], FORMS, ['[{"k":1},{}]', "[]", None]),
    "extension": (lambda: pa.ExtensionArray.from_storage(Level(INTS.type), INTS), FORMS, ["[1]", "[]", None]),
    "dictionary": (lambda: lists(pa.array(["a", "b", "a"]).dictionary_encode()), FORMS, ['["a"]', '["b"]', '["a"]']),
    "fixed": (lambda: pa.array([[{"a": 1}], [{"a": None}], None], STRUCTS), FORMS, ['[{"a":1}]', '[{"a":null}]', None]),
}
CASES = [(name, form) for name, (_, forms, _) in EXOTIC.items() for form in forms]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_column_that_nobody_asks_for_is_no_matter(ask: Ask, tmp_path: Path, name: str, form: str) -> None:
    """Whatever the type of a column that is not asked for, questions, descriptions and imports go on in silence."""
    path = tmp_path / f"a.{form}"
    write(events(extra=EXOTIC[name][0]()), path)
    for options in ((), ("--no-cache",)):
        assert ask(path, "--group-by", "event_name", *options) == Ran(0, *said(ANSWER))
    assert ask(path, "--from", "2026-05-02", "--event", "view").value == 1
    assert ask(path, "--metric", "uniques", "--map", "anonymous_id=event_name").value == 2
    assert run(["describe", "--check", "--data", str(path)]) == 0
    assert run(["import", str(path), "--to", str(tmp_path / "store")]) == 0
    assert ask(tmp_path / "store", "--group-by", "event_name").rows == ANSWER


def said(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """What is on stdout and stderr for rows of a count."""
    return json.dumps({"metric": "count", "rows": rows}, separators=(",", ":")) + "\n", ""


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_column_that_is_asked_for_is_read_or_refused(ask: Ask, tmp_path: Path, name: str, form: str) -> None:
    """A column of any type is its text; one that has none is refused, naming file, column and type."""
    path = tmp_path / f"a.{form}"
    values, _, texts = EXOTIC[name]
    write(events(source=values(), path=["0", "1", "2"]), path)
    ran = ask(path, "--group-by", "path,source")
    if texts is None:
        assert ran.code == 4
        assert ran.error.startswith(f"{path}: column 'source': values of type ")
    else:
        assert ran.err == ""
        assert [row["source"] for row in ran.rows] == texts


def test_intervals_of_duckdb_are_refused_where_they_are_asked_for(ask: Ask, tmp_path: Path) -> None:
    """Parquet's INTERVAL is bytes to other readers: no label is made of them."""
    path = tmp_path / "a.parquet"
    chosen = f"SELECT '{AT[0]}' AS timestamp, 'view' AS event_name, INTERVAL 3 DAYS AS source"
    duckdb.sql(f"COPY ({chosen}) TO '{path}'")
    assert ask(path, "--group-by", "event_name") == Ran(0, *said([{"event_name": "view", "value": 1}]))
    error = ask(path, "--group-by", "source").error
    assert error == f"{path}: column 'source': values of type INTERVAL have no text"


@pytest.mark.parametrize("form", FORMS)
def test_a_name_that_is_there_twice_is_refused_where_it_is_read(ask: Ask, tmp_path: Path, form: str) -> None:
    """Two columns of one name, as a join leaves them, are no matter to a question that reads neither."""
    path = tmp_path / f"a.{form}"
    table = events(id=[1, 2, 3], source=["a", "b", "c"])
    write(table.append_column("id", table["id"]).append_column("source", table["source"]), path)
    assert ask(path, "--group-by", "event_name") == Ran(0, *said(ANSWER))
    ran = ask(path, "--group-by", "source")
    assert ran.code == 3
    assert ran.error == f"{path}: the column 'source' is there 2 times"


@pytest.mark.parametrize("deltas", [True, False], ids=["deltas", "replaced"])
@pytest.mark.parametrize("form", ["arrow", "feather"])
def test_dictionaries_may_change_between_batches(ask: Ask, tmp_path: Path, form: str, *, deltas: bool) -> None:
    """A dictionary that grows or, in a stream, is replaced between batches gives each batch its own words."""
    if form == "arrow" and not deltas:
        pytest.skip("a file holds each dictionary once")
    words = [["view", "buy"], ["view", "buy", "quit"] if deltas else ["quit", "sell"]]
    batches = [
        pa.record_batch(
            {
                "timestamp": ["2026-05-01"] * 3,
                "event_name": pa.DictionaryArray.from_arrays(pa.array([0, 1, len(some) - 1], pa.int32()), some),
            }
        )
        for some in words
    ]
    write(pa.Table.from_batches(batches), tmp_path / f"a.{form}", emit_dictionary_deltas=deltas)
    counts = pa.concat_arrays([batch["event_name"].dictionary_decode() for batch in batches]).value_counts().to_pylist()
    rows = ask(f"a.{form}", "--group-by", "event_name").rows
    assert {row["event_name"]: row["value"] for row in rows} == {one["values"]: one["counts"] for one in counts}


def test_old_streams_are_read(ask: Ask, tmp_path: Path) -> None:
    """A stream of Arrow before 0.15, without the mark before each message, is read."""
    write(events(), tmp_path / "a.feather", use_legacy_format=True)
    assert ask("a.feather", "--group-by", "event_name").rows == ANSWER


def test_files_of_all_kinds_are_one_dataset(ask: Ask, tmp_path: Path) -> None:
    """Files that the engine cannot read are counted with those that it can, each once, also from the cache."""
    for number, (name, form) in enumerate(CASES):
        write(events(extra=EXOTIC[name][0]()), tmp_path / f"{number}.{form}")
    write(events(), tmp_path / "plain.parquet")
    rows = [{**row, "value": row["value"] * (len(CASES) + 1)} for row in ANSWER]
    assert ask(tmp_path, "--group-by", "event_name").rows == rows
    assert ask(tmp_path, "--group-by", "event_name").rows == rows


def test_columns_that_only_arrows_own_schema_tells_apart_are_told_apart(tmp_path: Path) -> None:
    """Files of one writer whose footers differ in nothing but what Arrow adds have each its own types."""
    kinds = {
        "text": (pa.string(), pl.String()),
        "few": (pa.dictionary(pa.int32(), pa.string()), pl.Categorical()),
        "number": (pa.int64(), pl.Int64()),
        "while": (pa.duration("us"), pl.Duration("us")),
    }
    values = {"number": pa.array([5]), "while": pa.array([5])}
    for name, (kind, _) in kinds.items():
        column = values.get(name, pa.array(["5"])).cast(kind)
        for copy in range(2):
            parquet.write_table(pa.table({"source": column}), tmp_path / f"{copy} {name}.parquet")
    for path in sorted(tmp_path.iterdir()):
        found = read_schema(EventFile(str(path), Format("parquet"))).columns
        assert found == {"source": kinds[path.stem[2:]][1]}
