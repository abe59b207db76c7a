"""Partial aggregates cached by file, so that a question need only read what is new, has changed or is cut by its range.

They are of whole files: any range that a file lies inside of can use them. Those of one shape of question over the
same locations are one cache entry, as they are used together.
"""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

import polars as pl

from mmstats.cache import Cache, Kind, make_key
from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.report import FileReport, InstantRange

_PATIENCE = 2.0  # seconds that what was read of many files may wait for other processes to be cached


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is cached of one file for questions of one shape.

    `range` is None where it is not known; `columns` are the event columns that the file has, `bad_rows` is how many
    rows were left out, `passed_over` how many are no events, `swallowing` is the line of a field that may hold rows. Of
    a `whole` one the partial aggregate is cached, if it has any rows.
    """

    whole: bool
    range: InstantRange | None
    columns: tuple[str, ...]
    bad_rows: int
    passed_over: int
    swallowing: int = 0

    def report(self) -> FileReport:
        """What reading the file would find out."""
        return FileReport(frozenset(self.columns), self.bad_rows, None, self.range, self.passed_over, self.swallowing)


@dataclass(frozen=True, slots=True)
class CachedPartials:
    """Records of files by the files' fingerprints, and the partial aggregates of those that were read whole.

    The rows of `partials` have as FILE the place of their file among `records`; it is None where there are none.
    """

    records: Mapping[str, FileRecord] = field(default_factory=dict)
    partials: pl.DataFrame | None = None

    def of(self, fingerprints: Iterable[str]) -> "CachedPartials":
        """Those of some files."""
        wanted = set(fingerprints)
        records = {known: record for known, record in self.records.items() if known in wanted}
        return CachedPartials(records, self._renumbered(records))

    def joined(self, newer: "CachedPartials") -> "CachedPartials":
        """These and newer ones, which take the place of those of the same files."""
        older = self.of(known for known in self.records if known not in newer.records)
        records = {**older.records, **newer.records}
        frames = [one for part in (older, newer) if (one := part._renumbered(records)) is not None]
        return CachedPartials(records, pl.concat(frames) if frames else None)

    def _renumbered(self, records: Mapping[str, FileRecord]) -> pl.DataFrame | None:
        """The partial aggregates of the files that have records, numbered by these."""
        places = {known: place for place, known in enumerate(records)}
        numbers = [places.get(known) for known in self.records]
        return None if self.partials is None else renumbered(self.partials, numbers)


def renumbered(partials: pl.DataFrame, numbers: Sequence[int | None]) -> pl.DataFrame:
    """Partial aggregates of files with other numbers of theirs, given by the old ones; None leaves a file out."""
    found = pl.Series(FILE, numbers, pl.UInt32).gather(partials[FILE])
    return partials.with_columns(found).filter(pl.col(FILE).is_not_null())


class PartialCache:
    """The partial aggregates of the files of a dataset for questions of one shape."""

    def __init__(self, cache: Cache, query: StatsQuery, dataset: Dataset) -> None:
        shape = (query.metric, query.group_by, query.interval, query.timezone, query.week_start, query.filters)
        read_as = (dataset.read_as, dataset.skip_bad_rows)
        self._cache, self._key = cache, make_key(Kind.PARTIALS, dataset.locations, read_as, shape)

    def find(self) -> CachedPartials:
        """All that are cached."""
        content = self._cache.find(self._key)
        if content is None:
            return CachedPartials()
        head, _, body = content.partition(b"\n")
        records = {
            fingerprint: FileRecord(whole, known and (known[0], known[1]), tuple(columns), *counts)
            for fingerprint, whole, known, columns, *counts in json.loads(head)
        }
        return CachedPartials(records, pl.read_ipc(io.BytesIO(body)) if body else None)

    def store(self, cached: CachedPartials) -> bool:
        """Cache these and no others; False where they cannot be cached."""
        head = json.dumps([[fingerprint, *astuple(record)] for fingerprint, record in cached.records.items()])
        body = io.BytesIO()
        if cached.partials is not None:
            cached.partials.write_ipc(body, compression="lz4")
        return self._cache.store(self._key, head.encode() + b"\n" + body.getvalue(), patience=_PATIENCE)
