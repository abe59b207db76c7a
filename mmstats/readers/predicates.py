"""Filters as expressions over columns of text, and texts as exact numbers."""

from collections.abc import Iterable

import polars as pl

from mmstats.errors import InvalidParams
from mmstats.question.filters import (
    COMPARISONS,
    FRACTION_DIGITS,
    WHOLE_DIGITS,
    Filter,
    Operator,
    compares,
    plain_number,
)

NUMBER = pl.Decimal(38, FRACTION_DIGITS)
_PLAIN = rf"^-?(0|[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}})(\.[0-9]{{1,{FRACTION_DIGITS}}})?$"
_MAYBE = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def holds(asked: Filter, text: pl.Expr) -> pl.Expr:
    """Whether a filter holds for the text of its column; null, as `false`, for a null unless the filter takes that."""
    if asked.operator is Operator.IS_NULL:
        return text.is_not_null() if asked.negated else text.is_null()
    passed = _passes(asked, text)
    return ~passed.fill_null(value=False) if asked.negated else passed


def _passes(asked: Filter, text: pl.Expr) -> pl.Expr:
    if asked.operator is Operator.MATCHES:
        return text.str.contains(asked.values[0])
    if asked.operator in COMPARISONS:
        return compares(asked.operator, number(text), pl.lit(asked.number, NUMBER))  # type: ignore[no-any-return]
    return (
        pl.any_horizontal([text == value for value in asked.values])
        if len(asked.values) > 1
        else text == asked.values[0]
    )


def check_patterns(filters: Iterable[Filter]) -> None:
    """Raise InvalidParams for patterns that are no regular expressions to the engine, which alone knows its syntax."""
    faults = []
    for pattern in (asked.values[0] for asked in filters if asked.operator is Operator.MATCHES):
        try:
            pl.select(pl.lit("").str.contains(pattern))
        except pl.exceptions.ComputeError as error:
            why = str(error).partition("\n\n")[0].splitlines()[-1].rpartition("error: ")[2]
            faults.append(f"has the pattern {pattern!r}, which does not compile: {why}")
    if faults:
        raise InvalidParams({"where": faults})


def number(text: pl.Expr) -> pl.Expr:
    """The exact number that a text is, null for one that is none; see `plain_number`."""
    others = pl.when(text.str.contains(_MAYBE) & ~text.str.contains(_PLAIN)).then(text)
    plain = others.map_elements(plain_number, return_dtype=pl.String)
    return pl.coalesce(pl.when(text.str.contains(_PLAIN)).then(text), plain).cast(NUMBER)
