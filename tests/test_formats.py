"""Formats: the same events are the same events in each, and a file that is not what its name says is named."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from mmstats.cli import run

from .conftest import WRITERS, Ask, delimited, frame, json_array, ndjson

ROWS: list[dict[str, Any]] = [
    {"timestamp": "2026-05-01T00:00:00Z", "event_name": "signup", "source": "007", "path": "/a,b"},
    {"timestamp": "2026-05-01T23:59:59.999999Z", "event_name": "signup", "source": None, "path": 'say "hi"'},
    {"timestamp": "2026-05-02T00:00:00+02:00", "event_name": "view", "source": "", "path": "Zürich\n🎈"},
    {"timestamp": "1777680000", "event_name": "view", "source": "null", "path": "true"},
]
ANSWER = [
    {"source": "", "path": "Zürich\n🎈", "value": 1},
    {"source": "007", "path": "/a,b", "value": 1},
    {"source": "null", "path": "true", "value": 1},
    {"source": None, "path": 'say "hi"', "value": 1},
]
Captured = pytest.CaptureFixture[str]
SIGNUP = {"timestamp": "2026-05-01", "event_name": "signup"}


def zstd(data: bytes) -> bytes:
    """The data as one zstd frame with its size, as the `zstd` program writes it."""
    compressed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return compressed


@pytest.mark.parametrize("form", [*WRITERS, "csv.zst", "ndjson.zst", "json.zst", "NDJSON", "Csv.GZ", "PARQUET"])
def test_every_format_gives_the_same_answer(ask: Ask, tmp_path: Path, form: str) -> None:
    """Text, nulls, empty strings and what looks like a number come out of every format as they went in."""
    name = form.lower().removesuffix(".zst")
    data = WRITERS[name](ROWS)
    (tmp_path / f"events.{form}").write_bytes(zstd(data) if form.endswith(".zst") else data)
    ran = ask(f"events.{form}", "--group-by", "source,path")
    assert ran.rows == ANSWER
    assert ran.err == ""


def test_all_formats_are_one_dataset(ask: Ask, tmp_path: Path) -> None:
    """Files of all formats in a folder are answered as one."""
    for form, write in WRITERS.items():
        (tmp_path / f"events.{form}").write_bytes(write(ROWS))
    rows = ask(tmp_path, "--group-by", "source,path").rows
    assert rows == [{**row, "value": len(WRITERS)} for row in ANSWER]


EMPTY = {
    "an empty NDJSON file": ("a.ndjson", b""),
    "blank lines": ("a.ndjson", b"\n \n\r\n\t"),
    "an empty .json": ("a.json", b""),
    "a blank .json": ("a.json", b" \n"),
    "an empty array": ("a.json", b"[]"),
    "a blank array": ("a.json", b" \n[\n ]\n"),
    "an empty CSV": ("a.csv", b""),
    "blank lines in CSV": ("a.csv", b"\n\r\n \n"),
    "a header": ("a.csv", b"timestamp,event_name\n"),
    "a header without a newline": ("a.csv", b"timestamp,event_name"),
    "a header and blank lines": ("a.csv", b"timestamp,event_name\n\n\r\n"),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbf"),
    "an empty TSV": ("a.tsv", b""),
    "a gzip of nothing": ("a.ndjson.gz", gzip.compress(b"")),
    "a zstd of nothing": ("a.csv.zst", zstd(b"")),
    "a Parquet file of no rows": ("a.parquet", WRITERS["parquet"]([])),
    "an Arrow file of no rows": ("a.arrow", WRITERS["arrow"]([])),
    "an Arrow stream of no rows": ("a.arrow", WRITERS["feather"]([])),
}


@pytest.mark.parametrize(("name", "data"), EMPTY.values(), ids=EMPTY)
def test_no_events_are_an_answer(ask: Ask, tmp_path: Path, name: str, data: bytes) -> None:
    """A file that holds no events is answered with zero, and with no rows where there are groups."""
    (tmp_path / name).write_bytes(data)
    assert ask(name).value == 0
    assert ask(name, "--group-by", "source", "--interval", "day", "--from", "2026-01-01").rows == []


SAME = {
    "CRLF": ("a.csv", b"timestamp,event_name\r\n2026-05-01,signup\r\n"),
    "CR alone": ("a.csv", b"timestamp,event_name\r2026-05-01,signup\r"),
    "a byte order mark in CSV": ("a.csv", b"\xef\xbb\xbftimestamp,event_name\n2026-05-01,signup"),
    "a byte order mark and CRLF": ("a.csv", b'\xef\xbb\xbf"timestamp","event_name"\r\n"2026-05-01","signup"\r\n'),
    "a byte order mark in gzip": ("a.csv.gz", gzip.compress(b"\xef\xbb\xbftimestamp,event_name\n2026-05-01,signup")),
    "a byte order mark in NDJSON": ("a.ndjson", b"\xef\xbb\xbf" + ndjson([SIGNUP])),
    "a byte order mark in an array": ("a.json", b"\xef\xbb\xbf" + json_array([SIGNUP])),
    "blank lines before the header": ("a.csv", b"\n\r\ntimestamp,event_name\n2026-05-01,signup"),
    "a header with a stray quote": ("a.csv", b'5",timestamp,event_name\n1,2026-05-01,signup'),
    "a header with a quoted comma": ("a.csv", b'"a,b",timestamp,event_name\n1,2026-05-01,signup'),
    "stray quotes": ("a.csv", b'note,timestamp,event_name\n5" x 6",2026-05-01,signup'),
    "one stray quote": ("a.csv", b'note,timestamp,event_name\n5",2026-05-01,signup'),
    "a quoted break at the end": ("a.csv", b'timestamp,event_name,note\n2026-05-01,signup,"a\r\nb"'),
    "a repeated header nobody reads": ("a.csv", b"x,timestamp,event_name,x\n1,2026-05-01,signup,2"),
    "an unnamed column": ("a.csv", b",timestamp,event_name\n1,2026-05-01,signup"),
    "TSV with commas": ("a.tsv", b"note\ttimestamp\tevent_name\n1,2\t2026-05-01\tsignup"),
    "a NUL": ("a.csv", b"note,timestamp,event_name\n\0,2026-05-01,signup\n"),
    "an object a line in .json": ("a.json", ndjson([SIGNUP])),
    "one pretty object in an array": ("a.json", json_array([SIGNUP])),
    "an array in lines": ("a.json", b"[\n" + ndjson([SIGNUP]) + b"]"),
    "an array with strings like brackets": ("a.json", json_array([{**SIGNUP, "x": ']},{"[\\"\n'}])),
    "a huge number nobody reads": ("a.json", b'[{"timestamp":"2026-05-01","event_name":"signup","x":[1e9]}]'),
    "a pretty object": ("a.json", json.dumps(SIGNUP, indent=1).encode()),
    "a pretty object in .ndjson": ("a.ndjson", json.dumps(SIGNUP, indent="\t").encode() + b"\n"),
    "blank lines before an object": ("a.ndjson", b"\n\n" + ndjson([SIGNUP])),
    "CRLF in NDJSON": ("a.ndjson", json.dumps(SIGNUP).encode() + b"\r\n\r\n"),
    "escaped keys": ("a.ndjson", b'{"\\u0074imestamp":"2026-05-01","event\\u005fname":"signup"}'),
    "blanks around": ("a.ndjson", b'  { "timestamp" : "2026-05-01" ,\t"event_name":"signup" }  \n'),
    "two gzip members": ("a.ndjson.gz", gzip.compress(ndjson([SIGNUP])) + gzip.compress(b"\n")),
    "two zstd frames": ("a.ndjson.zst", zstd(ndjson([SIGNUP])) + zstd(b"\n")),
    "event for event_name": ("a.ndjson", b'{"timestamp":"2026-05-01","event":"signup"}'),
    "event where event_name is null": ("a.csv", b"timestamp,event_name,event\n2026-05-01,,signup"),
    "event_name before event": ("a.csv", b"timestamp,event,event_name\n2026-05-01,view,signup"),
}


@pytest.mark.parametrize(("name", "data"), SAME.values(), ids=SAME)
def test_one_signup_however_it_is_written(ask: Ask, tmp_path: Path, name: str, data: bytes) -> None:
    """Whatever a format allows is read without losing a row."""
    (tmp_path / name).write_bytes(data)
    ran = ask(name, "--group-by", "event_name", "--interval", "day")
    assert ran.rows == [{"bucket": "2026-05-01 00:00:00", "event_name": "signup", "value": 1}]
    assert ask(name, "--event", "signup", "--skip-bad-rows").value == 1


PARQUET, ARROW, STREAM = (WRITERS[form](ROWS * 1000) for form in ("parquet", "arrow", "feather"))
BROKEN = {
    "a Parquet file of nothing": ("a.parquet", b"", "an empty file is not Parquet"),
    "a Parquet file cut in half": ("a.parquet", PARQUET[: len(PARQUET) // 2], "Parquet"),
    "a Parquet file without its last byte": ("a.parquet", PARQUET[:-1], "Parquet"),
    "a Parquet file's footer alone": ("a.parquet", PARQUET[-200:], "Parquet"),
    "text named Parquet": ("a.parquet", b"timestamp,event_name\n" * 5, "Parquet"),
    "an Arrow file of nothing": ("a.arrow", b"", "an empty file is not Arrow"),
    "an Arrow file cut in half": ("a.arrow", ARROW[: len(ARROW) // 2], "Arrow"),
    "an Arrow stream cut in half": ("a.arrow", STREAM[: len(STREAM) // 2], "Arrow"),
    "text named Arrow": ("a.feather", b"timestamp,event_name\n" * 5, "Arrow"),
    "gzip cut in half": ("a.csv.gz", gzip.compress(delimited(ROWS * 1000))[:-20], "cut off"),
    "gzip cut in its header": ("a.csv.gz", gzip.compress(delimited(ROWS))[:5], "cut off"),
    "gzip of nothing at all": ("a.ndjson.gz", b"", "cut off"),
    "text named gzip": ("a.csv.gz", delimited(ROWS), "not valid gzip"),
    "gzip with a wrong sum": ("a.csv.gz", gzip.compress(delimited(ROWS))[:-8] + b"\0" * 8, "not valid gzip"),
    "gzip with broken data": ("a.csv.gz", gzip.compress(delimited(ROWS))[:12] + b"\xff" * 50, ""),
    "zstd cut in half": ("a.ndjson.zst", zstd(ndjson(ROWS * 1000))[:-20], "cut off"),
    "zstd of nothing at all": ("a.csv.zst", b"", "cut off"),
    "text named zstd": ("a.csv.zst", delimited(ROWS), "zstd"),
    "an array cut off": ("a.json", json_array(ROWS)[:-30], "row 4: broken JSON"),
    "an array without its bracket": ("a.json", b"[" + b",".join([json.dumps(SIGNUP).encode()] * 2), "row 2"),
    "an array with a comma too many": ("a.json", b"[" + json.dumps(SIGNUP).encode() + b",]", "row 2"),
    "an array without a comma": ("a.json", b"[" + json.dumps(SIGNUP).encode() * 2 + b"]", "row 1"),
    "an array and text": ("a.json", json_array([SIGNUP]) + b"x", "after the array's end"),
    "two arrays": ("a.json", json_array([SIGNUP]) * 2, "after the array's end"),
    "an array of invalid UTF-8": ("a.json", b'["\xff"]', "invalid UTF-8"),
    "an array nested too deep": ("a.json", b"[" * 100_000, "row 1: broken JSON"),
    "a huge number in an array": ("a.json", b'[{"x":' + b"9" * 5000 + b"}]", "row 1: "),
    "a number in an array": ("a.json", b"[5]", "row 1: not a JSON object"),
    "an array in an array": ("a.json", b"[\n" + json.dumps(SIGNUP).encode() + b",\n[\n1]]", "row 2: not a JSON object"),
    "an array in .ndjson": ("a.ndjson", json_array([SIGNUP]), "line 1: broken JSON"),
    "an array on one line in .ndjson": ("a.ndjson", json.dumps([SIGNUP]).encode(), "line 1: not a JSON object"),
    "a pretty object cut off": ("a.json", json.dumps([SIGNUP, SIGNUP], indent=1).encode()[1:-9], "row 2: broken JSON"),
    "a header that is not UTF-8": ("a.csv", b"timestamp,event_name,\xff\n2026-05-01,a,b\n", "line 1"),
    "Parquet named CSV": ("a.csv", PARQUET, "is Parquet, not CSV"),
    "Parquet named NDJSON": ("a.ndjson", PARQUET, "is Parquet, not NDJSON"),
    "Parquet named gzip": ("a.csv.gz", PARQUET, "it is Parquet"),
    "gzip named zstd": ("a.csv.zst", gzip.compress(b"a,b"), "it is gzip"),
    "a zip archive": ("a.csv", b"PK\3\4" + bytes(60), "is a zip archive, not CSV"),
    "UTF-16": ("a.csv", "timestamp,event_name\n2026-05-01,a\n".encode("utf-16"), ""),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(
            ("a.csv", "parquet"),
            ("a.ndjson", "arrow"),
            ("a.parquet", "ndjson"),
            ("a.arrow", "csv"),
            ("a.parquet", "json"),
        ),
        *(("a.csv", "ndjson"), ("a.csv", "json"), ("a.tsv", "ndjson")),
    ],
)
def test_a_format_that_the_name_does_not_say_is_named(ask: Ask, tmp_path: Path, name: str, form: str) -> None:
    """Where the first bytes show another format, the hint is the flag that reads it."""
    (tmp_path / name).write_bytes(WRITERS[form](ROWS))
    ran = ask(name)
    assert ran.code == 4
    assert ran.err.splitlines()[1:] == [f"hint: --input-format {form} reads it"]
    assert ask(name, "--input-format", form).value == len(ROWS)


def test_a_long_object_may_go_over_several_lines(ask: Ask, tmp_path: Path) -> None:
    """Objects printed over several lines are read however long the first one is."""
    long = json.dumps({**SIGNUP, "url": "x" * 300_000}, indent=1)
    (tmp_path / "a.json").write_text(f"{long}\n{long}\n")
    assert ask("a.json").value == 2
    (tmp_path / "a.json").write_text(long[:-9])
    assert ask("a.json").error.startswith("a.json: row 1: broken JSON")


def test_csv_that_is_named_json_is_not_to_be_left_out(ask: Ask, tmp_path: Path) -> None:
    """Of a file no line of which is an object, nothing would be left: the hint is not to skip rows."""
    (tmp_path / "a.ndjson").write_bytes(WRITERS["csv"](ROWS))
    ran = ask("a.ndjson")
    assert (ran.code, ran.err.splitlines()[1]) == (4, "hint: --input-format csv reads CSV")
    assert ask("a.ndjson", "--input-format", "csv").value == len(ROWS)


@pytest.mark.parametrize(("name", "data", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named(ask: Ask, tmp_path: Path, name: str, data: bytes, says: str) -> None:
    """A file that is not what its name says ends the query with exit 4 and one line that names it."""
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.ndjson").write_bytes(ndjson(ROWS))
    ran = ask("*.*", "--group-by", "event_name")
    assert ran.code == 4
    assert ran.error.startswith(f"{name}: ")
    assert says in ran.error
    assert len(ran.error) < 300


@pytest.mark.parametrize("form", WRITERS)
def test_no_timestamp_column_is_not_events(ask: Ask, tmp_path: Path, form: str) -> None:
    """A file in which nothing serves as timestamp ends with exit 3 and an offer of what might."""
    rows = [{"ts": "2026-05-01", "event_name": "a"}, {"ts": "2026-05-02", "event_name": "b"}]
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form](rows))
    ran = ask(f"a.{form}", "--group-by", "event_name")
    assert ran.code == 3
    assert ran.error == f"a.{form}: no column 'timestamp'"
    assert ran.err.splitlines()[1] == "hint: did you mean --map timestamp=ts?"
    assert ask(f"a.{form}", "--map", "timestamp=ts").value == 2


@pytest.mark.parametrize("form", WRITERS)
def test_no_event_name_is_not_events(ask: Ask, tmp_path: Path, form: str) -> None:
    """`event` fills in for `event_name`; with neither the query ends with exit 3, even if it reads no names."""
    rows = [{"timestamp": "2026-05-01", "event": "a"}, {"timestamp": "2026-05-01", "event": None}]
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form](rows))
    assert ask(f"a.{form}", "--event", "a").value == 1
    other = [{"timestamp": "2026-05-01", "type": "a"}]
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form](other))
    ran = ask(f"a.{form}")
    assert ran.code == 3
    assert ran.error == f"a.{form}: no column 'event_name'"
    assert "did you mean --map event_name=type?" in ran.err
    assert ask(f"a.{form}", "--map", "event_name=type", "--event", "a").value == 1


@pytest.mark.parametrize("form", WRITERS)
def test_a_mapped_column_that_is_not_there_is_said(ask: Ask, tmp_path: Path, form: str) -> None:
    """--map to a column that the data lacks is exit 3 where the column must be there, and null where it need not."""
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form]([{**SIGNUP, "src": "x"}]))
    ran = ask(f"a.{form}", "--map", "timestamp=timestmp")
    assert ran.code == 3
    assert ran.error == f"a.{form}: no column 'timestmp' to serve as timestamp"
    assert "did you mean --map timestamp=timestamp?" in ran.err
    assert ask(f"a.{form}", "--map", "source=src", "--group-by", "source").rows == [{"source": "x", "value": 1}]
    ran = ask(f"a.{form}", "--map", "source=absent", "--group-by", "source")
    assert ran.rows == [{"source": None, "value": 1}]
    assert ran.err == "warning: no file has a column 'absent' to serve as source\n"


@pytest.mark.parametrize("form", WRITERS)
def test_a_name_that_no_file_has_is_said_by_every_command(ask: Ask, tmp_path: Path, form: str, capfd: Captured) -> None:
    """A column that is mapped to a name of no file warns once, with the nearest; an import refuses it."""
    (tmp_path / "events").mkdir()
    for number in range(3):
        (tmp_path / "events" / f"{number}.{form}").write_bytes(WRITERS[form]([{**SIGNUP, "utm_source": "x"}]))
    mapped = ["--map", "source=utm_sorce"]
    told = "no file has a column 'utm_sorce' to serve as source: did you mean --map source=utm_source?"
    for options in (["--group-by", "source"], ["--group-by", "source", "--from", "2026-05-01"]):
        assert ask("events", *mapped, *options).err == f"warning: {told}\n"
    assert ask("events", *mapped).err == ""
    assert run(["describe", "--data", "events", *mapped]) == 0
    assert capfd.readouterr().err == f"warning: {told}\n"
    assert run(["import", "events", "--to", "store", *mapped]) == 3
    assert capfd.readouterr().err == f"error: {told}\n"
    visitors = ask("events", "--map", "anonymous_id=visiter", "--metric", "uniques")
    assert (visitors.value, visitors.err.count("warning")) == (0, 1)
    (tmp_path / "events" / f"9.{form}").write_bytes(WRITERS[form]([{**SIGNUP, "utm_sorce": "y"}]))
    assert ask("events", *mapped, "--group-by", "source").err == ""
    assert run(["import", "events", "--to", "store", *mapped]) == 0


def test_columns_may_differ_from_file_to_file(ask: Ask, tmp_path: Path) -> None:
    """A column that only some files have, or have as another type, is one text column."""
    day = pl.Series([0]).cast(pl.Datetime("ms"))
    for number, values in enumerate([pl.Series([7]), pl.Series(["7"]), pl.Series([True]), pl.Series([7.0])]):
        columns = {"timestamp": day, "event_name": pl.Series(["a"]), "source": values}
        pl.DataFrame(columns).write_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / "a.csv").write_bytes(delimited([SIGNUP, SIGNUP]))
    (tmp_path / "b.ndjson").write_bytes(
        ndjson([{**SIGNUP, "source": value} for value in (7, "7", True, [1, {"a": 2}])])
    )
    assert ask(tmp_path, "--group-by", "source").rows == [
        {"source": "7", "value": 5},
        {"source": "true", "value": 2},
        {"source": None, "value": 2},
        {"source": '[1,{"a":2}]', "value": 1},
    ]


TYPES: dict[str, tuple[pl.Series, list[str | None]]] = {
    "Int8": (pl.Series([1, -2, None], dtype=pl.Int8), ["1", "-2", None]),
    "UInt64": (pl.Series([2**64 - 1, 0, None], dtype=pl.UInt64), ["18446744073709551615", "0", None]),
    "Boolean": (pl.Series([True, False, None]), ["true", "false", None]),
    "Float64": (pl.Series([1.5, -0.25, None]), ["1.5", "-0.25", None]),
    "Categorical": (pl.Series(["a", "", None], dtype=pl.Categorical), ["a", "", None]),
    "Enum": (pl.Series(["a", "b", None], dtype=pl.Enum(["b", "a"])), ["a", "b", None]),
    "Binary": (pl.Series([b"a", "ü".encode(), None]), ["a", "ü", None]),
    "Decimal": (pl.Series(["1.50", "2.00", None]).str.to_decimal(scale=2), ["1.50", "2.00", None]),
    "Date": (pl.Series(["2026-05-01", "1969-12-31", None]).str.to_date(), ["2026-05-01", "1969-12-31", None]),
    "List": (pl.Series([[1, 2], [], None]), ["[1,2]", "[]", None]),
    "Struct": (
        pl.Series([{"a": "ü", "b": [1]}, {"a": None, "b": []}, None]),
        ['{"a":"ü","b":[1]}', '{"a":null,"b":[]}', None],
    ),
    "Null": (pl.Series([None, None, None]), [None, None, None]),
}


@pytest.mark.parametrize("form", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize(("values", "texts"), TYPES.values(), ids=TYPES)
def test_typed_columns_become_text(
    ask: Ask, tmp_path: Path, form: str, values: pl.Series, texts: list[str | None]
) -> None:
    """A column of any type is text: integers decimal, nested values compact JSON, null null."""
    table = frame([SIGNUP] * 3).with_columns(values.alias("source"), pl.Series("path", ["0", "1", "2"]))
    write = {"parquet": pl.DataFrame.write_parquet, "arrow": pl.DataFrame.write_ipc}
    write.get(form, pl.DataFrame.write_ipc_stream)(table, tmp_path / f"a.{form}")
    rows = ask(f"a.{form}", "--group-by", "path,source").rows
    assert [row["source"] for row in rows] == texts


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_bytes_that_are_no_text_are_a_bad_row(ask: Ask, tmp_path: Path, form: str) -> None:
    """Binary that is not UTF-8 is a bad row to a question that reads it, named by its row."""
    table = frame([SIGNUP] * 3).with_columns(pl.Series("source", [b"a", b"\xff", b"b"]))
    (table.write_parquet if form == "parquet" else table.write_ipc)(tmp_path / f"a.{form}")
    assert ask(f"a.{form}").value == 3
    ran = ask(f"a.{form}", "--group-by", "source")
    assert ran.code == 4
    assert ran.error == f"a.{form}: row 2: invalid UTF-8 in source"
    left = ask(f"a.{form}", "--group-by", "source", "--skip-bad-rows")
    assert [row["source"] for row in left.rows] == ["a", "b"]
    assert f"left out 1 row that could not be read: a.{form} (1 row)" in left.err


JSON_VALUES = {
    "7": "7", "-0": "0", "123456789012345678901234567890": "123456789012345678901234567890",
    "true": "true", "false": "false", "null": None, '"007"': "007", '""': "", '"null"': "null",
    "[]": "[]", "{}": "{}", "[1, 2]": "[1,2]", '{ "a" : [ { } ] }': '{"a":[{}]}', '"[1, 2]"': "[1, 2]",
    '"{ }"': "{ }", '["ü", "\\u00fc", "\\n"]': '["ü","ü","\\n"]', "[null, true]": "[null,true]", '" a "': " a ",
}  # fmt: skip


@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize(("value", "text"), JSON_VALUES.items())
def test_json_values_become_text(ask: Ask, tmp_path: Path, form: str, value: str, text: str | None) -> None:
    """JSON integers and booleans become their text, lists and objects compact JSON, and strings stay as they are."""
    row = f'{{"timestamp":"2026-05-01","event_name":"a","source":{value}}}'
    (tmp_path / f"a.{form}").write_text(row if form == "ndjson" else f"[{row}]")
    assert ask(f"a.{form}", "--group-by", "source").rows == [{"source": text, "value": 1}]


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "parquet"])
def test_a_late_first_value_is_not_lost(ask: Ask, tmp_path: Path, form: str) -> None:
    """A column whose first value comes after 100,000 rows is found."""
    rows = [{**SIGNUP, "anonymous_id": str(number % 3)} for number in range(100_100)]
    rows[-1]["source"] = "late"
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form](rows))
    assert ask(f"a.{form}", "--group-by", "source").rows == [
        {"source": None, "value": 100_099},
        {"source": "late", "value": 1},
    ]


@pytest.mark.parametrize("zone", ["+05:30", "-03:00", "Europe/Berlin", "UTC", "GMT+05:30", "Z", "Mars/Base", "utc"])
def test_a_zone_may_be_an_offset(ask: Ask, tmp_path: Path, zone: str) -> None:
    """Timestamps of any zone, a fixed offset among them, are the instants that they are."""
    at = pa.array([1_778_925_600_000_000], pa.timestamp("us", tz=zone))
    pyarrow.parquet.write_table(pa.table({"timestamp": at, "event_name": ["a"]}), tmp_path / "a.parquet")
    assert ask("a.parquet", "--interval", "hour").rows == [{"bucket": "2026-05-16 10:00:00", "value": 1}]
    assert ask("a.parquet", "--from", "2026-05-16T10:00:00Z", "--to", "2026-05-16T10:00:00.000001Z").value == 1
    assert ask("a.parquet", "--to", "2026-05-16T10:00:00Z").value == 0


@pytest.mark.parametrize("form", ["csv", "csv.gz", "tsv"])
def test_rows_are_counted_that_no_column_is_read_of(ask: Ask, tmp_path: Path, form: str) -> None:
    """Where folders tell all that is asked, a CSV's rows are counted, and short ones found, as in any question."""
    folder = tmp_path / "events" / "timestamp=2026-05-01" / "event_name=a"
    folder.mkdir(parents=True)
    sep = "\t" if form == "tsv" else ","
    lines = [sep.join(row) for row in (("n", "text"), ("1", "x"), ("é", "y"), ("3", "z"))]
    pack = gzip.compress if form.endswith(".gz") else bytes
    (folder / f"a.{form}").write_bytes(pack("\n".join(lines).encode()))
    assert ask("events").value == 3
    (folder / f"a.{form}").write_bytes(pack("\n".join([*lines, "short"]).encode()))
    assert ask("events").error.endswith("line 5: 1 field where the header has 2")
    assert ask("events", "--skip-bad-rows").value == 3


SPELLED = ["Country", "COUNTRY", " country", "country ", "\tCountry\t", "cOuNtRy"]


def as_spelled(rows: list[dict[str, Any]], country: str, form: str) -> bytes:
    """The rows in a format, with other names for their columns."""
    names = {"timestamp": "Timestamp", "event_name": " EVENT_NAME", "country": country}
    return WRITERS[form]([{names[name]: value for name, value in row.items()} for row in rows])


@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "parquet", "arrow", "feather"])
@pytest.mark.parametrize("name", SPELLED)
def test_a_column_may_be_spelled_in_another_case(ask: Ask, tmp_path: Path, form: str, name: str) -> None:
    """A column is found by the only name that equals its own without case and the blanks around it."""
    if form == "tsv" and "\t" in name:
        name = "Country"
    days = {"2026-05-01": "DE", "2026-05-02": " FR"}
    rows = [{"timestamp": day, "event_name": " a ", "country": country} for day, country in days.items()]
    (tmp_path / f"a.{form}").write_bytes(as_spelled(rows, name, form))
    (tmp_path / f"b.{form}").write_bytes(WRITERS[form](rows))
    expected = [{"country": " FR", "value": 2}, {"country": "DE", "value": 2}]
    assert ask("*.*", "--group-by", "country").rows == expected
    assert ask("*.*", "--from", "2026-05-02", "--event", " a ", "--group-by", "country").rows == expected[:1]
    assert ask("*.*", "--map", f"source={name.swapcase()}", "--group-by", "source").rows[0]["value"] == 2
    (tmp_path / f"b.{form}").write_bytes(as_spelled([*rows, {**rows[0], "timestamp": "soon"}], name, form))
    assert ask(f"b.{form}").error.endswith('the timestamp "soon" is no instant')


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "arrow"])
def test_an_exact_name_goes_before_others(ask: Ask, tmp_path: Path, form: str) -> None:
    """Of several names the exact one is meant; without it they are refused where the question reads them."""
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form]([{**SIGNUP, "Country": "x", "country": "DE", " country": "y"}]))
    assert ask(f"a.{form}", "--group-by", "country").rows == [{"country": "DE", "value": 1}]
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form]([{**SIGNUP, "Country": "x", " country": "y"}]))
    assert ask(f"a.{form}").value == 1
    ran = ask(f"a.{form}", "--group-by", "country")
    assert (ran.code, ran.error) == (3, f"a.{form}: no column 'country', but ' country' and 'Country'")
    assert ran.err.endswith("hint: --map country=' country' names the one that is meant\n")
    assert ask(f"a.{form}", "--map", "country=Country", "--group-by", "country").rows == [{"country": "x", "value": 1}]


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_folders_may_be_spelled_in_another_case(ask: Ask, tmp_path: Path, form: str) -> None:
    """A key of hive folders is found as a column is; the file's own column goes before it only by an exact name."""
    for folder, row in (("Country=DE", {}), ("COUNTRY=FR", {}), ("country=AT", {"Country": "x"})):
        path = tmp_path / "events" / folder
        path.mkdir(parents=True)
        (path / f"a.{form}").write_bytes(WRITERS[form]([{**SIGNUP, **row}]))
    rows = ask("events", "--group-by", "country").rows
    assert rows == [{"country": code, "value": 1} for code in ("AT", "DE", "FR")]


def test_a_header_with_a_column_twice_is_no_matter_unless_it_is_read(ask: Ask, tmp_path: Path) -> None:
    """Two columns of exactly one name are refused where the question reads them."""
    (tmp_path / "a.csv").write_bytes(b"timestamp,event_name,source,source\n2026-05-01,a,x,y\n")
    assert ask("a.csv").value == 1
    ran = ask("a.csv", "--group-by", "source")
    assert (ran.code, ran.error) == (3, "a.csv: the header has 'source' 2 times")


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.jsonl", "a.ndjson.gz"])
@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n\n", "\t"])
@pytest.mark.parametrize("indent", [None, 1])
def test_objects_need_no_lines_of_their_own(
    ask: Ask, tmp_path: Path, name: str, between: str, indent: int | None
) -> None:
    """Objects that follow one another on a line, or are printed over several, are each a row, as the first shows."""
    events = [{"timestamp": "2026-05-01", "event_name": text} for text in ("}{", "\n", "a", "[{", '"')] * 3
    joined = between.join(json.dumps(event, indent=indent) for event in events)
    data = (json.dumps(events[0], indent=indent) + between + joined + between).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert ask(name).value == len(events) + 1
    assert ask(name, "--event", "}{").value == 4
    row = "row" if indent or "\n" not in between else "line"
    (tmp_path / "b.ndjson").write_bytes(data + json.dumps({"timestamp": "soon", "event_name": "a"}).encode())
    assert f"{row} " in ask("b.ndjson").error
    assert ask("b.ndjson", "--skip-bad-rows").value == len(events) + 1


def test_an_array_in_ndjson_is_told_how_it_is_read(ask: Ask, tmp_path: Path) -> None:
    """The hint for an array in a file of lines leads to its rows, and not to leaving all of them out."""
    (tmp_path / "a.ndjson").write_bytes(b"[\n" + b",\n".join([json.dumps(SIGNUP).encode()] * 2) + b"\n]")
    ran = ask("a.ndjson")
    assert ran.code == 4
    assert ran.err.splitlines()[1] == "hint: --input-format json reads an array"
    assert ask("a.ndjson", "--input-format", "json").value == 2


@pytest.mark.parametrize("header", ["Weekly sales", "timestamp"])
def test_no_column_is_offered_of_a_header_of_one_name(ask: Ask, tmp_path: Path, header: str) -> None:
    """Where the first line holds one name, it is shown, and nothing is mapped."""
    (tmp_path / "a.csv").write_text(f"{header}\n\ntimestamp,event_name\n2026-05-01,a\n")
    ran = ask("a.csv")
    assert ran.code == 3
    assert ran.err.splitlines()[1] == f"hint: it has {header}: is that the header?"


@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize("kind", ["lists", "objects", "both"])
def test_json_is_read_up_to_512_levels(ask: Ask, tmp_path: Path, form: str, kind: str) -> None:
    """A row of 512 levels, its own braces among them, is read, and one of more is bad, whoever asks for what."""
    for levels in (511, 512):
        opening = {"lists": "[", "objects": '{"[":', "both": '[{"{":'}[kind] * (levels // (2 if kind == "both" else 1))
        opening += "[" * (levels % 2 if kind == "both" else 0)
        closing = "".join({"[": "]", "{": "}"}[sign] for sign in reversed(re.sub(r'"."', "", opening)) if sign in "[{")
        middle = "null" if opening.endswith(":") else ""
        row = f'{{"timestamp":"2026-05-01","event_name":"a","source":{opening}{middle}{closing}}}'
        (tmp_path / f"a.{form}").write_text(f"[{row}]" if form == "json" else f"\n\n{row}\n")
        if levels == 511:
            assert ask(f"a.{form}", "--group-by", "source").rows == [{"source": opening + middle + closing, "value": 1}]
            continue
        for options in ((), ("--group-by", "source")):
            error = ask(f"a.{form}", *options).error
            assert error == f"a.{form}: {'row 1' if form == 'json' else 'line 3'}: nested deeper than 512 levels"
        assert run(["import", f"a.{form}", "--to", "store"]) == 4
        assert run(["describe", "--check", "--data", f"a.{form}"]) == 1


@pytest.mark.parametrize("end", ["gz", "gzip", "zst", "zstd", "snappy", "SNAPPY", "lz4", "br"])
@pytest.mark.parametrize("stem", ["a.parquet", "a.pq"])
def test_a_name_may_tell_the_codec_inside(ask: Ask, tmp_path: Path, stem: str, end: str) -> None:
    """Parquet whose name ends in the codec inside is Parquet; one that was packed as a whole is to be unpacked."""
    (tmp_path / "events").mkdir()
    path = tmp_path / "events" / f"{stem}.{end}"
    path.write_bytes(WRITERS["parquet"]([SIGNUP]))
    assert ask(path).value == ask("events").value == 1
    for pack, command in ((gzip.compress, "gunzip"), (zstd, "unzstd")):
        path.write_bytes(pack(WRITERS["parquet"]([SIGNUP])))
        ran = ask("events")
        assert (ran.code, ran.error.startswith("events/")) == (4, True)
        assert ran.err.endswith(f"hint: unpack it with {command}\n")


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "tsv"])
@pytest.mark.parametrize("name", ["stream-1-0001", "part.00000", "EVENTS.2026-05-01", "x.log"])
def test_names_say_nothing_where_the_format_is_given(ask: Ask, tmp_path: Path, form: str, name: str) -> None:
    """With --input-format, files of any names are read, and unpacked where their bytes or their names say so."""
    (tmp_path / "hour").mkdir()
    data = WRITERS[form]([SIGNUP])
    (tmp_path / "hour" / name).write_bytes(gzip.compress(data))
    (tmp_path / "hour" / f"{name}.gz").write_bytes(gzip.compress(data))
    (tmp_path / "hour" / f"{name}.zst").write_bytes(zstd(data))
    (tmp_path / "hour" / f"{name}z").write_bytes(zstd(data))
    (tmp_path / "hour" / f"{name}plain").write_bytes(data)
    assert ask("hour", "--input-format", form).value == 5
    assert ask(f"hour/{name}", "--input-format", form).value == 1
