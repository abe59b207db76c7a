"""JSON values as text, lines that cannot be read, and columns that only keys tell of."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset
from mmstats.engines.local.describe import check
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

from .conftest import Ask

EVENT = {"timestamp": "2026-05-01", "event_name": "a"}
BY_PATH = StatsQuery(group_by=("path",), limit=None)
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


def text_of(value: object) -> str | None:
    """A value as the text of a column: strings as they are, numbers decimal, all others compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(st.lists(nested, min_size=1, max_size=10), st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=100)
def test_a_value_has_one_text(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], ascii_only: bool, indent: int | None
) -> None:
    """A value becomes the same text however it is written, and whether its line is parsed in bulk or alone."""
    path = tmp_path_factory.getbasetemp() / "values.ndjson"
    lines = [json.dumps(EVENT | {"path": value}, ensure_ascii=ascii_only, indent=indent) for value in values]
    expected = Counter(map(text_of, values))
    for beside in ("", ',"z":1e400'):  # a number that the engine refuses
        path.write_text("".join(one.replace("\n", " ")[:-1] + beside + "}\n" for one in lines))
        assert {row["path"]: row["value"] for row in answer(BY_PATH, Dataset((str(path),))).rows} == expected


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


@pytest.mark.parametrize("number", HUGE.values(), ids=HUGE)
def test_a_value_nobody_reads_is_no_fault(ask: Ask, tmp_path: Path, number: str) -> None:
    """A number that Polars refuses in a column that nobody asks for costs no row."""
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
    """A number beyond floats, or half a surrogate pair, is a bad row only to questions that read its column."""
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
def test_bad_lines_are_counted_by_their_place_in_the_file(tmp_path: Path, few: int) -> None:
    """Among blank lines every good row is read, and every fault is named by its line."""
    good = [line(path="1"), line(path=2), line(source="b", z=1e400).replace("Infinity", "1e400"), line(path="3")]
    bad = ["x\n", "[1]\n", line()[:-2] + ',"path":1e400}\n', "[" * 5000 + "\n"]
    lines = [bad[0], "\n", good[0], " \t\r\n", bad[1], good[1], good[2], bad[2], "\n", bad[3], good[3]]
    (tmp_path / "a.ndjson").write_text("".join(lines))
    dataset = Dataset((str(tmp_path / "a.ndjson"),), skip_bad_rows=True, limits=Limits(single_line_bytes=few))
    found = check(dataset).check
    assert found
    assert [fault.where for fault in found.faults] == ["line 1", "line 5", "line 8", "line 10"]
    assert [row["path"] for row in answer(BY_PATH, dataset).rows] == ["1", "2", "3", None]


def counted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[None]:
    """A list that grows by one with every call of a function that is not ours."""
    calls: list[None] = []
    real = getattr(owner, name)

    def noted(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, noted)
    return calls


def test_the_first_fault_does_not_wait_for_the_others(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many broken lines cost about what good ones cost."""
    good, broken = line(path="/p"), line(path="/p")[:-9] + "\n"
    (tmp_path / "text.ndjson").write_text("not JSON at all, this line\n" * 200_000)
    (tmp_path / "half.ndjson").write_text((good + broken) * 30_000)
    parsed = counted(monkeypatch, pl, "read_ndjson")
    assert ask("text.ndjson").error.startswith("text.ndjson: line 1: broken JSON")
    assert ask("half.ndjson").error.startswith("half.ndjson: line 2: broken JSON")
    assert ask("half.ndjson", "--skip-bad-rows").value == 30_000
    assert len(parsed) < 500  # some for every 64 KiB, not one for every line


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many lines were decoded to look for keys."""
    calls = counted(monkeypatch, json.JSONDecoder, "raw_decode")
    return lambda: len(calls)


@pytest.mark.parametrize("deeper", [None, "x"])
def test_a_key_that_is_only_deeper_is_not_looked_for_in_every_line(
    ask: Ask, tmp_path: Path, decoded: Callable[[], int], deeper: str | None
) -> None:
    """A nested key of a column's name is no column, and finding that out does not decode every line."""
    (tmp_path / "a.ndjson").write_text(line(properties={"source": deeper}) * 500)
    ran = ask("a.ndjson", "--group-by", "source")
    assert ran.rows == [{"source": None, "value": 500}]
    assert decoded() < 60


def test_a_required_key_is_found_however_late_and_however_written(ask: Ask, tmp_path: Path) -> None:
    """A required key may come late, be null or be spelled with escapes; a nested key of its name is none."""
    deep = '{"timestamp":"2026-05-01","x":{"event_name":"a"}}\n' * 500
    (tmp_path / "a.ndjson").write_text(deep)
    assert ask("a.ndjson").code == 3
    for key in ("event_name", "event\\u005fname", "ev\\u0065nt"):
        (tmp_path / "a.ndjson").write_text(deep + f'{{"timestamp":"2026-05-01","{key}" : null}}\n')
        assert ask("a.ndjson").value == 501


def test_a_folder_fills_what_no_object_has(ask: Ask, tmp_path: Path) -> None:
    """A Hive folder gives a column that no object has; an object's key counts even with null, a nested one does not."""
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
    """Half a surrogate pair makes its row bad where its column is read; a whole pair is a character."""
    lines = ['{"timestamp":1,"event":"a","path":"' + path + '"}' for path in (r"\ud83d\ude00", r"\ud800", r"\u0000")]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    assert ask("a.ndjson").value == 3
    assert ask("a.ndjson", "--group-by", "path").error == "a.ndjson: line 2: a \\u escape in it is half a character"
    left = ask("a.ndjson", "--group-by", "path", "--skip-bad-rows")
    assert left.rows == [{"path": "\0", "value": 1}, {"path": "😀", "value": 1}]
