"""How values of each Parquet or Arrow type become text: as labels, as names of events and as visitors."""

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import cast

import polars as pl

from mmstats.errors import Unreadable
from mmstats.readers.json_text import column_text, value_of
from mmstats.readers.timestamps import naive_utc
from mmstats.wording import visible

JSON, UUID = "arrow.json", "arrow.uuid"  # the names of extension types
_EXACT = 2**53  # up to which a float tells integers apart
_DAYS = (-719_162, 2_932_897)  # the years 1 to 9999; the end is exclusive
_UNITS_A_DAY = {"d": 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 0}  # nanoseconds end before these years do
_DUMP = json.JSONEncoder(ensure_ascii=False).encode


def text(source: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column as text, null for null, for floats that are no number, and for a value that has no text.

    Raises Unreadable, naming the column, for a type whose values have no text.
    """
    if isinstance(dtype, pl.String):
        return source
    if isinstance(dtype, pl.Extension):
        return _extension_text(source, dtype)
    if isinstance(dtype, pl.Binary):
        return source.map_batches(_decoded, return_dtype=pl.String, is_elementwise=True)
    if dtype.is_nested():
        return source.map_batches(partial(_nested, dtype=dtype), return_dtype=pl.String, is_elementwise=True)
    if dtype.is_temporal():
        return _temporal_text(source, dtype)
    if isinstance(dtype, pl.Object | pl.Unknown):
        raise Unreadable(f"column {visible(source.meta.output_name())!r}: values of type {dtype} have no text")
    return _float_text(source) if dtype.is_float() else source.cast(pl.String)


def may_fail(dtype: pl.DataType) -> bool:
    """Whether a value that is there may have no text: bytes need be no UTF-8, and the text of a JSON type no JSON."""
    if isinstance(dtype, pl.Extension):
        return is_json(dtype) or (dtype.ext_name() != UUID and may_fail(_storage(dtype)))
    return isinstance(dtype, pl.Binary) or any(map(may_fail, inner_types(dtype)))


def no_text(source: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Whether a value that is there has no text, though it should; of a type that `may_fail`."""
    failed = source.is_not_null() & text(source, dtype).is_null()
    if not is_json(dtype):
        return failed
    assert isinstance(dtype, pl.Extension)
    return failed & text(source.ext.storage(), _storage(dtype)).str.strip_chars().ne_missing("null")


def fault_of(dtype: pl.DataType) -> str:
    """What is wrong with a value that has no text."""
    return "broken JSON" if is_json(dtype) else "invalid UTF-8"


def is_json(dtype: pl.DataType) -> bool:
    """Whether values are of the JSON type."""
    return isinstance(dtype, pl.Extension) and dtype.ext_name() == JSON


def _storage(dtype: pl.Extension) -> pl.DataType:
    return cast(pl.DataType, dtype.ext_storage())


def holds(kind: type[pl.DataType], dtype: pl.DataType) -> bool:
    """Whether values of a type are, or hold, values of some kind."""
    # The engine has the class for an instance where a struct holds a type without parameters that it does not know.
    return isinstance(dtype, kind) or dtype == kind or any(holds(kind, one) for one in inner_types(dtype))


def inner_types(dtype: pl.DataType) -> list[pl.DataType]:
    """The types of the values that values of a nested type hold."""
    if isinstance(dtype, pl.Struct):
        return [cast(pl.DataType, field.dtype) for field in dtype.fields]
    if isinstance(dtype, pl.Map):
        return [cast(pl.DataType, dtype.key), cast(pl.DataType, dtype.value)]
    return [cast(pl.DataType, dtype.inner)] if isinstance(dtype, pl.List | pl.Array) else []


def _extension_text(source: pl.Expr, dtype: pl.Extension) -> pl.Expr:
    storage = source.ext.storage()
    if dtype.ext_name() == UUID:
        digits = storage.bin.encode("hex").str
        groups = [digits.slice(at, size) for at, size in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
        return pl.concat_str(groups, separator="-")
    if is_json(dtype):
        return storage.map_batches(_json_texts, return_dtype=pl.String, is_elementwise=True)
    return text(storage, _storage(dtype))


def _json_texts(values: pl.Series) -> pl.Series:
    """The texts of JSON values, as those of a column of NDJSON: strings their own; null for what is no JSON."""
    return _each_once(values, lambda value: column_text(value_of(value.encode())))


def _compact_texts(values: pl.Series) -> pl.Series:
    """JSON values as compact JSON, null for what is no JSON."""
    return _each_once(values, lambda value: str(column_text([value_of(value.encode())]))[1:-1])


def _each_once(values: pl.Series, text_of: Callable[[str], str | None]) -> pl.Series:
    """What becomes of each text, found once for equal ones; null where that raises ValueError."""
    texts, found = _decoded(values), {}
    for value in texts.unique().drop_nulls():
        try:
            found[value] = text_of(value)
        except (ValueError, RecursionError):
            found[value] = None
    return pl.Series(values.name, [found.get(value) for value in texts], dtype=pl.String)


def _float_text(source: pl.Expr) -> pl.Expr:
    """Integers as such, exact up to 2^53; other numbers as the shortest text that reads back, in plain notation."""
    integer = source.cast(pl.Int64, strict=False)
    is_integral = (source == source.round(0)) & source.is_between(-_EXACT, _EXACT)
    shortest = pl.when(source.is_finite()).then(source).cast(pl.String)
    plain = shortest.map_batches(_without_exponents, return_dtype=pl.String, is_elementwise=True).str.strip_suffix(".0")
    return pl.when(is_integral).then(integer.cast(pl.String)).otherwise(plain)


def _without_exponents(texts: pl.Series) -> pl.Series:
    """Numbers in plain notation."""
    with_exponent = texts.str.contains("e", literal=True).fill_null(value=False)
    if not with_exponent.any():
        return texts
    some = texts.filter(with_exponent)
    return texts.scatter(with_exponent.arg_true(), [f"{Decimal(one):f}" for one in some])


def _temporal_text(source: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Duration):
        told = source.dt.to_string("iso")
        # The engine writes a sign before each number of the longest negative one.
        return pl.when(told.str.starts_with("-")).then("-" + told.str.replace_all("-", "")).otherwise(told)
    if isinstance(dtype, pl.Time):
        return source.dt.to_string("%H:%M:%S%.f")  # a cast would lose what is less than a second
    stored, unit = source.to_physical(), _UNITS_A_DAY[dtype.time_unit if isinstance(dtype, pl.Datetime) else "d"]
    is_dated = stored.is_between(_DAYS[0] * unit, _DAYS[1] * unit, closed="left") if unit else stored.is_not_null()
    dated = pl.when(is_dated).then(naive_utc(source, dtype)).cast(pl.String)
    return pl.coalesce(dated, stored.cast(pl.String))  # the engine panics at years beyond


def _decoded(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:  # the engine does not say which
        return pl.Series([None if value is None else _utf8(value) for value in values], dtype=pl.String)


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _nested(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Lists, structs and maps as compact JSON; null for null, and for one that holds a value without text."""
    found = pl.Series(values.name, _as_json(values, dtype), dtype=pl.String)
    return found.set(values.is_null(), None)


def _as_json(values: pl.Series, dtype: pl.DataType) -> list[str | None]:
    """Each value as JSON, `null` for null; None for what is or holds a value without text."""
    if isinstance(dtype, pl.Struct):
        found = _objects(values, dtype)
    elif isinstance(dtype, pl.Map):
        found = _maps(values, dtype)
    elif isinstance(dtype, pl.List | pl.Array):
        found = [_joined("[]", one) for one in _held(values, inner_types(dtype)[0])]
    else:
        found = _scalars(values, dtype)
    return ["null" if is_null else one for one, is_null in zip(found, values.is_null(), strict=True)]


def _objects(values: pl.Series, dtype: pl.Struct) -> list[str | None]:
    if not dtype.fields:
        return ["{}"] * len(values)
    keys = [_DUMP(field.name) + ":" for field in dtype.fields]
    columns = [_as_json(values.struct.field(field.name), cast(pl.DataType, field.dtype)) for field in dtype.fields]
    return [
        _joined("{}", [one and key + one for key, one in zip(keys, row, strict=True)])
        for row in zip(*columns, strict=True)
    ]


def _maps(values: pl.Series, dtype: pl.Map) -> list[str | None]:
    """Maps, which come as lists of their entries: of a repeated key the first counts."""
    key, value = inner_types(dtype)
    entries = values.drop_nulls().explode(empty_as_null=False)
    keys = [
        one if one is None or one.startswith('"') else _DUMP(one) for one in _as_json(entries.struct.field("key"), key)
    ]
    pairs = iter(zip(keys, _as_json(entries.struct.field("value"), value), strict=True))
    found: list[str | None] = []
    for count in values.list.len():
        firsts: dict[str | None, str | None] = {}
        for name, held in islice(pairs, count or 0):
            firsts.setdefault(name, held)
        found.append(_joined("{}", [name and held and f"{name}:{held}" for name, held in firsts.items()]))
    return found


def _held(values: pl.Series, dtype: pl.DataType) -> Iterator[list[str | None]]:
    """The values that each list holds, as JSON."""
    lists = values.cast(pl.List(values.dtype.inner)) if isinstance(values.dtype, pl.Array) else values
    found = iter(_as_json(lists.drop_nulls().explode(empty_as_null=False), dtype))
    for count in lists.list.len():
        yield list(islice(found, count or 0))


def _scalars(values: pl.Series, dtype: pl.DataType) -> list[str | None]:
    source, frame = pl.col("value"), values.to_frame("value")
    texts = _compact_texts(values.ext.storage()) if is_json(dtype) else frame.select(text(source, dtype)).to_series()
    if may_fail(dtype):
        return [one if one is None or is_json(dtype) else _DUMP(one) for one in texts]
    is_plain = dtype.is_numeric() or isinstance(dtype, pl.Boolean)
    return ["null" if one is None else one if is_plain else _DUMP(one) for one in texts]


def _joined(brackets: str, parts: Sequence[str | None]) -> str | None:
    """A list or an object of some parts, None where one has no text."""
    held = [one for one in parts if one is not None]
    return None if len(held) < len(parts) else ",".join(held).join(brackets)
