"""The OpenAPI document, built from what the server itself reads: the parameters, the extensions and the errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmstats.question.parameters import EXTENSIONS, PARAMETERS, Parameter
from mmstats.serve import responses
from mmstats.serve.question import REQUIRED
from mmstats.version import __version__

# What `parse_instant` reads, but for days that a month lacks and what an offset moves out of the years 1 to 9999.
INSTANT = (
    "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    "(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?$"
)
_EXAMPLES: Mapping[str, dict[str, Any]] = {
    "from": {"date": "2026-05-01", "instant": "2026-05-01T00:00:00Z"},
    "to": {"date": "2026-06-01", "instant": "2026-06-01T02:00:00+02:00"},
    "event": {"signup": "signup"},
    "group_by": {"source": ["source"], "source and medium": ["source", "medium"]},
}
_DESCRIPTION = """\
The stats query of a hosted analytics API, answered of event files that you have.

The range includes `from` and excludes `to`. Parameters are strict: one that is unknown, repeated, empty or out of \
range is refused with `invalid_params`, all wrong ones at once, and never ignored or clamped; `from` must be before \
`to`. Authentication comes before validation, validation before the data is touched."""
_INFO = {
    "title": "mmstats",
    "version": __version__,
    "summary": "Ask the stats query of event files you have.",
    "description": _DESCRIPTION,
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
_AT_THE_DOOR = ("400", "403", "500")


def document(*, extensions: bool, keys: bool) -> dict[str, Any]:
    """The document of a server that accepts parameters beyond the API, or asks for keys, or does not."""
    components: dict[str, Any] = {"schemas": responses.schemas(extensions=extensions), "responses": responses.errors()}
    secured: dict[str, Any] = {}
    if keys:
        components["securitySchemes"] = {"key": _scheme()}
        secured["security"] = [{"key": []}]
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        **secured,
        "paths": _paths(_parameters(extensions=extensions), keys=keys),
        "components": components,
    }


def _scheme() -> dict[str, Any]:
    description = "A key that reads, of the kind `rk`: `rk_{env}_{prefix}_{secret}`, made by `mmstats keys create`."
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "rk_{env}_{prefix}_{secret}",
        "description": description,
    }


def _paths(parameters: list[dict[str, Any]], *, keys: bool) -> dict[str, Any]:
    asked = ("401",) if keys else ()
    text, anything = {"schema": {"type": "string"}}, {"schema": {"type": "object"}}
    metrics = {"text/plain": text, "application/openmetrics-text": text}
    operations = {
        "/v1/stats": _stats(parameters, asked),
        "/healthz": _open("getHealth", "Whether the server is up.", _status("up"), keys=keys),
        "/readyz": _ready(keys=keys),
        "/metrics": _operation("getMetrics", "What the server counts of itself, for Prometheus.", metrics, asked),
        "/openapi.json": _open("getOpenapi", "This document.", {"application/json": anything}, keys=keys),
        "/docs": _open("getDocs", "This document as a page, with a form to try it.", {"text/html": text}, keys=keys),
    }
    return {path: {"get": operation} for path, operation in operations.items()}


def _stats(parameters: list[dict[str, Any]], asked: Sequence[str]) -> dict[str, Any]:
    return {
        "operationId": "getStats",
        "summary": "Count events or distinct visitors, in groups and buckets of time.",
        "description": "Only events at or after `from` and before `to`. A parameter that is not listed is refused.",
        "parameters": [*parameters, _condition()],
        "responses": {
            "200": responses.answered(),
            "304": responses.unchanged(),
            **_refusals("400", *asked, "403", "429", "500", "502", "503"),
        },
    }


def _ready(*, keys: bool) -> dict[str, Any]:
    operation = _open("getReadiness", "Whether the dataset can be read.", _status("ready"), keys=keys)
    operation["responses"]["503"] = responses.unready()
    return operation


def _open(name: str, summary: str, content: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    """An operation that needs no key, also where others do."""
    return {**_operation(name, summary, content), **({"security": []} if keys else {})}


def _operation(name: str, summary: str, content: dict[str, Any], asked: Sequence[str] = ()) -> dict[str, Any]:
    found = {"description": summary, "headers": {"X-Request-Id": responses.REQUEST_ID}, "content": content}
    refusals = _refusals(*sorted({*_AT_THE_DOOR, *asked}))
    return {"operationId": name, "summary": summary, "responses": {"200": found, **refusals}}


def _refusals(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _status(word: str) -> dict[str, Any]:
    properties = {"status": {"enum": [word]}}
    schema = {"type": "object", "required": ["status"], "properties": properties, "additionalProperties": False}
    return {"application/json": {"schema": schema}}


def _parameters(*, extensions: bool) -> list[dict[str, Any]]:
    """The parameters of the question, and those beyond the API when they are accepted."""
    switch = {"type": "boolean", "default": False}
    beyond = [
        {"name": extension.name, "in": "query", "description": extension.help, "schema": switch}
        for extension in (EXTENSIONS if extensions else ())
    ]
    return [*map(_parameter, PARAMETERS), *beyond]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in _EXAMPLES.get(parameter.name, {}).items()}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.help,
        "required": parameter.name in REQUIRED,
        **({"style": "form", "explode": False} if parameter.repeatable else {}),
        "schema": _schema(parameter),
        **({"examples": examples} if examples else {}),
    }


def _schema(parameter: Parameter) -> dict[str, Any]:
    default = {} if parameter.default is None else {"default": parameter.default}
    if parameter.repeatable:
        items = {"type": "string", "enum": [*parameter.choices]}
        return {"type": "array", "items": items, "default": [*parameter.default]}
    if parameter.bounds:
        least, most = parameter.bounds
        return {"type": "integer", "minimum": least, "maximum": most, **default}
    if parameter.choices:
        return {"type": "string", "enum": [*parameter.choices], **default}
    if parameter.field in {"start", "end"}:
        return {"type": "string", "pattern": INSTANT}
    return {"type": "string", "minLength": 1}


def _condition() -> dict[str, Any]:
    return {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of an answer that the client has; answered 304 while it is still the answer.",
        "schema": {"type": "string"},
    }
