"""Arrow's types: what each is to us, and its values as arrays of types that the engine has."""

from itertools import accumulate
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import compute, types

from mmstats.readers.value_text import JSON, UUID


class NoText(Exception):
    """A type whose values have no text here."""


def dtype_of(arrow: Any) -> pl.DataType:
    """The type that values are to us, extension types and maps among them; raises NoText for one without text."""
    if isinstance(arrow, pa.BaseExtensionType):
        storage = dtype_of(arrow.storage_type)
        return pl.Extension(arrow.extension_name, storage) if arrow.extension_name in (JSON, UUID) else storage
    if types.is_dictionary(arrow) or types.is_run_end_encoded(arrow):
        return dtype_of(arrow.value_type)
    if types.is_struct(arrow):
        return pl.Struct({one.name: _field_type(one.type) for one in arrow})
    if types.is_map(arrow):
        return pl.Map(dtype_of(arrow.key_type), dtype_of(arrow.item_type))
    if _is_list(arrow):
        return pl.List(dtype_of(arrow.value_type))
    return _flat(_plain_type(arrow))


def _field_type(arrow: Any) -> pl.DataType:
    """The type of a field, which need not be asked for: Unknown where it has no text."""
    try:
        return dtype_of(arrow)
    except NoText:
        return pl.Unknown()


def _flat(arrow: Any) -> pl.DataType:
    found = pl.from_arrow(pa.array([], arrow))
    assert isinstance(found, pl.Series)
    return found.dtype


def _is_list(arrow: Any) -> bool:
    views = types.is_list_view(arrow) or types.is_large_list_view(arrow)
    return bool(views or types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow))


def _plain_type(arrow: Any) -> Any:
    """The type without nested ones that values are cast to."""
    if types.is_timestamp(arrow):
        return pa.timestamp(arrow.unit)  # a zone is only how to show an instant
    if types.is_decimal(arrow):
        return pa.string() if arrow.bit_width > 128 else pa.decimal128(arrow.precision, arrow.scale)
    if types.is_fixed_size_binary(arrow):
        return pa.binary()
    if types.is_union(arrow) or types.is_interval(arrow) or types.is_nested(arrow):
        raise NoText(str(arrow))
    return arrow


def as_stored(dtype: pl.DataType) -> pl.DataType:
    """The type of a column as `plain` gives it: extensions as their storage, maps as lists of entries."""
    if isinstance(dtype, pl.Extension):
        return as_stored(dtype.ext_storage())  # type: ignore[arg-type]
    if isinstance(dtype, pl.Map):
        entry = pl.Struct({"key": as_stored(dtype.key), "value": as_stored(dtype.value)})  # type: ignore[arg-type]
        return pl.List(entry)
    if isinstance(dtype, pl.List):
        return pl.List(as_stored(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({one.name: as_stored(one.dtype) for one in dtype.fields})  # type: ignore[arg-type]
    return dtype


def with_fields(array: Any, dtype: pl.DataType) -> Any:
    """A column whose structs have only the fields of a type."""
    if not isinstance(dtype, pl.Struct) or not types.is_struct(array.type):
        return array
    held = [with_fields(array.field(one.name), one.dtype) for one in dtype.fields]  # type: ignore[arg-type]
    return pa.StructArray.from_arrays(held, [one.name for one in dtype.fields], mask=array.is_null())


def plain(array: Any) -> Any:
    """An array of a type that `dtype_of` knows as one of a type that the engine has."""
    arrow = array.type
    if isinstance(arrow, pa.BaseExtensionType):
        return plain(array.storage)
    if types.is_dictionary(arrow) or types.is_run_end_encoded(arrow):
        return plain(array.dictionary_decode() if types.is_dictionary(arrow) else compute.run_end_decode(array))
    if types.is_struct(arrow):
        held = [plain(array.field(at)) for at in range(arrow.num_fields)]
        return pa.StructArray.from_arrays(held, [one.name for one in arrow], mask=array.is_null())
    return _plain_list(array) if types.is_map(arrow) or _is_list(arrow) else array.cast(_plain_type(arrow))


def _plain_list(array: Any) -> Any:
    """A list of any kind, or a map as a list of its entries."""
    if types.is_map(array.type):
        offsets, values = array.offsets, pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    else:  # of any kind: what a view holds may be in any order, and is flattened into its own
        sizes = compute.fill_null(compute.list_value_length(array), 0)
        offsets, values = pa.array([0, *accumulate(sizes.to_pylist())], pa.int64()), array.flatten()
    kind = pa.LargeListArray if offsets.type == pa.int64() else pa.ListArray
    return kind.from_arrays(offsets, plain(values), mask=array.is_null())
