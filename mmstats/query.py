"""The question: every parameter of the stats query declared once, and the reading of one from text.

The command line, HTTP, OpenAPI and the README take names, defaults, bounds, choices and help from `PARAMETERS`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from mmstats.errors import InvalidGroupBy, InvalidParams
from mmstats.instants import parse_instant
from mmstats.suggest import did_you_mean, one_of

METRICS = ("count", "uniques")
INTERVALS = ("hour", "day", "week")
DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
DEFAULT_LIMIT = 100
QUOTE_EVENT = "a shell replaces an unquoted $name by nothing: quote it, --event '$pageview'"
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """One stats question.

    `start` is inclusive and `end` exclusive, both aware and in UTC, None for no bound; a `limit` of None lifts it;
    `exact` counts distinct visitors instead of estimating them; `fill` gives buckets without events a row of 0.
    """

    metric: str = "count"
    start: datetime | None = None
    end: datetime | None = None
    event: str | None = None
    group_by: tuple[str, ...] = ()
    interval: str | None = None
    limit: int | None = DEFAULT_LIMIT
    exact: bool = False
    fill: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The keys of a row but its value, in their order."""
        return (("bucket",) if self.interval else ()) + self.group_by


@dataclass(frozen=True, slots=True)
class Extensions:
    """What may be asked beyond the API; none of it changes the answer unasked.

    `unlimited` lifts the limit.
    """

    exact: bool = False
    fill: bool = False
    unlimited: bool = False


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


def read_question(
    given: Mapping[str, Sequence[str]],
    extensions: Extensions = Extensions(),
    *,
    required: Collection[str] = (),
    beyond: Collection[str] = (),
    faults: Mapping[str, list[str]] | None = None,
) -> StatsQuery:
    """The question that the texts given for each parameter ask; `faults` are those a door has found already.

    A name that is no parameter may have been meant for one of those that a door knows `beyond` them.

    Raises InvalidParams with every wrong parameter at once, or InvalidGroupBy when the grouping columns alone are
    wrong.
    """
    values: dict[str, Any] = {"exact": extensions.exact, "fill": extensions.fill}
    found = dict(faults or {})
    for name, texts in given.items():
        try:
            parameter = _known(name, beyond)
            values[parameter.field] = _read(parameter, texts)
        except ValueError as fault:
            found[name] = [str(fault)]
    found |= {name: ["is required"] for name in required if name not in given}
    found |= _at_odds(given, values, extensions)
    _refuse(found, [name for name in values.get("group_by", ()) if name not in DIMENSIONS])
    if extensions.unlimited:
        values["limit"] = None
    return StatsQuery(**values)


def _at_odds(
    given: Mapping[str, Sequence[str]], values: Mapping[str, Any], extensions: Extensions
) -> dict[str, list[str]]:
    """Parameters that are well-formed by themselves and wrong together."""
    faults = {}
    if "start" in values and "end" in values and values["start"] >= values["end"]:
        faults["from"] = ["must be before the end of the range"]
    if extensions.unlimited and "limit" in given:
        faults["limit"] = ["cannot be given when all rows are asked for"]
    if extensions.fill and "interval" not in given:
        faults["fill"] = ["needs an interval"]
    return faults


def _known(name: str, beyond: Collection[str]) -> Parameter:
    if name not in BY_NAME:
        names = [*BY_NAME, *beyond]
        raise ValueError(f"is not a parameter; {did_you_mean(name, names) or 'known: ' + ', '.join(names)}")
    return BY_NAME[name]


def _read(parameter: Parameter, texts: Sequence[str]) -> Any:
    if parameter.repeatable:
        return parameter.read(",".join(text for text in texts if text.strip()))
    if len(texts) > 1:
        raise ValueError("may be given only once")
    if not texts[0]:
        raise ValueError("must not be empty")
    return parameter.read(texts[0])


def _refuse(faults: dict[str, list[str]], strangers: Sequence[str]) -> None:
    """Raise for wrong parameters, or else for grouping columns outside the allow-list."""
    if faults and strangers:
        unknown = [f"has the unknown column {name!r}" for name in strangers]
        faults["group_by"] = [*faults.get("group_by", ()), *unknown]
    if faults:
        raise InvalidParams(faults, hint=_hint(faults))
    if strangers:
        meant = _meant(strangers)
        raise InvalidGroupBy(strangers, DIMENSIONS, hint=f"{meant}columns: {', '.join(DIMENSIONS)}")


def _meant(strangers: Iterable[str]) -> str:
    offers = (did_you_mean(name, DIMENSIONS) for name in strangers)
    return "".join(f"{offer} " for offer in offers if offer)


def _hint(faults: Mapping[str, Sequence[str]]) -> str:
    if faults.get("event") == ["must not be empty"]:
        return QUOTE_EVENT
    return ""
