"""Timestamps as most files have them: ISO 8601 texts all of one form, read by their places instead of by patterns."""

import re

import polars as pl

from mmstats.events.timestamps import in_years

_CLOCK = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}%s([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = r"[+-]([01][0-9]|2[0-3])%s[0-5][0-9]"
_FORM = re.compile(rf"{_CLOCK % '([T ])'}(?:\.([0-9]{{1,9}}))?(Z|{_OFFSET % '(:?)'})?\Z")
_SECONDS = 19  # characters up to the whole second
_DIGITS = 6  # of a fraction that is microseconds


def parse_alike(texts: pl.Series) -> pl.Series | None:
    """The instants that texts of one form name, null for null; None where they are of other forms or of several."""
    first = texts.drop_nulls().head(1).to_list()
    found = _FORM.match(first[0]) if first else None
    if not found:
        return None
    sep, _, digits, zone, _, colon = found.groups()
    places = len(digits or "")
    offset = (zone or "") if colon is None else _OFFSET % colon
    fraction = rf"\.[0-9]{{{places}}}" if places else ""
    if not texts.str.contains(f"{_CLOCK % sep}{fraction}{offset}$").all():
        return None
    instant = _whole(sep)
    if places:
        instant += _micros(min(places, _DIGITS))
    if colon is not None:
        instant -= _minutes(_SECONDS + places + (places > 0), colon) * 60_000_000
    return texts.to_frame("text").select(in_years(instant.cast(pl.Datetime("us"))))["text"]


def _whole(sep: str) -> pl.Expr:
    """The whole second, in microseconds since the epoch."""
    clock = pl.col("text").str.head(_SECONDS)
    form = f"%Y-%m-%d{sep}%H:%M:%S"
    return clock.str.to_datetime(form, time_unit="us", strict=False, cache=False).to_physical()


def _micros(places: int) -> pl.Expr:
    digits = pl.col("text").str.slice(_SECONDS + 1, places)
    scale: int = 10 ** (_DIGITS - places)
    return digits.cast(pl.Int64) * scale


def _minutes(at: int, colon: str) -> pl.Expr:
    """The minutes of the offset that begins at a place of the text."""
    hours, minutes = (pl.col("text").str.slice(at + place, 2).cast(pl.Int64) for place in (1, 3 + len(colon)))
    sign = pl.when(pl.col("text").str.slice(at, 1) == "-").then(-1).otherwise(1)
    return sign * (hours * 60 + minutes)
