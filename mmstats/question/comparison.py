"""The range that a question is compared with: the one before it, or the same a year earlier."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate

from mmstats.errors import Fault
from mmstats.question.ranges import Clock, Period, later

BASES = ("previous", "year")
_YEAR_OF_WEEKS = timedelta(364)  # so that a week is compared with a whole week
_MONTHS = {"month": 1, "quarter": 3, "year": 12}

Ends = tuple[datetime, datetime]


def compared_range(basis: str, ends: Ends, clock: Clock, period: Period | None, interval: str | None) -> Ends:
    """The range, in UTC, that the one with these ends is compared with, by the clock of the question's zone.

    `period` is the period of the calendar that the range is, if it is one; `interval` is that of the buckets. Raises
    ValueError with the rest of the sentence "this parameter …" where it does not lie within the calendar.
    """
    try:
        start, end = _wall(basis, ends, clock, period, interval)
        return clock.instant(start), clock.instant(end)
    except (ValueError, OverflowError):
        raise ValueError(Fault("is a range that is not within the years 1 to 9999")) from None


def _wall(basis: str, ends: Ends, clock: Clock, period: Period | None, interval: str | None) -> Ends:
    """The ends of that range as the clock shows them."""
    start, end = (_wall_time(one, clock) for one in ends)
    if basis == "year":
        by_week = interval == "week" or (period is not None and period.unit == "week")
        earlier = _weeks_earlier if by_week else _year_earlier
        return earlier(start), earlier(end)
    if period is None:
        return start - (end - start), start
    first = later(period.first, period.unit, -1)
    cut = _same_place(end, period, first) if period.ends_now else _midnight(period.first)
    return _midnight(first), min(cut, _midnight(period.first))


def _wall_time(instant: datetime, clock: Clock) -> datetime:
    """What the clock shows at an instant; midnight where a day begins later, since a clock change skips that."""
    wall = clock.wall(instant)
    midnight = _midnight(wall.date())
    return midnight if clock.instant(midnight) == instant else wall


def _weeks_earlier(wall: datetime) -> datetime:
    return wall - _YEAR_OF_WEEKS


def _year_earlier(wall: datetime) -> datetime:
    return datetime.combine(later(wall.date(), "year", -1), wall.time())


def _same_place(wall: datetime, period: Period, first: date) -> datetime:
    """Where in the period that begins on `first` the clock shows what it shows in another; a month may end before."""
    if period.unit not in _MONTHS:
        return _midnight(first) + (wall - _midnight(period.first))
    months = (wall.year - period.first.year) * 12 + wall.month - period.first.month
    month = later(first, "month", months)
    place = _midnight(month) + timedelta(wall.day - 1) + (wall - _midnight(wall.date()))
    return min(place, _midnight(later(month, "month", 1)))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall time


def paired(previous: Sequence[Sequence[int]], current: Sequence[Sequence[int]], keys: Iterable[int]) -> dict[int, int]:
    """Of keys of previous buckets the current ones in the same places, as far as there are some.

    The buckets of both ranges come as `Buckets.keys` gives them: in order and in pieces, which may be long.
    """
    sources, targets = _Pieces(previous), _Pieces(current)
    places = ((key, sources.place(key)) for key in keys)
    return {key: targets.at(place) for key, place in places if place < targets.count}


class _Pieces:
    """Ascending numbers in pieces, as one sequence."""

    def __init__(self, pieces: Sequence[Sequence[int]]) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._firsts = [piece[0] for piece in self._pieces]
        *self._places, self.count = accumulate(map(len, self._pieces), initial=0)

    def place(self, number: int) -> int:
        which = bisect_right(self._firsts, number) - 1
        return self._places[which] + bisect_left(self._pieces[which], number)

    def at(self, place: int) -> int:
        which = bisect_right(self._places, place) - 1
        return self._pieces[which][place - self._places[which]]
