"""Nested events drawn at random: every form gives what plain Python finds at a path."""

import json
import string
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmstats
from tests import nested

KEYS = ("plan", "a b", "a.b", "key", "$x", 'say "x"', "ü", "[0]", "value", "string_value", "")
TEXTS = st.sampled_from(("", "a", "ü🎈", "007", '{"plan":1}', "[1]", 'say "x"', "two\nlines", "null", "\\", "\u2028"))
# What Arrow has one type for; floats that have one shortest text, which is no integer's.
SCALARS = (
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.integers(-(10**6), 10**6).map(lambda number: number + 0.5),
)


def shape(draw: st.DrawFn, depth: int = 3) -> st.SearchStrategy[Any]:
    """A strategy of values that are alike, as a column of structs has them; null may be anywhere."""
    kind = draw(st.sampled_from(("scalar", "object", "entries") if depth else ("scalar",)))
    if kind == "object":
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
        held = {key: shape(draw, depth - 1) for key in keys}
        return st.none() | st.fixed_dictionaries(held).map(lambda one: {key: one[key] for key in keys})
    if kind == "entries":
        entry = st.fixed_dictionaries({"key": st.none() | st.sampled_from(KEYS), "value": shape(draw, depth - 1)})
        entries = st.lists(entry.map(lambda one: {"key": one["key"], "value": one["value"]}), max_size=3)
        return st.none() | entries
    return st.none() | draw(st.sampled_from(SCALARS))


Steps = tuple[tuple[str, str], ...]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Steps]:
    """Events with a nested column, and the steps of a path into it, which mostly leads somewhere."""
    values = draw(st.lists(shape(draw), min_size=1, max_size=6))
    values = [value if isinstance(value, dict | list) else None for value in values]
    steps: list[tuple[str, str]] = []
    reached: list[Any] = values
    for _ in range(draw(st.integers(1, 4))):
        here = {key for value in reached for key in _keys(value)}
        kind = "entry" if any(isinstance(value, list) for value in reached) else "key"
        kind = draw(st.sampled_from((kind, kind, kind, "key", "entry")))
        key = draw(st.sampled_from((*sorted(here), *sorted(here), draw(st.sampled_from(KEYS)))))
        steps.append((kind, key))
        reached = [into(value, kind, key) for value in reached]
    events = [{"timestamp": "2026-05-01", "event_name": "x", "data": value} for value in values]
    return events, tuple(steps)


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return list(value)
    entries = value if isinstance(value, list) else []
    return [one["key"] for one in entries if one["key"] is not None]


def into(value: Any, kind: str, key: str) -> Any:
    """The value that one step leads to."""
    if kind == "key":
        return value.get(key) if isinstance(value, dict) else None
    entries = value if isinstance(value, list) else []
    found = next((one["value"] for one in entries if one["key"] == key), None)
    typed = ("string_value", "int_value", "float_value", "double_value")
    if isinstance(found, dict) and any(name in found for name in typed):
        return next((found[name] for name in typed if found.get(name) is not None), None)
    return found


def spelled(steps: Steps) -> str:
    """A path as a user writes it."""
    text = "data"
    for kind, key in steps:
        name = (
            key
            if key and all(one in string.ascii_letters + "$_ü" for one in key)
            else '"' + key.replace('"', '""') + '"'
        )
        text += f".{name}" if kind == "key" else f"[{name}]"
    return text


def as_text(value: Any) -> str | None:
    """A value as the text of a column."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("form", nested.FORMS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(drawn=questions())
def test_a_path_leads_where_plain_python_does(form: str, drawn: tuple[list[dict[str, Any]], Steps]) -> None:
    """Whatever the events and the path, each form gives the value that stepping through the objects gives."""
    events, steps = drawn
    expected = []
    for event in events:
        value = event["data"]
        for kind, key in steps:
            value = into(value, kind, key)
        expected.append(as_text(value))
    with TemporaryDirectory() as folder:
        data = nested.write(Path(folder), form, events)
        rows = mmstats.stats(data, group_by="source", columns={"source": spelled(steps)}).rows
    assert Counter({row["source"]: row["value"] for row in rows}) == Counter(expected)
