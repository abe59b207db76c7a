"""The OpenAPI document says what the server does, and the page that shows it needs nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import mmstats
from mmstats.question.instants import PATTERN, parse_instant
from mmstats.question.parameters import DIMENSIONS, EXTENSIONS, MAX_LIMIT, PARAMETERS, QUESTION
from mmstats.question.zones import zone_names
from mmstats.serve.errors import ERROR_CODES
from mmstats.serve.openapi import document
from mmstats.serve.options import Rate, ServeOptions
from tests.asgi import ask_app, build_app
from tests.serving import Serving, question

ROOT = Path(__file__).parent.parent
OPEN = {"/", "/healthz", "/readyz", "/openapi.json", "/docs"}
KINDS = [pytest.param(extensions, keys, id=f"{extensions=}-{keys=}") for extensions in (0, 1) for keys in (0, 1)]


def described(*, extensions: bool = False, keys: bool = False) -> dict[str, Any]:
    """The document as a client reads it."""
    found: dict[str, Any] = json.loads(json.dumps(document(extensions=extensions, keys=keys)))
    return found


def stats_of(found: dict[str, Any]) -> dict[str, Any]:
    """The operation that answers the question."""
    operation: dict[str, Any] = found["paths"]["/v1/stats"]["get"]
    return operation


def parameters_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of the question by name."""
    return {parameter["name"]: parameter for parameter in stats_of(found)["parameters"] if parameter["in"] == "query"}


def faults(found: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    whole = {**schema, "components": found["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def texts(value: object) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.parametrize(("extensions", "keys"), KINDS)
def test_valid(extensions: bool, keys: bool) -> None:
    """The document is OpenAPI 3.1, and the same each time."""
    found = described(extensions=extensions, keys=keys)
    OpenAPIV31SpecValidator(found).validate()
    assert found["openapi"].startswith("3.1.")
    assert json.dumps(document(extensions=extensions, keys=keys)) == json.dumps(found)


def test_info() -> None:
    """It has the version that answers, its license, and that the server is where the document is."""
    found = described()
    assert (found["info"]["version"], found["info"]["license"]["identifier"]) == (mmstats.__version__, "Apache-2.0")
    assert found["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_parameters(parameter: Any) -> None:
    """Each parameter of the question stands there as it is declared."""
    documented = parameters_of(described())[parameter.name]
    schema = documented["schema"]
    assert documented["description"] == parameter.help
    assert documented["required"] == (parameter.name in {"from", "to"})
    default = [*parameter.default] if parameter.repeatable else parameter.default
    assert schema.get("default") == default
    assert schema.get("enum", schema.get("items", {}).get("enum", [])) == [*parameter.choices]
    assert (schema.get("minimum"), schema.get("maximum")) == (parameter.bounds or (None, None))
    if parameter.repeatable:
        assert (schema["type"], documented["style"], documented["explode"]) == ("array", "form", False)


def test_parameter_examples() -> None:
    """Every example of a parameter is one that its schema allows."""
    for documented in parameters_of(described()).values():
        for shown in documented.get("examples", {}).values():
            assert Draft202012Validator(documented["schema"]).is_valid(shown["value"]), (documented["name"], shown)


@pytest.mark.parametrize("keys", [False, True])
def test_extensions(keys: bool) -> None:
    """Only a server that accepts extensions documents them."""
    names = [parameter.name for parameter in PARAMETERS]
    assert [*parameters_of(described(keys=keys))] == names
    documented = parameters_of(described(extensions=True, keys=keys))
    assert [*documented] == [*names, *(extension.name for extension in EXTENSIONS)]
    assert not any(parameter["required"] for parameter in documented.values())
    for option in QUESTION:
        schema = documented[option.name]["schema"]
        assert documented[option.name]["description"] == option.help
        assert (schema["type"] == "boolean") == option.is_switch
        items = schema.get("items", {})
        found = schema.get("enum") or items.get("enum") or items.get("anyOf", [{}])[0].get("enum", [])
        assert found == (["local", *zone_names()] if option.name == "timezone" else [*option.choices])
    assert [name for name, one in documented.items() if one.get("explode")] == ["event", "where"]


INSTANT = parameters_of(described())["from"]["schema"]["pattern"]


@given(st.from_regex(INSTANT.removesuffix("$"), fullmatch=True))
@example("2026-05-01T24:00")
@example("2026-02-30")
def test_instants_allowed(text: str) -> None:
    """What the pattern of an instant allows is one, but for days that do not exist."""
    if re.fullmatch(INSTANT.removesuffix("$"), text):
        try:
            parse_instant(text)
        except ValueError as fault:
            assert str(fault).startswith("is not a date and time between the years 1 and 9999")


@given(st.from_regex(PATTERN.removesuffix("$"), fullmatch=True))
@example("2026-05-01 00:00:00,123456789+0530")
def test_instants_forbidden(text: str) -> None:
    """What the pattern of an instant does not allow is none."""
    if not re.fullmatch(INSTANT.removesuffix("$"), text):
        with pytest.raises(ValueError, match=r"must be an ISO 8601 instant|is not a date"):
            parse_instant(text)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_errors(code: str) -> None:
    """Every code stands under its status, with its meaning and an example that its own schema allows."""
    found = described()
    status, meaning = ERROR_CODES[code]
    media = found["components"]["responses"][str(status)]["content"]["application/json"]
    shown = media["examples"][code]
    assert shown["summary"] == meaning
    assert shown["value"]["error"] == code
    assert isinstance(shown["value"]["details"], dict)
    assert faults(found, media["schema"], shown["value"]) == []
    assert faults(found, media["schema"], {**shown["value"], "error": "another"})
    assert faults(found, media["schema"], {**shown["value"], "more": 1})


def test_no_other_errors() -> None:
    """No status and no code is documented that does not exist."""
    responses = described()["components"]["responses"]
    shown = {
        code: int(status)
        for status, answer in responses.items()
        for code in answer["content"]["application/json"]["examples"]
    }
    assert shown == {code: status for code, (status, _) in ERROR_CODES.items()}


@pytest.mark.parametrize(
    ("code", "query"),
    [
        ("invalid_params", "from=2026-05-01&to=2026-06-01&limit=5000"),
        ("invalid_group_by", "from=2026-05-01&to=2026-06-01&group_by=campaign"),
    ],
)
def test_error_examples_are_real(server: Serving, code: str, query: str) -> None:
    """The examples of a wrong question are what the server sends."""
    shown = described()["components"]["responses"]["400"]["content"]["application/json"]["examples"]
    assert server.request(f"/v1/stats?{query}").json == shown[code]["value"]


def test_other_errors_are_as_described(tmp_path: Path) -> None:
    """What the server sends to who asks too often, or of a dataset that is gone, is as the document has it."""
    app = build_app(tmp_path / "events", ServeOptions(rate_limit=Rate(1, 60)))
    found = described()
    for code in ("upstream_failed", "rate_limited"):
        reply = ask_app(app, question())
        assert reply.error == (ERROR_CODES[code].status, code)
        assert faults(found, {"$ref": f"#/components/schemas/{code}"}, reply.json) == []


def test_not_ready(tmp_path: Path) -> None:
    """A server that is not ready says so as the document has it."""
    found = described()
    shown = found["paths"]["/readyz"]["get"]["responses"]["503"]["content"]["application/json"]
    reply = ask_app(build_app(tmp_path / "events"), "/readyz")
    assert (reply.status, reply.json) == (503, shown["example"])
    assert faults(found, shown["schema"], reply.json) == []


def answers() -> dict[str, Any]:
    """The examples of an answer."""
    found: dict[str, Any] = stats_of(described())["responses"]["200"]["content"]["application/json"]["examples"]
    return found


@pytest.mark.parametrize("name", answers())
def test_answer_examples_are_real(name: str) -> None:
    """The examples of an answer are what the bundled sample answers, by the schema."""
    found, shown = described(), answers()[name]
    asked: dict[str, Any] = dict(parse_qsl(shown["summary"]))
    start, columns = asked.pop("from"), asked.pop("group_by", "")
    answer = mmstats.stats(ROOT / "sample_data", from_=start, group_by=columns.split(",") if columns else (), **asked)
    assert json.loads(answer.to_json()) == shown["value"]
    assert faults(found, {"$ref": "#/components/schemas/answer"}, shown["value"]) == []


def test_answer_schema() -> None:
    """A row with everything that may be asked for is one by the schema, and nothing else is."""
    found, schema = described(), {"$ref": "#/components/schemas/answer"}
    answer = mmstats.stats(
        ROOT / "sample_data", group_by=DIMENSIONS, interval="hour", metric="uniques", limit=MAX_LIMIT
    )
    body = json.loads(answer.to_json())
    assert faults(found, schema, body) == []
    assert faults(found, schema, {**body, "rows": [*body["rows"], {"value": 1}]})
    for wrong in ({}, {"value": "1"}, {"value": -1}, {"value": 1, "campaign": "x"}, {"value": 1, "bucket": None}):
        assert faults(found, schema, {**body, "rows": [wrong]}), wrong
    assert not faults(described(extensions=True), schema, {**body, "rows": [{"value": 1}] * (MAX_LIMIT + 1)})


def test_headers() -> None:
    """The headers that a client needs are documented where they are sent."""
    responses = stats_of(described())["responses"]
    assert {"ETag", "Mmstats-Truncated", "X-Request-Id", "Cache-Control"} <= {*responses["200"]["headers"]}
    assert "ETag" in responses["304"]["headers"]
    shared = described()["components"]["responses"]
    assert all("Retry-After" in shared[status]["headers"] for status in ("429", "503"))


def test_keys() -> None:
    """Where keys are asked for, all but the open paths say so; elsewhere nothing does."""
    found = described(keys=True)
    (name,) = found["components"]["securitySchemes"]
    scheme = found["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert found["security"] == [{name: []}]
    assert {path for path, item in found["paths"].items() if item["get"].get("security") == []} == OPEN
    assert {path for path, item in found["paths"].items() if "401" in item["get"]["responses"]} == {
        *found["paths"]
    } - OPEN
    plain = described()
    assert "securitySchemes" not in plain["components"]
    assert not any("security" in part for part in (plain, *(item["get"] for item in plain["paths"].values())))


def test_every_path() -> None:
    """The document has every path that is answered, and no other."""
    assert [getattr(route, "path", None) for route in build_app().routes] == [*described()["paths"]]


def test_code_marks() -> None:
    """Every text closes the code that it opens, for the page makes code of what is between."""
    assert [text for text in texts(described(extensions=True, keys=True)) if text.count("`") % 2] == []


@pytest.fixture(scope="module")
def page() -> str:
    """The page as a browser gets it."""
    return ask_app(build_app(), "/docs").body.decode()


def test_page_is_whole(page: str) -> None:
    """The page loads nothing, neither from elsewhere nor from files beside it."""
    assert re.findall(r"https?:|(?<!:)//[a-z]", page) == []
    assert re.findall(r"@import|url\(|\bimport\b|\bsrc\b", page) == []
    assert re.findall(r"<link[^>]*>", page) == ['<link rel="icon" href="data:,">']
    assert {target for target in re.findall(r'href="([^"#]*)', page) if target} == {"data:,", "openapi.json"}
    assert set(re.findall(r"fetch\(([^,]*),", page)) == {'new URL("openapi.json"', "question()"}


def test_page_never_makes_markup_of_data(page: str) -> None:
    """The page sets text only, keeps nothing, and runs under a policy that forbids inline handlers and styles."""
    assert re.findall(r"(?:inner|outer)HTML|insertAdjacent|document\.write|\beval\b|Function\(", page) == []
    assert re.findall(r"Storage|document\.cookie|indexedDB", page) == []
    assert re.findall(r"<[^>]* (?:on[a-z]+|style)=", page) == []
    policy = ask_app(build_app(), "/docs").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_page_without_script(page: str) -> None:
    """Who runs no scripts is sent to the document."""
    assert 'href="openapi.json"' in page.partition("<noscript>")[2].partition("</noscript>")[0]


def test_page_keeps_the_question_in_its_address(page: str) -> None:
    """The address of the page gets what is asked and nothing else; the key goes into no place but its header."""
    assert re.findall(r"State\((.*)\);", page) == ['null, "", location.pathname + question().search + location.hash']
    assert re.findall(r"[^;{]*\bkey\b\??\.value[^;]*;", page) == [
        '\n  const headers = key?.value ? { Authorization: "Bearer " + key.value.trim() } : {};'
    ]


def test_page_says_when_rows_were_cut(page: str) -> None:
    """The page looks at the header that says so, under the name that the server sends."""
    assert 'reply.headers.get("Mmstats-Truncated") === "true"' in page
