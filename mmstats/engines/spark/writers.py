"""What the footers of Parquet files tell of how their columns were written, where engines read some differently."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from pyarrow import parquet

from mmstats.files.event_file import EventFile
from mmstats.readers.columnar import unreadable

Bounds = tuple[datetime | None, datetime | None]  # naive and in UTC, None for no bound; the second is beyond

_VERSION = b"org.apache.spark.version"
# Since when Spark counts days as everybody does, and what it notes where it was set to go on as before.
_REFORMED = {False: (b"3.0.0", b"org.apache.spark.legacyDateTime"), True: (b"3.1.0", b"org.apache.spark.legacyINT96")}
_FROM = datetime(1901, 1, 1)  # noqa: DTZ001 - older instants may have moved, in some time zones until 1900
_NANOS: Bounds = (datetime(1678, 1, 1), datetime(2262, 1, 1))  # noqa: DTZ001 - what 64 bits of nanoseconds hold


@dataclass(frozen=True, slots=True)
class Written:
    """How a file's timestamps were written.

    Those that are `wide` have 96 bits. Where they are `rebased` Spark takes old ones for those of another calendar,
    however it is set.
    """

    wide: bool = False
    rebased: bool = False

    def read_as(self, dtype: pl.DataType) -> pl.DataType:
        """The type that a server which is told one can read them as."""
        return pl.Datetime("us") if self.wide else dtype

    def alike(self, dtype: pl.DataType) -> Bounds:
        """Within which bounds every engine reads them alike."""
        first, end = _NANOS if self.wide and dtype == pl.Datetime("ns") else (None, None)
        return (_FROM if self.rebased else first), end


def by_writer(files: Iterable[EventFile], column: str, dtype: pl.DataType | None) -> dict[Written, list[EventFile]]:
    """Files grouped by how their column of timestamps was written; raises Unreadable for a footer that is damaged."""
    groups: dict[Written, list[EventFile]] = {}
    temporal = isinstance(dtype, pl.Datetime | pl.Date)
    for file in files:
        written = _written(file, column) if temporal and not file.stored else Written()
        groups.setdefault(written, []).append(file)
    return groups


def by_arrow_types(files: Iterable[EventFile]) -> list[list[EventFile]]:
    """Files grouped by the Arrow types of their columns, which differ by writer; raises as `by_writer` does."""
    groups: dict[object, list[EventFile]] = {}
    for file in files:
        schema = _footer(file).schema.to_arrow_schema()
        groups.setdefault(tuple(zip(schema.names, map(str, schema.types), strict=True)), []).append(file)
    return list(groups.values())


def has_fixed_size(file: EventFile, column: str) -> bool:
    """Whether the bytes of a column are of one length, which its schema does not tell; raises as `by_writer` does."""
    return _physical(_footer(file)).get(column) == "FIXED_LEN_BYTE_ARRAY"


def _written(file: EventFile, column: str) -> Written:
    footer = _footer(file)
    noted = footer.metadata or {}
    wide = _physical(footer).get(column) == "INT96"
    since, note = _REFORMED[wide]
    return Written(wide, note in noted or noted.get(_VERSION, since) < since)


def _footer(file: EventFile) -> parquet.FileMetaData:
    try:
        return parquet.read_metadata(file.storage.footer(file.path))
    except (NotImplementedError, OSError, ValueError) as error:
        raise unreadable(file, error) from None


def _physical(footer: parquet.FileMetaData) -> dict[str, str]:
    """The types in which columns are stored, by name."""
    return {one.path: one.physical_type for one in map(footer.schema.column, range(footer.num_columns))}
