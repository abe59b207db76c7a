"""What a text that is no instant most likely means: said in its error, never guessed in silence."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from mmstats.question.instants import EPOCH_BELOW, EPOCH_MICROS, match_instant
from mmstats.question.ranges import PERIODS
from mmstats.wording import did_you_mean

_LENGTHS = {
    **dict.fromkeys(("min", "minute"), ("min",)),
    **dict.fromkeys(("h", "hr", "hour"), ("h",)),
    **dict.fromkeys(("d", "day"), ("d",)),
    **dict.fromkeys(("w", "wk", "week"), ("w",)),
    **dict.fromkeys(("mo", "mon", "month"), ("mo",)),
    **dict.fromkeys(("y", "yr", "year"), ("y",)),
    "m": ("min", "mo"),
}
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS_FROM_TODAY = {"yesterday": -1, "today": 0, "tomorrow": 1}
_YEARS = range(1900, 2200)  # of eight digits, which are else a number


def suggest_instant(text: str) -> str:
    """What to write instead, in the forms that are read; empty where the text could mean anything.

    A span of time is offered as both ends of the range, a date that two countries read differently as either day.
    """
    plain = text.strip()
    for pattern, suggest in _FORMS:
        match = re.fullmatch(pattern, plain, re.IGNORECASE | re.ASCII)
        if match:
            try:
                return suggest(*match.groups())
            except (ValueError, OverflowError):  # no day of the calendar
                return ""
    return ""


def suggest_length(text: str) -> str:
    """The length of time in the form that is read, where a text is likely to mean one."""
    found = re.fullmatch(r"-?\s*(\d{1,9})\s*([a-z]+)", text.strip(), re.IGNORECASE | re.ASCII)
    units = _LENGTHS.get(found[2].casefold().removesuffix("s"), ()) if found else ()
    return f"did you mean {' or '.join(f'{found[1]}{unit}' for unit in units)}?" if found and units else ""


def suggest_period(text: str) -> str:
    """The period in the form that is read, where a text is likely to mean one."""
    plain = re.sub(r"[\s_]", "-", text.strip().casefold())
    found = re.fullmatch(r"(\d{4})-?([qw])?(\d{1,2})", plain, re.ASCII)
    if found:
        try:
            {"q": _quarter, "w": _week, None: _month}[found[2]](found[1], found[3])
        except ValueError:  # none of the calendar
            return ""
        width = 1 if found[2] == "q" else 2
        return f"did you mean {found[1]}-{(found[2] or '').upper()}{int(found[3]):0{width}}?"
    return did_you_mean(plain, PERIODS)


def _year(year: str) -> str:
    return _span("year", date(int(year), 1, 1), date(int(year) + 1, 1, 1))


def _quarter(year: str, number: str) -> str:
    return _span("quarter", *_months(int(year), 3 * int(number) - 2, 3))


def _month(year: str, number: str) -> str:
    return _span("month", *_months(int(year), int(number), 1))


def _week(year: str, number: str) -> str:
    monday = date.fromisocalendar(int(year), int(number), 1)
    return _span("week", monday, monday + timedelta(weeks=1))


def _months(year: int, first: int, count: int) -> tuple[date, date]:
    years, month = divmod(first - 1 + count, 12)
    return date(year, first, 1), date(year + years, month + 1, 1)


def _span(name: str, start: date, end: date) -> str:
    return f"that {name} is `from` {start} `to` {end}"


def _day(year: str, month: str, day: str) -> str:
    return f"did you mean {date(int(year), int(month), int(day))}?"


def _digits(year: str, month: str, day: str) -> str:
    return _day(year, month, day) if int(year) in _YEARS else ""


def _dotted_day(day: str, month: str, year: str) -> str:
    return _day(year, month, day)


def _day_or_month_first(first: str, second: str, year: str) -> str:
    days = []
    for month, day in ((first, second), (second, first)):
        if int(month) <= 12:
            days.append(str(date(int(year), int(month), int(day))))
    return f"did you mean {' or '.join(dict.fromkeys(days))}?" if days else ""


def _epoch(digits: str) -> str:
    """An epoch, its unit told by its size as that of the data's timestamps is."""
    number = int(digits)
    unit = next((unit for limit, unit in EPOCH_BELOW if number < limit), "ns")
    micros = number // 1000 if unit == "ns" else number * EPOCH_MICROS[unit][0]
    return f"did you mean {(datetime(1970, 1, 1) + timedelta(microseconds=micros)).isoformat()}Z?"  # noqa: DTZ001


def _named_day(word: str) -> str:
    day = datetime.now(UTC).date() + timedelta(_DAYS_FROM_TODAY[word.lower()])
    return f"{word.lower()} is {day} in UTC"


def _now() -> str:
    return f"now is {_seconds(datetime.now(UTC))}"


def _ago(number: str, unit: str) -> str:
    length = timedelta(**{_UNITS[unit.lower()]: int(number)})
    moment = datetime.now(UTC) - length
    is_day = unit.lower() in ("d", "w")
    return f"{number}{unit.lower()} ago is {moment.date() if is_day else _seconds(moment)}"


def _seconds(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _tidied(before: str, zone: str | None) -> str:
    """An instant that lacks only its capitals, or has a blank or a name before its end."""
    instant = before.upper() + ("Z" if zone else "")
    return f"did you mean {instant}?" if match_instant(instant) else ""


_FORMS: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"(\d{4})", _year),
    (r"(\d{4})-?q([1-4])", _quarter),
    (r"(\d{4})[-/](\d{1,2})", _month),
    (r"(\d{4})-?w(\d{1,2})", _week),
    (r"(\d{4})([01]\d)([0-3]\d)", _digits),
    (r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", _day),
    (r"(\d{1,2})\.(\d{1,2})\.(\d{4})", _dotted_day),
    (r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})", _day_or_month_first),
    (r"(\d{9,19})", _epoch),
    (r"(yesterday|today|tomorrow)", _named_day),
    (r"now", _now),
    (rf"-?(\d{{1,4}}) ?({'|'.join(_UNITS)})", _ago),
    (r"(\d{4}-\d\d-\d\d.*?) ?(utc|gmt|z)?", _tidied),
)
