"""Buckets and ranges by the clock of a zone, against plain Python over the same transitions, and at named changes."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mmstats.dataset import SAMPLE
from mmstats.engines.local.time_buckets import bucket_key
from mmstats.errors import InvalidParams
from mmstats.question.buckets import INTERVALS, WEEK_STARTS, Buckets
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from mmstats.question.zones import zone_named, zone_names
from tests import oracle
from tests.conftest import Ask
from tests.drawn import write

EPOCH, FIRST, LAST = map(datetime.fromisoformat, ("1970-01-01", "2018-01-01", "2028-01-01"))
SAMPLED = ("America/Havana", "Australia/Lord_Howe", "Africa/Casablanca")
# In every zone with MMSTATS_ALL_ZONES=1, which takes some minutes.
ZONES = zone_names() if os.environ.get("MMSTATS_ALL_ZONES") else SAMPLED


def micros(moment: datetime) -> int:
    """A naive instant in microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def changes(zone: str) -> Iterator[datetime]:
    """The instants of ten years, to the minute, at which a clock of the zone is changed, by looking at every day."""

    def offset(moment: datetime) -> timedelta:
        return oracle.wall_of(zone, moment) - moment

    day = FIRST
    while day < LAST:
        low, high = day, day + timedelta(days=1)
        if offset(low) != offset(high):
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // timedelta(minutes=2) * timedelta(minutes=1)
                low, high = (middle, high) if offset(middle) == offset(day) else (low, middle)
            yield high
        day += timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
def test_buckets_are_those_of_the_clock(zone: str) -> None:
    """In ten years, buckets beside every change of the clock, and at random, are plain Python's, to the engine too."""
    draw = random.Random(zone)
    moments = [FIRST + timedelta(seconds=draw.randrange(10 * 365 * 86_400)) for _ in range(20)]
    for change in changes(zone):
        moments += [change + timedelta(minutes=minutes) for minutes in (-1441, -31, -1, 0, 30, 61, 1440)]
    known = zone_named(zone)
    for interval in INTERVALS:
        week_start = draw.choice(WEEK_STARTS)
        query = StatsQuery(interval=interval, timezone=zone if known else "UTC", week_start=week_start)
        buckets = Buckets(interval, known, week_start)
        frame = pl.DataFrame({"at": pl.Series(moments, dtype=pl.Datetime("us"))})
        found = frame.select(bucket_key(buckets, pl.col("at")).to_physical()).to_series()
        for moment, key in zip(moments, found, strict=True):
            expected = oracle.bucket_of(query, moment)
            assert (buckets.key(micros(moment)), buckets.begin(key)) == (key, micros(expected)), (interval, moment)
            assert buckets.label(key) == oracle.label(query, expected)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("interval", ["hour", "day", "month"])
def test_buckets_follow_each_other(zone: str, interval: str) -> None:
    """The buckets of a range are all there are in it: each begins where the one before it ends."""
    buckets, last = (
        Buckets(interval, zone_named(zone)),
        micros(LAST if interval != "hour" else FIRST.replace(year=2020)),
    )
    keys = [key for some in buckets.keys(micros(FIRST), last) for key in some]
    assert keys == sorted(set(keys))
    starts = [buckets.begin(key) for key in keys]
    assert all(buckets.key(start) == key for start, key in zip(starts[1:], keys[1:], strict=True))
    assert all(buckets.key(start - 1) == key for start, key in zip(starts[1:], keys, strict=False))
    assert starts[0] <= micros(FIRST) < starts[1]
    assert starts[-1] < last <= buckets.end(keys[-1])


def labels(ask: Ask, folder: Path, zone: str, start: str, end: str, interval: str) -> list[tuple[str, int]]:
    """The filled buckets of a range with an event every half hour."""
    moments = [datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01")]
    query = read_question({"from": [start], "to": [end], "timezone": [zone]})
    assert query.start
    assert query.end
    at = query.start.replace(tzinfo=None)
    while at < query.end.replace(tzinfo=None):
        moments.append(at)
        at += timedelta(minutes=30)
    write(folder / "e.parquet", [{"timestamp": moment, "event_name": "e"} for moment in moments])
    asked = ("--timezone", zone, "--from", start, "--to", end, "--interval", interval, "--fill", "--all")
    return [(row["bucket"], row["value"]) for row in ask("e.parquet", *asked).rows]


DAYS = {
    "fall back": ("Europe/Berlin", "2026-10-25", "2026-10-26", [("2026-10-25 00:00:00+02:00", 50)]),
    "spring forward": ("Europe/Berlin", "2026-03-29", "2026-03-30", [("2026-03-29 00:00:00+01:00", 46)]),
    "a midnight that repeats": (
        *("America/Havana", "2025-11-01", "2025-11-03"),
        [("2025-11-01 00:00:00-04:00", 48), ("2025-11-02 00:00:00-04:00", 50)],
    ),
    "a midnight that is skipped": (
        *("America/Havana", "2026-03-07", "2026-03-09"),
        [("2026-03-07 00:00:00-05:00", 48), ("2026-03-08 01:00:00-04:00", 46)],
    ),
    "a midnight that repeats at the end of its first minute": (
        *("America/St_Johns", "2010-11-06", "2010-11-08"),
        [("2010-11-06 00:00:00-02:30", 48), ("2010-11-07 00:00:00-02:30", 50)],
    ),
    "a day that is skipped": (
        *("Pacific/Apia", "2011-12-29", "2012-01-01"),
        [("2011-12-29 00:00:00-10:00", 48), ("2011-12-31 00:00:00+14:00", 48)],
    ),
}


@pytest.mark.parametrize(("zone", "start", "end", "days"), DAYS.values(), ids=DAYS)
def test_days_are_whole(ask: Ask, tmp_path: Path, zone: str, start: str, end: str, days: list[tuple[str, int]]) -> None:
    """Days have 23 to 25 hours, none is twice and none is there that the clock skips."""
    assert labels(ask, tmp_path, zone, start, end, "day") == days


HOURS = {
    "repeated": (
        *("Europe/Berlin", "2026-10-25T01:00", "2026-10-25T04:00"),
        ["01:00:00+02:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"],
    ),
    "skipped": ("Europe/Berlin", "2026-03-29T01:00", "2026-03-29T04:00", ["01:00:00+01:00", "03:00:00+02:00"]),
    "half an hour repeated": (
        *("Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-05T03:00"),
        ["00:00:00+11:00", "01:00:00+11:00", "02:00:00+10:30"],
    ),
    "half an hour skipped": (
        *("Australia/Lord_Howe", "2026-10-04T01:00", "2026-10-04T04:00"),
        ["01:00:00+10:30", "02:30:00+11:00", "03:00:00+11:00"],
    ),
}


@pytest.mark.parametrize(("zone", "start", "end", "hours"), HOURS.values(), ids=HOURS)
def test_hours_are_those_that_the_clock_shows(
    ask: Ask, tmp_path: Path, zone: str, start: str, end: str, hours: list[str]
) -> None:
    """A repeated hour is two buckets in the order in which they pass, and a skipped one none."""
    assert [label.partition(" ")[2] for label, _ in labels(ask, tmp_path, zone, start, end, "hour")] == hours


NOW = "2026-05-16T10:30:00"  # a Saturday
RANGES = {
    "--last 90min": ("2026-05-16T09:00:00", NOW),
    "--last 2d": ("2026-05-14T10:30:00", NOW),
    "--last 3w": ("2026-04-25T10:30:00", NOW),
    "--last 3mo": ("2026-02-16T10:30:00", NOW),
    "--last 1y": ("2025-05-16T10:30:00", NOW),
    "--last 0d": (NOW, NOW),
    "--period today": ("2026-05-16T00:00:00", NOW),
    "--period this-week": ("2026-05-11T00:00:00", NOW),
    "--period this-week --week-start sunday": ("2026-05-10T00:00:00", NOW),
    "--period this-month": ("2026-05-01T00:00:00", NOW),
    "--period this-quarter": ("2026-04-01T00:00:00", NOW),
    "--period this-year": ("2026-01-01T00:00:00", NOW),
    "--period yesterday": ("2026-05-15T00:00:00", "2026-05-16T00:00:00"),
    "--period last-week": ("2026-05-04T00:00:00", "2026-05-11T00:00:00"),
    "--period last-week --week-start sunday": ("2026-05-03T00:00:00", "2026-05-10T00:00:00"),
    "--period last-month": ("2026-04-01T00:00:00", "2026-05-01T00:00:00"),
    "--period last-quarter": ("2026-01-01T00:00:00", "2026-04-01T00:00:00"),
    "--period last-year": ("2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    "--period 2026": ("2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    "--period 2026-Q4": ("2026-10-01T00:00:00", "2027-01-01T00:00:00"),
    "--period 2026-02": ("2026-02-01T00:00:00", "2026-03-01T00:00:00"),
    "--period 2026-W53 --week-start sunday": ("2026-12-28T00:00:00", "2027-01-04T00:00:00"),
    "--period 2026-05-16": ("2026-05-16T00:00:00", "2026-05-17T00:00:00"),
    "--from yesterday --to now": ("2026-05-15T00:00:00", NOW),
    "--from 7d --to tomorrow": ("2026-05-09T10:30:00", "2026-05-17T00:00:00"),
    "--from today": ("2026-05-16T00:00:00", None),
    "--to 2026-05-01": (None, "2026-05-01T00:00:00"),
}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize(("asked", "bounds"), RANGES.items(), ids=RANGES)
def test_ranges_are_of_the_zone(ask: Ask, zone: str, asked: str, bounds: tuple[str | None, str | None]) -> None:
    """Every way to ask for a range is read by the clock of the zone, and told in UTC."""
    ran = ask(*SAMPLE, *asked.split(), "--now", NOW, "--timezone", zone, "--meta")
    ahead = timedelta(hours=5, minutes=30) if zone == "Asia/Kolkata" else timedelta(0)
    told = [bound and f"{(datetime.fromisoformat(bound) - ahead).isoformat()}Z" for bound in bounds]
    meta = ran.answer["meta"]
    assert ([meta["from"], meta["to"]], meta["timezone"]) == (told, zone)


def test_a_range_that_its_word_makes_empty_matches_nothing(ask: Ask) -> None:
    """`today` at midnight is answered: nothing matched."""
    now = ("--period", "today", "--now", "2026-05-16")
    assert ask(*SAMPLE, *now).value == 0
    assert ask(*SAMPLE, *now, "--interval", "hour", "--fill").rows == []


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        ({"from": ["2026-03-29T02:30"]}, "2026-03-29T01:00:00"),  # skipped: where the clock goes on
        ({"from": ["2026-10-25T02:30"]}, "2026-10-25T00:30:00"),  # repeated: the first
        ({"from": ["2026-10-25T02:30+01:00"]}, "2026-10-25T01:30:00"),
        ({"last": ["1mo"], "now": ["2026-03-31T12:00"]}, "2026-02-28T11:00:00"),  # clamped, at the same wall time
        ({"last": ["1d"], "now": ["2026-03-30T02:30"]}, "2026-03-29T01:00:00"),
        ({"last": ["24h"], "now": ["2026-03-30T02:30"]}, "2026-03-29T00:30:00"),
    ],
)
def test_wall_times_that_the_clock_lacks_or_repeats(asked: dict[str, list[str]], start: str) -> None:
    """A wall time that is skipped is the instant after the gap, a repeated one the first; hours are elapsed time."""
    found = read_question({**asked, "timezone": ["Europe/Berlin"]}).start
    assert found == datetime.fromisoformat(start).replace(tzinfo=UTC)


def test_instants_beside_the_calendar_are_refused() -> None:
    """What lies in UTC, or so long ago, outside the years 1 to 9999 is a fault of its parameter."""
    for asked in ({"from": ["0001-01-01"]}, {"last": ["9000y"]}, {"now": ["0001-01-01"]}):
        (name,) = asked
        with pytest.raises(InvalidParams) as refused:
            read_question({**asked, "timezone": ["Asia/Tokyo"]})
        assert refused.value.field_errors == {name: ["is not within the years 1 to 9999"]}


def test_utc_by_another_name_is_utc() -> None:
    """The zone's names that are links to UTC are UTC: labels stay as they are."""
    assert {read_question({"timezone": [name]}).timezone for name in ("UTC", "Etc/UTC", "Zulu")} == {"UTC"}


def test_the_local_zone_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """`local` is the zone of this machine, by its IANA name."""
    monkeypatch.setenv("TZ", "America/New_York")
    query = read_question({"timezone": ["local"]})
    assert (query.timezone, query.is_of_now) == ("America/New_York", True)
