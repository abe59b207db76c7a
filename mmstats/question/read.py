"""From texts to a question: everything that is wrong with them is raised at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmstats.errors import Fault, InvalidGroupBy, InvalidParams
from mmstats.options import Faults, Option, Texts, read_texts, suggest
from mmstats.question import words
from mmstats.question.columns import COLUMNS, DIMENSIONS, is_column, near_path
from mmstats.question.comparison import Ends, compared_range
from mmstats.question.metrics import metrics_of
from mmstats.question.parameters import PARAMETERS, QUESTION, QUOTE_EVENT, RULES
from mmstats.question.query import StatsQuery
from mmstats.question.ranges import LOCAL, UTC_NAME, Clock, Range, resolve_range, zone_of
from mmstats.wording import did_you_mean, joined, spelt

_RANGES = ("last", "period")  # what stands in for both ends of the range
_NO_DEFAULTS: Mapping[str, str | None] = {}


def read_question(
    texts: Texts,
    options: Sequence[Option] = QUESTION,
    *,
    required: Collection[str] = (),
    faults: Mapping[str, Sequence[str]] | None = None,
    defaults: Mapping[str, str | None] = _NO_DEFAULTS,
) -> StatsQuery:
    """The question that texts ask by the options: the API's `PARAMETERS`, or all of `QUESTION`.

    `faults` are those that the caller has found with anything else; they are raised together with those found here.
    `defaults` are what settings say of `timezone` and `week_start`.

    Raises InvalidParams with every fault at once, or InvalidGroupBy when unknown columns are the only one.
    """
    is_api, names = options is PARAMETERS, {option.name for option in options}
    if names.intersection(_RANGES, texts):
        required = [name for name in required if name not in ("from", "to")]
    texts = {**{name: [text] for name, text in defaults.items() if text and name in names}, **texts}
    values, found = read_texts(options, texts, RULES, required, words.API_PARAMETERS if is_api else words.PARAMETERS)
    found = {name: [*wrong] for name, wrong in (faults or {}).items()} | found
    clock, (start, end), wrong = _range(values, found)
    previous, unlike = (None, {}) if wrong else _previous(values, found, (start, end), clock)
    found |= {name: faults for name, faults in (wrong | unlike).items() if name not in found}
    columns = DIMENSIONS if is_api else COLUMNS
    unknown = [name for name in values["group_by"] if name not in columns and (is_api or not is_column(name))]
    if not unknown:
        found |= _order_faults(values)
    if found:
        if unknown:
            faults_of_names = [Fault(f"has the unknown column {name!r}", _suggest(name, columns)) for name in unknown]
            found["group_by"] = [*found.get("group_by", ()), *faults_of_names]
        hint = QUOTE_EVENT if found.get("event") == ["must not be empty"] else ""
        raise InvalidParams(found, hint=hint)
    if unknown:
        raise InvalidGroupBy(unknown, DIMENSIONS, hint=_hint(unknown, columns))
    return StatsQuery(
        metric=values["metric"],
        start=start,
        end=end,
        events=_events(values["event"]),
        group_by=values["group_by"],
        interval=values["interval"],
        limit=None if values.get("all") or values.get("top") else values["limit"],
        exact=values.get("exact", False),
        fill=values.get("fill", False),
        where=values.get("where", ()),
        timezone=values.get("timezone") or UTC_NAME,
        week_start=clock.week_start,
        order=values.get("order", ()),
        meta=values.get("meta", False),
        top=values.get("top"),
        other=values.get("other", False),
        previous=previous,
        totals=values.get("totals", False),
        is_of_now=clock.was_read or texts.get("timezone") == [LOCAL],
    )


def _events(event: str | Sequence[str] | None) -> tuple[str, ...]:
    return (event,) if isinstance(event, str) else tuple(dict.fromkeys(event or ()))


def _range(values: Mapping[str, Any], found: Faults) -> tuple[Clock, Range, Faults]:
    """The range by the clock that the values say, and what is wrong with it, as far as that can be told."""
    clock = Clock(None, values.get("week_start") or "monday", values.get("now"))
    if "timezone" in found or "now" in found:
        return clock, (None, None), {}
    clock.zone = zone_of(values.get("timezone") or UTC_NAME)
    return clock, *resolve_range(values, clock)


def _previous(values: Mapping[str, Any], found: Faults, ends: Range, clock: Clock) -> tuple[Ends | None, Faults]:
    """The range that this one is compared with, if it is, and what is wrong with that."""
    start, end = ends
    if values.get("compare") is None or not found.keys().isdisjoint((*_RANGES, "from", "to", "now", "timezone")):
        return None, {}
    if start is None or end is None:
        return None, {"compare": [Fault("needs a range that has both ends", "`from` and `to`, `last` or `period`")]}
    period = clock.period(values["period"]) if values.get("period") else None
    try:
        return compared_range(values["compare"], (start, end), clock, period, values["interval"]), {}
    except ValueError as fault:
        return None, {"compare": [*fault.args]}


def _order_faults(values: Mapping[str, Any]) -> Faults:
    names = [one.name for one in metrics_of(values["metric"])]
    keys = [
        *(["bucket"] if values["interval"] else []),
        *values["group_by"],
        *(["other"] if values.get("other") else []),
    ]
    keys += names if len(names) > 1 else ["value"]
    keys += ["previous", "change"] if values.get("compare") else []
    unknown = [key for key, _ in values.get("order", ()) if key not in keys]
    faults: list[str] = [
        Fault(f"has {name!r}, which is no key of a row", did_you_mean(name, keys) or f"keys: {', '.join(keys)}")
        for name in unknown
    ]
    return {"order": faults} if faults else {}


def _suggest(column: str, columns: Sequence[str]) -> str:
    return suggest(column, columns, words.COLUMNS) or (near_path(column) if columns is COLUMNS else "")


def _hint(unknown: Sequence[str], columns: Sequence[str]) -> str:
    """What to write instead of each unknown column, where that is likely, then the columns that there are."""
    offers = {name: offer for name in unknown if (offer := spelt(_suggest(name, columns), flags=True))}
    named = [f"{name}: {offer}" for name, offer in offers.items()] if len(unknown) > 1 else offers.values()
    return joined([*named, f"columns: {', '.join(columns)}" + ", properties.PATH" * (columns is COLUMNS)])
