"""Parts of answers kept by file, so that a question need only read what is new, has changed or is cut by its range.

They are of whole files: any range that a file lies inside of can use them. Those of one shape of question over the
same locations are kept together, as they are used.
"""

import io
import json
from dataclasses import astuple, dataclass
from hashlib import sha256

import polars as pl

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.question.query import StatsQuery
from mmstats.readers.columnar import FILE
from mmstats.version import build_id


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one file for questions of one shape.

    `span` are its first and last instant in microseconds since the epoch, None where they are not known; `found` are
    the event columns that it has, `bad_rows` is how many rows were left out. Of a `whole` one the part is kept, if it
    has any rows.
    """

    whole: bool
    span: tuple[int, int] | None
    found: tuple[str, ...]
    bad_rows: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Records of files, and the parts of those that were read whole, by the files' identities."""

    records: dict[str, Record]
    parts: dict[str, pl.DataFrame]


class Ledger:
    """What is kept of the files of a dataset for questions of one shape; of so many files it was `learnt` just now."""

    learnt = 0

    def __init__(self, cache: Cache, query: StatsQuery, dataset: Dataset) -> None:
        shape = (query.metric, query.group_by, query.interval, query.event)
        read_as = (sorted(dataset.columns.items()), dataset.timestamp_unit, dataset.input_format, dataset.skip_bad_rows)
        asked = f"{build_id()} parts {dataset.locations} {read_as} {shape}"
        self._cache, self._key = cache, sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()

    def read(self) -> Kept:
        """All that is kept."""
        content = self._cache.find(self._key)
        if content is None:
            return Kept({}, {})
        head, _, body = content.partition(b"\n")
        entries = json.loads(head)
        records = {known: _record(*entry) for known, *entry in entries}
        by_number = pl.read_ipc(io.BytesIO(body)).partition_by(FILE, as_dict=True, include_key=False) if body else {}
        return Kept(records, {entries[number][0]: part for (number,), part in by_number.items()})

    def write(self, kept: Kept) -> bool:
        """Keep this and nothing else; False where it cannot be kept."""
        numbers = {known: number for number, known in enumerate(kept.records)}
        head = json.dumps([[known, *astuple(record)] for known, record in kept.records.items()])
        parts = [part.with_columns(pl.lit(numbers[known], pl.UInt32).alias(FILE)) for known, part in kept.parts.items()]
        body = io.BytesIO()
        if parts:
            pl.concat(parts).write_ipc(body, compression="lz4")
        return self._cache.keep(self._key, head.encode() + b"\n" + body.getvalue())


def _record(whole: bool, span: tuple[int, int] | None, found: list[str], bad_rows: int) -> Record:
    return Record(whole, span and (span[0], span[1]), tuple(found), bad_rows)
