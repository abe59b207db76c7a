"""Which columns a JSON file has: no header says so, so it is told from the keys of its objects."""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice

import polars as pl

from mmstats.derivation import available, columns_of
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.json_text import blocks_of, key_pattern, value_of
from mmstats.readers.path_columns import paths_in_lines
from mmstats.readers.projection import REQUIRED, Projection, keys_in
from mmstats.wording import visible

_LOOKS = 50  # objects of a block that are decoded for columns that need not be there


def json_schema(file: EventFile, projection: Projection, text: bytes | None = None) -> dict[str, pl.DataType]:
    """The keys to read of a file's lines: all raw columns but paths and those that only its folders have.

    Its lines are in `text` where they have been read already.
    """
    named = {name for name in projection.raw if name in file.partition or name in projection.only}
    lacked = _lacked(file, named, projection) if text is None else {one for one in named if not _has_key(text, one)}
    paths = paths_in_lines(file, projection)
    # A frame of no columns has no rows.
    names = [name for name in projection.raw if name not in lacked and name not in paths] or [""]
    return dict.fromkeys(names, pl.String())


class JsonColumns:
    """Which columns a file has, as far as its objects have shown; `found` are the event columns seen so far."""

    def __init__(self, file: EventFile, projection: Projection, schema: Collection[str]) -> None:
        self._file, self._projection, self._schema = file, projection, set(schema)
        needed = dict.fromkeys((*REQUIRED, *projection.selection.read))
        self._missing = {column: projection.derivations[column] for column in needed}
        self._names = set(file.partition)  # raw columns seen so far
        self.found: set[str] = set()
        self._rows = False
        self._add(())

    def see(self, rows: int, valued: set[str]) -> None:
        """Take note of the raw columns that have values in some objects, and that there are objects."""
        self._rows = self._rows or rows > 0
        self._add(valued)

    @property
    def complete(self) -> bool:
        """Whether no column is missing any more, so that no block needs a look."""
        return not self._missing

    def look(self, block: bytes) -> None:
        """Take note of the keys of a block whose objects have been seen, which then have no value but null.

        A column that need not be there may be overlooked among many that are deeper of the same name.
        """
        for column, derivation in list(self._missing.items()):
            most = None if column in REQUIRED else _LOOKS
            names = [name for name in columns_of(derivation) if name not in self._names]
            self._add(name for name in names if _has_key(block, name, most, null=name in self._schema))

    def look_through(self, blocks: Iterable[bytes]) -> None:
        """Take note of what must be there in the remaining blocks, then do as `require` does."""
        for some in blocks:
            missing = [self._missing[column] for column in REQUIRED if column in self._missing]
            if not missing:
                break
            names = {name for one in missing for name in columns_of(one)} - self._names
            self._add(name for name in names if _has_key(some, name))
        self.require()

    def require(self) -> None:
        """Raise NotEvents when a column that must be there was in none of the objects; a file of none needs none."""
        missing = [column for column in REQUIRED if column in self._missing] if self._rows else []
        if missing:
            from mmstats.schemas.detection import looks_like  # needed only after a mistake

            first = first_object(self._file, self._projection)
            error = self._projection.no_columns(self._file, missing, first)
            arrays = [
                key for key, held in first.items() if isinstance(held, list) and held and isinstance(held[0], dict)
            ]
            if len(arrays) == 1 and not looks_like(keys_in(first)):
                error.hint = f"--records {shlex.quote(visible(arrays[0]))} reads the array that it holds"
            raise error

    def _add(self, names: Iterable[str]) -> None:
        self._names.update(names)
        self.found |= {column for column, one in self._missing.items() if available(one, self._names)}
        self._missing = {column: one for column, one in self._missing.items() if column not in self.found}


def _lacked(file: EventFile, names: set[str], projection: Projection) -> set[str]:
    """Those of the names that no object of the file has for a key."""
    lacked = set(names)
    if lacked:
        with open_bytes(file) as stream:
            for block in blocks_of(file, stream, projection)[1]:
                lacked -= {name for name in lacked if _has_key(block, name)}
                if not lacked:
                    break
    return lacked


def first_object(file: EventFile, projection: Projection) -> dict[str, object]:
    """The first object of a file; of no keys where there is none."""
    with open_bytes(file) as stream:
        for block in blocks_of(file, stream, projection)[1]:
            for line in block.splitlines()[:100]:
                value = _object(line)
                if value:
                    return value
    return {}


def _has_key(block: bytes, name: str, most: int | None = None, *, null: bool = False) -> bool:
    """Whether an object of a block of lines has a key, or has it with null.

    With `most`, only so many lines are decoded for it, and escapes in keys are left aside.
    """
    lines = _lines_with(block, key_pattern(name, b"null" if null else b""))
    if most is not None:
        lines = islice(lines, most)
    elif b"\\" in block:
        lines = chain(lines, _lines_with(block, key_pattern(None)))
    return any(name in (_object(line) or ()) for line in lines)


def _lines_with(block: bytes, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    found = pattern.search(block)
    while found:
        start, end = block.rfind(b"\n", 0, found.start()) + 1, block.find(b"\n", found.end())
        end = len(block) if end < 0 else end
        yield block[start:end]
        found = pattern.search(block, end)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = value_of(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
