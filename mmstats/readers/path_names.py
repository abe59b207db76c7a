"""Names to offer for a path that no row has: the nearest of what the first rows have where it ends."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.paths import Path, Step, written
from mmstats.readers.json_text import value_of
from mmstats.readers.projection import Projection
from mmstats.readers.report import ReadOptions
from mmstats.readers.scan import Scan
from mmstats.wording import similar

_ROWS = 1000


def similar_paths(path: Path, names: Iterable[str], column: str, file: EventFile, projection: Projection) -> list[str]:
    """The paths that may be meant by one that serves as an event `column`, of a file whose columns have some `names`.

    Raises what reading the file raises.
    """
    if path.column not in names:
        return [written(replace(path, column=name)) for name in similar(path.column, names)]
    reached = _values(path.column, column, file, projection)
    for at, step in enumerate(path.steps):
        held = [(key, value) for one in reached for key, value in _held(one, step)]
        keys = dict.fromkeys(key for key, _ in held)
        if step.key not in keys:
            near = (replace(step, key=key) for key in similar(step.key, keys))
            return [written(replace(path, steps=(*path.steps[:at], one, *path.steps[at + 1 :]))) for one in near]
        reached = [value for key, value in held if key == step.key]
    return []


def _values(raw: str, column: str, file: EventFile, projection: Projection) -> Sequence[object]:
    """The values of a raw column in the first rows of a file, as JSON."""
    selection = replace(projection.selection, columns=(column,), start=None, end=None, where=(), hashed=False)
    as_column = replace(projection, selection=selection, mapped={**projection.mapped, column: raw})
    rows = Scan([file], as_column, ReadOptions(skip_bad_rows=True), judge=False).frame().head(_ROWS).collect()
    return list(_parsed(rows[column].cast(pl.String)))


def _parsed(texts: Iterable[str | None]) -> Iterator[object]:
    for text in texts:
        try:
            yield value_of((text or "null").encode())
        except (ValueError, RecursionError):
            continue


def _held(value: object, step: Step) -> Iterator[tuple[str, object]]:
    """The keys that a step may have in a value, each with what is under it."""
    if step.entry and isinstance(value, list):
        entries = (one for one in value if isinstance(one, dict) and isinstance(one.get("key"), str))
        yield from ((one["key"], one.get("value")) for one in entries)
    elif not step.entry and isinstance(value, dict):
        yield from value.items()
