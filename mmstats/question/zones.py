"""Time zones of the package `tzdata` and of nothing else: every machine and every engine has the same clock changes.

Instants, wall times and offsets are whole microseconds: instants since 1970 in UTC, wall times as if they were UTC.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

from mmstats.errors import Fault
from mmstats.wording import did_you_mean

SECOND, DAY = 1_000_000, 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE = 146_097 * 86_400  # seconds of 400 years, after which the calendar and so the rules of a zone repeat
_FIRST, _LAST = -62_000_000_000, 253_000_000_000  # seconds that have a date in every zone
_STEP = 20 * 86_400  # seconds: no rule changes a clock twice within so many
_HEADER = struct.Struct(">4s16x6l")  # RFC 9636


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its IANA name; `listed` are the seconds since 1970 at which its file says that clocks change."""

    name: str
    listed: tuple[int, ...] = field(repr=False, compare=False)
    info: ZoneInfo = field(repr=False, compare=False)

    def offset(self, instant: int) -> int:
        """How far the clock is ahead of UTC at an instant."""
        return self._offset(instant // SECOND) * SECOND

    def _offset(self, seconds: int) -> int:
        if seconds > _LAST:
            seconds -= -(-(seconds - _LAST) // _CYCLE) * _CYCLE
        moment = _EPOCH + timedelta(seconds=max(seconds, _FIRST))
        return int((moment.astimezone(self.info).utcoffset() or timedelta(0)).total_seconds())

    def offsets(self, start: int, end: int) -> list[tuple[int, int]]:
        """The offsets from one instant to before another, each with the instant from which it holds."""
        first, last = start // SECOND, -(-end // SECOND)
        found = [(start, self.offset(start))]
        for change, offset in self._changes(first, last):
            if offset * SECOND != found[-1][1]:
                found.append((change * SECOND, offset * SECOND))
        return found

    def _changes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The seconds between two at which the offset changes, and to what."""
        ruled = max(first, self.listed[-1] if self.listed else first)  # from here on the zone's last rule holds
        listed = [first, *self.listed[bisect_right(self.listed, first) : bisect_left(self.listed, last)]]
        yield from self._changes_at(listed)
        if ruled < last:
            cycle = min(last, ruled + _CYCLE)
            changes = list(self._changes_at([*range(ruled, cycle, _STEP), cycle]))
            for shift in range(0, last - ruled, _CYCLE):
                yield from ((at + shift, offset) for at, offset in changes if at + shift < last)

    def _changes_at(self, points: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The changes between neighbours of some points, of which there is at most one."""
        before = self._offset(points[0])
        for low, high in pairwise(points):
            after = self._offset(high)
            if after != before:
                yield self._change_between(low, high, before), after
            before = after

    def _change_between(self, low: int, high: int, before: int) -> int:
        """The first second after `low` at which the offset is not the one before."""
        return low + bisect_left(range(low, high), 1, key=lambda second: self._offset(second) != before)

    def instant(self, wall: int) -> int:
        """The first instant at which the clock shows a wall time, or a later one where a change skips it."""
        start, end = wall - 2 * DAY, wall + 2 * DAY
        found = self.offsets(start, end)
        for (since, offset), (until, _) in pairwise([*found, (end, 0)]):
            at = max(since, wall - offset)
            if at < until:
                return at
        raise AssertionError("no offset is as long as two days")


def zone_names() -> list[str]:
    """The IANA names of all zones."""
    return resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()


@cache
def zone_named(name: str) -> Zone | None:
    """The zone of an IANA name, None for UTC by any of its names.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    if name not in zone_names():
        offer = did_you_mean(name, zone_names()) or "such as Europe/Berlin, or local for this machine's"
        raise ValueError(Fault(f"must be the IANA name of a time zone, not {name!r}", offer))
    folder = resources.files("tzdata")
    content = folder.joinpath("zoneinfo", *name.split("/")).read_bytes()
    if content == folder.joinpath("zoneinfo", "UTC").read_bytes():
        return None
    return Zone(name, _listed(content), ZoneInfo.from_file(BytesIO(content), key=name))


def _listed(content: bytes) -> tuple[int, ...]:
    """The seconds since 1970 at which a TZif file says that clocks change."""
    _, utc, standard, leaps, times, types, letters = _HEADER.unpack_from(content)
    second = _HEADER.size + times * 5 + types * 6 + letters + leaps * 8 + standard + utc  # the block of 64 bits
    count = _HEADER.unpack_from(content, second)[4]
    return struct.unpack_from(f">{count}q", content, second + _HEADER.size)


def local_zone_name() -> str:
    """The IANA name of this machine's time zone.

    Raises ValueError with the rest of the sentence "this parameter …" where it has none.
    """
    from tzlocal import get_localzone_name

    try:
        name = get_localzone_name()
    except (OSError, ValueError, LookupError):
        name = None
    if not name:
        raise ValueError(Fault("cannot be told of this machine", "name it, such as Europe/Berlin"))
    return name
