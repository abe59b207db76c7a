"""Parquet on a cluster: files of one schema, written alike, are one scan of the columns that the question reads."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import polars as pl
from pyarrow import parquet

from mmstats.engines.spark.errors import refused
from mmstats.engines.spark.expressions import is_string, quoted
from mmstats.engines.spark.scan import ParquetScan, read_parquet
from mmstats.engines.spark.session import Session
from mmstats.files.event_file import EventFile
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.columnar_file import unreadable
from mmstats.readers.projection import Projection
from mmstats.readers.schema_groups import group_by_schema
from mmstats.wording import visible

# Spark's names of the types whose values it gives the text that the contract says.
_INTEGERS = {"Int8": "tinyint", "Int16": "smallint", "Int32": "int", "Int64": "bigint"}
_UNSIGNED = {"UInt8": "smallint", "UInt16": "int", "UInt32": "bigint", "UInt64": "decimal(20,0)"}
_TYPES = {"Binary": "binary", "Boolean": "boolean", "Date": "date", **_INTEGERS, **_UNSIGNED}
_SPARK_VERSION = b"org.apache.spark.version"
# By whether timestamps are INT96: Spark's first version with today's calendar, and the footer's key for the one before.
_REFORM = {False: (b"3.0.0", b"org.apache.spark.legacyDateTime"), True: (b"3.1.0", b"org.apache.spark.legacyINT96")}
_REBASED_BEFORE = datetime(1901, 1, 1)  # noqa: DTZ001 - in some time zones until 1900


def parquet_scans(files: Sequence[EventFile], projection: Projection, session: Session) -> Iterator[ParquetScan]:
    """The scans that Parquet files take, as few as their schemas, writers and folders allow.

    Raises what `group_by_schema` raises, and Unreadable for a type whose values a cluster would write otherwise.
    """
    groups: dict[object, tuple[ColumnarFiles, list[EventFile]]] = {}
    for group in group_by_schema(files, projection):
        schema = (*group.schema.items(), *group.logical.items())
        for file in group.files:
            values = _partition_values(file, group)
            folders = tuple(values) if session.dialect.metadata_column else tuple(values.items())
            # Without declared types no files are read together whose Arrow types differ, if only in offset sizes.
            arrow = () if session.dialect.declares_types else _footer(file).schema.to_arrow_schema()
            types = tuple((field.name, str(field.type)) for field in arrow)
            key = (group.is_stored, file.storage, schema, types, _timestamps(file, group), folders)
            groups.setdefault(key, (group, []))[1].append(file)
    for group, members in groups.values():
        yield _scan(replace(group, files=tuple(members)), session)


def _scan(group: ColumnarFiles, session: Session) -> ParquetScan:
    """The scan of files that are written alike."""
    first, dialect = group.files[0], session.dialect
    columns = {name: group.schema[name] for name in group.projection.raw if group.schema.get(name, pl.Null) != pl.Null}
    (timestamp,) = group.projection.sources["timestamp"]
    for name, dtype in columns.items():
        # A server that is told no type makes no text of bytes of a fixed size.
        untold = dtype == pl.Binary and not dialect.declares_types
        is_fixed = untold and _physical_type(_footer(first), name) == "FIXED_LEN_BYTE_ARRAY"
        is_told = _declared_type(dtype) and not is_fixed and name not in group.logical
        if not is_told or (dtype.is_temporal() and name != timestamp):
            raise refused(first, f"column {visible(name)!r} is {group.columns[name]}")
    nulls = dict.fromkeys(name for name in group.projection.raw if name in group.schema and name not in columns)
    int96, comparable_from = _timestamps(first, group)
    if int96 and dialect.declares_types:
        columns[timestamp] = pl.Datetime("us")
    schema = _declared_schema(columns, group) if dialect.declares_types else ""
    # Values of folders are constants, but for those that differ: these are looked up by the path of a row's file.
    values = {name: {file.partition[name] for file in group.files} for name in _partition_values(first, group)}
    constants = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    varying = [name for name in values if name not in constants]
    read = partial(read_parquet, session=session, schema=schema, partition_columns=varying)
    columns |= dict.fromkeys(varying, pl.String())
    constants |= nulls
    return ParquetScan(group.files, read, columns, constants, group.projection, group.found, dialect, comparable_from)


def _partition_values(file: EventFile, group: ColumnarFiles) -> dict[str, str | None]:
    """What the folders of a file say of columns that the question may read and the file lacks."""
    names = [name for name in group.projection.raw if name not in group.schema]
    return {name: file.partition[name] for name in names if name in file.partition}


def _declared_type(dtype: pl.DataType) -> str | None:
    """Spark's name for a type, None for one whose values it would give another text."""
    if is_string(dtype):
        return "string"
    if isinstance(dtype, pl.Datetime):
        return "bigint" if dtype.time_unit == "ns" else "timestamp"
    return _TYPES.get(str(dtype))


def _declared_schema(columns: dict[str, pl.DataType], group: ColumnarFiles) -> str:
    """The columns to read, at least one, or there would be no rows."""
    declared = [f"{quoted(name)} {_declared_type(dtype)}" for name, dtype in columns.items()]
    others = (
        f"{quoted(name)} {_declared_type(dtype)}" for name, dtype in group.schema.items() if _declared_type(dtype)
    )
    return ", ".join(declared) or next(others, "")


def _timestamps(file: EventFile, group: ColumnarFiles) -> tuple[bool, datetime | None]:
    """Whether a file's timestamps are INT96, and from when on every engine reads them the same, None for always.

    Spark moves old ones of its legacy calendar, however it is set.
    """
    (name,) = group.projection.sources["timestamp"]
    if file.stored or not isinstance(group.schema.get(name), pl.Datetime | pl.Date):
        return False, None
    footer = _footer(file)
    metadata = footer.metadata or {}
    int96 = _physical_type(footer, name) == "INT96"
    reformed, legacy = _REFORM[int96]
    is_legacy = legacy in metadata or metadata.get(_SPARK_VERSION, reformed) < reformed
    return int96, _REBASED_BEFORE if is_legacy else None


def _physical_type(footer: parquet.FileMetaData, name: str) -> str:
    columns = map(footer.schema.column, range(footer.num_columns))
    return next((column.physical_type for column in columns if column.name == column.path == name), "")


def _footer(file: EventFile) -> parquet.FileMetaData:
    try:
        return parquet.read_metadata(file.storage.footer(file.path))
    except (NotImplementedError, OSError, ValueError) as error:
        raise unreadable(file, error) from None
