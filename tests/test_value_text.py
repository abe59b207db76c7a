"""Values of typed columns as text: the same as in NDJSON, and in no language's own spelling."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

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
    return f"{Decimal(repr(value)):f}"


@FORMS
def test_an_integral_float_is_its_integer(ask: Ask, tmp_path: Path, form: str) -> None:
    """Floats are plain numbers, integral ones those that an integer column holds; no number is null."""
    name = write(tmp_path, form, source=pa.array([*NUMBERS, float("nan"), float("inf"), -float("inf"), None]))
    expected: dict[str | None, int] = {None: 4}
    for number in NUMBERS:
        expected[plain(number)] = expected.get(plain(number), 0) + 1
    assert labels(ask, name) == expected
    assert all(float(text) in NUMBERS for text in expected if text is not None)


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
    for zone in (None, "UTC", "Europe/Berlin", "+05:30"):
        values = pa.array([1_778_925_600_000_000, None], pa.timestamp("us", zone))
        texts |= labels(ask, write(tmp_path, form, source=values)).keys()
    assert texts == {"2026-05-16 10:00:00.000000", None}
