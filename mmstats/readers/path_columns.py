"""Paths as raw columns of text files, beside those that a file has: out of the texts of CSV, and of lines of JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.paths import Path, readings
from mmstats.readers.json_paths import FoundTexts, find_in_lines, find_in_texts, has_many_digits
from mmstats.readers.json_text import rows_of
from mmstats.readers.projection import Projection, is_digits, without_digits


@dataclass(frozen=True, slots=True)
class WithPaths:
    """Raw columns, paths among them, and which of these some row has; `faults` say by row what text is no JSON."""

    raw: pl.DataFrame
    seen: frozenset[str] = frozenset()
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def broken(self) -> pl.Series:
        """Whether a row has such a text."""
        found = pl.zeros(self.raw.height, pl.Boolean, eager=True)
        found[[*self.faults]] = True
        return found


def add_from_texts(raw: pl.DataFrame, projection: Projection) -> WithPaths:
    """The raw columns of a text file, and what its paths lead to in its texts; each is parsed once."""
    columns: dict[str, dict[str, Path]] = {}
    for name, path in projection.paths.items():
        if path.column in raw.columns:
            columns.setdefault(path.column, {})[name] = path
    added, seen = raw, frozenset[str]()
    faults: dict[int, str] = {}
    for column, paths in columns.items():
        found = find_in_texts(raw[column], [*paths.values()])
        added, seen = _with(added, paths, found), seen | _seen(paths, found)
        faults |= {row: f"broken JSON in {column}" for row in found.broken if row not in faults}
    return WithPaths(added, seen, faults)


def add_from_lines(text: bytes, raw: pl.DataFrame, paths: Mapping[str, tuple[Path, ...]]) -> WithPaths:
    """The raw columns of lines of JSON, and what paths lead to in them."""
    if not has_many_digits(text):
        paths = {name: ways for name, ways in paths.items() if not ways[0].spelled}
    if not paths:
        return WithPaths(raw)
    found = find_in_lines(rows_of(text), [*paths.values()])
    return WithPaths(_with(raw, paths, found), _seen(paths, found), found.broken)


def paths_in_lines(file: EventFile, projection: Projection) -> dict[str, tuple[Path, ...]]:
    """The raw columns that may be paths in a file of JSON, each with the ways to read it: first as a name.

    So is every column of which the digits of numbers are asked for.
    """
    found = {}
    for name in projection.raw:
        raw, spelled = without_digits(name), is_digits(name)
        ways = readings(raw)
        if spelled or (ways and raw not in file.partition):
            found[name] = tuple(replace(way, spelled=spelled) for way in (Path(raw), *ways))
    return found


def may_have(text: bytes, path: Path) -> bool:
    """Whether a text can have a path: all its keys stand in it, as they are or with escapes."""
    return b"\\" in text or all(step.key.encode("utf-8", "replace") in text for step in path.steps)


def _with(raw: pl.DataFrame, names: Iterable[str], found: FoundTexts) -> pl.DataFrame:
    return raw.with_columns(pl.Series(name, one, pl.String) for name, one in zip(names, found.texts, strict=True))


def _seen(names: Iterable[str], found: FoundTexts) -> frozenset[str]:
    return frozenset(name for name, there in zip(names, found.present, strict=True) if there)
