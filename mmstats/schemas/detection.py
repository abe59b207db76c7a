"""Which known export a file looks like, for a hint: its columns are held against those that each schema reads."""

import re
from collections.abc import Collection, Iterator, Mapping

from mmstats.dataset import EVENT_COLUMNS
from mmstats.derivation import Schema, available, columns_of
from mmstats.errors import InvalidSettings
from mmstats.paths import readings
from mmstats.schemas import bundled, load_schema

Keys = Mapping[str, Collection[str]]  # the columns of a file, each with the keys of the objects in it, as far as known

_REQUIRED = ("timestamp", "event_name")
_COMMON = frozenset({*EVENT_COLUMNS, "event", "name", "type", "date", "time"})  # names that tell nothing
_CERTAIN, _FAINT, _LEAST = 2, 1, 3  # what a column of its own says, what an object says of unknown keys, what is enough
_LOG_LINE = re.compile(r"\S+ \S+ \S+ \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:")


def looks_like(keys: Keys, width: int | None = None) -> str:
    """What a file looks like, and the flag that reads it; empty where that is not clear.

    `width` is how many columns it has, where several may be called the same.
    """
    found = fitting(keys, width)
    if not found:
        return ""
    tools = " or ".join(one.title.partition(":")[0] for one in found)
    article = "an" if tools[0] in "AEIOU" else "a"
    return f"this looks like {article} {tools} export: --schema {found[0].name}"


def fitting(keys: Keys, width: int | None = None) -> tuple[Schema, ...]:
    """The schemas that read a file, none where that is not clear; of several, any reads it."""
    scores = [(_score(schema, keys, width or len(keys)), schema) for schema in _schemas()]
    best = max(score for score, _ in scores)
    found = tuple(schema for score, schema in scores if score == best)
    # Two tools may export the same fields.
    is_clear = best >= _LEAST and all(one.columns == found[0].columns for one in found)
    return found if is_clear else ()


def _schemas() -> Iterator[Schema]:
    for name in bundled():
        try:
            yield load_schema(name)
        except InvalidSettings:  # of an export that holds no events
            continue


def _score(schema: Schema, keys: Keys, width: int) -> int:
    """How much a file has of what a schema reads; nothing where it lacks what must be there."""
    if _is_written_so(schema, keys, width):
        return _LEAST
    said = {name: _says(name, keys) for one in schema.columns.values() for name in columns_of(one)}
    there = [name for name, says in said.items() if says is not None]
    if not all(available(schema.columns[column], there) for column in _REQUIRED):
        return 0
    certain = sum(says == _CERTAIN for says in said.values())
    return _CERTAIN * certain + (_FAINT in said.values())


def _says(name: str, keys: Keys) -> int | None:
    """How much it says that a file has a column or a path; None where it has not."""
    if name in keys:
        return 0 if name in _COMMON else _CERTAIN
    for path in readings(name):
        if path.column in keys:
            if not keys[path.column]:
                return _FAINT
            return _CERTAIN if path.steps[0].key in keys[path.column] else None
    return None


def _is_written_so(schema: Schema, keys: Keys, width: int) -> bool:
    """Whether the first line of a file, taken for its header, shows how a schema says that files are written."""
    first, dialect = next(iter(keys), ""), schema.dialect
    if dialect.lines:
        return _LOG_LINE.match(first) is not None
    if isinstance(dialect.names, tuple):
        return width == len(dialect.names)
    return bool(dialect.comment) and first.startswith((dialect.comment, dialect.names))
