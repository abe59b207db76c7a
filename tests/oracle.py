"""The contract in plain Python: what a question's answer must be, computed the slow and obvious way."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from mmstats.question.filters import Filter, Operator
from mmstats.question.query import StatsQuery
from tests import reference

Event = dict[str, Any]
Key = tuple[Any, ...]  # the start of the bucket, if there is one, then the groups


def asked(query: StatsQuery, events: Iterable[Event]) -> list[Event]:
    """The events in the range and of the name that the question asks for."""
    start = query.start and query.start.replace(tzinfo=None)
    end = query.end and query.end.replace(tzinfo=None)
    return [
        event
        for event in events
        if (start is None or event["timestamp"] >= start)
        and (end is None or event["timestamp"] < end)
        and (not query.events or event["event_name"] in query.events)
        and all(holds(one, event.get(one.column)) for one in query.where)
    ]


def holds(asked: Filter, text: str | None) -> bool:
    """Whether a filter holds for a value."""
    if asked.operator is Operator.IS_NULL:
        passed = text is None
    elif text is None:
        passed = False
    elif asked.operator is Operator.IN:
        passed = text in asked.values
    elif asked.operator is Operator.MATCHES:
        passed = re.search(asked.values[0], text) is not None
    else:
        passed = compared(asked.operator.value, text, Decimal(asked.values[0]))
    return passed != asked.negated


def compared(sign: str, text: str, with_number: Decimal) -> bool:
    """Whether a text is a number of JSON's form, of at most 18 digits before and 9 after the point, and compares so."""
    if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        return False
    with localcontext() as context:
        context.prec = 10_000
        number = Decimal(text)
        if abs(number) >= 10**18 or number != number.quantize(Decimal("1e-9")):
            return False
        signs = {"<": number < with_number, "<=": number <= with_number}
        return ({">": number > with_number, ">=": number >= with_number} | signs)[sign]


@cache
def zone_info(name: str) -> ZoneInfo:
    """A zone of the package, not of the system."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, name)


def floored(interval: str, wall: datetime, week_start: str = "monday") -> datetime:
    """The start of the bucket of a wall time on a clock that is never changed."""
    if interval in ("minute", "hour"):
        return wall.replace(second=0, microsecond=0, **({"minute": 0} if interval == "hour" else {}))
    day = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "week":
        back = wall.weekday() if week_start == "monday" else (wall.weekday() + 1) % 7
        return datetime.combine(date.fromordinal(day.toordinal() - back), datetime.min.time())
    months = {"day": 0, "month": 1, "quarter": 3, "year": 12}[interval]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1) if months else day


def wall_of(zone: str, moment: datetime) -> datetime:
    """What a clock of the zone shows at an instant, naive as this."""
    return moment.replace(tzinfo=UTC).astimezone(zone_info(zone)).replace(tzinfo=None)


@cache
def first_shown(zone: str, wall: datetime) -> datetime:
    """The first instant at which a clock of the zone shows a wall time or a later one, by looking at every minute."""
    low, high = wall - timedelta(hours=40), wall + timedelta(hours=40)
    while wall_of(zone, low) < wall:
        step = next(one for one in _STEPS if one == _STEPS[-1] or _max_shown(zone, low, low + one) < wall)
        low += step
    assert low < high
    return low


_STEPS = (timedelta(hours=6), timedelta(hours=1), timedelta(minutes=1))


def _max_shown(zone: str, low: datetime, high: datetime) -> datetime:
    """The latest wall time shown from one instant to another, looked at every minute: midnight may be as short."""
    count = (high - low) // timedelta(minutes=1)
    return max(wall_of(zone, low + index * timedelta(minutes=1)) for index in range(count + 1))


def bucket_of(query: StatsQuery, moment: datetime) -> datetime:
    """The instant at which the bucket of an instant begins."""
    assert query.interval
    if query.timezone == "UTC":
        return floored(query.interval, moment, query.week_start)
    return _bucket_in(query.timezone, query.interval, query.week_start, moment)


@cache
def _bucket_in(zone: str, interval: str, week_start: str, moment: datetime) -> datetime:
    if interval in ("minute", "hour"):
        # Back to where the clock shows a full one, or has just skipped one.
        minute = moment.replace(second=0, microsecond=0)
        while True:
            shown, before = wall_of(zone, minute), wall_of(zone, minute - timedelta(minutes=1))
            is_full = shown == floored(interval, shown)
            skips = shown > before and floored(interval, shown) != floored(interval, before)
            if is_full or skips:
                return minute
            minute -= timedelta(minutes=1)
    latest = wall_of(zone, moment)
    for back in range(25 * 60):  # a clock that was set back has shown a later time
        latest = max(latest, wall_of(zone, moment - timedelta(minutes=back)))
    return first_shown(zone, floored(interval, latest, week_start))


def label(query: StatsQuery, moment: datetime) -> str:
    """A bucket as the answer writes it."""
    if query.timezone == "UTC":
        return moment.isoformat(" ", "seconds")
    return moment.replace(tzinfo=UTC).astimezone(zone_info(query.timezone)).isoformat(" ", "seconds")


def values(query: StatsQuery, events: Iterable[Event]) -> dict[Key, int]:
    """The value of every group that has events."""
    groups: dict[Key, list[Event]] = {} if query.labels else {(): []}
    for event in asked(query, events):
        bucket = [bucket_of(query, event["timestamp"])] if query.interval else []
        groups.setdefault((*bucket, *(event.get(name) for name in query.group_by)), []).append(event)
    if query.metric == "count":
        return {key: len(members) for key, members in groups.items()}
    ids = {key: {event.get("anonymous_id") for event in members} - {None} for key, members in groups.items()}
    if query.exact:
        return {key: len(visitors) for key, visitors in ids.items()}
    return {key: reference.estimate(reference.sketch(visitors)) for key, visitors in ids.items()}


def filled(query: StatsQuery, events: Sequence[Event]) -> dict[Key, int]:
    """The values, and 0 for every bucket of the range and every group with events that do not meet."""
    found = values(query, events)
    moments = [event["timestamp"] for event in asked(query, events)]
    if query.start:
        moments.append(query.start.replace(tzinfo=None))
    if query.end and moments:
        moments.append(query.end.replace(tzinfo=None) - timedelta(microseconds=1))
    if not moments or not (query.end or asked(query, events)) or (query.start and query.start == query.end):
        return found
    groups = {key[1:] for key in found} if query.group_by else {()}
    bucket, last = bucket_of(query, min(moments)), bucket_of(query, max(moments))
    buckets = [bucket]
    while bucket < last:
        bucket = next_bucket(query, bucket)
        buckets.append(bucket)
    return {(one, *group): 0 for one in buckets for group in groups} | found


def next_bucket(query: StatsQuery, bucket: datetime) -> datetime:
    """The start of the bucket after the one that begins at an instant."""
    longest = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
    low, high = timedelta(0), timedelta(days=longest[query.interval or "day"] + 2)
    step = timedelta(minutes=1)
    low_steps, high_steps = low // step, high // step
    while high_steps - low_steps > 1:  # whether it is still the same bucket changes once, and later on to others
        middle = (low_steps + high_steps) // 2
        is_same = bucket_of(query, bucket + middle * step) == bucket
        low_steps, high_steps = (middle, high_steps) if is_same else (low_steps, middle)
    return bucket + high_steps * step


def rows(query: StatsQuery, found: dict[Key, int]) -> list[dict[str, Any]]:
    """The rows in their order, cut at the limit."""
    keys = [*query.order, *[("bucket", False)] * bool(query.interval), ("value", True)]
    keys += [(name, False) for name in query.group_by]
    whole = [{**dict(zip(query.labels, key, strict=True)), "value": value} for key, value in found.items()]
    for key, descending in reversed(keys):  # sorting is stable, so that the last key to sort by goes first
        known = sorted((row for row in whole if row[key] is not None), key=itemgetter(key), reverse=descending)
        whole = known + [row for row in whole if row[key] is None]
    return [row | ({"bucket": label(query, row["bucket"])} if query.interval else {}) for row in whole[: query.limit]]


def answer(query: StatsQuery, events: Sequence[Event]) -> str:
    """The bytes of the answer."""
    found = filled(query, events) if query.fill else values(query, events)
    body = {"metric": query.metric, "rows": rows(query, found)}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
