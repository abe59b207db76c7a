"""Lists and objects in a text column of JSON lines, as the compact JSON text that the contract says."""

import json
from collections.abc import Collection
from typing import Any

import polars as pl


def compacted(text: bytes, raw: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """The raw columns of some lines, with lists and objects in `names` as compact JSON, which the engine writes wide.

    Only a value that begins like one is looked at again, since a string may begin so too.
    """
    columns = [name for name in raw.columns if name in names]
    begun = pl.any_horizontal(pl.lit(value=False), *(pl.col(name).str.contains(r"^[\[{]") for name in columns))
    nested = raw.with_columns(begun.fill_null(value=False).alias("nested"))["nested"]
    if not nested.any():
        return raw
    lines = [line for line in text.split(b"\n") if line.strip()]
    rows = nested.arg_true()
    objects = [json.loads(lines[row], object_pairs_hook=_first_wins) for row in rows]
    return raw.with_columns(
        raw[name].scatter(
            rows, [_text(thing.get(name), old) for thing, old in zip(objects, raw[name].gather(rows), strict=True)]
        )
        for name in columns
    )


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as the engine reads it, where a repeated key keeps its first value."""
    return dict(reversed(pairs))


def _text(value: object, as_read: str | None) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return as_read
