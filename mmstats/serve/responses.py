"""What may be answered, as OpenAPI says it: the answer, and every error with its schema and an example."""

from collections.abc import Mapping
from typing import Any

from mmstats.question.parameters import DIMENSIONS, MAX_LIMIT, METRICS
from mmstats.serve.envelope import MEANING, STATUS

_SUMMARY = {
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
_DETAILS: Mapping[str, dict[str, Any]] = {
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
_BESIDE: Mapping[str, dict[str, Any]] = {
    "invalid_group_by": {"allowed": _ALLOWED},
    "rate_limited": {
        "retry_after_s": {"type": "integer", "minimum": 1, "description": "Seconds until the next request is admitted."}
    },
}
_EXAMPLE_DETAILS: Mapping[str, dict[str, Any]] = {
    "invalid_params": {"fieldErrors": {"limit": ["must be an integer from 1 to 1000, not '5000'"]}},
    "invalid_group_by": {"allowed": [*DIMENSIONS], "invalid": ["campaign"]},
    "upstream_failed": {"message": "no such file or folder: events/"},
}
_EXAMPLE_BESIDE: Mapping[str, dict[str, Any]] = {
    "invalid_group_by": {"allowed": [*DIMENSIONS]},
    "rate_limited": {"retry_after_s": 1},
}
# Each is what the bundled sample answers to the question that stands before it.
_ANSWERS: Mapping[str, tuple[str, dict[str, Any]]] = {
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


def header(description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    """A header of a response."""
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


REQUEST_ID = header("The id of this request in the server's log: the client's own if it sent one.")
_HEADERS: Mapping[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": header("What a client is to bring (RFC 6750).", required=True)},
    405: {"Allow": header("The methods that there are.", required=True)},
    429: {"Retry-After": header("Seconds to wait.", required=True, type="integer", minimum=1)},
    503: {"Retry-After": header("Seconds to wait.", type="integer", minimum=1)},
}
_CACHE_CONTROL = header("May be kept, but is to be asked for again each time.", required=True)
_ETAG = header("Names this answer of the dataset as it is; send it back in If-None-Match. Weak.")


def errors() -> dict[str, Any]:
    """A response for every status of an error, by the status as text."""
    return {str(status): _error(status) for status in sorted({*STATUS.values()})}


def unready() -> dict[str, Any]:
    """The response of a server that is up and cannot read its dataset."""
    code = "upstream_failed"
    media = {"schema": _envelope(code), "example": {"error": code, "details": {}}}
    return {
        "description": "The dataset cannot be read.",
        "headers": {"X-Request-Id": REQUEST_ID},
        "content": {"application/json": media},
    }


def _error(status: int) -> dict[str, Any]:
    codes = [code for code in STATUS if STATUS[code] == status]
    meanings = "\n".join(f"- `{code}`: {MEANING[code]}" for code in codes)
    envelopes = [{"$ref": f"#/components/schemas/{code}"} for code in codes]
    schema = {"oneOf": envelopes} if len(codes) > 1 else envelopes[0]
    examples = {code: {"summary": MEANING[code], "value": _example(code)} for code in codes}
    return {
        "description": f"{_SUMMARY[status]}\n\n{meanings}",
        "headers": {"X-Request-Id": REQUEST_ID, **_HEADERS.get(status, {})},
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _example(code: str) -> dict[str, Any]:
    return {"error": code, "details": _EXAMPLE_DETAILS.get(code, {}), **_EXAMPLE_BESIDE.get(code, {})}


def _envelope(code: str) -> dict[str, Any]:
    details, beside = _DETAILS.get(code, {}), _BESIDE.get(code, {})
    inner: dict[str, Any] = {"type": "object", "properties": details, "additionalProperties": False}
    if code != "upstream_failed":  # which has no message where there is nothing that a client may be told
        inner["required"] = [*details]
    return {
        "type": "object",
        "required": ["error", "details", *beside],
        "properties": {"error": {"enum": [code], "description": MEANING[code]}, "details": inner, **beside},
        "additionalProperties": False,
    }


def schemas(*, extensions: bool) -> dict[str, Any]:
    """The schemas that responses refer to: the answer, its row, and the envelope of each code."""
    rows: dict[str, Any] = {"type": "array", "items": {"$ref": "#/components/schemas/row"}}
    if not extensions:
        rows["maxItems"] = MAX_LIMIT
    answer = {
        "type": "object",
        "required": ["metric", "rows"],
        "properties": {"metric": {"enum": [*METRICS]}, "rows": rows},
        "additionalProperties": False,
    }
    return {"answer": answer, "row": _row(), **{code: _envelope(code) for code in STATUS}}


def _row() -> dict[str, Any]:
    """A row: the bucket when there is an interval, the columns asked for, the value."""
    bucket = {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:00:00$",
        "description": "With `interval`: the start of the bucket in UTC. A bucket without events has no row.",
    }
    column = {"type": ["string", "null"], "description": "When grouped by: the group; null for events without it."}
    value = {"type": "integer", "minimum": 0, "description": "How many."}
    return {
        "type": "object",
        "required": ["value"],
        "properties": {"bucket": bucket, **dict.fromkeys(DIMENSIONS, column), "value": value},
        "additionalProperties": False,
    }


def answered() -> dict[str, Any]:
    """The response that holds the answer."""
    examples = {name: {"summary": question, "value": value} for name, (question, value) in _ANSWERS.items()}
    truncated = header("Sent when `limit` cut rows off.", enum=["true"])
    headers = {"ETag": _ETAG, "Mmstats-Truncated": truncated, "Cache-Control": _CACHE_CONTROL}
    return {
        "description": "The answer. Rows are ordered by `bucket` ascending, `value` descending, then the grouped "
        "columns ascending by code point, null last; `limit` cuts after ordering. Without `group_by` and `interval` "
        "there is exactly one row.",
        "headers": {**headers, "X-Request-Id": REQUEST_ID},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/answer"}, "examples": examples}},
    }


def unchanged() -> dict[str, Any]:
    """The response to a client that has the answer already."""
    headers = {"ETag": _ETAG, "Cache-Control": _CACHE_CONTROL, "X-Request-Id": REQUEST_ID}
    return {"description": "The answer is still the one that `If-None-Match` names.", "headers": headers}
