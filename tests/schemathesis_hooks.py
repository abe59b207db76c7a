"""What a schema cannot say of a question, told to Schemathesis, which loads this by SCHEMATHESIS_HOOKS.

Its own check that what is wrong is refused passes over every question that may hold a list, so there is one more here.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from jsonschema import Draft202012Validator

PATH = "/v1/stats"
REFUSED_AT_THE_DOOR = {401, 403, 405, 429}
WORDS = {"true": True, "false": False}
ESTIMATED = {"uniques", "users", "sessions"}


def instant(text: str) -> datetime | None:
    """The instant as the standard library reads it, None when there is no such one in UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ordered(query: Mapping[str, Any]) -> bool:
    """Whether the range is one: of real days, its start before its end."""
    start, end = instant(query["from"]), instant(query["to"])
    return start is not None and end is not None and start < end


# What a schema allows and the calendar may lack, by the parameter, and what stands in its place.
GOOD = {
    "last": (r"[0-9]{1,9}(min|h|d|w|mo|y)", "1d"),
    "period": (r"[0-9]{4}.*|(this|last)-.*|today|yesterday", "2026-05-16"),
    "now": (r"[0-9]{4}-.*", "2026-05-17"),
    "from": (r"[0-9]{1,9}(min|h|d|w|mo|y)|now|today|yesterday|tomorrow", "2026-05-01"),
    "to": (r"[0-9]{1,9}(min|h|d|w|mo|y)|now|today|yesterday|tomorrow", "2026-06-01"),
}
# Their grammar is more than a schema says; they have tests of their own.
UNSAID = ("where", "order")


def settled(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """The question over a range that is one, and a short one where each of its buckets is to give rows."""
    query = {name: value for name, value in query.items() if name not in UNSAID}
    for name, (form, good) in GOOD.items():
        if isinstance(query.get(name), str) and re.fullmatch(form, query[name]):
            query[name] = good
    ways = [way for way in (("last",), ("period",), ("from", "to")) if any(name in query for name in way)]
    query = {name: value for name, value in query.items() if not any(name in way for way in ways[1:])}
    if not ways or ways[0] == ("from", "to"):  # a range is needed, which need not be this one
        query = {"from": "2026-05-01", "to": "2026-06-01", **query}
    if not all(isinstance(query.get(name), str) and re.match("[0-9]{4}-", query[name]) for name in ("from", "to")):
        return query
    if query.get("fill") in (True, "true"):
        return {**query, "from": "2026-05-01", "to": "2026-05-02"}
    return query if ordered(query) else {**query, "from": "2026-05-01", "to": "2026-06-01"}


def at_odds(query: Mapping[str, Any]) -> set[str]:
    """The extensions asked for that do not go with what else is asked."""
    metrics = str(query.get("metric", "count")).split(",")
    groups = "".join(query["group_by"]) if "group_by" in query else ""
    fits = {
        "all": "limit" not in query,
        "fill": "interval" in query,
        "exact": not ESTIMATED.isdisjoint(metrics),
        "top": "limit" not in query and bool(groups.strip()),
        "other": "top" in query and "limit" not in query and bool(groups.strip()),
        "compare": len(metrics) == 1,
    }
    return {name for name, goes in fits.items() if name in query and query[name] not in (False, "false") and not goes}


def read(text: str, schema: Mapping[str, Any]) -> Any:
    """A value as its parameter's schema would have it, or its text when it cannot be one."""
    match schema["type"]:
        case "array":
            return [name.strip() for name in text.split(",")] if text.strip() else []
        case "integer" if re.fullmatch("[0-9]{1,1000}", text):
            return int(text)
        case "boolean":
            return WORDS.get(text, text)
    return text


def right(given: Mapping[str, list[str]], parameters: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a question that was sent is one that the description allows."""
    several = {name for name, parameter in parameters.items() if parameter.get("explode")}
    if any((len(texts) > 1 and name not in several) or name not in parameters for name, texts in given.items()):
        return False
    query = {
        name: texts if name in several else read(texts[0], parameters[name]["schema"]) for name, texts in given.items()
    }
    ways = [way for way in ({"last"}, {"period"}, {"from", "to"}) if way & query.keys()]
    if len(ways) != 1 or not ways[0] <= query.keys():
        return False
    valid = all(Draft202012Validator(parameters[name]["schema"]).is_valid(value) for name, value in query.items())
    return valid and ("from" not in query or ordered(query)) and not at_odds(query)


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> "schemathesis.Case[Any]":
    """Settle what is well-formed and at odds, range and extensions, so that a question is judged by the rest."""
    if case.path == PATH:
        query = settled(case.query or {})
        case.query = {name: value for name, value in query.items() if name not in at_odds(query)}
    return case


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """Leave out a blank in place of a list, meant to be wrong: it is sent as an empty list is, which is right."""
    columns = case.query.get("group_by") if case.path == PATH else None
    return not (isinstance(columns, str) and not columns.strip())


@schemathesis.check
def answered_if_and_only_if_right(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> None:
    """A question is answered when the description allows it, and refused as wrong otherwise."""
    if case.path != PATH or response.request.method != "GET" or response.status_code in REFUSED_AT_THE_DOOR:
        return
    given = parse_qs(urlsplit(str(response.request.url)).query, keep_blank_values=True)
    declared = case.operation.definition.raw["parameters"]
    parameters = {parameter["name"]: parameter for parameter in declared if parameter["in"] == "query"}
    expected = {200, 304} if right(given, parameters) else {400}
    assert response.status_code in expected, f"{response.status_code} for {given}, expected {expected}"
