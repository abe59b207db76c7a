"""Buckets of time: where they begin, in UTC or by the clock of a zone, and how they are written.

Everything is in whole microseconds as in `zones`, of which nothing is loaded for UTC.

An hour or a minute begins where the clock shows a full one, so that a repeated hour is two. All longer buckets begin
when midnight of their first day is first shown, and are whole where it is shown again. A start that the clock skips is
where it goes on.

A bucket is known by its key, and keys sort as buckets do: of hours and minutes the instant at which they begin, of all
longer ones the midnight of their first day as a wall time, whether or not the clock shows it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmstats.question.zones import Zone

_SECOND, _MINUTE, _HOUR, _DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
_LENGTHS = {"minute": _MINUTE, "hour": _HOUR, "day": _DAY, "week": 7 * _DAY}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
INTERVALS = (*_LENGTHS, *_MONTHS)
WEEK_STARTS = ("monday", "sunday")
_MARGIN = 3 * _DAY  # no clock is changed by more, nor further from UTC
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097  # after which the calendar repeats


class Stretch(NamedTuple):
    """A stretch of time in which the clock is `offset` ahead of UTC; it lasts until the next one begins.

    From the instant `regular` on, buckets begin as on a clock that is never changed; what lies before is of the bucket
    with the key `first`.
    """

    since: int
    offset: int
    regular: int
    first: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of an interval; a zone of None is UTC."""

    interval: str
    zone: "Zone | None" = None
    week_start: str = "monday"

    @property
    def by_clock(self) -> bool:
        """Whether a clock that is set back shows buckets anew, so that their keys are instants."""
        return self.interval in ("minute", "hour")

    @property
    def origin(self) -> int:
        """A wall time at which a bucket begins."""
        # 1970 began on a Thursday.
        return (4 if self.week_start == "monday" else 3) * _DAY if self.interval == "week" else 0

    def floored(self, wall: int) -> int:
        """The start of the bucket that holds a wall time, on a clock that is never changed."""
        if self.interval in _LENGTHS:
            return wall - (wall - self.origin) % _LENGTHS[self.interval]
        months = _MONTHS[self.interval]
        return _month(_month_of(wall) // months * months)

    def ceiled(self, wall: int) -> int:
        """The first start of a bucket at or after a wall time, on such a clock."""
        start = self.floored(wall)
        return wall if start == wall else self._next(start)

    def _next(self, start: int) -> int:
        if self.interval in _LENGTHS:
            return start + _LENGTHS[self.interval]
        return _month(_month_of(start) + _MONTHS[self.interval])

    def stretches(self, start: int, end: int) -> list[Stretch]:
        """How buckets lie from one instant to before another: a row for the start, and one for each clock change."""
        if self.zone is None:
            return [Stretch(start, 0, start, start)]
        offsets = self.zone.offsets(start - 2 * _MARGIN, end)
        since, offset = offsets[0]
        shown = since + offset  # all wall times before this have been shown
        found = [Stretch(since, offset, since, since)]
        for (_, before), (since, offset) in pairwise(offsets):
            old, new = since + before, since + offset
            shown = min(old, new) if self.by_clock else max(shown, old)
            first = self._first(found[-1], since, shown, new)
            found.append(Stretch(since, offset, self.ceiled(max(shown, new)) - offset, first))
        return found[bisect_right(found, start, key=lambda one: one.since) - 1 :]

    def _first(self, last: Stretch, since: int, shown: int, new: int) -> int:
        """The bucket in which the clock is changed to the wall time `new`, after the stretch `last`."""
        if not self.by_clock:
            return self.floored(max(shown - 1, new))
        if self.ceiled(shown) < new:  # a start was skipped
            return since
        return self._key(last, since - 1)

    def _key(self, stretch: Stretch, instant: int) -> int:
        if instant < stretch.regular:
            return stretch.first
        return self.floored(instant + stretch.offset) - (stretch.offset if self.by_clock else 0)

    def key(self, instant: int) -> int:
        """The key of the bucket that holds an instant."""
        return self._key(self.stretches(instant, instant + 1)[0], instant)

    def begin(self, key: int) -> int:
        """The instant at which a bucket begins."""
        return key if self.by_clock or self.zone is None else self.zone.instant(key)

    def end(self, key: int) -> int:
        """The instant at which the bucket after it begins."""
        if not self.by_clock or self.zone is None:
            return self.begin(self._next(key))
        return next(one for some in self.keys(key, key + _MARGIN) for one in some if one > key)

    def label(self, key: int) -> str:
        """A bucket as the answer writes it: its start, in a zone with the offset of the clock there."""
        if self.zone is None:
            return wall_text(key)
        begin = self.begin(key)
        offset = self.zone.offset(begin)
        return wall_text(begin + offset) + offset_text(offset)

    def keys(self, start: int, end: int) -> list[Sequence[int]]:
        """The keys of all buckets that have an instant from one to before another, in order and in pieces."""
        if start >= end:
            return []
        if not self.by_clock:
            return list(self._calendar_keys(start, end))
        stretches = self.stretches(start, end)
        latest = self.key(start)
        pieces: list[Sequence[int]] = [[latest]]
        ends = [*(one.since for one in stretches[1:]), end]
        for (since, offset, regular, first), until in zip(stretches, ends, strict=True):
            if start < since == first:
                pieces.append([first])
                latest = first
            low = max(regular, self.ceiled(latest + 1 + offset) - offset)
            if low < until:
                pieces.append(range(low, until, _LENGTHS[self.interval]))
                latest = pieces[-1][-1]
        return pieces

    def _calendar_keys(self, start: int, end: int) -> Iterator[Sequence[int]]:
        low, high = self.key(start), self._next(self.key(end - 1))
        for skipped in self._skipped_days(start, end):
            yield range(low, skipped, _DAY)
            low = skipped + _DAY
        if self.interval in _LENGTHS:
            yield range(low, high, _LENGTHS[self.interval])
        else:
            yield [_month(month) for month in range(_month_of(low), _month_of(high), _MONTHS[self.interval])]

    def _skipped_days(self, start: int, end: int) -> Iterator[int]:
        """The days that the clock skips as a whole, by their keys."""
        if self.interval != "day":
            return
        for (_, before, _, _), (since, offset, _, _) in pairwise(self.stretches(start, end)):
            first = self.ceiled(since + before)
            yield from range(first, self.floored(since + offset), _DAY)


def wall_text(wall: int) -> str:
    """A wall time as `2026-05-16 00:00:00`, also of the years beside those of the calendar."""
    days, rest = divmod(wall // _SECOND, 86_400)
    day, shift = _day(days)
    return f"{day.year + shift:04}-{day:%m-%d} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def offset_text(offset: int) -> str:
    """An offset from UTC as `+02:00`, of local mean time with its seconds."""
    seconds = abs(offset) // _SECOND
    text = f"{'-' if offset < 0 else '+'}{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return text + (f":{seconds % 60:02}" if seconds % 60 else "")


def _day(days: int) -> tuple[date, int]:
    """The date so many days after 1970, and the years to add to it where it lies beside the calendar."""
    shift = 0
    while not -700_000 < days < 2_900_000:
        step = 1 if days < 0 else -1
        days, shift = days + step * _CYCLE_DAYS, shift - step * _CYCLE_YEARS
    return date(1970, 1, 1) + timedelta(days), shift


def _month_of(wall: int) -> int:
    """The month of a wall time, counted from the year 0."""
    day, shift = _day(wall // _DAY)
    return (day.year + shift) * 12 + day.month - 1


def _month(number: int) -> int:
    """The wall time at which a month begins."""
    year, month = divmod(number, 12)
    shift = 0 if 1 <= year <= 9999 else _CYCLE_YEARS if year < 1 else -_CYCLE_YEARS
    days = (date(year + shift, month + 1, 1) - date(1970, 1, 1)).days
    return (days - shift // _CYCLE_YEARS * _CYCLE_DAYS) * _DAY
