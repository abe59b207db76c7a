"""What `key=value` folders say of the files in them: constants for columns, and, when trusted, a span of time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import PurePath
from urllib.parse import unquote

NULL = "__HIVE_DEFAULT_PARTITION__"
DAY_KEYS = ("day", "date", "dt")

Partition = Mapping[str, str | None]
Span = tuple[datetime, datetime]


def partition_of(path: str) -> dict[str, str | None]:
    """The keys and URL-decoded values of the folders that `path` lies in; None for Hive's null."""
    pairs = (part.split("=", 1) for part in PurePath(path).parts[:-1] if "=" in part)
    return {unquote(key): None if value == NULL else unquote(value) for key, value in pairs if key}


def span_of(partition: Partition) -> Span | None:
    """The time from the first instant to the end that the folders name (UTC, naive), or None when they name none.

    Understood are `day=`, `date=` or `dt=` with a date, and `year=` with `month=`, `day=` and `hour=` as numbers.
    """
    try:
        return _dated(partition) or _numbered(partition)
    except (ValueError, OverflowError):
        return None


def _dated(partition: Partition) -> Span | None:
    for key in DAY_KEYS:
        value = partition.get(key) or ""
        if len(value) == 10:
            return _hour(datetime.strptime(value, "%Y-%m-%d"), partition)  # noqa: DTZ007 - naive means UTC here
    return None


def _hour(day: datetime, partition: Partition) -> Span:
    hour = partition.get("hour")
    if hour is None:
        return day, day + timedelta(days=1)
    start = day.replace(hour=int(hour))
    return start, start + timedelta(hours=1)


def _numbered(partition: Partition) -> Span | None:
    if not partition.get("year"):
        return None
    year, month, day = (int(partition.get(key) or 0) for key in ("year", "month", "day"))
    if day and month:
        return _hour(datetime(year, month, day), partition)  # noqa: DTZ001 - naive means UTC here
    if month:
        return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001
    return datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001
