"""Columns of Parquet on a cluster: the type each is read as, its instants, its texts, and the range as a filter."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl
from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F

from mmstats.engines.spark import instants
from mmstats.engines.spark.lines import all_of, any_of
from mmstats.readers.projection import Selection
from mmstats.readers.types import stored_ranges

_INTEGERS = {
    "Int8": "tinyint",
    "Int16": "smallint",
    "Int32": "int",
    "Int64": "bigint",
    "UInt8": "smallint",
    "UInt16": "int",
    "UInt32": "bigint",
    "UInt64": "decimal(20,0)",
}
NO_TEXT = "string data that is not valid UTF-8"
_MICROS = {"ms": 1000, "us": 1}


def read_as(dtype: pl.DataType) -> str | None:
    """The cluster's name for a type, None for one whose values it would give another text."""
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "string"
    if isinstance(dtype, pl.Datetime):
        return "bigint" if dtype.time_unit == "ns" else "timestamp"
    named = {"Binary": "binary", "Boolean": "boolean", "Date": "date", **_INTEGERS}
    return named.get(str(dtype))


def has_text(dtype: pl.DataType) -> bool:
    """Whether the cluster gives the values of a type the text that the contract says."""
    return read_as(dtype) is not None and not dtype.is_temporal()


def has_instants(dtype: pl.DataType) -> bool:
    """Whether the cluster finds the instants that values of a type name."""
    return has_text(dtype) or isinstance(dtype, pl.Datetime | pl.Date)


def instant(source: Column, dtype: pl.DataType, unit: str | None, *, as_read: bool) -> Column:
    """The instants of a column in microseconds, null where a value is none.

    Nanoseconds are whole numbers where the column is `as_read`, and else a type of the cluster's own.
    """
    if isinstance(dtype, pl.Datetime):
        if dtype.time_unit == "ns" and as_read:
            return instants.whole(source, 1000)
        if dtype.time_unit == "ns":
            # Before the epoch the cluster rounds up, to a microsecond that has not come yet.
            micros = F.unix_micros(source.cast("timestamp"))
            return F.when(F.timestamp_micros(micros) > source, micros - 1).otherwise(micros)
        return instants.in_years(F.unix_micros(source.cast("timestamp")))
    if isinstance(dtype, pl.Date):
        return instants.in_years(F.unix_date(source).cast("bigint") * F.lit(instants.DAY).cast("bigint"))
    if dtype.is_integer():
        return instants.of_integers(source.try_cast("bigint"), unit)
    return instants.of_text(text(source), unit)


def text(source: Column) -> Column:
    """A column as text."""
    return source.cast("string")


def no_text(source: Column, dtype: pl.DataType) -> Column | None:
    """Whether a value that is there has no text, or None where every value of the type has one."""
    return source.isNotNull() & ~F.is_valid_utf8(text(source)) if isinstance(dtype, pl.Binary) else None


def is_string(dtype: pl.DataType) -> bool:
    """Whether values are stored as text, with nobody's word for it that they are."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def surely_text(strings: Sequence[Column]) -> Column:
    """What holds of every row, and fails where a string is no text."""
    texts = [F.coalesce(F.is_valid_utf8(string), F.lit(True)) for string in strings]
    return F.when(all_of(texts), F.lit(True)).otherwise(F.raise_error(F.lit(NO_TEXT)).cast("boolean"))


def in_range(source: Column, dtype: pl.DataType | None, wanted: Selection, unit: str | None) -> Column | None:
    """Whether a stored value lies in the range wanted, to be held against statistics; None where these cannot tell."""
    nanos = isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"
    if (
        dtype is None
        or nanos
        or dtype == pl.UInt64
        or not (dtype.is_integer() or isinstance(dtype, pl.Datetime | pl.Date))
    ):
        return None
    spans = stored_ranges(dtype, wanted, unit)
    return any_of([source.between(_literal(first, dtype), _literal(end - 1, dtype)) for first, end in spans])


def _literal(number: int, dtype: pl.DataType) -> Column:
    """A stored integer as a value of its type."""
    if isinstance(dtype, pl.Datetime):
        micros = F.lit(number * _MICROS[dtype.time_unit]).cast("bigint")
        return F.timestamp_micros(micros)
    if isinstance(dtype, pl.Date):
        return F.lit(date(1970, 1, 1) + timedelta(days=number))
    return F.lit(number).cast("bigint")
