"""Events written as a store's files: each of one day, sorted by time, in the layout's columns."""

from collections.abc import Iterable
from datetime import date

import polars as pl

from mmstats.errors import OutputError, Unreadable
from mmstats.files.manifest import VERSION, StoreFile
from mmstats.readers.columnar import ENGINE_FAULTS, IMPORTED_FROM, INSTANT, STORE_SCHEMA, VISITOR_HASH
from mmstats.readers.projection import hashed
from mmstats.storage.errors import is_store_error, store_error
from mmstats.store.folder import flush
from mmstats.store.home import Home
from mmstats.wording import visible

_RESTORE = "restore it, or import the sources into a new store"
_ROWS = 1 << 17  # in a row group: an hour of a day is a small part of it
_ENOUGH = 64 << 20  # bytes of events held that are written when a source ends, so that a day's file gives one file


class DayWriter:
    """Takes events of any days and writes a file for each day whenever it holds `held_bytes`; `files` are those."""

    def __init__(self, home: Home, held_bytes: int) -> None:
        self.files: list[StoreFile] = []
        self._home, self._most = home, held_bytes
        self._held: list[pl.DataFrame] = []
        self._bytes = 0

    def add(self, events: pl.DataFrame, source: int) -> None:
        """Take events of a source; their timestamps are naive, the rest is text."""
        rows = events.select(
            *(pl.col(name).dt.replace_time_zone("UTC") if dtype == INSTANT else pl.col(name).cast(dtype)
              for name, dtype in STORE_SCHEMA.items() if name in events.columns),
            hashed(pl.col("anonymous_id")).alias(VISITOR_HASH),
            pl.lit(source, pl.UInt32).alias(IMPORTED_FROM),
        ).select(STORE_SCHEMA.names())  # fmt: skip
        self._held.append(rows)
        self._bytes += int(rows.estimated_size())
        if self._bytes >= self._most:
            self.flush()

    def end_source(self) -> None:
        """All events of a source have been taken."""
        if self._bytes >= _ENOUGH:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._bytes:
            self.files += write_days(self._released(), self._home)

    def _released(self) -> pl.DataFrame:
        held = pl.concat(self._held)
        self._held, self._bytes = [], 0
        return held


def write_days(rows: pl.DataFrame, home: Home) -> list[StoreFile]:
    """Write rows of any days and in any order, a file for each day."""
    order = rows["timestamp"].arg_sort()
    days = rows["timestamp"].gather(order).dt.date().rle().struct.unnest()
    written, first = [], 0
    for length, day in days.iter_rows():
        # Day by day, since sorted as a whole they would be in memory twice.
        written.append(_write(rows[order.slice(first, length)], day, home))
        first += length
    return written


def _write(rows: pl.DataFrame, day: date, home: Home) -> StoreFile:
    path = home.new_file()
    try:
        rows.write_parquet(path, row_group_size=_ROWS, metadata={"mmstats.layout": str(VERSION)})
    except pl.exceptions.PolarsError as fault:  # the engine tells of a full disk in its own way, or not at all
        why = " ".join(str(fault).split())
        raise OutputError(visible(f"{path}: cannot be written ({why})"), hint="is the disk full?") from None
    flush(path)
    instants = rows["timestamp"].to_physical()
    sources = rows[IMPORTED_FROM].value_counts(sort=False).iter_rows()
    return StoreFile(
        day.isoformat(), f"{path.name}.parquet", rows.height, path.stat().st_size,
        first=int(instants[0]), last=int(instants[-1]), sources=dict(sorted(sources)),
    )  # fmt: skip


def rewrite(files: Iterable[StoreFile], gone: set[int], home: Home) -> list[StoreFile]:
    """One file of the rows of several of one day, without those of sources that are gone."""
    rows = pl.concat([_read(home, file, gone) for file in files])
    return write_days(rows, home)


def _read(home: Home, file: StoreFile, gone: set[int]) -> pl.DataFrame:
    path = home.find(file)
    rows = pl.scan_parquet(path, glob=False, hive_partitioning=False, schema=STORE_SCHEMA, **home.scan)
    try:
        return rows.filter(~pl.col(IMPORTED_FROM).is_in(sorted(gone))).collect(engine="streaming")
    except (*ENGINE_FAULTS, OSError) as fault:
        if is_store_error(fault):
            raise store_error(path, fault) from None
        if isinstance(fault, FileNotFoundError):
            raise Unreadable(f"{visible(path)}: the store has lost this file", hint=_RESTORE) from None
        why = visible(" ".join(str(fault).split()))[:200]
        raise Unreadable(f"{visible(path)}: cannot be read as Parquet ({why})", hint=_RESTORE) from None
