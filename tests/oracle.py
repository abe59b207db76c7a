"""The contract in plain Python: what a question's answer must be, computed the slow and obvious way."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from mmstats.question.query import StatsQuery
from tests import reference

Event = dict[str, Any]
Key = tuple[str | None, ...]


def asked(query: StatsQuery, events: Iterable[Event]) -> list[Event]:
    """The events in the range and of the name that the question asks for."""
    start = query.start and query.start.replace(tzinfo=None)
    end = query.end and query.end.replace(tzinfo=None)
    return [
        event
        for event in events
        if (start is None or event["timestamp"] >= start)
        and (end is None or event["timestamp"] < end)
        and (query.event is None or event["event_name"] == query.event)
    ]


def bucket_of(interval: str, moment: datetime) -> datetime:
    """The start of the bucket of an instant; weeks start on Monday."""
    if interval == "hour":
        return datetime(moment.year, moment.month, moment.day, moment.hour)  # noqa: DTZ001 - UTC, as all here
    day = moment.toordinal() - (moment.weekday() if interval == "week" else 0)
    return datetime.combine(date.fromordinal(day), datetime.min.time())


def label(moment: datetime) -> str:
    """A bucket as the answer writes it."""
    return moment.isoformat(" ", "seconds")


def values(query: StatsQuery, events: Iterable[Event]) -> dict[Key, int]:
    """The value of every group that has events."""
    groups: dict[Key, list[Event]] = {} if query.labels else {(): []}
    for event in asked(query, events):
        bucket = [label(bucket_of(query.interval, event["timestamp"]))] if query.interval else []
        groups.setdefault((*bucket, *(event.get(name) for name in query.group_by)), []).append(event)
    if query.metric == "count":
        return {key: len(members) for key, members in groups.items()}
    ids = {key: {event.get("anonymous_id") for event in members} - {None} for key, members in groups.items()}
    if query.exact:
        return {key: len(visitors) for key, visitors in ids.items()}
    return {key: reference.estimate(reference.sketch(visitors)) for key, visitors in ids.items()}


def filled(query: StatsQuery, events: Sequence[Event]) -> dict[Key, int]:
    """The values, and 0 for every bucket of the range and every group with events that do not meet."""
    assert query.interval
    found = values(query, events)
    moments = [event["timestamp"] for event in asked(query, events)]
    if query.start:
        moments.append(query.start.replace(tzinfo=None))
    if query.end and moments:
        moments.append(query.end.replace(tzinfo=None) - timedelta(microseconds=1))
    if not moments or not (query.end or asked(query, events)):
        return found
    groups = {key[1:] for key in found} if query.group_by else {()}
    step = timedelta(hours={"hour": 1, "day": 24, "week": 168}[query.interval])
    bucket, last = bucket_of(query.interval, min(moments)), bucket_of(query.interval, max(moments))
    buckets = [label(bucket + step * index) for index in range((last - bucket) // step + 1)]
    return {(one, *group): 0 for one in buckets for group in groups} | found


def rows(query: StatsQuery, found: dict[Key, int]) -> list[dict[str, Any]]:
    """The rows in their order, cut at the limit."""
    buckets = 1 if query.interval else 0

    def place(item: tuple[Key, int]) -> Any:
        key, value = item
        return key[:buckets], -value, [(text is None, text or "") for text in key[buckets:]]

    whole = sorted(found.items(), key=place)
    return [{**dict(zip(query.labels, key, strict=True)), "value": value} for key, value in whole[: query.limit]]


def answer(query: StatsQuery, events: Sequence[Event]) -> str:
    """The bytes of the answer."""
    found = filled(query, events) if query.fill else values(query, events)
    body = {"metric": query.metric, "rows": rows(query, found)}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
