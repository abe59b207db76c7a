"""The files of a store, each of one UTC day and sorted by time: written, merged and compacted."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import cast

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
_DICTIONARY_BYTES = 8 << 20  # as large as a row group needs
_SAMPLE_ROWS = 1 << 12
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
        of_day = order.slice(first, length)
        # One after the other: all rows sorted at once would be in memory twice.
        groups = (rows[of_day.slice(at, _ROW_GROUP_ROWS)] for at in range(0, length, _ROW_GROUP_ROWS))
        written.append(_write(groups, day, store))
        first += length
    return written


def _write(row_groups: Iterable[pl.DataFrame], day: date, store: Store) -> StoreFile:
    """Write the rows of a day, sorted by time, a row group each."""
    path = store.new_file()
    try:
        written, sources = _write_parquet(row_groups, path)
        tail_bytes, tail_checksum = append_checksums(path, STORE_SCHEMA.names(), written)
    except (ArrowException, OSError) as fault:
        why = " ".join(str(fault).split())
        raise OutputError(visible(f"{path}: cannot be written ({why})"), hint="is the disk full?") from None
    fsync(path)
    return StoreFile(
        day.isoformat(), f"{path.name}.parquet", sources.total(), path.stat().st_size,
        written[0].first, written[-1].last, dict(sorted(sources.items())), tail_bytes, tail_checksum,
    )  # fmt: skip


def _write_parquet(row_groups: Iterable[pl.DataFrame], path: Path) -> tuple[list[RowGroup], Counter[int]]:
    """Write a Parquet file by Arrow, which gives its pages checksums, as the engine does not.

    Returns its row groups, and how many rows are of each source.
    """
    first = next(groups := iter(row_groups))
    # Texts that hardly repeat are smaller without a dictionary, and written and read sooner; so are sorted instants.
    texts = [name for name, dtype in STORE_SCHEMA.items() if dtype == pl.String and _hardly_repeats(first[name])]
    encodings = {"timestamp": "DELTA_BINARY_PACKED", **dict.fromkeys(texts, "DELTA_LENGTH_BYTE_ARRAY")}
    ends: list[pl.Series] = []
    sources: Counter[int] = Counter()
    with parquet.ParquetWriter(
        path,
        first.head(0).to_arrow().schema,
        compression="zstd",
        use_dictionary=[name for name in first.columns if name not in {*encodings, VISITOR_HASH}],
        column_encoding=encodings,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_page_checksum=True,
    ) as writer:
        writer.add_key_value_metadata({"mmstats.layout": str(VERSION)})
        for group in chain((first,), groups):
            writer.write_table(group.to_arrow(), row_group_size=_ROW_GROUP_ROWS)
            ends.append(group["timestamp"].to_physical().gather([0, -1]))
            sources.update(dict(group[IMPORTED_FROM].value_counts(sort=False).iter_rows()))
    footer, written = parquet.read_metadata(path), []
    for at, (low, high) in enumerate(ends):
        chunks = map(footer.row_group(at).column, range(footer.num_columns))
        written.append(RowGroup(low, high, [first_page(chunk) + chunk.total_compressed_size for chunk in chunks]))
    return written, sources


def _hardly_repeats(values: pl.Series) -> bool:
    """Whether about three in four values of a row group are different; asked of a few first, which is sooner."""
    first = values.head(_SAMPLE_ROWS), values.head(_ROW_GROUP_ROWS)
    return all(cast(int, some.approx_n_unique()) > 0.75 * len(some) for some in first)


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
    cut = [[file] for file in remaining if file not in to_merge and file.sources.keys() & removed]
    kept = [file for file in remaining if file not in to_merge and not file.sources.keys() & removed]
    several = [to_merge, *cut] if to_merge else cut
    day = date.fromisoformat(files[0].day)
    return [*kept, *(_write(_merged(some, removed, store, limits.merged_rows), day, store) for some in several)]


def _merged(files: Sequence[StoreFile], removed: set[int], store: Store, rows: int) -> Iterator[pl.DataFrame]:
    """The rows of sorted files but those of removed sources, sorted, as row groups; some of the files have such rows.

    They are read one span of time after the other, each of about so many `rows`, which are in memory then. What is
    damaged is not written again as if it were sound.
    """
    paths = [store.fetch(file) for file in files]
    names = [visible(store.name_of(file)) for file in files]
    for path, file, name in zip(paths, files, names, strict=True):
        check_file(path, file, name=name)
    scan = pl.scan_parquet(paths, glob=False, hive_partitioning=False, schema=STORE_SCHEMA)
    remaining, instant = scan.filter(~pl.col(IMPORTED_FROM).is_in(sorted(removed))), pl.col("timestamp")
    try:
        instants = remaining.select(instant).collect(engine="streaming").to_series().sort()
        starts = instants.gather_every(rows).unique(maintain_order=True)
        for start, end in pairwise([*starts, None]):
            span = instant >= start if end is None else instant.is_between(start, end, closed="left")
            yield from remaining.filter(span).collect(engine="streaming").sort(instant).iter_slices(_ROW_GROUP_ROWS)
    except (*ENGINE_FAULTS, OSError) as fault:
        why = visible(" ".join(str(fault).split()))[:200]
        raise Unreadable(f"{' or '.join(names)}: cannot be read as Parquet ({why})", hint=RESTORE) from None
