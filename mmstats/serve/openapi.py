"""The OpenAPI document, built from what the server itself reads: parameters, extensions and error codes."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmstats.options import Option
from mmstats.question.columns import COLUMNS, DIMENSIONS, read_columns
from mmstats.question.instants import parse_instant, read_instant
from mmstats.question.metrics import FIGURES, NAMES, read_metrics
from mmstats.question.parameters import MAX_LIMIT, METRICS, PARAMETERS, QUESTION
from mmstats.question.ranges import LOCAL, PERIODS, UNITS, read_ago, read_moment, read_period, read_zone
from mmstats.serve.errors import ERROR_CODES
from mmstats.serve.stats import REQUIRED
from mmstats.version import __version__

Node = dict[str, Any]

_INFO = {
    "title": "mmstats",
    "version": __version__,
    "summary": "Ask the stats query of event files you have.",
    "description": """\
The stats query of a hosted analytics API, answered of event files that you have.

The range includes `from` and excludes `to`. Parameters are strict: one that is unknown, repeated, empty or out of \
range is refused with `invalid_params`, all wrong ones at once, and never ignored or clamped; `from` must be before \
`to`. Authentication comes before validation, validation before the data is touched.""",
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
_API_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "rk_{env}_{prefix}_{secret}",
    "description": "A key that reads, of the kind `rk`: `rk_{env}_{prefix}_{secret}`, made by `mmstats keys create`.",
}
# What `parse_instant` reads, but for days that a month lacks and what an offset moves out of the years 1 to 9999.
_INSTANT = (
    "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    "(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?$"
)
_AGO = f"[0-9]{{1,9}}(?:{'|'.join(UNITS)})"
_SPELT = "[0-9]{4}(?:-Q[1-4]|-W(?:0[1-9]|[1-4][0-9]|5[0-3])|-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?"
_QUOTED = '"(?:[^"]|"")*"'
_STEP = rf'(?:\.(?:{_QUOTED}|[^.",\[\]\s][^.",\[\]]*)|\[(?:{_QUOTED}|[^",\[\]]+)\])'
_PATH = rf"properties(?=\.){_STEP}+"
_PROPERTY = f"^{_PATH}$"
_METRIC_NAME = f"(?:{'|'.join(NAMES)}|(?:{'|'.join(FIGURES)}):(?:{'|'.join(COLUMNS)}|{_PATH}))"
# By how a parameter is read; what its calendar lacks, or goes back beyond the year 1, these do not tell.
_PATTERNS: Mapping[Any, str] = {
    parse_instant: _INSTANT,
    read_instant: _INSTANT,
    read_moment: f"^(?:now|today|yesterday|tomorrow|{_AGO})$|{_INSTANT}",
    read_ago: f"^{_AGO}$",
    read_metrics: f"^{_METRIC_NAME}(?:,{_METRIC_NAME})*$",
    read_period: f"^(?:{'|'.join(PERIODS)}|{_SPELT})$",
}
_PARAMETER_EXAMPLES: Mapping[str, Node] = {
    "from": {"date": "2026-05-01", "instant": "2026-05-01T00:00:00Z"},
    "to": {"date": "2026-06-01", "instant": "2026-06-01T02:00:00+02:00"},
    "event": {"signup": "signup"},
    "metric": {"count": "count", "uniques": "uniques"},
    "group_by": {"source": ["source"], "source and medium": ["source", "medium"]},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an answer that the client has; answered 304 while it is still the answer.",
    "schema": {"type": "string"},
}
# Each is what the bundled sample answers to the query before it.
_ANSWER_EXAMPLES: Mapping[str, tuple[str, Node]] = {
    "plain": (
        "from=2026-05-01&to=2026-06-01&event=signup",
        {"metric": "count", "rows": [{"value": 12}]},
    ),
    "grouped": (
        "from=2026-05-01&to=2026-06-01&event=signup&group_by=source",
        {"metric": "count", "rows": [{"source": "facebook", "value": 9}, {"source": "google", "value": 3}]},
    ),
    "bucketed": (
        "from=2026-05-16&to=2026-05-17&event=signup&group_by=source&interval=day",
        {"metric": "count", "rows": [{"bucket": "2026-05-16 00:00:00", "source": "facebook", "value": 4}]},
    ),
}
_STATUS_SUMMARIES = {
    400: "The question is wrong, or the Host header is.",
    401: "No key, or none that is known here.",
    403: "A key that may not ask, or a page that may not.",
    404: "No such path.",
    405: "No such method of this path.",
    429: "Too many requests.",
    500: "A bug.",
    502: "The dataset could not be read.",
    503: "Too many queries at once.",
}
_TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_ALLOWED = {"type": "array", "items": {"enum": [*DIMENSIONS]}, "description": "The columns one may group by."}
# Of each error code that has any: the properties of its details, and those beside the code.
_ERROR_DETAILS: Mapping[str, Node] = {
    "invalid_params": {
        "fieldErrors": {
            "type": "object",
            "additionalProperties": _TEXTS,
            "minProperties": 1,
            "description": "What is wrong with each wrong parameter; all of them at once.",
        }
    },
    "invalid_group_by": {
        "allowed": _ALLOWED,
        "invalid": {**_TEXTS, "description": "The columns asked for that are not among them."},
    },
    "upstream_failed": {"message": {"type": "string"}},
}
_ERROR_EXTRA: Mapping[str, Node] = {
    "invalid_group_by": {"allowed": _ALLOWED},
    "rate_limited": {
        "retry_after_s": {"type": "integer", "minimum": 1, "description": "Seconds until the next request is admitted."}
    },
}
_ERROR_EXAMPLES: Mapping[str, Node] = {
    "invalid_params": {"details": {"fieldErrors": {"limit": ["must be an integer from 1 to 1000, not '5000'"]}}},
    "invalid_group_by": {
        "details": {"allowed": [*DIMENSIONS], "invalid": ["campaign"]},
        "allowed": [*DIMENSIONS],
    },
    "rate_limited": {"details": {}, "retry_after_s": 1},
    "upstream_failed": {"details": {"message": "no such file or folder: events/"}},
}


def _header(description: str, *, required: bool = False, **schema: Any) -> Node:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


_NULLABLE_INSTANT: Node = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Node = {"type": "integer", "minimum": 0}
# With `meta`, by the keys that the answer has.
_META_PROPERTIES: Node = {
    "from": _NULLABLE_INSTANT,
    "to": _NULLABLE_INSTANT,
    "timezone": {"type": "string"},
    "rows_total": _COUNT,
    "truncated": {"type": "boolean"},
    "exact": {"type": "boolean"},
    "relative_error": {"type": ["number", "null"]},
    "files": _COUNT,
    "bad_rows": _COUNT,
}
_PREVIOUS: Node = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {"from": _NULLABLE_INSTANT, "to": _NULLABLE_INSTANT},
    "additionalProperties": False,
    "description": "With `compare`: the range before.",
}
_META: Node = {
    "type": "object",
    "required": [*_META_PROPERTIES],
    "properties": {**_META_PROPERTIES, "previous": _PREVIOUS},
    "additionalProperties": False,
    "description": "With `meta`: what was asked and how it was answered.",
}
_NUMBER: Node = {"type": ["number", "null"]}
# With several metrics the names of counts are keys, too; a row has the keys that were asked for.
_VALUES: Node = {
    "value": _NUMBER | {"description": "How many, or the figure; null for a figure of no values."},
    **dict.fromkeys(NAMES, _COUNT),
    "previous": _NUMBER | {"description": "With `compare`: the value in the range before."},
    "change": _NUMBER
    | {"description": "With `compare`: by what part of the previous value the value differs from it."},
}
_FIGURES: Node = {f"^({'|'.join(FIGURES)}):": _NUMBER}
_METRIC: Node = {
    "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2}],
    "description": "What was counted, a list where several metrics were asked for.",
}
_OTHER: Node = {"type": "boolean", "description": "With `other`: whether the row is of all other groups together."}
_TOTALS: Node = {
    "type": "object",
    "properties": _VALUES,
    "patternProperties": _FIGURES,
    "additionalProperties": False,
    "description": "With `totals`: what all rows come to.",
}
_REQUEST_ID = {"X-Request-Id": _header("The id of this request in the server's log: the client's own if it sent one.")}
_CACHE_CONTROL = _header("May be kept, but is to be asked for again each time.", required=True)
_ETAG = _header("Names this answer of the dataset as it is; send it back in If-None-Match. Weak.")
_TRUNCATED = _header("Sent when `limit` cut rows off.", enum=["true"])
_ERROR_HEADERS: Mapping[int, Node] = {
    401: {"WWW-Authenticate": _header("What a client is to bring (RFC 6750).", required=True)},
    405: {"Allow": _header("The methods that there are.", required=True)},
    429: {"Retry-After": _header("Seconds to wait.", required=True, type="integer", minimum=1)},
    503: {"Retry-After": _header("Seconds to wait.", type="integer", minimum=1)},
}


def document(*, extensions: bool, keys: bool) -> Node:
    """The document of a server with or without extensions, and with or without API keys."""
    required = () if extensions else REQUIRED  # with them, there are other ways to say a range
    parameters = [_parameter(one, required=one.name in required) for one in (QUESTION if extensions else PARAMETERS)]
    paths = _paths(parameters, keys=keys)
    components: Node = {
        "schemas": _schemas(extensions=extensions),
        "responses": {str(status): _error(status) for status in _STATUS_SUMMARIES},
    }
    if keys:
        components["securitySchemes"] = {"key": _API_KEY}
    security: Node = {"security": [{"key": []}]} if keys else {}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        **security,
        "paths": {path: {"get": operation} for path, operation in paths.items()},
        "components": components,
    }


def _paths(parameters: list[Node], *, keys: bool) -> Node:
    """The operation of each path; with `keys`, those that need none say so."""
    auth = ["401"] if keys else []
    public: Node = {"security": []} if keys else {}
    text, any_object = {"schema": {"type": "string"}}, {"schema": {"type": "object"}}
    metrics = {"text/plain": text, "application/openmetrics-text": text}
    ready = _operation("getReadiness", "Whether the dataset can be read.", _status_content("ready"))
    ready["responses"]["503"] = _not_ready()
    return {
        "/": _redirect() | public,
        "/v1/stats": {
            "operationId": "getStats",
            "summary": "Count events or distinct visitors, in groups and buckets of time.",
            "description": "Only events at or after `from` and before `to`. A parameter that is not listed is refused.",
            "parameters": [*parameters, _IF_NONE_MATCH],
            "responses": {
                "200": _answer(),
                "304": {
                    "description": "The answer is still the one that `If-None-Match` names.",
                    "headers": {"ETag": _ETAG, "Cache-Control": _CACHE_CONTROL, **_REQUEST_ID},
                },
                **_error_refs("400", *auth, "403", "429", "500", "502", "503"),
            },
        },
        "/healthz": _operation("getHealth", "Whether the server is up.", _status_content("up")) | public,
        "/readyz": ready | public,
        "/metrics": _operation("getMetrics", "What the server counts of itself, for Prometheus.", metrics, auth),
        "/openapi.json": _operation("getOpenapi", "This document.", {"application/json": any_object}) | public,
        "/docs": _operation("getDocs", "This document as a page, with a form to try it.", {"text/html": text}) | public,
    }


def _operation(operation_id: str, summary: str, content: Node, auth: Sequence[str] = ()) -> Node:
    success = {"description": summary, "headers": _REQUEST_ID, "content": content}
    errors = _error_refs(*sorted({"400", "403", "500", *auth}))
    return {"operationId": operation_id, "summary": summary, "responses": {"200": success, **errors}}


def _redirect() -> Node:
    summary = "The way to `/docs`, for who opens the server's URL in a browser."
    headers = {"Location": _header("Where the page is.", required=True), **_REQUEST_ID}
    responses = {"307": {"description": summary, "headers": headers}, **_error_refs("400", "403", "500")}
    return {"operationId": "getRoot", "summary": summary, "responses": responses}


def _error_refs(*statuses: str) -> Node:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _status_content(word: str) -> Node:
    properties = {"status": {"enum": [word]}}
    schema = {"type": "object", "required": ["status"], "properties": properties, "additionalProperties": False}
    return {"application/json": {"schema": schema}}


def _parameter(parameter: Option, *, required: bool) -> Node:
    examples = {name: {"value": value} for name, value in _PARAMETER_EXAMPLES.get(parameter.name, {}).items()}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.help,
        "required": required,
        **({"style": "form", "explode": parameter.name != "group_by"} if parameter.repeatable else {}),
        "schema": _parameter_schema(parameter),
        **({"examples": examples} if examples else {}),
    }


def _parameter_schema(parameter: Option) -> Node:
    default = {} if parameter.default in (None, ()) else {"default": parameter.default}
    if parameter.is_switch:
        return {"type": "boolean", "default": False}
    if parameter.repeatable:
        of_choices: Node = {"enum": [*parameter.choices]} if parameter.choices else {"minLength": 1}
        if parameter.parse is read_columns:
            of_choices = {"anyOf": [of_choices, {"pattern": _PROPERTY}]}
        return {"type": "array", "items": {"type": "string", **of_choices}, "default": [*parameter.default]}
    if parameter.bounds:
        least, most = parameter.bounds
        return {"type": "integer", "minimum": least, "maximum": most, **default}
    if parameter.choices:
        return {"type": "string", "enum": [*parameter.choices], **default}
    return {"type": "string", **_text_schema(parameter), **default}


def _text_schema(parameter: Option) -> Node:
    if parameter.parse is read_zone:
        from mmstats.question.zones import zone_names  # needed only with extensions

        return {"enum": [LOCAL, *zone_names()]}
    return {"pattern": _PATTERNS[parameter.parse]} if parameter.parse in _PATTERNS else {"minLength": 1}


def _answer() -> Node:
    examples = {name: {"summary": query, "value": value} for name, (query, value) in _ANSWER_EXAMPLES.items()}
    return {
        "description": "The answer. Rows are ordered by `bucket` ascending, `value` descending, then the grouped "
        "columns ascending by code point, null last; `limit` cuts after ordering. Without `group_by` and `interval` "
        "there is exactly one row.",
        "headers": {"ETag": _ETAG, "Mmstats-Truncated": _TRUNCATED, "Cache-Control": _CACHE_CONTROL, **_REQUEST_ID},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/answer"}, "examples": examples}},
    }


def _error(status: int) -> Node:
    """The response with the errors of a status."""
    meanings = {code: meaning for code, (its_status, meaning) in ERROR_CODES.items() if its_status == status}
    schemas = [{"$ref": f"#/components/schemas/{code}"} for code in meanings]
    examples = {
        code: {"summary": meaning, "value": {"error": code, **_ERROR_EXAMPLES.get(code, {"details": {}})}}
        for code, meaning in meanings.items()
    }
    listed = "\n".join(f"- `{code}`: {meaning}" for code, meaning in meanings.items())
    media = {"schema": {"oneOf": schemas} if len(schemas) > 1 else schemas[0], "examples": examples}
    return {
        "description": f"{_STATUS_SUMMARIES[status]}\n\n{listed}",
        "headers": {**_REQUEST_ID, **_ERROR_HEADERS.get(status, {})},
        "content": {"application/json": media},
    }


def _not_ready() -> Node:
    code = "upstream_failed"
    media = {"schema": _error_schema(code), "example": {"error": code, "details": {}}}
    return {
        "description": "The dataset cannot be read.",
        "headers": _REQUEST_ID,
        "content": {"application/json": media},
    }


def _schemas(*, extensions: bool) -> Node:
    """The schemas of an answer, of its row, and of the body with each error code."""
    rows: Node = {"type": "array", "items": {"$ref": "#/components/schemas/row"}}
    if not extensions:
        rows["maxItems"] = MAX_LIMIT
    bucket = {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
        + ("([+-][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$" if extensions else "$"),
        "description": "With `interval`: the start of the bucket in UTC. A bucket without events has no row."
        + " With `timezone`: the start by the clock there, and its offset." * extensions,
    }
    column = {"type": ["string", "null"], "description": "When grouped by: the group; null for events without it."}
    value: Node = {"type": "integer", "minimum": 0, "description": "How many."}
    columns = dict.fromkeys(COLUMNS if extensions else DIMENSIONS, column)
    answer: Node = {"metric": {"enum": [*METRICS]}, "rows": rows}
    row: Node = _object(["value"], {"bucket": bucket, **columns, "value": value})
    if extensions:
        answer |= {"metric": _METRIC, "totals": _TOTALS, "meta": _META}
        row["properties"] |= {"other": _OTHER, **_VALUES}
        row |= {"required": [], "patternProperties": {_PROPERTY: column, **_FIGURES}}
    return {
        "answer": _object(["metric", "rows"], answer),
        "row": row,
        **{code: _error_schema(code) for code in ERROR_CODES},
    }


def _error_schema(code: str) -> Node:
    properties, extra = _ERROR_DETAILS.get(code, {}), _ERROR_EXTRA.get(code, {})
    details: Node = {"type": "object", "properties": properties, "additionalProperties": False}
    if code != "upstream_failed":  # the one whose details may be empty, from /readyz
        details["required"] = [*properties]
    error = {"enum": [code], "description": ERROR_CODES[code].meaning}
    return _object(["error", "details", *extra], {"error": error, "details": details, **extra})


def _object(required: list[str], properties: Node) -> Node:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
