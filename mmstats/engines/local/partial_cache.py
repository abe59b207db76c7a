"""Partial aggregates cached by file, so that a question need only read what is new, has changed or is cut by its range.

They are of whole files: any range that a file lies inside of can use them. Those of one shape of question over the
same locations are one cache entry, as they are used together.
"""

import io
import json
from dataclasses import astuple, dataclass

import polars as pl

from mmstats.cache import Cache, Kind, make_key
from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.readers.report import FileReport, InstantRange


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is cached of one file for questions of one shape.

    `range` is None where it is not known; `columns` are the event columns that the file has, `bad_rows` is how many
    rows were left out. Of a `whole` one the partial aggregate is cached, if it has any rows.
    """

    whole: bool
    range: InstantRange | None
    columns: tuple[str, ...]
    bad_rows: int

    def report(self) -> FileReport:
        """What reading the file would find out."""
        return FileReport(frozenset(self.columns), self.bad_rows)


@dataclass(frozen=True, slots=True)
class CachedPartials:
    """Records of files, and the partial aggregates of those that were read whole, by the files' fingerprints."""

    records: dict[str, FileRecord]
    partials: dict[str, pl.DataFrame]


class PartialCache:
    """The partial aggregates of the files of a dataset for questions of one shape."""

    def __init__(self, cache: Cache, query: StatsQuery, dataset: Dataset) -> None:
        shape = (query.metric, query.group_by, query.interval, query.event)
        read_as = (sorted(dataset.columns.items()), dataset.timestamp_unit, dataset.input_format, dataset.skip_bad_rows)
        self._cache, self._key = cache, make_key(Kind.PARTIALS, dataset.locations, read_as, shape)

    def find(self) -> CachedPartials:
        """All that are cached."""
        content = self._cache.find(self._key)
        if content is None:
            return CachedPartials({}, {})
        head, _, body = content.partition(b"\n")
        entries = json.loads(head)
        records = {
            fingerprint: FileRecord(whole, known and (known[0], known[1]), tuple(columns), bad_rows)
            for fingerprint, whole, known, columns, bad_rows in entries
        }
        by_number = pl.read_ipc(io.BytesIO(body)).partition_by(FILE, as_dict=True, include_key=False) if body else {}
        return CachedPartials(records, {entries[number][0]: partial for (number,), partial in by_number.items()})

    def store(self, cached: CachedPartials) -> bool:
        """Cache these and no others; False where they cannot be cached."""
        numbers = {fingerprint: number for number, fingerprint in enumerate(cached.records)}
        head = json.dumps([[fingerprint, *astuple(record)] for fingerprint, record in cached.records.items()])
        partials = [
            partial.with_columns(pl.lit(numbers[fingerprint], pl.UInt32).alias(FILE))
            for fingerprint, partial in cached.partials.items()
        ]
        body = io.BytesIO()
        if partials:
            pl.concat(partials).write_ipc(body, compression="lz4")
        return self._cache.store(self._key, head.encode() + b"\n" + body.getvalue())
