"""JSON values as text, lines that cannot be read, and columns that only keys tell of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.readers import json_columns, ndjson
from mmstats.readers.json_text import column_text, compacted, value_of

from .conftest import Ask

EVENT = {"timestamp": "2026-05-01", "event_name": "a"}
SCHEMA = {"a": pl.String(), "b": pl.String()}
HUGE = {"400 digits": "9" * 400, "1e400": "1e400"}

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
nested = st.recursive(
    scalars,
    lambda held: st.lists(held, max_size=4) | st.dictionaries(st.text(max_size=3), held, max_size=4),
    max_leaves=12,
)


def line(**keys: Any) -> str:
    """An event as a line of JSON."""
    return json.dumps(EVENT | keys) + "\n"


def compact(value: object) -> str:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(st.lists(nested, min_size=1, max_size=5), st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=200)
def test_lists_and_objects_are_their_compact_text(values: list[Any], ascii_only: bool, indent: int | None) -> None:
    """Keys keep their order and numbers their spelling, however wide the value is written."""
    lines = [json.dumps({"b": "x", "a": value}, ensure_ascii=ascii_only, indent=indent) for value in values]
    text = "\n".join(one.replace("\n", " ") for one in lines).encode()
    texts = compacted(text, pl.read_ndjson(text, schema=SCHEMA), {"a"})["a"].to_list()
    for value, found in zip(values, texts, strict=True):
        if isinstance(value, dict | list):
            assert found == compact(value)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('{"b":1,"a":[1,2],"c":null}', '{"b":1,"a":[1,2],"c":null}'),
        ('{"b": 1, "a": 2, "b": 3}', '{"b":1,"a":2}'),
        ("[1.50, 1e5, -0, 1E-9]", "[1.50,1e5,-0,1E-9]"),
        ('["\\u00fc", "\\ud800"]', '["ü","\\ud800"]'),
        ('"[slug]"', "[slug]"),
        ('"{ }"', "{ }"),
    ],
)
def test_a_value_as_text(ask: Ask, tmp_path: Path, written: str, text: str) -> None:
    """A repeated key keeps its first value, a number its spelling, and a string is left as it is."""
    for key in ("path", "p\\u0061th"):
        row = f'{{"timestamp":"2026-05-01","event_name":"a","{key}" : {written}}}\n'
        (tmp_path / "a.ndjson").write_text(row + line(path="x") + "\n" + row)
        assert ask("a.ndjson", "--group-by", "path", "--all").rows == [
            {"path": text, "value": 2},
            {"path": "x", "value": 1},
        ]


@given(scalars)
@settings(max_examples=300)
def test_scalars_are_written_as_the_engine_writes_them(value: object) -> None:
    """A row that had to be decoded here is no different from its neighbours."""
    written = json.dumps({"a": value}).encode()
    held = value_of(written)
    assert isinstance(held, dict)
    try:
        raw = pl.read_ndjson(written, schema=SCHEMA)
    except pl.exceptions.ComputeError:
        assert isinstance(value, int)  # too large for the engine
        assert column_text(held["a"]) == str(value)
    else:
        assert column_text(held["a"]) == raw["a"].item()


@pytest.mark.parametrize("number", HUGE.values(), ids=HUGE)
def test_a_value_nobody_reads_is_no_fault(ask: Ask, tmp_path: Path, number: str) -> None:
    """What the engine will not read in another column takes nothing from the row, nor from those beside it."""
    values: list[Any] = ["x", 5, True, None, 1.5, [1, {"b": None}]]
    huge = [line(path=value)[:-2] + f',"z":{number}}}\n' for value in values]
    (tmp_path / "a.ndjson").write_text("".join(huge) + line(path="x"))
    rows = ask("a.ndjson", "--group-by", "path", "--all").rows
    assert {row["path"]: row["value"] for row in rows} == {
        "x": 2,
        "5": 1,
        "true": 1,
        None: 1,
        "1.5": 1,
        '[1,{"b":null}]': 1,
    }


@pytest.mark.parametrize(("value", "says"), [("1e400", "too large"), ('"\\ud800x"', "half a character")])
def test_a_value_without_a_text_is_a_fault_where_it_is_read(ask: Ask, tmp_path: Path, value: str, says: str) -> None:
    """A number that is no number, or half a character, is a bad row only to those who ask for it."""
    bad = line()[:-2] + f',"path":{value},"z":1e400}}\n'
    (tmp_path / "a.ndjson").write_text(line() + "\n" + bad)
    assert ask("a.ndjson").value == 2
    ran = ask("a.ndjson", "--group-by", "path")
    assert ran.code == 4
    assert ran.error.startswith("a.ndjson: line 3: ")
    assert says in ran.error
    assert ask("a.ndjson", "--group-by", "path", "--skip-bad-rows").rows == [{"path": None, "value": 1}]


def test_a_large_integer_is_its_digits(ask: Ask, tmp_path: Path) -> None:
    """An integer beyond the engine's is read as its decimal text."""
    (tmp_path / "a.ndjson").write_text(line()[:-2] + f',"path":{"9" * 60}}}\n')
    assert ask("a.ndjson", "--group-by", "path").rows == [{"path": "9" * 60, "value": 1}]


@pytest.mark.parametrize("few", [0, 100, 64 << 10])
def test_bad_lines_are_counted_by_their_place_in_the_file(few: int) -> None:
    """Blank lines, good and bad ones in any order: each row and each fault has its line."""
    lines = ["x", "", '{"a":1}', " \t\r", "[1]", '{"a":2}', '{"c":1e400}', '{"a":1e400}', "", "[" * 5000, '{"a":3}']
    pieces = list(ndjson.sift("\n".join(lines).encode(), 1, SCHEMA, few))
    rows = [(number, text) for piece in pieces for number, text in zip(piece.lines(), piece.raw["a"], strict=True)]
    assert rows == [(3, "1"), (6, "2"), (7, None), (11, "3")]
    assert {number for piece in pieces for number in piece.broken} == {1, 5, 8, 10}


def test_the_first_fault_does_not_wait_for_the_others(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many broken lines cost about what good ones cost."""
    good, broken = line(path="/p"), line(path="/p")[:-9] + "\n"
    (tmp_path / "text.ndjson").write_text("not JSON at all, this line\n" * 200_000)
    (tmp_path / "half.ndjson").write_text((good + broken) * 30_000)
    parsed = counted(monkeypatch, ndjson, "_parsed")
    assert ask("text.ndjson").error.startswith("text.ndjson: line 1: broken JSON")
    assert ask("half.ndjson").error.startswith("half.ndjson: line 2: broken JSON")
    assert ask("half.ndjson", "--skip-bad-rows").value == 30_000
    assert len(parsed) < 500  # some for every 64 KiB, not one for every line


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[None]:
    """A list that grows by one with every call of a function."""
    calls: list[None] = []
    real = getattr(module, name)

    def noted(*arguments: Any) -> Any:
        calls.append(None)
        return real(*arguments)

    monkeypatch.setattr(module, name, noted)
    return calls


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many lines were decoded to look for keys."""
    calls = counted(monkeypatch, json_columns, "value_of")
    return lambda: len(calls)


@pytest.mark.parametrize("deeper", [None, "x"])
def test_a_key_that_is_only_deeper_is_not_looked_for_in_every_line(
    ask: Ask, tmp_path: Path, decoded: Callable[[], int], deeper: str | None
) -> None:
    """A column that need not be there is no column when its name is only found inside another."""
    (tmp_path / "a.ndjson").write_text(line(properties={"source": deeper}) * 500)
    ran = ask("a.ndjson", "--group-by", "source")
    assert ran.rows == [{"source": None, "value": 500}]
    assert decoded() < 60


def test_a_required_key_is_found_however_late_and_however_written(ask: Ask, tmp_path: Path) -> None:
    """A deeper key of the same name is none; one that is null or spelled with escapes is one."""
    deep = '{"timestamp":"2026-05-01","x":{"event_name":"a"}}\n' * 500
    (tmp_path / "a.ndjson").write_text(deep)
    assert ask("a.ndjson").code == 3
    for key in ("event_name", "event\\u005fname", "ev\\u0065nt"):
        (tmp_path / "a.ndjson").write_text(deep + f'{{"timestamp":"2026-05-01","{key}" : null}}\n')
        assert ask("a.ndjson").value == 501


def test_a_folder_fills_what_no_object_has(ask: Ask, tmp_path: Path) -> None:
    """A key of the folder's name, even of null, keeps the folder's word out; a deeper one does not."""
    folder = tmp_path / "source=s" / "country=DE"
    folder.mkdir(parents=True)
    (folder / "a.ndjson").write_text(line(properties={"country": "FR"}, path=None) * 3)
    (folder / "b.ndjson").write_text(line() + line()[:-2] + ',"countr\\u0079":null,"source":"t"}\n')
    rows = ask(tmp_path, "--group-by", "source", "--group-by", "country", "--all").rows
    assert [(row["source"], row["country"], row["value"]) for row in rows] == [
        ("s", "DE", 3),
        ("t", None, 1),
        (None, None, 1),
    ]


def test_half_a_character_is_never_read_as_another(ask: Ask, tmp_path: Path) -> None:
    """An escape that is half a character makes its row bad where its column is read; a whole pair is a character."""
    lines = ['{"timestamp":1,"event":"a","path":"' + path + '"}' for path in (r"\ud83d\ude00", r"\ud800", r"\u0000")]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    assert ask("a.ndjson").value == 3
    assert ask("a.ndjson", "--group-by", "path").error == "a.ndjson: line 2: a \\u escape in it is half a character"
    left = ask("a.ndjson", "--group-by", "path", "--skip-bad-rows")
    assert left.rows == [{"path": "\0", "value": 1}, {"path": "😀", "value": 1}]
