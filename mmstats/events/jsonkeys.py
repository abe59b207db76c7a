"""Which columns a JSON file has: no header says so, so it is told from the keys of its objects."""

import json
from collections.abc import Iterator

import polars as pl

from mmstats.events.eventfile import EventFile
from mmstats.events.jsontext import blocks_of
from mmstats.events.rows import Shape, no_column
from mmstats.events.schema import REQUIRED
from mmstats.events.textfile import open_bytes


class Keys:
    """What is known of a file's columns while it is read.

    `raw` are the columns to read; `found` the event columns seen so far.
    """

    def __init__(self, file: EventFile, shape: Shape) -> None:
        self._file, self._shape = file, shape
        told = [name for name in shape.raw if name in file.partition]
        lacked = {name for name in told if not _has_key(file, name)}
        self.raw = [name for name in shape.raw if name not in lacked] or [""]  # a frame of no columns has no rows
        needed = dict.fromkeys((*REQUIRED, *shape.wanted.read))
        self._missing = {column: set(shape.columns.sources(column)) for column in needed}
        self.found = {column for column, names in self._missing.items() if not names.isdisjoint(file.partition)}
        self._rows = False
        self._drop(set(self.found))

    def see(self, raw: pl.DataFrame) -> None:
        """Take note of the columns that have values in a frame of objects, and that there are objects."""
        self._rows = self._rows or not raw.is_empty()
        valued = {name for name in raw.columns if raw[name].null_count() < raw.height}
        self._drop({column for column, names in self._missing.items() if not names.isdisjoint(valued)})

    def look(self, block: bytes) -> None:
        """Take note of the keys of a block of lines, which may have no value but null."""
        self._drop(
            {
                column
                for column, names in self._missing.items()
                if any(_object_with(block, name) is not None for name in names)
            }
        )

    def look_through(self, blocks: Iterator[bytes]) -> None:
        """Take note of the keys of all remaining blocks, then do as `require` does."""
        while any(column in self._missing for column in REQUIRED) and (block := next(blocks, None)):
            self.look(block)
        self.require()

    def require(self) -> None:
        """Raise NotEvents when a column that must be there was in none of the objects; a file of none needs none."""
        for column in REQUIRED if self._rows else ():
            if column in self._missing:
                raise no_column(self._file, column, self._shape.columns, _some_keys(self._file))

    def _drop(self, columns: set[str]) -> None:
        self.found |= columns
        for column in columns:
            self._missing.pop(column, None)


def _has_key(file: EventFile, name: str) -> bool:
    with open_bytes(file) as stream:
        return any(_object_with(block, name) is not None for block in blocks_of(file, stream)[1])


def _some_keys(file: EventFile) -> set[str]:
    with open_bytes(file) as stream:
        for block in blocks_of(file, stream)[1]:
            for line in block.splitlines()[:100]:
                value = _object(line)
                if value:
                    return set(value)
    return set()


def _object_with(block: bytes, name: str) -> dict[str, object] | None:
    """The first object of a block of lines that has a key."""
    for spelled in {json.dumps(name).encode(), json.dumps(name, ensure_ascii=False).encode()}:
        at = block.find(spelled)
        while at >= 0:
            start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            value = _object(block[start : end if end >= 0 else len(block)])
            if value is not None and name in value:
                return value
            at = block.find(spelled, end) if end >= 0 else -1
    return None


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
