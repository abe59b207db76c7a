"""The files of a store, each of one UTC day and sorted by time: written, merged and compacted."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import polars as pl
from pyarrow import ArrowException, parquet

from mmstats.errors import OutputError, Unreadable
from mmstats.files.checksums import RowGroup, append_checksums, check_file
from mmstats.files.manifest import RESTORE, VERSION, StoreFile
from mmstats.limits import Limits
from mmstats.readers.columnar import IMPORTED_FROM, INSTANT, STORE_SCHEMA, VISITOR_HASH
from mmstats.readers.columnar_file import ENGINE_FAULTS
from mmstats.readers.integrity import first_page
from mmstats.readers.projection import hashed
from mmstats.store import Store
from mmstats.store.folder import fsync
from mmstats.wording import visible

_ROW_GROUP_ROWS = 1 << 17  # an hour of a day is a small part of it
# Dictionaries are for all but these, whose values hardly repeat, and of any size that a row group needs.
_WITHOUT_DICTIONARY = {"timestamp", "event_id", VISITOR_HASH}
_DICTIONARY_BYTES = 8 << 20
# Bytes of held events that are written when a source ends: a source of one day then gives one file.
_SOURCE_BYTES = 64 << 20


class DayWriter:
    """Collects events of any days and writes a file for each day whenever it holds `held_bytes`.

    `files` are those written so far.
    """

    def __init__(self, store: Store, held_bytes: int) -> None:
        self.files: list[StoreFile] = []
        self._store, self._max_bytes = store, held_bytes
        self._held: list[pl.DataFrame] = []
        self._bytes = 0

    def add(self, events: pl.DataFrame, source: int) -> None:
        """Add events of a source: naive timestamps, and texts."""
        rows = events.select(
            *(pl.col(name).dt.replace_time_zone("UTC") if dtype == INSTANT else pl.col(name).cast(dtype)
              for name, dtype in STORE_SCHEMA.items() if name in events.columns),
            hashed(pl.col("anonymous_id")).alias(VISITOR_HASH),
            pl.lit(source, pl.UInt32).alias(IMPORTED_FROM),
        ).select(STORE_SCHEMA.names())  # fmt: skip
        self._held.append(rows)
        self._bytes += int(rows.estimated_size())
        if self._bytes >= self._max_bytes:
            self.flush()

    def end_source(self) -> None:
        """All events of a source have been added."""
        if self._bytes >= _SOURCE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the events held."""
        if self._bytes:
            rows, self._held, self._bytes = pl.concat(self._held), [], 0
            self.files += _write_days(rows, self._store)


def _write_days(rows: pl.DataFrame, store: Store) -> list[StoreFile]:
    """Write rows of any days and in any order, a file for each day."""
    order = rows["timestamp"].arg_sort()
    days = rows["timestamp"].gather(order).dt.date().rle().struct.unnest()
    written, first = [], 0
    for length, day in days.iter_rows():
        # Day by day: all rows sorted at once would be in memory twice.
        written.append(_write(rows[order.slice(first, length)], day, store))
        first += length
    return written


def _write(rows: pl.DataFrame, day: date, store: Store) -> StoreFile:
    path = store.new_file()
    try:
        tail_bytes, tail_checksum = append_checksums(path, rows.columns, _write_parquet(rows, path))
    except (ArrowException, OSError) as fault:
        why = " ".join(str(fault).split())
        raise OutputError(visible(f"{path}: cannot be written ({why})"), hint="is the disk full?") from None
    fsync(path)
    instants = rows["timestamp"].to_physical()
    sources = rows[IMPORTED_FROM].value_counts(sort=False).iter_rows()
    return StoreFile(
        day.isoformat(), f"{path.name}.parquet", rows.height, path.stat().st_size,
        int(instants[0]), int(instants[-1]), dict(sorted(sources)), tail_bytes, tail_checksum,
    )  # fmt: skip


def _write_parquet(rows: pl.DataFrame, path: Path) -> list[RowGroup]:
    """Write a Parquet file by Arrow, which gives its pages checksums, as the engine does not; its row groups."""
    with parquet.ParquetWriter(
        path,
        rows.head(0).to_arrow().schema,
        compression="zstd",
        use_dictionary=[name for name in rows.columns if name not in _WITHOUT_DICTIONARY],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_page_checksum=True,
    ) as writer:
        writer.add_key_value_metadata({"mmstats.layout": str(VERSION)})
        for group in rows.iter_slices(_ROW_GROUP_ROWS):
            writer.write_table(group.to_arrow(), row_group_size=_ROW_GROUP_ROWS)
    footer, instants, first = parquet.read_metadata(path), rows["timestamp"].to_physical(), 0
    groups = []
    for group in map(footer.row_group, range(footer.num_row_groups)):
        last = first + group.num_rows - 1
        chunks = map(group.column, range(group.num_columns))
        ends = [first_page(chunk) + chunk.total_compressed_size for chunk in chunks]
        groups.append(RowGroup(int(instants[first]), int(instants[last]), ends))
        first = last + 1
    return groups


def compact(files: Iterable[StoreFile], removed: set[int], store: Store, limits: Limits) -> list[StoreFile]:
    """The files that the store is to have: few in each day, none with rows of removed sources.

    Files of a day are merged into one where they are many, or many of them small; `removed` are ids of sources.
    """
    ordered = sorted(files, key=lambda file: (file.day, file.first, file.name))
    days = (list(day) for _, day in groupby(ordered, key=lambda file: file.day))
    return [file for day in days for file in _compact_day(day, removed, store, limits)]


def _compact_day(files: list[StoreFile], removed: set[int], store: Store, limits: Limits) -> list[StoreFile]:
    remaining = [file for file in files if file.sources.keys() - removed]
    to_merge = [file for file in remaining if file.bytes < limits.small_file_bytes]
    if len(remaining) > limits.day_files:
        to_merge = remaining
    elif len(to_merge) <= limits.small_day_files:
        to_merge = []
    compacted = _merge(to_merge, removed, store) if to_merge else []
    for file in remaining:
        if file not in to_merge:
            compacted += _merge([file], removed, store) if file.sources.keys() & removed else [file]
    return compacted


def _merge(files: Sequence[StoreFile], removed: set[int], store: Store) -> list[StoreFile]:
    """Write one file of several of a day, without the rows of removed sources."""
    return _write_days(pl.concat([_read(file, removed, store) for file in files]), store)


def _read(file: StoreFile, removed: set[int], store: Store) -> pl.DataFrame:
    """The rows of a file but those of removed sources; what is damaged is not written again as if it were sound."""
    path, name = store.fetch(file), store.name_of(file)
    check_file(path, file, name=name)
    rows = pl.scan_parquet(path, glob=False, hive_partitioning=False, schema=STORE_SCHEMA)
    try:
        return rows.filter(~pl.col(IMPORTED_FROM).is_in(sorted(removed))).collect(engine="streaming")
    except (*ENGINE_FAULTS, OSError) as fault:
        why = visible(" ".join(str(fault).split()))[:200]
        raise Unreadable(f"{visible(name)}: cannot be read as Parquet ({why})", hint=RESTORE) from None
