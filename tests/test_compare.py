"""The range that `compare` compares with, by the calendar and the clock of a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mmstats.errors import InvalidParams
from mmstats.question.comparison import paired
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question


def read(**texts: str) -> StatsQuery:
    """The question that texts ask."""
    return read_question({name.rstrip("_"): [text] for name, text in texts.items()})


def compared(**texts: str) -> str:
    """The range that is compared with, as the clock of the zone shows it."""
    query = read(**texts)
    assert query.previous
    zone = ZoneInfo(query.timezone)
    return " to ".join(f"{end.astimezone(zone):%Y-%m-%d %H:%M}" for end in query.previous)


@pytest.mark.parametrize(
    ("period", "now", "previous"),
    [
        ("2026", "2026-05-16", "2025-01-01 00:00 to 2026-01-01 00:00"),
        ("2026-Q1", "2026-05-16", "2025-10-01 00:00 to 2026-01-01 00:00"),
        ("2026-03", "2026-05-16", "2026-02-01 00:00 to 2026-03-01 00:00"),
        ("2026-W01", "2026-05-16", "2025-12-22 00:00 to 2025-12-29 00:00"),
        ("2026-03-01", "2026-05-16", "2026-02-28 00:00 to 2026-03-01 00:00"),
        ("yesterday", "2026-05-16T10:00:00Z", "2026-05-14 00:00 to 2026-05-15 00:00"),
        ("last-week", "2026-05-16T10:00:00Z", "2026-04-27 00:00 to 2026-05-04 00:00"),
        ("last-month", "2026-05-16T10:00:00Z", "2026-03-01 00:00 to 2026-04-01 00:00"),
        ("today", "2026-05-16T10:30:00Z", "2026-05-15 00:00 to 2026-05-15 10:30"),
        ("this-week", "2026-05-16T10:30:00Z", "2026-05-04 00:00 to 2026-05-09 10:30"),
        ("this-month", "2026-05-16T10:30:00Z", "2026-04-01 00:00 to 2026-04-16 10:30"),
        ("this-month", "2026-03-31T10:30:00Z", "2026-02-01 00:00 to 2026-03-01 00:00"),
        ("this-quarter", "2026-05-16T10:30:00Z", "2026-01-01 00:00 to 2026-02-16 10:30"),
        ("this-quarter", "2026-05-31T10:30:00Z", "2026-01-01 00:00 to 2026-03-01 00:00"),
        ("this-year", "2026-05-16T10:30:00Z", "2025-01-01 00:00 to 2025-05-16 10:30"),
        ("this-year", "2028-02-29T10:30:00Z", "2027-01-01 00:00 to 2027-03-01 00:00"),
        ("this-month", "2026-05-01T00:00:00Z", "2026-04-01 00:00 to 2026-04-01 00:00"),
    ],
)
def test_a_period_is_compared_with_the_one_before_it(period: str, now: str, previous: str) -> None:
    """A whole one with a whole one; one that ends now with as much of the one before it, at most all of that."""
    assert compared(period=period, now=now, compare="previous") == previous


@pytest.mark.parametrize(
    ("texts", "previous"),
    [
        ({"period": "2026-05"}, "2025-05-01 00:00 to 2025-06-01 00:00"),
        ({"period": "this-month"}, "2025-05-01 00:00 to 2025-05-16 10:30"),
        ({"period": "2024-02-29"}, "2023-02-28 00:00 to 2023-03-01 00:00"),
        ({"period": "2026-W20"}, "2025-05-12 00:00 to 2025-05-19 00:00"),
        ({"period": "this-week"}, "2025-05-12 00:00 to 2025-05-17 10:30"),
        ({"period": "2025-03-29", "timezone": "Asia/Beirut"}, "2024-03-29 00:00 to 2024-03-30 00:00"),
        ({"period": "2026-05", "interval": "week"}, "2025-05-02 00:00 to 2025-06-02 00:00"),
        ({"last": "30d"}, "2025-04-16 10:30 to 2025-05-16 10:30"),
        ({"from_": "2026-01-01", "to": "2026-02-01"}, "2025-01-01 00:00 to 2025-02-01 00:00"),
    ],
)
def test_a_range_is_compared_with_the_same_a_year_earlier(texts: dict[str, str], previous: str) -> None:
    """By the calendar, but weeks with whole weeks, which are 364 days earlier."""
    assert compared(now="2026-05-16T10:30:00Z", compare="year", **texts) == previous


@pytest.mark.parametrize(
    ("texts", "previous"),
    [
        ({"last": "7d", "now": "2026-05-16T10:30:00Z"}, "2026-05-02 10:30 to 2026-05-09 10:30"),
        ({"last": "1mo", "now": "2026-05-16T10:30:00Z"}, "2026-03-17 10:30 to 2026-04-16 10:30"),
        ({"from_": "2026-05-01", "to": "2026-05-08"}, "2026-04-24 00:00 to 2026-05-01 00:00"),
        # A day of 23 hours, moved back by the 24 that its clock shows.
        (
            {"from_": "2026-03-29", "to": "2026-03-30", "timezone": "Europe/Berlin"},
            "2026-03-28 00:00 to 2026-03-29 00:00",
        ),
        ({"period": "2026-03-30", "timezone": "Europe/Berlin"}, "2026-03-29 00:00 to 2026-03-30 00:00"),
        # Days that begin or end at a midnight that is skipped: the clock shows 01:00.
        (
            {"from_": "2025-03-30", "to": "2025-03-31", "timezone": "Asia/Beirut"},
            "2025-03-29 00:00 to 2025-03-30 01:00",
        ),
        (
            {"from_": "2025-03-29", "to": "2025-03-30", "timezone": "Asia/Beirut"},
            "2025-03-28 00:00 to 2025-03-29 00:00",
        ),
    ],
)
def test_any_other_range_is_moved_back_by_its_length(texts: dict[str, str], previous: str) -> None:
    """By as much as the clock of the zone shows between its ends."""
    assert compared(compare="previous", **texts) == previous


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({}, "needs a range that has both ends"),
        ({"from_": "2026-05-01"}, "needs a range that has both ends"),
        ({"period": "9999"}, "needs a range that has both ends"),
        ({"from_": "0001-01-01", "to": "0001-01-02"}, "not within the years 1 to 9999"),
        ({"period": "2026", "metric": "count,uniques"}, "takes one metric, not several"),
    ],
)
def test_what_cannot_be_compared_is_refused(texts: dict[str, str], fault: str) -> None:
    """A range without both ends, one at the beginning of the calendar, and several metrics."""
    with pytest.raises(InvalidParams) as caught:
        read(compare="previous", **texts)
    assert fault in caught.value.field_errors["compare"][0]


def test_buckets_are_paired_by_position() -> None:
    """Days of 23 to 25 hours and months are paired with those in the same place; what has no partner is left out."""
    day = timedelta(days=1) // timedelta(microseconds=1)
    february, march = (range(start * day, end * day, day) for start, end in ((31, 59), (59, 90)))
    assert paired([march], [february], [59 * day, 86 * day, 87 * day]) == {59 * day: 31 * day, 86 * day: 58 * day}
    assert paired([[0], [5, 9]], [range(10, 12), [40]], [0, 5, 9]) == {0: 10, 5: 11, 9: 40}


def test_now_is_when_it_is_asked() -> None:
    """A period that ends now is compared by the clock, which is read once."""
    query = read(period="today", compare="previous")
    assert query.previous
    assert query.end
    assert query.start
    assert datetime.now(UTC) - query.end < timedelta(minutes=5)
    assert query.previous[1] - query.previous[0] == query.end - query.start
