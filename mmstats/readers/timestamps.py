"""Instants of any kind the data may hold, as naive UTC Datetimes in microseconds, floored; null where there is none.

Text is parsed in bulk: the usual form first, the rest only for the rows it left. An epoch's unit follows from its
magnitude, value by value: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

import polars as pl

from mmstats.question.instants import EPOCH_BELOW, EPOCH_MICROS, PATTERN
from mmstats.readers.timestamp_format import read_formatted

TIMESTAMP = pl.Datetime("us")

_INT64 = 2**63 - 1
_FIRST, _LAST = (
    pl.lit(day, TIMESTAMP)
    for day in (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
)
_INTEGER = r"^-?[0-9]{1,19}$"
_NUMBER = r"^(?P<sign>-?)(?P<whole>[0-9]{1,19})(?:\.(?P<fraction>[0-9]*))?$"
IN_UTC = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,]+)? (UTC|Z)$"  # as warehouses write it
_EXPONENT = r"^-?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]{1,3}$"
_ONLY_DIRECTIVES = re.compile(r"(%[a-zA-Z])+")
CALENDAR = r"^((?:19|20|21)[0-9]{6}(?:[0-9]{6})?)(?:\.0*)?$"
CALENDAR_DAYS, CALENDAR_SECONDS = (19_000_101, 21_991_232), (19_000_101_000_000, 21_991_231_235_960)  # as integers
# The same as epochs of seconds and of milliseconds, in microseconds.
_AS_EPOCHS = [
    (first * scale, end * scale) for (first, end), scale in ((CALENDAR_DAYS, 10**6), (CALENDAR_SECONDS, 1000))
]
_CLOCK_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}{sep}([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]{fraction}{zone}$"
_ZONES = {"Z": "Z", "": "", r"[+-]([01][0-9]|2[0-3]):[0-5][0-9]": "%:z"}


@dataclass(frozen=True, slots=True)
class TimestampForm:
    """What is said of timestamps: the `unit` of epochs, or the `format` of texts and digits and the `zone` of these."""

    unit: str | None = None
    format: str | None = None
    zone: str = "UTC"

    @property
    def is_open(self) -> bool:
        """Whether nothing is said, so that digits which are a date of the calendar are no epoch."""
        return self.unit is None and self.format is None


OPEN = TimestampForm()


def parse_text(texts: pl.Series, form: TimestampForm = OPEN) -> pl.Series:
    """The instants that texts name: those of the format, else ISO 8601 or epochs.

    Without a unit an epoch is of the one that its magnitude says, and calendar digits are none.
    """
    if form.format is not None:
        return _in_format(texts, form.format, form.zone)
    uniform = _parse_uniform(texts)
    if uniform is not None:
        return uniform
    instants = _parse_by_form(_without_utc(texts), form.unit)
    return _without_digits(texts, instants) if form.is_open else instants


def _in_format(texts: pl.Series, form: str, zone: str) -> pl.Series:
    if _ONLY_DIRECTIVES.fullmatch(form):
        texts = texts.str.replace(r"^([0-9]+)\.0*$", "$1")  # digits that were written as a float
    instants = read_formatted(texts, form, zone)
    return instants.to_frame("at").select(in_years(pl.col("at")))["at"]


def _without_digits(texts: pl.Series, instants: pl.Series) -> pl.Series:
    """The instants without those that only look like epochs, whose digits are a date of the calendar."""
    # As epochs they are of few days, so that most texts need no look.
    near = pl.any_horizontal(pl.col("at").is_between(*ends) for ends in _AS_EPOCHS)
    places = instants.to_physical().to_frame("at").select(near).to_series().arg_true()
    digits = places.filter(calendar_digits(texts.gather(places))) if len(places) else places
    return instants.scatter(digits, None) if len(digits) else instants


def calendar_digits(texts: pl.Series) -> pl.Series:
    """Whether texts are the eight or fourteen digits of a date of the calendar, of the years 1900 to 2199."""
    exponents = texts.str.contains(_EXPONENT)
    if exponents.any():
        plain = texts.filter(exponents).map_elements(_without_exponent, return_dtype=pl.String)
        texts = texts.scatter(exponents.arg_true(), plain)
    digits = texts.str.extract(CALENDAR)
    days = digits.str.head(8).str.to_date("%Y%m%d", strict=False, cache=False).is_not_null()
    clocks = digits.str.slice(8).str.contains(r"^(([01][0-9]|2[0-3])([0-5][0-9]){2})?$")
    return (days & clocks).fill_null(value=False)


def _without_utc(texts: pl.Series) -> pl.Series:
    """Texts without a word at their end that says what no zone says."""
    worded = texts.str.contains(IN_UTC)
    if not worded.any():
        return texts
    text = pl.col("text")
    return texts.to_frame("text").select(pl.when(worded).then(text.str.replace(" (UTC|Z)$", "")).otherwise(text))[
        "text"
    ]


def _parse_by_form(texts: pl.Series, unit: str | None) -> pl.Series:
    """The instants, the texts of each form parsed at once."""
    done = pl.Series("at", [None], TIMESTAMP).new_from_index(0, len(texts))
    left = texts.is_not_null()
    for shape, read in _forms(unit):
        fits = left & texts.str.contains(shape)
        if fits.any():
            some = texts if fits.all() else texts.filter(fits)
            found = some.to_frame("text").select(in_years(read(pl.col("text"))).alias("at"))["at"]
            done = found if fits.all() else done.scatter(fits.arg_true(), found)
            left &= done.is_null()
        if not left.any():
            break
    return done


def _forms(unit: str | None) -> Iterator[tuple[str, Callable[[pl.Expr], pl.Expr]]]:
    """The forms a text may have, the frequent and fast ones first, each with its reader."""
    for fraction, code in (("", ""), (r"\.[0-9]{1,9}", "%.f")):
        for sep in "T ":
            for zone, directive in _ZONES.items():
                shape = _CLOCK_FORM.replace("{sep}", sep).replace("{fraction}", fraction).replace("{zone}", zone)
                yield shape, partial(_strptime, f"%Y-%m-%d{sep}%H:%M:%S{code}{directive}")
        if not fraction:
            yield _INTEGER, lambda text: from_integers(text.cast(pl.Int64, strict=False), unit)
    yield PATTERN, _iso
    yield _NUMBER, lambda text: _epoch(text, unit)
    yield _EXPONENT, lambda text: _epoch(text.map_elements(_without_exponent, return_dtype=pl.String), unit)


def _strptime(form: str, text: pl.Expr) -> pl.Expr:
    instant = text.str.to_datetime(form, time_unit="us", strict=False, cache=False)
    return instant.dt.replace_time_zone(None) if "%:z" in form else instant


def _without_exponent(text: str) -> str:
    return format(Decimal(text), "f")


def _iso(text: pl.Expr) -> pl.Expr:
    part = text.str.extract_groups(PATTERN).struct.field
    clock = part("date") + "T" + part("time").fill_null("00:00") + part("second").fill_null(":00")
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False, cache=False)
    minutes = part("hours").cast(pl.Int64) * 60 + part("minutes").fill_null("0").cast(pl.Int64)
    offset = pl.when(part("sign") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    micros = _fraction(part("fraction"), 6) - offset * 60_000_000
    whole = part("fraction").is_null() | part("second").is_not_null()
    return pl.when(whole).then(local + pl.duration(microseconds=micros, time_unit="us"))


def _fraction(digits: pl.Expr, places: int) -> pl.Expr:
    """The first `places` decimal digits as an integer; none is zero."""
    return ("0" + digits.fill_null("").str.head(places).str.pad_end(places, "0")).cast(pl.Int64)


def _epoch(text: pl.Expr, unit: str | None) -> pl.Expr:
    part = text.str.extract_groups(_NUMBER).struct.field
    whole = part("whole").cast(pl.Int64, strict=False)
    digits = part("fraction")

    def micros(unit: str) -> pl.Expr:
        if unit == "ns":
            size, rest = whole // 1000, (whole % 1000 != 0) | digits.fill_null("").str.contains("[1-9]")
        else:
            scale, places = EPOCH_MICROS[unit]
            size = _fitting(whole, scale) * scale + _fraction(digits, places)
            rest = digits.fill_null("").str.slice(places).str.contains("[1-9]")
        # Floored: a negative number with anything beyond the microsecond lies one below its truncation.
        return pl.when(part("sign") == "-").then(-size - rest.cast(pl.Int64)).otherwise(size)

    return _by_magnitude(whole, micros, unit).cast(TIMESTAMP)


def from_integers(value: pl.Expr, unit: str | None = None) -> pl.Expr:
    """The instants of integer epochs (Int64), of `unit` or each of the unit its magnitude says."""

    def micros(unit: str) -> pl.Expr:
        if unit == "ns":
            return value // 1000
        scale = EPOCH_MICROS[unit][0]
        return _fitting(value, scale) * scale

    return in_years(_by_magnitude(value, micros, unit).cast(TIMESTAMP))


def _fitting(value: pl.Expr, scale: int) -> pl.Expr:
    """Null where `value` times `scale`, and a fraction of it, would leave the 64 bits of an instant."""
    bound = _INT64 // scale - 1
    return pl.when(value.is_between(-bound, bound)).then(value)


def _by_magnitude(value: pl.Expr, micros: Callable[[str], pl.Expr], unit: str | None) -> pl.Expr:
    if unit:
        return micros(unit)
    instant = micros("ns")
    for bound, larger in reversed(EPOCH_BELOW):
        small = value.is_between(-bound, bound, closed="none")
        instant = pl.when(small).then(micros(larger)).otherwise(instant)
    return instant


def in_years(instant: pl.Expr) -> pl.Expr:
    """Null outside the years 1 to 9999."""
    return pl.when(instant.is_between(_FIRST, _LAST)).then(instant)


def naive_utc(source: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Dates, and instants of any zone, without their zone: what they are in UTC."""
    if not isinstance(dtype, pl.Datetime) or not dtype.time_zone:
        return source
    # Not by conversion: that would look up the zone, which need not be one that the engine knows.
    return source.to_physical().cast(pl.Datetime(dtype.time_unit))


_CLOCK = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}%s([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = r"[+-]([01][0-9]|2[0-3])%s[0-5][0-9]"
_FORM = re.compile(rf"{_CLOCK % '([T ])'}(?:\.([0-9]{{1,9}}))?( ?Z| UTC|{_OFFSET % '(:?)'})?\Z")
_SECONDS = 19  # characters up to the whole second
_DIGITS = 6  # of a fraction that is microseconds


def _parse_uniform(texts: pl.Series) -> pl.Series | None:
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
