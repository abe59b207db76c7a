"""Ranges of time as people ask for them: between instants, back from now, and periods of the calendar of a zone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from mmstats.errors import Fault
from mmstats.options import Faults
from mmstats.question.buckets import offset_text
from mmstats.question.instants import read_instant, short_text

if TYPE_CHECKING:
    from mmstats.question.zones import Zone

Range = tuple[datetime | None, datetime | None]  # from the first, inclusive, to before the second; in UTC
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall time
_MICROSECOND = timedelta(microseconds=1)
_ELAPSED = {"min": timedelta(minutes=1), "h": timedelta(hours=1)}
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"mo": 1, "y": 12}
_DAY_WORDS = {"today": 0, "yesterday": -1, "tomorrow": 1}
UTC_NAME, LOCAL = "UTC", "local"
UNITS = ("min", "h", "d", "w", "mo", "y")
_AGO = re.compile(rf"([0-9]{{1,9}})({'|'.join(UNITS)})\Z")
PERIODS = (
    *("today", "this-week", "this-month", "this-quarter", "this-year"),
    *("yesterday", "last-week", "last-month", "last-quarter", "last-year"),
)
_SPELT = re.compile(
    r"(?P<year>[0-9]{4})(?:-Q(?P<quarter>[0-9])|-W(?P<week>[0-9]{2})|-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?\Z"
)


def read_zone(text: str) -> str:
    """The IANA name of a time zone, or of this machine's for `local`, or UTC by whatever name.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    if text == UTC_NAME:
        return text
    from mmstats.question.zones import local_zone_name, zone_named  # needed only where there is one

    zone = zone_named(local_zone_name() if text == LOCAL else text)
    return zone.name if zone else UTC_NAME


def zone_of(name: str) -> "Zone | None":
    """The zone of a name that `read_zone` gives, None for UTC."""
    if name == UTC_NAME:
        return None
    from mmstats.question.zones import zone_named  # needed only where there is one

    return zone_named(name)


@dataclass(frozen=True, slots=True)
class Ago:
    """So many units of time before now."""

    count: int
    unit: str


Moment = datetime | Ago | str  # an instant, naive where it is a wall time; so long ago; `now`, or the word of a day


def read_moment(text: str) -> Moment:
    """What `from` or `to` says: an instant, a word, or how long ago.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    if text == "now" or text in _DAY_WORDS:
        return text
    return read_ago(text) if _AGO.match(text) else read_instant(text)


def read_ago(text: str) -> Ago:
    """How long ago a text such as `30d` says; raises as above."""
    found = _AGO.match(text)
    if not found:
        from mmstats.question.suggestions import suggest_length  # needed only after a mistake

        units = f"{', '.join(UNITS[:-1])} or {UNITS[-1]}"
        raise ValueError(
            Fault(f"must be a number with a unit, {units}, such as 30d, not {text!r}", suggest_length(text))
        )
    return Ago(int(found[1]), found[2])


@dataclass(frozen=True, slots=True)
class Period:
    """A period of the calendar: the `unit` of time that is whole from `first` to before `end`.

    Where it ends now, only what has passed of it is meant. An `end` of None lies beyond the calendar.
    """

    unit: str
    first: date
    end: date | None
    ends_now: bool = False


def read_period(text: str) -> str | Period:
    """The period that a text names: one of `PERIODS`, which depends on now, or one that is spelt; raises as above."""
    if text in PERIODS:
        return text
    found = _SPELT.match(text)
    try:
        if found:
            return _spelt(found)
    except (ValueError, OverflowError):
        raise ValueError(f"is not in the calendar: {text!r}") from None
    from mmstats.question.suggestions import suggest_period

    fault = f"must be {', '.join(PERIODS)}, or as 2026, 2026-Q2, 2026-05, 2026-W20 or 2026-05-16, not {text!r}"
    raise ValueError(Fault(fault, suggest_period(text)))


def _spelt(found: re.Match[str]) -> Period:
    year = int(found["year"])
    if found["week"]:
        return _period("week", date.fromisocalendar(year, int(found["week"]), 1))
    if found["day"]:
        return _period("day", date(year, int(found["month"]), int(found["day"])))
    if found["month"]:
        return _period("month", date(year, int(found["month"]), 1))
    if found["quarter"]:
        return _period("quarter", date(year, 3 * int(found["quarter"]) - 2, 1))
    return _period("year", date(year, 1, 1))


def _period(unit: str, first: date, *, ends_now: bool = False) -> Period:
    try:
        return Period(unit, first, later(first, unit, 1), ends_now)
    except (ValueError, OverflowError):
        return Period(unit, first, None, ends_now)


def later(day: date, unit: str, count: int) -> date:
    """The day so many units of the calendar later, clamped to the end of its month; raises for none of the calendar."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(unit)
    if months is None:
        return day + timedelta({"day": 1, "week": 7}[unit] * count)
    year, month = divmod(day.year * 12 + day.month - 1 + months * count, 12)
    start = date(year, month + 1, 1)
    return start + timedelta(min(day.day, _month_days(start)) - 1)


def _month_days(first: date) -> int:
    return ((first + timedelta(31)).replace(day=1) - first).days if (first.year, first.month) != (9999, 12) else 31


@dataclass
class Clock:
    """What now is, and the zone in which days begin, None for UTC; `was_read` is whether the machine's clock was."""

    zone: "Zone | None" = None
    week_start: str = "monday"
    given: datetime | None = None
    was_read: bool = field(default=False, init=False)

    @cached_property
    def now(self) -> datetime:
        """Now, in UTC: as it is given, else by the clock, which is read once."""
        if self.given is not None:
            return self.given if self.given.tzinfo else self.instant(self.given)
        self.was_read = True
        return datetime.now(UTC)

    @property
    def today(self) -> date:
        """The day that the clock of the zone shows."""
        return self.wall(self.now).date()

    def wall(self, instant: datetime) -> datetime:
        """What the clock of the zone shows at an instant, naive."""
        naive = instant.astimezone(UTC).replace(tzinfo=None)
        return naive + self.zone.offset(micros(instant)) * _MICROSECOND if self.zone else naive

    def text(self, instant: datetime) -> str:
        """An instant as the clock of the zone shows it; where that is not UTC, with its offset."""
        shown = self.wall(instant).isoformat(sep=" ")
        return shown + offset_text(self.zone.offset(micros(instant))) if self.zone else shown

    def instant(self, wall: datetime) -> datetime:
        """The first instant at which the clock shows a naive time, in UTC, or goes on behind one that it skips.

        Raises ValueError or OverflowError for one that lies in UTC outside the years 1 to 9999.
        """
        found = self.zone.instant((wall - _EPOCH) // _MICROSECOND) if self.zone else (wall - _EPOCH) // _MICROSECOND
        return (_EPOCH + found * _MICROSECOND).replace(tzinfo=UTC)

    def midnight(self, day: date) -> datetime:
        """The instant at which a day begins."""
        return self.instant(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - a wall time

    def resolved(self, moment: Moment) -> datetime:
        """The instant of a moment, in UTC; raises as above."""
        if isinstance(moment, datetime):
            return moment if moment.tzinfo else self.instant(moment)
        if isinstance(moment, Ago):
            return self.before(moment)
        return self.now if moment == "now" else self.midnight(self.today + timedelta(_DAY_WORDS[moment]))

    def before(self, ago: Ago) -> datetime:
        """The instant so long before now: by the calendar at the same wall time, but hours and minutes as they pass."""
        if ago.count == 0:
            return self.now
        if ago.unit in _ELAPSED:
            return self.now - ago.count * _ELAPSED[ago.unit]
        wall = self.wall(self.now)
        if ago.unit in _DAYS:
            return self.instant(wall - timedelta(_DAYS[ago.unit] * ago.count))
        return self.instant(datetime.combine(later(wall.date(), "month", -_MONTHS[ago.unit] * ago.count), wall.time()))

    def period(self, named: str | Period) -> Period:
        """The period that is named."""
        if isinstance(named, Period):
            return named
        day = self.today
        if named in _DAY_WORDS:
            return _period("day", day + timedelta(_DAY_WORDS[named]), ends_now=named == "today")
        which, _, unit = named.partition("-")
        first = self._unit_start(day, unit)
        return _period(unit, first, ends_now=True) if which == "this" else _period(unit, later(first, unit, -1))

    def _unit_start(self, day: date, unit: str) -> date:
        if unit == "week":
            return day - timedelta((day.weekday() + (self.week_start == "sunday")) % 7)
        months = {"month": 1, "quarter": 3, "year": 12}[unit]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)

    def range_of(self, period: Period) -> Range:
        """From the start of a period to its end, or to now; raises as `instant` does."""
        end = None if period.end is None else self.midnight(period.end)
        return self.midnight(period.first), self.now if period.ends_now else end


def range_text(start: datetime | None, end: datetime | None, timezone: str) -> str:
    """A range as the clock of a zone shows its ends; empty for none."""
    clock = Clock(zone_of(timezone))
    if start and end:
        return f"{clock.text(start)} to {clock.text(end)} {timezone}"
    if start:
        return f"since {clock.text(start)} {timezone}"
    return f"before {clock.text(end)} {timezone}" if end else ""


def micros(instant: datetime) -> int:
    """An instant in microseconds since 1970."""
    return (instant.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MICROSECOND


def resolve_range(values: Mapping[str, Any], clock: Clock) -> tuple[Range, Faults]:
    """The range that the values of parameters ask for, and what is wrong with it.

    One that a word makes empty, such as `today` at midnight, is no fault: nothing can match.
    """
    if clock.given is not None:
        now, faults = _resolved("now", lambda: clock.now)
        if now is None:
            return (None, None), faults
    if values.get("last") is not None:
        found, faults = _resolved("last", lambda: (clock.before(values["last"]), clock.now))
        return found or (None, None), faults
    if values.get("period") is not None:
        found, faults = _resolved("period", lambda: clock.range_of(clock.period(values["period"])))
        return found or (None, None), faults
    ends: list[datetime | None] = []
    all_faults: Faults = {}
    for name in ("from", "to"):
        moment = values[name]
        end, faults = (None, {}) if moment is None else _resolved(name, partial(clock.resolved, moment))
        ends.append(end)
        all_faults |= faults
    start, end = ends
    return (start, end), all_faults or _length_faults(start, end)


def _resolved(name: str, resolve: Callable[[], Any]) -> tuple[Any, Faults]:
    try:
        return resolve(), {}
    except (ValueError, OverflowError):
        return None, {name: ["is not within the years 1 to 9999"]}


def _length_faults(start: datetime | None, end: datetime | None) -> Faults:
    """What is wrong with a range that has both ends, unless it has a length."""
    if start is None or end is None or start < end:
        return {}
    first, last = short_text(start), short_text(end)
    offer = f"did you mean `from` {last} `to` {first}?" if end < start else "the end of the range is exclusive"
    return {"from": [Fault(f"must be before the end of the range, and {first} is not before {last}", offer)]}
