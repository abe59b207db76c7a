"""From texts to a question: everything that is wrong with them is raised at once."""

from collections.abc import Collection, Mapping, Sequence

from mmstats.errors import InvalidGroupBy, InvalidParams
from mmstats.options import Option, Texts, read_texts
from mmstats.question.parameters import DIMENSIONS, QUESTION, QUOTE_EVENT, RULES
from mmstats.question.query import StatsQuery
from mmstats.wording import did_you_mean


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
    values, found = read_texts(options, texts, RULES, required)
    found = {name: [*wrong] for name, wrong in (faults or {}).items()} | found
    unknown = [name for name in values["group_by"] if name not in DIMENSIONS]
    if found:
        if unknown:
            found["group_by"] = [*found.get("group_by", ()), *(f"has the unknown column {name!r}" for name in unknown)]
        hint = QUOTE_EVENT if found.get("event") == ["must not be empty"] else ""
        raise InvalidParams(found, hint=hint)
    if unknown:
        offers = [offer for offer in (did_you_mean(name, DIMENSIONS) for name in unknown) if offer]
        raise InvalidGroupBy(unknown, DIMENSIONS, hint=" ".join([*offers, f"columns: {', '.join(DIMENSIONS)}"]))
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
