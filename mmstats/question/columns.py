"""The columns to group and to filter by: those of the API, other event columns, and paths into the properties."""

import re

from mmstats.dataset import EVENT_COLUMNS
from mmstats.paths import read_path
from mmstats.wording import did_you_mean

DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
# All event columns but the instant, which the range and buckets are for, and the bag of properties as a whole.
COLUMNS = (*DIMENSIONS, *(name for name in EVENT_COLUMNS if name not in {*DIMENSIONS, "timestamp", "properties"}))
PROPERTY = "properties."
_ITEM = re.compile(r'(?:"(?:[^"]|"")*"|[^,"]|"(?=[^"]*\Z))*')


def is_column(name: str) -> bool:
    """Whether events may be grouped and filtered by a name: an event column, or a path into the properties."""
    if not name.startswith(PROPERTY):
        return name in COLUMNS
    try:
        return bool(read_path(name).steps)
    except ValueError:
        return False


def near_path(name: str) -> str:
    """`did you mean properties.plan?` for `propertes.plan`; empty for what is near no path into the properties."""
    first, _, rest = name.partition(".")
    near = did_you_mean(first, [PROPERTY.removesuffix(".")])
    return f"did you mean {PROPERTY}{rest}?" if near and is_column(PROPERTY + rest) else ""


def read_columns(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, blanks trimmed, none for an empty text; no comma in quotes separates."""
    return tuple(split_names(text)) if text.strip() else ()


def split_names(text: str) -> list[str]:
    """The items of a comma-separated list, blanks trimmed; no comma in the quotes of a path separates."""
    items, at = [], 0
    while at <= len(text):
        found = _ITEM.match(text, at)
        end = found.end() if found else at
        items.append(text[at:end].strip())
        at = end + 1
    return items
