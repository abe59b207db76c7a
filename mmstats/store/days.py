"""Which files of a day stay as they are, which are merged into one, which lose rows of sources that are gone."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from mmstats.files.manifest import StoreFile
from mmstats.limits import Limits

Rewrite = Callable[[Sequence[StoreFile], set[int]], list[StoreFile]]


def settled(files: Iterable[StoreFile], gone: set[int], rewrite: Rewrite, limits: Limits) -> list[StoreFile]:
    """The files that a store is to have: few in each day, and none with rows of sources that are gone.

    `rewrite` makes one file of several.
    """
    by_day = groupby(sorted(files, key=lambda file: (file.day, file.first, file.name)), key=lambda file: file.day)
    return [file for _, day in by_day for file in _settled_day(list(day), gone, rewrite, limits)]


def _settled_day(files: list[StoreFile], gone: set[int], rewrite: Rewrite, limits: Limits) -> list[StoreFile]:
    alive = [file for file in files if file.sources.keys() - gone]
    merged = _too_many(alive, limits)
    kept: list[StoreFile] = rewrite(merged, gone) if merged else []
    for file in alive:
        if file not in merged:
            kept += rewrite([file], gone) if file.sources.keys() & gone else [file]
    return kept


def _too_many(files: list[StoreFile], limits: Limits) -> list[StoreFile]:
    """The files of a day to make one of."""
    if len(files) > limits.day_files:
        return files
    small = [file for file in files if file.bytes < limits.small_file_bytes]
    return small if len(small) > limits.small_day_files else []
