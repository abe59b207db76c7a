"""Paths: wherever a column can be named, so can what lies in its values, in every form that nested events have."""

from pathlib import Path
from typing import Any

import pytest

from tests import nested

from .conftest import Ask

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
