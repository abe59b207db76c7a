"""Timestamps in a format of strptime, a column at a time.

A format means what `datetime.strptime` takes it for. The engine reads the texts of which it is known that both read
them alike; Python itself reads the others, each distinct one once.
"""

import re
from datetime import UTC, datetime
from functools import cache

import polars as pl

_MICROS = pl.Datetime("us")
_NUMBERS = {"Y": "[0-9]{4}", **dict.fromkeys("ymdHIMS", "[0-9]{2}")}
_NUMBERS["y"] = "([0-57-9][0-9]|6[0-8])"  # 69 is 2069 to the engine, and 1969 to Python
_SHORT = {"m": "(1[0-2]|0?[1-9])", "d": "(3[01]|[12][0-9]|0?[1-9])"}  # where no digit of another number follows
_SHORT |= {"H": "(2[0-3]|[01]?[0-9])", "I": "(1[0-2]|0?[1-9])", "M": "[0-5]?[0-9]", "S": "[0-5]?[0-9]"}
_WORDS = {
    "b": "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "B": "(January|February|March|April|May|June|July|August|September|October|November|December)",
    "p": "(AM|PM|am|pm)",
    "z": "([+-]([01][0-9]|2[0-3]):?[0-5][0-9]|Z)",
    "f": "[0-9]{1,6}",
}
_DATES = ({"Y", "m", "d"}, {"y", "m", "d"}, {"Y", "b", "d"}, {"Y", "B", "d"}, {"y", "b", "d"})
_CLOCKS = (set[str](), {"H", "M"}, {"H", "M", "S"}, {"I", "M", "p"}, {"I", "M", "S", "p"})
_DIRECTIVE = re.compile(r"%(.)|([^%]+)", re.DOTALL)


def read_formatted(texts: pl.Series, form: str, zone: str) -> pl.Series:
    """The instants that texts name in a format, naive in UTC; null for null, and where a text names none.

    Those without a zone are of `zone`: an hour that occurs twice is the first one, one that does not exist is none.
    """
    known = _engine_form(form)
    if known is None:
        return _by_python(texts, form, zone)
    pattern, engine_form = known
    fits = texts.str.contains(pattern).fill_null(value=False)
    if fits.all():
        return _by_engine(texts, engine_form, zone)
    done = _by_engine(texts.set(~fits, None), engine_form, zone)
    others = texts.is_not_null() & ~fits
    return done.scatter(others.arg_true(), _by_python(texts.filter(others), form, zone))


@cache
def _engine_form(form: str) -> tuple[str, str] | None:
    """The texts that Python and the engine read alike, as a regular expression, and the engine's own format.

    None where there are none.
    """
    pieces = [found.groups() for found in _DIRECTIVE.finditer(form)]
    if "".join(f"%{name}" if name else text for name, text in pieces) != form:
        return None
    names = [name for name, _ in pieces if name]
    has = set(names)
    is_whole = len(has) == len(names) and any(date <= has for date in _DATES)
    rest = has - {"z", "f"} - next((date for date in _DATES if date <= has), set())
    if (
        not is_whole
        or rest not in _CLOCKS
        or ("z" in has and not form.endswith("%z"))
        or ("f" in has and ("S" not in has or ".%f" not in form))
    ):
        return None
    pattern = ""
    for at, (name, text) in enumerate(pieces):
        follows = at + 1 < len(pieces) and pieces[at + 1][1] is None
        beside = follows or (at > 0 and pieces[at - 1][1] is None)
        if text is None:
            pattern += _WORDS.get(name) or (_NUMBERS[name] if beside else _SHORT.get(name, _NUMBERS[name]))
        else:
            pattern += re.escape(text)
    return f"^{pattern}$", form.replace(".%f", "%.f")


def _by_engine(texts: pl.Series, form: str, zone: str) -> pl.Series:
    is_zoned = "%z" in form
    if is_zoned:  # the engine does not know the letter
        texts = texts.str.replace("Z$", "+0000")
    if "%H" not in form and "%I" not in form and not is_zoned:
        instants = texts.str.to_date(form, strict=False, cache=False).cast(_MICROS)
    else:
        instants = texts.str.to_datetime(form, time_unit="us", strict=False, cache=False)
    if is_zoned:
        return instants.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _in_utc(instants, zone)


def _by_python(texts: pl.Series, form: str, zone: str) -> pl.Series:
    distinct = texts.drop_nulls().unique()
    found = [_strptime(text, form) for text in distinct]
    naive = pl.Series([one if one and not one.tzinfo else None for one in found], dtype=_MICROS)
    zoned = pl.Series([one.replace(tzinfo=None) if one and one.tzinfo else None for one in found], dtype=_MICROS)
    instants = zoned.zip_with(zoned.is_not_null(), _in_utc(naive, zone))
    return texts.replace_strict(distinct, instants, default=None, return_dtype=_MICROS)


def _strptime(text: str, form: str) -> datetime | None:
    """The instant that a text names, in UTC where the text has a zone."""
    try:
        found = datetime.strptime(text, form)  # noqa: DTZ007 - a naive one is of the zone that the user says
        return found.astimezone(UTC) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


def _in_utc(naive: pl.Series, zone: str) -> pl.Series:
    """Instants of a zone without it: what they are in UTC."""
    if zone == "UTC":
        return naive
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
