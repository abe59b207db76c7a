"""Every parameter of the stats query, declared once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mmstats.errors import Fault
from mmstats.options import Faults, Option, Texts, add_names, excludes, needs, read_names, switch
from mmstats.question import words
from mmstats.question.instants import parse_instant, short_text

METRICS = ("count", "uniques")
BUCKET_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
INTERVALS = tuple(BUCKET_LENGTHS)
DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
QUOTE_EVENT = "a shell replaces an unquoted $name by nothing: quote it, --event '$pageview'"


def _read_event(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must be valid UTF-8") from None
    return text


PARAMETERS: tuple[Option, ...] = (
    Option(
        "metric",
        "What to count: events, or distinct visitors (an estimate, standard error 0.55 %).",
        default="count",
        choices=METRICS,
        words=words.METRICS,
        short="m",
        nonempty=True,
    ),
    Option(
        "from",
        "Only events at or after this instant (ISO 8601; UTC where no zone is given).",
        parse_instant,
        metavar="INSTANT",
        nonempty=True,
    ),
    Option("to", "Only events before this instant.", parse_instant, metavar="INSTANT", nonempty=True),
    Option("event", "Only events of exactly this name.", _read_event, metavar="NAME", nonempty=True),
    Option(
        "group_by",
        "Columns to group by, comma-separated, of: " + ", ".join(DIMENSIONS) + ".",
        read_names,
        metavar="COLUMNS",
        default=(),
        choices=DIMENSIONS,
        add=add_names,
        words=words.COLUMNS,
        short="g",
    ),
    Option(
        "interval",
        "Split the range into buckets of this length (UTC; weeks start on Monday).",
        choices=INTERVALS,
        words=words.INTERVALS,
        nonempty=True,
        short="i",
    ),
    Option(
        "limit",
        f"How many rows to answer at most, 1 to {MAX_LIMIT}.",
        metavar="N",
        default=DEFAULT_LIMIT,
        bounds=(1, MAX_LIMIT),
        words=words.LIMITS,
        nonempty=True,
        short="n",
    ),
)

# Beyond the API: none of these changes an answer unless it is there.
EXTENSIONS: tuple[Option, ...] = (
    switch("all", "Answer all rows, without a limit."),
    switch("exact", "Count distinct visitors exactly: slower, and more memory."),
    switch("fill", "With an interval: a row of 0 for buckets without events."),
)

QUESTION = PARAMETERS + EXTENSIONS


def _exact_needs_an_estimate(texts: Texts, values: Mapping[str, Any]) -> Faults:
    """The rule that what is no estimate cannot be asked for exactly; a metric that is none has a fault of its own."""
    is_count = texts.get("metric", ["count"]) == ["count"]
    return {"exact": ["needs a metric that is estimated: uniques"]} if values.get("exact") and is_count else {}


def _has_length(_: Texts, values: Mapping[str, Any]) -> Faults:
    """The rule that the range has a start before its end, where it has both."""
    start, end = values["from"], values["to"]
    if start is None or end is None or start < end:
        return {}
    first, last = short_text(start), short_text(end)
    offer = f"did you mean `from` {last} `to` {first}?" if end < start else "the end of the range is exclusive"
    return {"from": [Fault(f"must be before the end of the range, and {first} is not before {last}", offer)]}


RULES = (
    _has_length,
    excludes("limit", "all", "cannot be given when all rows are asked for"),
    needs("fill", "interval", "needs an interval"),
    _exact_needs_an_estimate,
)
