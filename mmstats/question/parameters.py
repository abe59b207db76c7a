"""Every parameter of the stats query, declared once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmstats.errors import Fault
from mmstats.options import Faults, Option, Texts, add_names, add_text, excludes, needs, read_names, switch
from mmstats.question import buckets, comparison, metrics, words
from mmstats.question.columns import COLUMNS, DIMENSIONS, read_columns, split_names
from mmstats.question.filters import read_filter
from mmstats.question.instants import parse_instant, read_instant
from mmstats.question.order import read_order
from mmstats.question.ranges import PERIODS, read_ago, read_moment, read_period, read_zone

METRICS = ("count", "uniques")
INTERVALS = ("hour", "day", "week")
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_TOP = 1000
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

_API = {option.name: option for option in PARAMETERS}
_WIDER = (
    replace(
        _API["metric"],
        parse=metrics.read_metrics,
        help=f"What to count, comma-separated, of: {', '.join(metrics.FORMS)}. Distinct ids are estimated, 0.55 %.",
        metavar="METRICS",
        choices=(),
    ),
    replace(
        _API["from"],
        parse=read_moment,
        help="Only events at or after an ISO 8601 instant, now, today, yesterday, tomorrow, or so long ago as 30d.",
    ),
    replace(_API["to"], parse=read_moment, help="Only events before this."),
    replace(
        _API["event"], default=(), add=add_text, help="Only events of this name; may be repeated for any of several."
    ),
    replace(
        _API["group_by"],
        choices=COLUMNS,
        parse=read_columns,
        help=f"Columns to group by, comma-separated, of: {', '.join(COLUMNS)}, and paths such as properties.plan.",
    ),
    replace(_API["interval"], choices=buckets.INTERVALS, help="Split the range into buckets of this length."),
)
# Beyond the API: none of these changes an answer unless it is there.
EXTENSIONS: tuple[Option, ...] = (
    Option(
        "where",
        "Only events for which this holds: COLUMN OP VALUE, such as 'country in DE,FR'; may be repeated.",
        read_filter,
        metavar="FILTER",
        default=(),
        nonempty=True,
        add=add_text,
    ),
    Option(
        "last", "Only events from so long before now to now, such as 30d.", read_ago, metavar="LENGTH", nonempty=True
    ),
    Option(
        "period",
        f"Only events of this period: {', '.join(PERIODS)}, or one such as 2026-05, 2026-Q2 or 2026-W20.",
        read_period,
        metavar="PERIOD",
        nonempty=True,
    ),
    Option(
        "timezone",
        "The zone of ranges and buckets: an IANA name, or local.",
        read_zone,
        metavar="ZONE",
        default_text="UTC",
        nonempty=True,
    ),
    Option("now", "What now is, instead of the clock's time.", read_instant, metavar="INSTANT", nonempty=True),
    Option(
        "week_start", "The day on which weeks start.", choices=buckets.WEEK_STARTS, nonempty=True, default_text="monday"
    ),
    Option(
        "order",
        "Order rows by these of their keys, comma-separated, with - for descending.",
        read_order,
        metavar="KEYS",
        default=(),
        nonempty=True,
    ),
    Option(
        "top",
        f"With a grouping: only so many of its groups, the largest over the whole range, 1 to {MAX_TOP}.",
        metavar="N",
        bounds=(1, MAX_TOP),
        nonempty=True,
    ),
    switch("other", "With the largest groups: one more row, of all others together."),
    Option(
        "compare",
        "Compare with the range before this one, or the same a year earlier.",
        choices=comparison.BASES,
        nonempty=True,
    ),
    switch("totals", "Say what all rows come to, over the whole range and without a limit."),
    switch("all", "Answer all rows, without a limit."),
    switch("exact", "Count distinct ids exactly: slower, and more memory."),
    switch("fill", "With an interval: a row of 0 for buckets without events."),
    switch("meta", "Say in the answer what was asked and how it was answered."),
)

# What is asked with extensions: some parameters of the API then take more values.
QUESTION = (*({option.name: option for option in _WIDER}.get(one.name, one) for one in PARAMETERS), *EXTENSIONS)


def _exact_needs_an_estimate(texts: Texts, values: Mapping[str, Any]) -> Faults:
    """The rule that what is no estimate cannot be asked for exactly; a metric that is none has a fault of its own."""
    names = split_names(texts.get("metric", ["count"])[0])
    if not values.get("exact") or not all(metrics.is_exact(name) for name in names):
        return {}
    return {"exact": ["needs a metric that is estimated: uniques, users or sessions"]}


def _top_needs_groups(texts: Texts, values: Mapping[str, Any]) -> Faults:
    """The rule that there are groups to choose the largest of."""
    if values.get("top") is None or values["group_by"] or "".join(texts.get("group_by", ())).strip():
        return {}
    return {"top": [Fault("needs a grouping", "`group_by` names columns")]}


def _compare_needs_one_metric(_: Texts, values: Mapping[str, Any]) -> Faults:
    """The rule that a row has one value to compare."""
    several = values.get("compare") and len(metrics.metrics_of(values["metric"])) > 1
    return {"compare": ["takes one metric, not several"]} if several else {}


def _one_range(texts: Texts, _: Mapping[str, Any]) -> Faults:
    """The rule that a range is asked for in one way."""
    ways = [way for way in (("from", "to"), ("last",), ("period",)) if any(name in texts for name in way)]
    fault = Fault("cannot be given with another range", "the range is `from` and `to`, or `last`, or `period`")
    return {name: [fault] for way in ways[1:] for name in way}


RULES = (
    _one_range,
    excludes("limit", "all", "cannot be given when all rows are asked for"),
    excludes("limit", "top", "cannot be given with the largest groups, which have no limit"),
    needs("fill", "interval", "needs an interval"),
    _top_needs_groups,
    needs("other", "top", Fault("needs the largest groups", "`top` says how many")),
    _compare_needs_one_metric,
    _exact_needs_an_estimate,
)
