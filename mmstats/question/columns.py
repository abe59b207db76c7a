"""The columns that events are grouped and filtered by, beside those of the API, and lists of their names."""

import re

from mmstats.dataset import EVENT_COLUMNS
from mmstats.paths import read_path

DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
# All event columns but the instant, which the range and buckets are for, and the bag of properties as a whole.
COLUMNS = (*DIMENSIONS, *(name for name in EVENT_COLUMNS if name not in {*DIMENSIONS, "timestamp", "properties"}))
_PROPERTIES = ("properties.", "properties[")
_ITEM = re.compile(r'(?:"[^"]*"?|[^",])*')


def is_column(name: str) -> bool:
    """Whether one may group and filter by a name: that of an event column, or a path into the properties."""
    return name in COLUMNS or (name.startswith(_PROPERTIES) and not path_fault(name))


def path_fault(path: str) -> str:
    """What is wrong with a path, as the rest of the sentence "this path …"; empty for nothing."""
    try:
        read_path(path)
    except ValueError as fault:
        return str(fault)
    return ""


def read_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, without the blanks around them; none for an empty text.

    A comma within the quotes of a path does not separate.
    """
    names, at = [], 0
    while text.strip() and at <= len(text):
        item = _ITEM.match(text, at)
        assert item
        names.append(item[0].strip())
        at = item.end() + 1
    return tuple(names)
