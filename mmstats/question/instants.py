"""Instants as the contract writes them: ISO 8601, UTC where no zone is given, floored to the microsecond."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from mmstats.errors import Fault

# Also used by the readers of timestamps, whose engine knows this dialect of regular expressions too.
PATTERN = (
    r"^(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9])(?P<second>:[0-5][0-9])?"
    r"(?:[.,](?P<fraction>[0-9]+))?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?)?)?$"
)
_INSTANT = re.compile(PATTERN.removesuffix("$") + r"\Z")
_LOST_PLUS = re.compile(r"^[0-9-]{10}[T ][0-9:.,]+ [0-9]{2}(:?[0-9]{2})?\Z")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here
# The unit of an epoch is told by its magnitude: below so much it is this one, and nanoseconds beyond the last.
EPOCH_BELOW = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
# Microseconds in one unit, and how many decimal digits of a fraction of it are microseconds.
EPOCH_MICROS = {"s": (1_000_000, 6), "ms": (1_000, 3), "us": (1, 0)}
EXAMPLE = "2026-05-01 or 2026-05-01T00:00:00Z"


def parse_instant(text: str) -> datetime:
    """The instant that `text` names, in UTC; raises as `read_instant` does."""
    return read_instant(text).replace(tzinfo=UTC)


def read_instant(text: str) -> datetime:
    """The instant that `text` names, in UTC; where it names no zone, a naive wall time.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    if _LOST_PLUS.match(text):
        raise ValueError(f"has a blank before the offset in {text!r}: a '+' must be percent-encoded as %2B in a URL")
    found = match_instant(text)
    if not found:
        from mmstats.question.suggestions import suggest_instant  # needed only after a mistake

        raise ValueError(Fault(f"must be an ISO 8601 instant such as {EXAMPLE}, not {text!r}", suggest_instant(text)))
    try:
        return _instant(found)
    except (ValueError, OverflowError):
        raise ValueError(f"is not a date and time between the years 1 and 9999: {text!r}") from None


def match_instant(text: str) -> re.Match[str] | None:
    """The match of a text that has the form of an instant, which need not be one of the calendar."""
    found = _INSTANT.match(text)
    return None if found and found["fraction"] and not found["second"] else found


def _instant(found: re.Match[str]) -> datetime:
    clock = (found["time"] or "00:00") + (found["second"] or ":00")
    micros = int((found["fraction"] or "0")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    zone = timezone(-offset if found["sign"] == "-" else offset)
    local = datetime.fromisoformat(f"{found['date']}T{clock}").replace(microsecond=micros)
    has_zone = found["hours"] or found[0].endswith("Z")
    return local.replace(tzinfo=zone).astimezone(UTC) if has_zone else local


def micros_text(micros: int) -> str | None:
    """An instant, in microseconds since the epoch, in ISO 8601; None for one outside the years 1 to 9999."""
    try:
        instant = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None
    finest = "microseconds" if micros % 1_000 else "milliseconds" if micros % 1_000_000 else "seconds"
    return instant.isoformat(timespec=finest) + "Z"


def utc_text(instant: datetime) -> str:
    """An instant in UTC in ISO 8601, to the second where it is a whole one."""
    finest = "microseconds" if instant.microsecond % 1_000 else "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=finest) + "Z"


def short_text(instant: datetime) -> str:
    """An instant as a person writes it: its date alone where that is midnight in UTC."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00") if text.endswith("T00:00:00") else text + "Z"


def instant_text(value: object) -> str:
    """A Python value in the text form that `parse_instant` reads; a naive datetime is UTC.

    Raises ValueError for a value of another type, or one that is out of range in UTC.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return _in_utc(value).isoformat()
    if isinstance(value, date):  # a naive datetime is one too
        return value.isoformat()
    raise ValueError(f"must be a str, date or datetime, not {type(value).__name__}")


def _in_utc(aware: datetime) -> datetime:
    # Converted here and not by its text: an offset of local mean time has seconds, which the dialect lacks.
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is not a date and time between the years 1 and 9999: {aware.isoformat()!r}") from None
