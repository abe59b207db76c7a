"""Paths into Parquet and Arrow columns: fields of structs, keys of maps, entries of lists, and text that is JSON."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import polars as pl

from mmstats.paths import Path, Step
from mmstats.readers import value_text
from mmstats.readers.json_paths import TYPED_VALUES, find_in_texts
from mmstats.readers.projection import Projection

_TEXT = (pl.String, pl.Binary, pl.Categorical, pl.Enum)
_BROKEN = "broken"  # a field beside those of the paths, which are numbers


class BrokenText(Exception):
    """A text that a path goes into is no JSON."""


@dataclass(frozen=True)
class Leaf:
    """Where a path leads in files of one schema: a value and its type, and whether it fails to have a text, if it may.

    Where `json_steps` are left, the value is JSON which they go into: a column's `own_text`, or a JSON type's value.
    Where only values tell whether there is such a path, the `sign` is among what was seen once some row has it.
    """

    value: pl.Expr
    dtype: pl.DataType
    fails: pl.Expr | None = None
    json_steps: tuple[Step, ...] = ()
    own_text: bool = False
    spelled: bool = False
    sign: str = ""

    def is_there(self, seen: Collection[str]) -> bool:
        """Whether the schema has the path, or a value that was seen."""
        return self.sign in seen if self.sign else self is not _NOTHING


_NOTHING = Leaf(pl.lit(None, pl.String), pl.Null())


def find_leaf(name: str, path: Path, dtype: pl.DataType, seen: set[str]) -> Leaf:
    """Where the path of a raw column leads in a column of some type; `seen` takes signs as rows are read."""
    value, sign = pl.col(path.column), ""
    for at, step in enumerate(path.steps):
        if (isinstance(dtype, _TEXT) and not at) or value_text.is_json(dtype):
            return Leaf(value, dtype, None, path.steps[at:], own_text=not at, spelled=path.spelled, sign=name)
        if isinstance(dtype, pl.Struct) and not step.entry:
            held = _fields(dtype)
            if step.key not in held:
                return _NOTHING
            value, dtype = value.struct.field(step.key), held[step.key]
        elif entry := _entry_type(dtype, step):
            sign = f"{name} {at}"
            value, dtype = _first_under(value, dtype, step.key, partial(_note, sign=sign, seen=seen)), entry
            if step.entry and isinstance(dtype, pl.Struct) and (typed := _typed_values(value, dtype)):
                return replace(typed, sign=sign) if at + 1 == len(path.steps) else _NOTHING
        else:
            return _NOTHING
    return Leaf(value, dtype, sign=sign)


def _fields(dtype: pl.Struct) -> dict[str, pl.DataType]:
    return {field.name: cast(pl.DataType, field.dtype) for field in dtype.fields}


def _note(found: pl.Series, *, sign: str, seen: set[str]) -> pl.Series:
    """What was found, as it is."""
    if found.null_count() < len(found):
        seen.add(sign)
    return found


def narrowed(columns: Mapping[str, pl.DataType], projection: Projection) -> dict[str, pl.DataType]:
    """Those of a file's columns that are read, with only the fields of structs that paths go into."""
    paths = {name: one for name, one in projection.paths.items() if name in projection.raw}
    found: dict[str, pl.DataType] = {}
    for column in projection.own_columns:
        ways = [one.steps for one in paths.values() if one.column == column]
        if column in columns:
            found[column] = columns[column] if column in projection.raw else _narrowed(columns[column], ways)
    return found


def _narrowed(dtype: pl.DataType, ways: Sequence[Sequence[Step]]) -> pl.DataType:
    if not isinstance(dtype, pl.Struct) or not all(ways):
        return dtype
    asked: dict[str, list[Sequence[Step]]] = {}
    for first, *rest in ways:
        asked.setdefault("" if first.entry else first.key, []).append(rest)
    return pl.Struct({name: _narrowed(held, asked[name]) for name, held in _fields(dtype).items() if name in asked})


def _entry_type(dtype: pl.DataType, step: Step) -> pl.DataType | None:
    """The type of what is under a key of a map, or of an entry's value in a list, None where a step does not fit."""
    if isinstance(dtype, pl.Map) and not step.entry:
        return cast(pl.DataType, dtype.value)
    if not step.entry or not isinstance(dtype, pl.List | pl.Array) or not isinstance(dtype.inner, pl.Struct):
        return None
    held = _fields(dtype.inner)
    return held.get("value") if isinstance(held.get("key"), _TEXT) else None


def _first_under(entries: pl.Expr, dtype: pl.DataType, key: str, note: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """The value of the first entry of a key, of maps too, which come as lists of their entries."""
    lists = entries.arr.to_list() if isinstance(dtype, pl.Array) else entries
    has_key = pl.element().struct.field("key").cast(pl.String, strict=False) == key
    first = lists.list.eval(pl.element().filter(has_key)).list.first()
    return first.map_batches(note, return_dtype=pl.dtype_of(first), is_elementwise=True).struct.field("value")


def _typed_values(value: pl.Expr, dtype: pl.Struct) -> Leaf | None:
    """The first of an object's typed values that is not null, as text; None where it has none of them."""
    held = _fields(dtype)
    typed = [(value.struct.field(name), held[name]) for name in TYPED_VALUES if name in held]
    fails = [value_text.no_text(*one) for one in typed if value_text.may_fail(one[1])]
    texts = [value_text.text(*one) for one in typed]
    return Leaf(pl.coalesce(texts), pl.String(), pl.any_horizontal(fails) if fails else None) if texts else None


@dataclass(frozen=True)
class JsonColumn:
    """JSON that paths go into, by the raw columns that they are; each value is parsed once for all of them.

    `column` is the files' own. `seen` takes the paths that some row has. Where it is `strict`, a text that is no JSON
    raises BrokenText.
    """

    column: str
    leaves: Mapping[str, Leaf]
    seen: set[str]
    strict: bool

    def parsed(self) -> pl.Expr:
        """What the paths lead to: a struct of texts in their order, and whether a row's JSON is broken."""
        first = next(iter(self.leaves.values()))
        fields = {str(place): pl.String() for place, _ in enumerate(self.leaves)}
        dtype = pl.Struct({**fields, _BROKEN: pl.Boolean()})
        source = first.value.ext.storage() if isinstance(first.dtype, pl.Extension) else first.value
        parse = partial(self._parse, is_value=isinstance(first.dtype, pl.Extension), own_text=first.own_text)
        return source.map_batches(parse, return_dtype=dtype, is_elementwise=True)

    def columns(self, parsed: pl.Expr) -> Iterable[pl.Expr]:
        """The raw columns, out of what was parsed."""
        return (parsed.struct.field(str(place)).alias(name) for place, name in enumerate(self.leaves))

    def broken(self, parsed: pl.Expr) -> pl.Expr:
        """Whether a row's JSON is broken."""
        return parsed.struct.field(_BROKEN)

    def _parse(self, values: pl.Series, *, is_value: bool, own_text: bool) -> pl.Series:
        paths = [Path(self.column, leaf.json_steps, leaf.spelled) for leaf in self.leaves.values()]
        found = find_in_texts(values, paths, unwrap=is_value and own_text)
        if found.broken and self.strict:
            raise BrokenText
        self.seen.update(name for name, there in zip(self.leaves, found.present, strict=True) if there)
        columns = {str(place): pl.Series(one, dtype=pl.String) for place, one in enumerate(found.texts)}
        broken = pl.zeros(len(values), pl.Boolean, eager=True)
        broken[[*found.broken]] = True
        return pl.DataFrame({**columns, _BROKEN: broken}).to_struct(values.name)


def json_columns(leaves: Mapping[str, Leaf], seen: set[str], *, strict: bool) -> list[JsonColumn]:
    """The columns of JSON that leaves lie in."""
    groups: dict[str, dict[str, Leaf]] = {}
    for name, leaf in leaves.items():
        if leaf.json_steps:
            groups.setdefault(str(leaf.value), {})[name] = leaf
    columns = [next(iter(some.values())).value.meta.root_names()[0] for some in groups.values()]
    return [JsonColumn(column, some, seen, strict) for column, some in zip(columns, groups.values(), strict=True)]
