"""The answer: rows of labels and a value, and the only encoder of its JSON bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a question was answered with.

    `labels` are the keys of a row but its value, in order; `groups` is how many rows there were before the limit, and
    `total` the sum of all their values, None for distinct visitors, of whom one may be in several rows; `notices` say
    what a reader of the answer should know (rows left out, a column the data lacks), a sentence each. `meta` says what
    was asked and how it was answered, where that is asked for.
    """

    metric: str
    labels: tuple[str, ...]
    rows: list[Row]
    groups: int
    notices: Sequence[str] = field(default=())
    total: int | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def truncated(self) -> bool:
        """Whether the limit cut rows off."""
        return self.groups > len(self.rows)

    def to_json(self) -> str:
        """The answer as the API sends it: compact, non-ASCII unescaped, without a final newline."""
        meta = {} if self.meta is None else {"meta": self.meta}
        return encode({"metric": self.metric, "rows": self.rows, **meta})

    def to_polars(self) -> "pl.DataFrame":
        """The rows as a Polars DataFrame: labels as String, `value` as Int64."""
        import polars as pl

        schema = {**dict.fromkeys(self.labels, pl.String), "value": pl.Int64}
        return pl.DataFrame(self.rows, schema=schema, orient="row")


def encode(value: object) -> str:
    """`value` as JSON in the one form that every door sends."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
