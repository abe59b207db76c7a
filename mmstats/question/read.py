"""From texts to a question: everything that is wrong with them is raised at once."""

from collections.abc import Collection, Mapping, Sequence

from mmstats.errors import Fault, InvalidGroupBy, InvalidParams
from mmstats.options import Option, Texts, read_texts, suggest
from mmstats.question import words
from mmstats.question.parameters import DIMENSIONS, QUESTION, QUOTE_EVENT, RULES
from mmstats.question.query import StatsQuery
from mmstats.wording import joined, spelt


def read_question(
    texts: Texts,
    options: Sequence[Option] = QUESTION,
    *,
    required: Collection[str] = (),
    faults: Mapping[str, Sequence[str]] | None = None,
) -> StatsQuery:
    """The question that texts ask by the options: the API's `PARAMETERS`, or all of `QUESTION`.

    `faults` are those that the caller has found with anything else; they are raised together with those found here.

    Raises InvalidParams with every fault at once, or InvalidGroupBy when unknown columns are the only one.
    """
    values, found = read_texts(options, texts, RULES, required, words.PARAMETERS)
    found = {name: [*wrong] for name, wrong in (faults or {}).items()} | found
    unknown = [name for name in values["group_by"] if name not in DIMENSIONS]
    if found:
        if unknown:
            faults_of_names = [Fault(f"has the unknown column {name!r}", _suggest(name)) for name in unknown]
            found["group_by"] = [*found.get("group_by", ()), *faults_of_names]
        hint = QUOTE_EVENT if found.get("event") == ["must not be empty"] else ""
        raise InvalidParams(found, hint=hint)
    if unknown:
        raise InvalidGroupBy(unknown, DIMENSIONS, hint=_hint(unknown))
    return StatsQuery(
        metric=values["metric"],
        start=values["from"],
        end=values["to"],
        event=values["event"],
        group_by=values["group_by"],
        interval=values["interval"],
        limit=None if values.get("all") else values["limit"],
        exact=values.get("exact", False),
        fill=values.get("fill", False),
    )


def _suggest(column: str) -> str:
    return suggest(column, DIMENSIONS, words.COLUMNS)


def _hint(unknown: Sequence[str]) -> str:
    """What to write instead of each unknown column, where that is likely, then the columns that there are."""
    offers = {name: offer for name in unknown if (offer := spelt(_suggest(name), flags=True))}
    named = [f"{name}: {offer}" for name, offer in offers.items()] if len(unknown) > 1 else offers.values()
    return joined([*named, f"columns: {', '.join(DIMENSIONS)}"])
