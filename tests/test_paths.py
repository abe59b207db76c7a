"""Paths: wherever a column can be named, so can what lies in its values, in every form that nested events have."""

import shlex
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

import mmstats
from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.readers.projection import Selection
from mmstats.readers.source import Source, read_source
from tests import nested

from .conftest import Ask

Captured = pytest.CaptureFixture[str]
EVENTS: list[dict[str, Any]] = [
    {
        "timestamp": "2026-05-01T10:00:00Z",
        "event_name": "signup",
        "properties": {"plan": "pro", "seats": 3, "paid": True, "a key": {"deep": "x"}, "price": 1.5, "at": 1777629600},
        "params": [{"key": "page", "value": "/a"}, {"key": "page", "value": "/b"}, {"key": "n", "value": None}],
    },
    {
        "timestamp": "2026-05-01T11:00:00Z",
        "event_name": "signup",
        "properties": {
            "plan": "",
            "seats": 101,
            "paid": False,
            "a key": {"deep": None},
            "price": 0.25,
            "at": 1777633200,
        },
        "params": [{"key": "n", "value": 'ü"{'}],
    },
    {"timestamp": "2026-05-01T12:00:00Z", "event_name": "signup", "properties": None, "params": None},
]
LEADS = {
    "properties.plan": ["", "pro", None],
    "properties.seats": ["101", "3", None],
    "properties.paid": ["false", "true", None],
    "properties.price": ["0.25", "1.5", None],
    'properties."a key".deep': ["x", None, None],
    'properties."a key"': ['{"deep":"x"}', '{"deep":null}', None],
    "params[page]": ["/a", None, None],
    "params[n]": ['ü"{', None, None],
    "properties.plan.deeper": [None, None, None],
    "properties[plan]": [None, None, None],
    "event_name": ["signup", "signup", "signup"],
}


def values(rows: list[dict[str, Any]], column: str = "source") -> list[str | None]:
    """The labels of one column, each as often as it counts."""
    return [row[column] for row in rows for _ in range(row["value"])]


@pytest.mark.parametrize("form", nested.FORMS)
@pytest.mark.parametrize("path", LEADS)
def test_a_path_leads_to_the_same_in_every_form(ask: Ask, tmp_path: Path, form: str, path: str) -> None:
    """Objects, structs and JSON text of the same events have the same value at a path, as text."""
    data = nested.write(tmp_path, form, EVENTS)
    found = values(ask(data, "--map", f"source={path}", "--group-by", "source").rows)
    assert sorted(found, key=lambda text: (text is None, text)) == LEADS[path]


@pytest.mark.parametrize("form", nested.FORMS)
def test_a_path_may_serve_as_timestamp(ask: Ask, tmp_path: Path, form: str) -> None:
    """A number in an object is an instant as a column's is, also for the range."""
    data = nested.write(tmp_path, form, EVENTS[:2])
    question = ("--map", "timestamp=properties.at", "--interval", "hour", "--from", "2026-05-01T11:00:00Z")
    assert ask(data, *question).rows == [{"bucket": "2026-05-01 11:00:00", "value": 1}]


BROKEN = '{"plan": "pro"'
TEXTS = [
    ("text.csv", "line 3"),
    ("text.parquet", "row 2"),
    ("json.parquet", "row 2"),
    ("lines.ndjson", "line 2"),
    ("stream.arrow", "row 2"),
]


@pytest.mark.parametrize("options", [(), ("--from", "2026-05-01"), ("--event", "signup")], ids=str)
@pytest.mark.parametrize(("form", "where"), TEXTS)
def test_text_that_is_no_json_is_a_bad_row(
    ask: Ask, tmp_path: Path, form: str, where: str, options: tuple[str, ...]
) -> None:
    """Where a path goes into a column's text that is no JSON, the error names the row, or it is left out."""
    events = [{**event, "properties": text} for event, text in zip(EVENTS, ('{"plan":"a"}', BROKEN, ""), strict=True)]
    nested.write(tmp_path, form, events)
    question = (form, "--map", "source=properties.plan", "--group-by", "source", *options)
    assert ask(*question).error == f"{form}: {where}: broken JSON in properties"
    ran = ask(*question, "--skip-bad-rows")
    assert values(ran.rows) == ["a", None]
    assert ran.err == f"warning: left out 1 row that could not be read: {form} (1 row)\n"
    assert ask(form).value == 3


@pytest.mark.parametrize("form", nested.FORMS)
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("properties.plam", "properties.plan"),
        ('properties."a key".deeep', "properties.a key.deep"),
        ("params[pages]", "params[page]"),
        ("propertys.plan", "properties.plan"),
    ],
)
def test_a_path_that_no_row_has_is_said(
    ask: Ask, tmp_path: Path, form: str, wrong: str, right: str, capfd: Captured
) -> None:
    """Where no row that was read has a path, it warns once with the nearest; an import refuses it."""
    data = nested.write(tmp_path, form, EVENTS)
    fault = "no file has a column or path" if wrong == "propertys.plan" else "no row that was read has"
    told = f"{fault} '{wrong}' to serve as source: did you mean --map source={shlex.quote(right)}?"
    assert ask(data, "--map", f"source={wrong}", "--group-by", "source").err == f"warning: {told}\n"
    assert run(["describe", "--data", str(data), "--map", f"source={wrong}"]) == 0
    assert capfd.readouterr().err == f"warning: {told}\n"
    assert run(["import", str(data), "--to", "store", "--map", f"source={wrong}"]) == 3
    assert capfd.readouterr().err == f"error: {told}\n"


@pytest.mark.parametrize("form", nested.FORMS)
@pytest.mark.parametrize("path", ['properties."a key".deep', "params[n]"])
def test_a_path_that_is_null_throughout_is_there(ask: Ask, tmp_path: Path, form: str, path: str) -> None:
    """A key whose value is null in all rows is no key that is missing."""
    events = [
        {**EVENTS[0], "properties": {"a key": {"deep": None}}, "params": [{"key": "n", "value": None}]},
        {**EVENTS[1], "properties": {"a key": {"deep": None}}, "params": []},
    ]
    nested.write(tmp_path, form, events)
    (tmp_path / "events").mkdir()
    for number in range(3):
        shutil.copy(tmp_path / form, tmp_path / "events" / f"{number}.{form}")
    for data, files in ((form, 1), ("events", 3)):
        ran = ask(data, "--map", f"source={path}", "--group-by", "source")
        assert (values(ran.rows), ran.err) == ([None, None] * files, "")
    ran = ask("events", "--map", f"source={path[:-1]}z{path[-1]}", "--group-by", "source")
    assert ran.err.count("warning: no row that was read has") == 1


@pytest.mark.parametrize("form", nested.FORMS)
def test_a_column_of_that_very_name_wins(ask: Ask, tmp_path: Path, form: str) -> None:
    """A column `a.b` is the column; `a.b.c` goes into it; `A.b` goes into `a` where no column is spelled like it."""
    event = {"timestamp": "2026-05-01", "event_name": "x", "a.b": {"c": "column"}, "a": {"b": {"c": "path"}, "d": "d"}}
    nested.write(tmp_path, form, [event])
    question = ("--group-by", "source,path,os")
    maps = ("--map", "source=a.b.c", "--map", "path=a.d", "--map", 'os="a".b.c')
    assert ask(form, *maps, *question).rows == [{"source": "column", "path": "d", "os": "path", "value": 1}]
    flat = {"timestamp": "2026-05-01", "event_name": "x", "a.b": "column", "a": {"b": "path"}}
    nested.write(tmp_path, form, [flat])
    assert ask(form, "--map", "source=a.b", "--group-by", "source").rows == [{"source": "column", "value": 1}]


@pytest.mark.parametrize("form", nested.FORMS)
def test_a_text_inside_is_a_leaf(ask: Ask, tmp_path: Path, form: str) -> None:
    """Only a column's own text is parsed as JSON, not a text in an object, whatever it looks like."""
    event = {"timestamp": "2026-05-01", "event_name": "x", "a": {"b": '{"c":1}'}}
    ran = ask(nested.write(tmp_path, form, [event]), "--map", "source=a.b.c", "--map", "path=a.b", "-g", "source,path")
    assert ran.rows == [{"source": None, "path": '{"c":1}', "value": 1}]


@pytest.mark.parametrize("form", nested.FORMS)
def test_a_column_of_json_text_is_parsed_in_json_too(ask: Ask, tmp_path: Path, form: str) -> None:
    """A column that is a string of JSON is asked as one that is an object, as the API saves its properties."""
    event = {"timestamp": "2026-05-01", "event_name": "x", "properties": '{"plan": "pro"}'}
    ran = ask(nested.write(tmp_path, form, [event]), "--map", "source=properties.plan", "--group-by", "source")
    assert ran.rows == [{"source": "pro", "value": 1}]


@pytest.mark.parametrize("form", nested.FORMS)
def test_an_import_keeps_what_a_path_leads_to(tmp_path: Path, form: str, ask: Ask, capfd: Captured) -> None:
    """A store has what was extracted, and is asked without the paths."""
    data = nested.write(tmp_path, form, EVENTS)
    mapped = ["--map", "source=properties.plan", "--map", "path=params[page]"]
    assert run(["import", str(data), "--to", "store", *mapped]) == 0
    capfd.readouterr()
    question = ("--group-by", "source,path")
    assert ask("store", *question).rows == ask(data, *mapped, *question).rows


@pytest.mark.parametrize("form", nested.FORMS)
def test_typed_values_of_parameters(ask: Ask, tmp_path: Path, form: str) -> None:
    """The value of an entry is the first of its typed values that is not null, as GA4 has them."""
    nothing = dict.fromkeys(("string_value", "int_value", "float_value", "double_value"))
    typed = [{**nothing, "string_value": "s"}, {**nothing, "int_value": 7}, {**nothing, "double_value": 0.5}, nothing]
    events = [
        {"timestamp": "2026-05-01", "event_name": "x", "event_params": [{"key": "k", "value": value}]}
        for value in typed
    ]
    ran = ask(nested.write(tmp_path, form, events), "--map", "source=event_params[k]", "--group-by", "source")
    assert values(ran.rows) == ["0.5", "7", "s", None]


def _odd(folder: Path) -> list[str]:
    """Files whose struct has a field beside `plan` that cannot be read: no text, bytes, a type that has none."""
    plan, bytes_ = pa.array(["a", "b"]), pa.array([b"\xff", b"x"])
    union = pa.UnionArray.from_dense(pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [pa.array([1, 2])])
    beside = {"bytes.parquet": bytes_, "text.parquet": bytes_.view(pa.string()), "union.arrow": union}
    for name, odd in beside.items():
        struct = pa.StructArray.from_arrays([plan, odd], ["plan", "odd"])
        table = pa.table({"timestamp": ["2026-05-01"] * 2, "event_name": ["x"] * 2, "p": struct})
        if name.endswith(".parquet"):
            pa.parquet.write_table(table, folder / name)
            continue
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
    return list(beside)


def test_what_is_not_asked_for_cannot_fail(ask: Ask, tmp_path: Path) -> None:
    """A field of a struct that cannot be read is no matter to a path beside it, and refused where it is asked for."""
    for name in _odd(tmp_path):
        ran = ask(name, "--map", "source=p.plan", "--group-by", "source")
        assert ran.rows == [{"source": "a", "value": 1}, {"source": "b", "value": 1}]
        assert ask(name, "--map", "source=p.odd", "--group-by", "source").code == 4
        assert ask(name, "--map", "source=p", "--group-by", "source").code == 4


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("0.1e-6", "0.0000001"),
        ("1.5e300", "15" + "0" * 299),
        ("1e22", "1" + "0" * 22),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("9007199254740993.0", "9007199254740992"),
        ("true", "true"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\u0000x"', "\0x"),
        ('[1.0, {"a" : "\\u00fc/"}]', '[1.0,{"a":"ü/"}]'),
        ('1, "plan": 2', "1"),
        ('1, "odd": 1e999, "half": "\\ud800"', "1"),
    ],
)
@pytest.mark.parametrize("form", ["lines.ndjson", "text.csv", "text.parquet"])
def test_values_in_json_become_text(ask: Ask, tmp_path: Path, form: str, number: str, text: str) -> None:
    """Numbers are as short as reads back, integers as long as they are; of a repeated key the first counts."""
    properties = f'{{"plan": {number}}}'
    event = {"timestamp": "2026-05-01", "event_name": "x", "properties": properties}
    data = nested.write(tmp_path, form, [event])
    if form == "lines.ndjson":
        data.write_text(f'{{"timestamp": "2026-05-01", "event_name": "x", "properties": {properties}}}\n')
    ran = ask(data, "--map", "source=properties.plan", "--group-by", "source")
    assert ran.rows == [{"source": text, "value": 1}]


@pytest.mark.parametrize("form", nested.FORMS)
def test_settings_and_python_take_paths(ask: Ask, tmp_path: Path, form: str) -> None:
    """The settings' columns and the Python door name paths as --map does."""
    data = nested.write(tmp_path, form, EVENTS)
    (tmp_path / "mmstats.toml").write_text("[columns]\nsource = 'properties.\"a key\".deep'\n")
    rows = [{"source": None, "value": 2}, {"source": "x", "value": 1}]
    assert ask(data, "--group-by", "source").rows == rows
    (tmp_path / "mmstats.toml").unlink()
    assert mmstats.stats(data, group_by="source", columns={"source": 'properties."a key".deep'}).rows == rows


@pytest.mark.parametrize("form", nested.FORMS)
@pytest.mark.parametrize("mapped", [{}, {"properties": "other"}, {"properties": "wrapped.properties"}])
def test_a_question_may_select_what_lies_in_the_properties(tmp_path: Path, form: str, mapped: dict[str, str]) -> None:
    """A column `properties.plan` is the path below whatever serves as the properties."""
    columns = {"timestamp": "2026-05-01", "event_name": "x"}
    one, two = {"plan": "pro"}, {"plan": "other"}
    event = {**columns, "properties": one, "other": two, "wrapped": {"properties": {"plan": "wrapped"}}}
    data = nested.write(tmp_path, form, [event])
    selection = Selection(("properties.plan",))

    def read(source: Source) -> list[str | None]:
        return source.scan().frame().collect()["properties.plan"].to_list()

    expected = {"": "pro", "other": "other", "wrapped.properties": "wrapped"}[mapped.get("properties", "")]
    assert read_source(Dataset((str(data),), mapped), selection, read) == [expected]
    assert run(["import", str(data), "--to", str(tmp_path / "store")]) == 0
    assert read_source(Dataset((str(tmp_path / "store"),)), selection, read) == ["pro"]


@pytest.mark.parametrize("form", nested.FORMS)
def test_a_timestamp_where_no_path_leads_is_said(ask: Ask, tmp_path: Path, form: str) -> None:
    """A path to a timestamp that leads to nothing is named by the error."""
    nested.write(tmp_path, form, EVENTS[:2])
    ran = ask(form, "--map", "timestamp=properties.att")
    assert ran.code in {3, 4}
    assert "'properties.att'" in ran.error


@pytest.mark.parametrize("form", [form for form in nested.FORMS if form not in {"lines.ndjson", "array.json"}])
def test_the_first_name_of_a_path_may_be_spelled_otherwise(ask: Ask, tmp_path: Path, form: str) -> None:
    """The column that a path goes into is found as any is: by its exact name, else without case; two are refused."""
    event = {"timestamp": "2026-05-01", "event_name": "x", " Properties": {"plan": "a", "Plan": "b"}}
    nested.write(tmp_path, form, [event])
    question = ("--map", "source=properties.plan", "--group-by", "source")
    assert ask(form, *question).rows == [{"source": "a", "value": 1}]
    nested.write(tmp_path, form, [{**event, "PROPERTIES": {"plan": "c"}}])
    ran = ask(form, *question)
    assert (ran.code, ran.error) == (3, f"{form}: no column 'properties', but ' Properties' and 'PROPERTIES'")
