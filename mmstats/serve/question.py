"""From a query string to the question it asks, with strict parameters."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl

from mmstats.errors import InvalidParams
from mmstats.question.parameters import EXTENSIONS
from mmstats.question.query import Extensions, StatsQuery
from mmstats.question.read import read_question

REQUIRED = ("from", "to")
_SWITCH = {"true": True, "false": False}
_MOST_FIELDS = 1000


@lru_cache(256)  # a dashboard asks the same few again and again; a query string is bounded with its request
def question_of(query_string: bytes, *, extensions: bool) -> StatsQuery:
    """The question that a query string asks; `extensions` says whether parameters beyond the API are accepted.

    Raises InvalidParams with every wrong parameter at once, or InvalidGroupBy.
    """
    given: dict[str, list[str]] = {}
    for name, text in _fields(query_string):
        given.setdefault(name, []).append(text)
    faults: dict[str, list[str]] = {}
    if len(given.get("group_by", ())) > 1:
        faults["group_by"] = ["may be given only once"]
    asked = _extensions(given, faults, accepted=extensions)
    beyond = [extension.name for extension in EXTENSIONS] if extensions else []
    return read_question(given, asked, required=REQUIRED, beyond=beyond, faults=faults)


def _fields(query_string: bytes) -> Iterable[tuple[str, str]]:
    text = query_string.decode("utf-8", "surrogateescape")
    try:
        # What is no UTF-8 goes on as it came, to be refused by the parameter that it is the value of.
        return parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidParams({"query": [f"has more than {_MOST_FIELDS} parameters"]}) from None


def _extensions(given: dict[str, list[str]], faults: dict[str, list[str]], *, accepted: bool) -> Extensions:
    """The extensions asked for, taken out of what is given."""
    values = {}
    for extension in EXTENSIONS:
        texts = given.pop(extension.name, None)
        if texts is None:
            continue
        if not accepted:
            faults[extension.name] = ["is an extension, which this server does not accept (--extensions)"]
        elif len(texts) > 1:
            faults[extension.name] = ["may be given only once"]
        elif texts[0] not in _SWITCH:
            faults[extension.name] = ["must be true or false"]
        else:
            values[extension.field] = _SWITCH[texts[0]]
    return Extensions(**values)
