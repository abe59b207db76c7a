"""From texts to a question: everything wrong with them is said at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mmstats.errors import InvalidGroupBy, InvalidParams
from mmstats.question.parameters import BY_NAME, DIMENSIONS, QUOTE_EVENT, Parameter
from mmstats.question.query import Extensions, StatsQuery
from mmstats.wording import did_you_mean

_NONE = Extensions()


def read_question(
    given: Mapping[str, Sequence[str]],
    extensions: Extensions = _NONE,
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
