"""The contract of metrics, top, other, compare, fill and totals in plain Python, the slow and obvious way."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from typing import Any

from mmstats.question.query import StatsQuery
from tests import oracle, reference
from tests.oracle import Event

Group = tuple[str | None, ...]
_IDS = {"uniques": "anonymous_id", "users": "user_id", "sessions": "session_id"}
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
_OTHERS = "the other row"


def number(text: str | None) -> Fraction | None:
    """The number that a text is: of JSON's form, with at most 18 digits before the point and 9 after it."""
    if text is None or not _JSON_NUMBER.match(text):
        return None
    mantissa, _, exponent = text.lower().partition("e")
    if not Fraction(mantissa):
        return Fraction(0)
    if abs(int(exponent or 0)) > 1000:
        return None
    found = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    return found if abs(found) < 10**18 and (found * 10**9).denominator == 1 else None


def value(metric: str, events: Sequence[Event], exact: bool) -> int | Fraction | None:
    """What a metric comes to."""
    if metric == "count":
        return len(events)
    if metric in _IDS:
        ids = {event.get(_IDS[metric]) for event in events} - {None}
        return len(ids) if exact else reference.estimate(reference.sketch(ids))
    kind, _, column = metric.partition(":")
    numbers = [found for event in events if (found := number(event.get(column))) is not None]
    if not numbers:
        return None
    average = Fraction(round(sum(numbers) / len(numbers) * 10**9), 10**9)  # a fraction is rounded half-even
    return {"sum": sum(numbers), "avg": average, "min": min(numbers), "max": max(numbers)}[kind]


def is_figure(metric: str) -> bool:
    """Whether a metric is null where no value takes part."""
    return ":" in metric


class Derived:
    """One question over some events."""

    def __init__(self, query: StatsQuery, events: Sequence[Event]) -> None:
        self.query, self.metrics = query, query.metric.split(",")
        self.ends = [(query.start, query.end), *([query.previous] if query.previous else [])]
        self.sides = [oracle.asked(replace(query, start=start, end=end), events) for start, end in self.ends]

    def group(self, event: Event) -> Group:
        """The labels of an event."""
        return tuple(event.get(name) for name in self.query.group_by)

    def largest(self) -> set[Group]:
        """The groups that have rows of their own."""
        groups = {self.group(event) for side in self.sides for event in side}
        if self.query.top is None:
            return groups

        def place(group: Group) -> Any:
            members = [event for event in self.sides[0] if self.group(event) == group]
            found = value(self.metrics[0], members, self.query.exact)
            return found is None, -(found or 0), [(text is None, text or "") for text in group]

        return set(sorted(groups, key=place)[: self.query.top])

    def buckets(self, side: int) -> list[datetime]:
        """The starts of all buckets of a range that has both ends."""
        start, end = (bound.replace(tzinfo=None) for bound in self.ends[side] if bound)
        found = [oracle.bucket_of(self.query, start)] if start < end else []
        while found and (following := oracle.next_bucket(self.query, found[-1])) < end:
            found.append(following)
        return found

    def cells(self) -> dict[tuple[Any, ...], list[list[Event]]]:
        """By bucket, group and whether it is the other one, the events of this range and of the previous one."""
        largest = self.largest()
        pairs = (
            dict(zip(self.buckets(1), self.buckets(0), strict=False))
            if self.query.previous and self.query.interval
            else {}
        )
        found: dict[tuple[Any, ...], list[list[Event]]] = {} if self.query.labels else {((), (), False): [[], []]}
        for place, events in enumerate(self.sides):
            for event in events:
                group, is_other = self.group(event), self.group(event) not in largest
                if is_other and not self.query.other:
                    continue
                bucket = (oracle.bucket_of(self.query, event["timestamp"]),) if self.query.interval else ()
                if place and bucket:
                    if bucket[0] not in pairs:
                        continue
                    bucket = (pairs[bucket[0]],)
                key = (bucket, (None,) * len(group) if is_other else group, is_other)
                found.setdefault(key, [[], []])[place].append(event)
        if self.query.fill:
            groups = {key[1:] for key in found} if self.query.group_by else {((), False)}
            for bucket in self.buckets(0):
                for group in groups:
                    found.setdefault(((bucket,), *group), [[], []])
        return found

    def values(self, events: list[list[Event]]) -> dict[str, Any]:
        """The values of a row, and what they are compared with."""
        keys = self.metrics if len(self.metrics) > 1 else ["value"]
        found: dict[str, Any] = {
            key: value(metric, events[0], self.query.exact) for key, metric in zip(keys, self.metrics, strict=True)
        }
        if self.query.previous:
            now, before = found["value"], value(self.metrics[0], events[1], self.query.exact)
            found["previous"] = before
            known = now is not None and before
            found["change"] = Fraction(round(Fraction(now - before) / before * 10**4), 10**4) if known else None
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The rows in their order, cut at the limit."""
        first = self.metrics[0] if len(self.metrics) > 1 else "value"
        rows = []
        for (bucket, group, is_other), events in self.cells().items():
            labels = dict(zip(self.query.labels, (*bucket, *group), strict=True))
            others = {"other": is_other} if self.query.other else {}
            rows.append({**labels, **others, **self.values(events)})
        keys = [*self.query.order, *[("bucket", False)] * bool(self.query.interval)]
        keys += [
            *[("other", False)] * self.query.other,
            (first, True),
            *((name, False) for name in self.query.group_by),
        ]
        for key, descending in reversed(keys):  # sorting is stable, so that the last key to sort by goes first
            known = sorted((row for row in rows if row[key] is not None), key=itemgetter(key), reverse=descending)
            rows = known + [row for row in rows if row[key] is None]
        cut = rows if self.query.limit is None else rows[: self.query.limit]
        if not self.query.interval:
            return cut
        return [row | {"bucket": oracle.label(self.query, row["bucket"])} for row in cut]

    def answer(self) -> str:
        """The bytes of the answer."""
        body: dict[str, Any] = {
            "metric": self.metrics if len(self.metrics) > 1 else self.metrics[0],
            "rows": self.rows(),
        }
        if self.query.totals:
            body["totals"] = self.values([*self.sides, []][:2])
        return "".join(encoded(body))


def answer(query: StatsQuery, events: Sequence[Event]) -> str:
    """The bytes of the answer."""
    return Derived(query, events).answer()


def encoded(found: Any) -> Iterable[str]:
    """JSON without blanks, fractions in plain notation."""
    if isinstance(found, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{''.join(encoded(one))}" for key, one in found.items())
            + "}"
        )
    if isinstance(found, list):
        return "[" + ",".join("".join(encoded(one)) for one in found) + "]"
    if isinstance(found, Fraction):
        return plain(found)
    return json.dumps(found, ensure_ascii=False)


def plain(found: Fraction) -> str:
    """A decimal fraction without trailing zeros."""
    text = f"{Decimal(int(found * 10**9)):f}".lstrip("-").rjust(10, "0")
    text = f"{text[:-9]}.{text[-9:]}".rstrip("0").rstrip(".")
    return f"-{text}" if found < 0 else text
