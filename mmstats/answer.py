"""The answer: rows of labels and values, and the only encoder of its JSON bytes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

Value = str | int | Decimal | None  # a bool is an int
Row = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a question was answered with.

    `metric` is one, or all of them. `labels` are the keys of a row that say of which events it is, in order, `other`
    comes after them where the row of all other groups is told apart (`has_other`), and then `values`: `decimals` and
    integers. `groups` is how many rows there were before the limit, and `total` the number of all events, None where
    events are not counted; `notices` say what a reader of the answer should know (rows left out, a column the data
    lacks), a sentence each. `totals` are the values of all rows together, and `meta` says what was asked and how it was
    answered, where these are asked for.
    """

    metric: str | tuple[str, ...]
    labels: tuple[str, ...]
    rows: list[Row]
    groups: int
    notices: Sequence[str] = field(default=())
    total: int | None = None
    meta: Mapping[str, Any] | None = None
    values: tuple[str, ...] = ("value",)
    decimals: tuple[str, ...] = ()
    has_other: bool = False
    totals: Row | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys of a row, in order."""
        return (*self.labels, *(("other",) if self.has_other else ()), *self.values)

    @property
    def truncated(self) -> bool:
        """Whether the limit cut rows off."""
        return self.groups > len(self.rows)

    def to_json(self) -> str:
        """The answer as the API sends it: compact, non-ASCII unescaped, without a final newline."""
        totals = {} if self.totals is None else {"totals": self.totals}
        meta = {} if self.meta is None else {"meta": self.meta}
        return encode({"metric": self.metric, "rows": self.rows, **totals, **meta})

    def to_polars(self) -> "pl.DataFrame":
        """The rows as a Polars DataFrame: labels as String, counts as Int64, decimals as Decimal of 38 digits."""
        import polars as pl

        schema: dict[str, pl.DataType] = dict.fromkeys(self.columns, pl.Int64())
        schema |= dict.fromkeys(self.labels, pl.String())
        schema |= {key: pl.Decimal(38, 4 if key == "change" else 9) for key in self.decimals}
        schema |= {"other": pl.Boolean()} if self.has_other else {}
        return pl.DataFrame(self.rows, schema=schema, orient="row")


def encode(value: object) -> str:
    """`value` as JSON in the one form that every door sends; decimals are numbers in plain notation."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except TypeError:  # the library writes no decimals, of which most answers have none
        return "".join(_pieces(value))


def _pieces(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "{"
        for place, (key, one) in enumerate(value.items()):
            yield f"{',' if place else ''}{json.dumps(key, ensure_ascii=False)}:"
            yield from _pieces(one)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for place, one in enumerate(value):
            yield "," if place else ""
            yield from _pieces(one)
        yield "]"
    else:
        yield number_text(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def number_text(number: int | Decimal) -> str:
    """A number in plain notation."""
    return f"{number:f}" if isinstance(number, Decimal) else str(number)
