"""Every parameter of the stats query, declared once.

The command line, HTTP, OpenAPI and the docs take names, defaults, bounds, choices and help from `PARAMETERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmstats.question.instants import parse_instant
from mmstats.wording import one_of

METRICS = ("count", "uniques")
INTERVALS = ("hour", "day", "week")
DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
DEFAULT_LIMIT = 100
QUOTE_EVENT = "a shell replaces an unquoted $name by nothing: quote it, --event '$pageview'"
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Extension:
    """A switch beyond the API: its `name` at the doors, its `field` in `Extensions`."""

    name: str
    field: str
    help: str


EXTENSIONS = (
    Extension("all", "unlimited", "Answer all rows, without a limit."),
    Extension("exact", "exact", "Count distinct visitors exactly: slower, and more memory."),
    Extension("fill", "fill", "With an interval: a row of 0 for buckets without events."),
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the question.

    `name` is its name in the API and `field` in `StatsQuery`; `read` turns one given text into its value and raises
    ValueError with the rest of the sentence "this parameter …". Only a `repeatable` one may be given twice, and only
    to the command line.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    help: str
    metavar: str
    default: Any = None
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    repeatable: bool = False

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return "--" + self.name.replace("_", "-")


def _choice(choices: Sequence[str]) -> Callable[[str], str]:
    return partial(one_of, choices=choices)


def _event(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must be valid UTF-8") from None
    return text


def _limit(text: str) -> int:
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    # The length is looked at first: int() of a very long text is an error of its own.
    if not digits or len(digits) > len(str(MAX_LIMIT)) or int(digits) > MAX_LIMIT:
        raise ValueError(f"must be an integer from 1 to {MAX_LIMIT}, not {text!r}")
    return int(digits)


def _names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list: blanks trimmed, repeats collapsed, none for an empty text."""
    if not text.strip():
        return ()
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "metric",
        "metric",
        _choice(METRICS),
        "What to count: events, or distinct visitors (an estimate, standard error 0.55 %).",
        "count|uniques",
        default="count",
        choices=METRICS,
    ),
    Parameter(
        "from",
        "start",
        parse_instant,
        "Only events at or after this instant (ISO 8601; UTC where no zone is given).",
        "INSTANT",
    ),
    Parameter("to", "end", parse_instant, "Only events before this instant.", "INSTANT"),
    Parameter("event", "event", _event, "Only events of exactly this name.", "NAME"),
    Parameter(
        "group_by",
        "group_by",
        _names,
        "Columns to group by, comma-separated, of: " + ", ".join(DIMENSIONS) + ".",
        "COLUMNS",
        default=(),
        choices=DIMENSIONS,
        repeatable=True,
    ),
    Parameter(
        "interval",
        "interval",
        _choice(INTERVALS),
        "Split the range into buckets of this length (UTC; weeks start on Monday).",
        "hour|day|week",
        choices=INTERVALS,
    ),
    Parameter(
        "limit",
        "limit",
        _limit,
        f"How many rows to answer at most, 1 to {MAX_LIMIT}.",
        "N",
        default=DEFAULT_LIMIT,
        bounds=(1, MAX_LIMIT),
    ),
)
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
