"""Which files of a day stay as they are, which are merged into one, which lose rows of sources that are gone."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from mmstats.events.store import StoreFile

MOST_FILES = 8
MOST_SMALL_FILES = 3
SMALL = 1 << 20  # bytes

Rewrite = Callable[[Sequence[StoreFile], set[int]], list[StoreFile]]


def settled(files: Iterable[StoreFile], gone: set[int], rewrite: Rewrite) -> list[StoreFile]:
    """The files that a store is to have: few in each day, and none with rows of sources that are gone.

    `rewrite` makes one file of several.
    """
    by_day = groupby(sorted(files, key=lambda file: (file.day, file.first, file.name)), key=lambda file: file.day)
    return [file for _, day in by_day for file in _settled_day(list(day), gone, rewrite)]


def _settled_day(files: list[StoreFile], gone: set[int], rewrite: Rewrite) -> list[StoreFile]:
    alive = [file for file in files if file.sources.keys() - gone]
    merged = _too_many(alive)
    kept: list[StoreFile] = rewrite(merged, gone) if merged else []
    for file in alive:
        if file not in merged:
            kept += rewrite([file], gone) if file.sources.keys() & gone else [file]
    return kept


def _too_many(files: list[StoreFile]) -> list[StoreFile]:
    """The files of a day to make one of."""
    if len(files) > MOST_FILES:
        return files
    small = [file for file in files if file.bytes < SMALL]
    return small if len(small) > MOST_SMALL_FILES else []
