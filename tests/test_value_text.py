"""Values of typed columns as text: the same as in NDJSON, and in no language's own spelling."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from .arrow_types import Level
from .conftest import Ask

AT = "2026-05-01"


def write(folder: Path, form: str, **columns: pa.Array) -> str:
    """A file of events with some columns; its name."""
    count = len(next(iter(columns.values())))
    table = pa.table({"timestamp": [AT] * count, "event_name": ["a"] * count, **columns})
    if form == "parquet":
        parquet.write_table(table, folder / "a.parquet")
    elif form == "arrow":
        feather.write_feather(table, str(folder / "a.arrow"))
    else:
        with pa.ipc.new_stream(folder / "a.feather", table.schema) as writer:
            writer.write_table(table)
    return f"a.{form}"


def write_by_duckdb(folder: Path, texts: Sequence[str | None], kind: str, columns: str) -> str:
    """A Parquet file of events with columns of `value`, which is each text as a type of DuckDB's; its name."""
    rows = ", ".join("(NULL)" if one is None else f"('{one}'::{kind})" for one in texts)
    chosen = f"SELECT '{AT}' AS timestamp, 'a' AS event_name, {columns} FROM (VALUES {rows}) t(value)"
    duckdb.sql(f"COPY ({chosen}) TO '{folder / 'a.parquet'}'")
    return "a.parquet"


def labels(ask: Ask, name: str, *options: str) -> dict[str | None, int]:
    """How many events there are of each source."""
    ran = ask(name, "--group-by", "source", "--all", *options)
    assert ran.code == 0, ran.err
    return {row["source"]: row["value"] for row in ran.rows}


FORMS = pytest.mark.parametrize("form", ["parquet", "arrow", "feather"])
NUMBERS = [
    0.0, -0.0, 7.0, 101.0, -3.0, 8.5, 0.1, 1e-7, -2.5e-9, 1e15, 1e16, 123456789012345680.0, 1e20, 1e21, -1e21,
    2.0**53, 2.0**53 + 2, 2.0**63, 0.1 + 0.2, 5e-324, 1.7976931348623157e308,
]  # fmt: skip


def plain(value: float) -> str:
    """A number in plain notation, as Python tells it: an integer as such, else the shortest that reads back."""
    if value.is_integer() and abs(value) <= 2**53:
        return str(int(value))
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


@FORMS
def test_an_integral_float_is_its_integer(ask: Ask, tmp_path: Path, form: str) -> None:
    """Floats are plain numbers, integral ones those that an integer column holds; no number is null."""
    name = write(tmp_path, form, source=pa.array([*NUMBERS, float("nan"), float("inf"), -float("inf"), None]))
    expected: dict[str | None, int] = {None: 4}
    for number in NUMBERS:
        expected[plain(number)] = expected.get(plain(number), 0) + 1
    assert labels(ask, name) == expected
    assert all(float(text) in NUMBERS for text in expected if text is not None)


@pytest.mark.parametrize("name", ["a.ndjson", "a.json", "a.parquet", "a.arrow"])
def test_numbers_are_the_same_text_in_every_format(ask: Ask, tmp_path: Path, name: str) -> None:
    """A number that has no sign or fraction of its own has none in any format, while a text of JSON keeps both."""
    numbers = {-0.0: "0", 2.0**53 + 2: "9007199254740994", 9.5e15: "9500000000000000", -101.0: "-101"}
    if name.endswith("json"):
        rows = [{"timestamp": AT, "event_name": "a", "source": one, "medium": "-0"} for one in numbers]
        text = json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows))
        (tmp_path / name).write_text(text)
    else:
        write(tmp_path, name[2:], source=pa.array(list(numbers)), medium=pa.array(["-0"] * len(numbers)))
    assert labels(ask, name) == dict.fromkeys(numbers.values(), 1)
    assert ask(name, "--group-by", "medium").rows == [{"medium": "-0", "value": len(numbers)}]


@pytest.mark.parametrize("width", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_ids_are_the_same_as_integers_and_as_floats_of_any_width(ask: Ask, tmp_path: Path, width: pa.DataType) -> None:
    """A visitor is counted once whether a file has its id as an integer, as a float or in JSON."""
    (tmp_path / "days").mkdir()
    ids = [101, 102, 2048, 0, None]
    name = write(
        tmp_path, "parquet", anonymous_id=pa.array([None if one is None else float(one) for one in ids], width)
    )
    (tmp_path / name).rename(tmp_path / "days" / "a.parquet")
    name = write(tmp_path, "arrow", anonymous_id=pa.array(ids, pa.int64()))
    (tmp_path / name).rename(tmp_path / "days" / "b.arrow")
    rows = [{"timestamp": AT, "event_name": "a", "anonymous_id": one} for one in ids]
    (tmp_path / "days" / "c.ndjson").write_text("\n".join(map(json.dumps, rows)))
    assert ask("days", "--metric", "uniques", "--exact").value == 4
    assert ask("days", "--metric", "uniques").value == 4


DURATIONS = {
    timedelta(0): "PT0S", timedelta(days=1, hours=2, milliseconds=500): "P1DT2H0.5S", timedelta(minutes=-1): "-PT1M",
    timedelta(days=-1, hours=-2, milliseconds=-500): "-P1DT2H0.5S", timedelta(microseconds=1): "PT0.000001S",
}  # fmt: skip


@FORMS
def test_durations_are_iso_8601(ask: Ask, tmp_path: Path, form: str) -> None:
    """A duration is ISO 8601 with one sign in front, in a list too."""
    for one, text in DURATIONS.items():
        assert labels(ask, write(tmp_path, form, source=pa.array([one]))) == {text: 1}
        assert labels(ask, write(tmp_path, form, source=pa.array([[one]]))) == {json.dumps([text]): 1}


@FORMS
@pytest.mark.parametrize(
    ("unit", "text"),
    {
        "ms": "-P106751991167DT7H12M55.808S",
        "us": "-P106751991DT4H54.775808S", "ns": "-P106751DT23H47M16.854775808S",
    }.items(),
)  # fmt: skip
def test_the_longest_duration_has_one_sign(ask: Ask, tmp_path: Path, form: str, unit: str, text: str) -> None:
    """The duration of -2^63 of its unit is told like any other."""
    name = write(tmp_path, form, source=pa.array([-(2**63)], pa.int64()).cast(pa.duration(unit)))
    assert labels(ask, name) == {text: 1}


NESTED: dict[str, tuple[pa.Array, Any]] = {
    "bytes": (pa.array([[b"a", "ü".encode(), None], [], None]), [["a", "ü", None], [], None]),
    "structs": (pa.array([{"a": b"x", "b": {"c": [True]}}, None]), [{"a": "x", "b": {"c": [True]}}, None]),
    "nulls in structs": (pa.array([{"a": None}, {"a": {"b": None}}]), [{"a": None}, {"a": {"b": None}}]),
    "no numbers": (pa.array([[1.5, float("nan")], [float("inf"), None]]), [[1.5, None], [None, None]]),
    "integral floats": (pa.array([[1.0, -0.0, 1e16]]), [[1, 0, 10**16]]),
    "integers": (pa.array([[2**63 - 1, -1]]), [[2**63 - 1, -1]]),
    "lists in lists": (pa.array([[[1], [], None], None]), [[[1], [], None], None]),
    "fixed lists": (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), [[1, 2], None]),
    "dictionaries": (
        pa.array([["a", "b"], ["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        [["a", "b"], ["a"]],
    ),
    "quotes": (pa.array([['"', "\\", "\n", "\u2028", ""]]), [['"', "\\", "\n", "\u2028", ""]]),
    "dates": (pa.array([[0, None]], pa.list_(pa.date32())), [["1970-01-01", None]]),
    "dates beyond": (pa.array([[2**31 - 1]], pa.list_(pa.date32())), [[str(2**31 - 1)]]),
    "names": (pa.array([{"ü": 1, 'a"b': 2}]), [{"ü": 1, 'a"b': 2}]),
    "nothing": (pa.array([[], []], pa.list_(pa.null())), [[], []]),
}


@FORMS
@pytest.mark.parametrize(("values", "same"), NESTED.values(), ids=NESTED)
def test_nested_values_are_json(ask: Ask, tmp_path: Path, form: str, values: pa.Array, same: list[Any]) -> None:
    """Lists and structs are the compact JSON that the same values are in NDJSON."""
    rows = [{"timestamp": AT, "event_name": "a", "source": one} for one in same]
    (tmp_path / "same.ndjson").write_text("\n".join(map(json.dumps, rows)))
    assert labels(ask, write(tmp_path, form, source=values)) == labels(ask, "same.ndjson")


@FORMS
def test_nested_bytes_that_are_no_text_are_a_bad_row(ask: Ask, tmp_path: Path, form: str) -> None:
    """A list with bytes that are not UTF-8 is a bad row to a question that reads it."""
    name = write(tmp_path, form, source=pa.array([[b"a"], [b"b", b"\xff"]]))
    assert ask(name).value == 2
    assert ask(name, "--group-by", "source").error == f"{name}: row 2: invalid UTF-8 in source"
    assert labels(ask, name, "--skip-bad-rows") == {'["a"]': 1}


@FORMS
def test_instants_as_labels_are_in_utc(ask: Ask, tmp_path: Path, form: str) -> None:
    """An instant as label is told in UTC, whatever zone its column is said to be in."""
    texts = set()
    for zone in (None, "UTC", "Europe/Berlin", "+05:30", "GMT+05:30", "Mars/Base", "Z", "utc"):
        values = pa.array([1_778_925_600_000_000, None], pa.timestamp("us", zone))
        texts |= labels(ask, write(tmp_path, form, source=values)).keys()
    assert texts == {"2026-05-16 10:00:00.000000", None}


UUIDS = ["db5b5fab-8f4d-3e27-dda1-494c73cf256d", "00000000-0000-0000-0000-000000000000", None]


def uuids() -> pa.Array:
    """UUIDs by their type."""
    return pa.array([one and uuid.UUID(one).bytes for one in UUIDS], pa.binary(16)).cast(pa.uuid())


@pytest.mark.parametrize("writer", ["parquet", "arrow", "feather", "duckdb"])
def test_uuids_are_their_canonical_text(ask: Ask, tmp_path: Path, writer: str) -> None:
    """A UUID is its canonical text as label, event and visitor, by itself and nested."""
    if writer == "duckdb":
        name = write_by_duckdb(tmp_path, UUIDS, "UUID", "value AS source, [value] AS medium")
    else:
        lists = pa.ListArray.from_arrays([0, 1, 2, 3], uuids())
        name = write(tmp_path, writer, source=uuids(), medium=lists)
    assert labels(ask, name) == dict.fromkeys(UUIDS, 1)
    assert labels(ask, name, "--map", "source=medium") == {json.dumps([one]): 1 for one in UUIDS}
    assert ask(name, "--map", "event_name=source", "--event", str(UUIDS[0])).value == 1
    assert ask(name, "--map", "anonymous_id=source", "--metric", "uniques").value == 2


JSON_TEXTS = ['{"a": [1, 2.50], "ü": null}', '"x"', "null", " 7.0 ", "true", "[]", '{"k":1,"k":2}', None]


@pytest.mark.parametrize("writer", ["parquet", "arrow", "feather", "duckdb"])
def test_json_types_are_what_they_are_in_ndjson(ask: Ask, tmp_path: Path, writer: str) -> None:
    """A column of a JSON type is read as the same values are in NDJSON; broken JSON is a bad row."""
    events = [f'{{"timestamp":"{AT}","event_name":"a","source":{one or "null"}}}' for one in JSON_TEXTS]
    (tmp_path / "same.ndjson").write_text("\n".join(events))
    if writer == "duckdb":
        name = write_by_duckdb(tmp_path, JSON_TEXTS, "JSON", "value AS source")
    else:
        name = write(tmp_path, writer, source=pa.array(JSON_TEXTS, pa.json_()))
    assert labels(ask, name) == labels(ask, "same.ndjson")


@FORMS
def test_broken_json_of_a_json_type_is_a_bad_row(ask: Ask, tmp_path: Path, form: str) -> None:
    """Text of a JSON type that is no JSON is a bad row to a question that reads it, and no matter to others."""
    name = write(tmp_path, form, source=pa.array(['{"a":1}', "{'a':1}", None], pa.json_()))
    assert ask(name).value == 3
    assert ask(name, "--group-by", "source").error == f"{name}: row 2: broken JSON in source"
    assert labels(ask, name, "--skip-bad-rows") == {'{"a":1}': 1, None: 1}


@FORMS
def test_an_unknown_extension_type_is_its_storage(ask: Ask, tmp_path: Path, form: str) -> None:
    """A column of an extension type that nobody knows has the labels that its storage has."""
    for values in (pa.array([7, -1, None], pa.int8()), pa.array(["a", "", None]), pa.array([1.0, 1.5, None])):
        plain = labels(ask, write(tmp_path, form, source=values))
        typed = pa.ExtensionArray.from_storage(Level(values.type), values)
        assert labels(ask, write(tmp_path, form, source=typed)) == plain


def test_96_bit_instants_are_true_beyond_64_bits(ask: Ask, tmp_path: Path) -> None:
    """INT96 of any year from 1 to 9999 is its true instant, and what is beyond is a bad row."""
    days = ["0001-01-01", "1500-06-15", "1969-12-31", "2026-05-01", "2300-01-02", "9999-12-31"]
    instants = pa.array([datetime.fromisoformat(f"{day}T01:02:03.999999") for day in days], pa.timestamp("us"))
    table = pa.table({"timestamp": instants, "event_name": ["a"] * len(days)})
    parquet.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True, store_schema=False)
    expected = [{"bucket": f"{day} 00:00:00", "value": 1} for day in days]
    assert ask("a.parquet", "--interval", "day").rows == expected
    assert ask("a.parquet", "--from", "2300-01-01", "--to", "9999-01-01").value == 1
    assert ask("a.parquet", "--from", "1500-06-15", "--to", "1969-12-31T01:02:04").value == 2
