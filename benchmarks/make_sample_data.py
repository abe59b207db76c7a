"""Writes the bundled sample: four weeks of a product website's events, one Parquet file per UTC day.

The rows are the same on every run and machine: one seeded generator draws everything, integers weigh every
choice, and what is drawn is put in order. Run `python benchmarks/make_sample_data.py [FOLDER]`.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
SEED = 20260504
SITE = "https://www.example.com"
FIRST_DAY = datetime(2026, 5, 4, tzinfo=UTC)
LAUNCH = 12  # days after the first: a Saturday on which a Facebook campaign starts
CASUAL_VISITORS = 790
MEMBERS_FROM_BEFORE = 24

Row = dict[str, Any]
Step = tuple[str, str, dict[str, str | int]]  # event name, path, properties


class Channel(NamedTuple):
    """Where a visit comes from; weight is its share of all visits."""

    source: str | None
    medium: str | None
    campaign: str | None
    referrer: str | None
    weight: int


# Unformatted, because tables read better as rows.
# fmt: off
TEXT_COLUMNS = (
    "event_name", "event_id", "anonymous_id", "user_id", "session_id", "source", "medium", "campaign",
    "country", "device_type", "browser", "os", "path", "url", "referrer", "properties",
)
SIGNUPS = (  # day of May, UTC hour, source, medium: there are no others, so that documentation can quote them
    (6, 14, "google", "paid"), (8, 17, "facebook", "social"), (12, 19, "facebook", "paid"),
    (14, 9, "google", "paid"), (16, 10, "facebook", "paid"), (16, 13, "facebook", "social"),
    (16, 17, "facebook", "paid"), (16, 20, "facebook", "paid"), (19, 18, "facebook", "paid"),
    (21, 15, "google", "paid"), (26, 12, "facebook", "social"), (28, 20, "facebook", "paid"),
)
CHANNELS = (
    Channel(None, None, None, None, 26), Channel("google", "organic", None, "https://www.google.com/", 30),
    Channel("google", "paid", "brand-search", "https://www.google.com/", 9),
    Channel("facebook", "paid", "spring-launch", "https://l.facebook.com/", 10),
    Channel("facebook", "social", None, "https://www.facebook.com/", 6),
    Channel("newsletter", "email", "product-news", None, 6),
    Channel("github.com", "referral", None, "https://github.com/", 7),
)
COUNTRIES = (  # code, hours from UTC in May, weight
    ("US", -5, 32), ("DE", 2, 22), ("GB", 1, 9), ("FR", 2, 8), ("IN", 5, 8), ("BR", -3, 5), ("NL", 2, 4),
    ("CA", -4, 4), ("PL", 2, 3), ("ES", 2, 3), ("AT", 2, 2), ("JP", 9, 2), ("AU", 10, 2), (None, 0, 2),
)
DEVICES = (  # device type, browser, operating system, weight
    ("desktop", "Chrome", "Windows", 24), ("desktop", "Edge", "Windows", 8),
    ("desktop", "Chrome", "macOS", 14), ("desktop", "Safari", "macOS", 9), ("tablet", "Safari", "iPadOS", 3),
    ("mobile", "Chrome", "Android", 17), ("mobile", "Safari", "iOS", 18), ("desktop", "Firefox", "Linux", 7),
)
LANDINGS = {  # by medium; a path that stands twice is twice as likely
    None: ("/", "/", "/", "/docs", "/pricing"), "paid": ("/", "/pricing", "/features"),
    "organic": ("/", "/", "/docs", "/docs/getting-started", "/docs/api", "/blog/[slug]-routes"),
    "referral": ("/", "/docs", "/docs/getting-started"), "social": ("/", "/blog/launch", "/blog/funnels"),
    "email": ("/blog/launch", "/blog/[slug]-routes", "/features"),
}
LINKS = {
    "/": ("/pricing", "/pricing", "/features", "/features", "/docs", "/blog"),
    "/de": ("/pricing", "/features", "/de/über-uns"), "/de/über-uns": ("/de", "/pricing"),
    "/features": ("/pricing", "/pricing", "/docs", "/"), "/docs/api": ("/docs", "/docs/sdk/python"),
    "/pricing": ("/signup", "/features", "/docs", "/"), "/signup": ("/", "/pricing"),
    "/docs": ("/docs/getting-started", "/docs/getting-started", "/docs/api", "/docs/sdk/python", "/pricing"),
    "/docs/getting-started": ("/docs/api", "/docs/sdk/python", "/docs", "/pricing"),
    "/docs/sdk/python": ("/docs/api", "/docs"), "/blog/[slug]-routes": ("/blog", "/docs", "/docs/api"),
    "/blog": ("/blog/launch", "/blog/funnels", "/blog/[slug]-routes"),
    "/blog/launch": ("/", "/features", "/blog"), "/blog/funnels": ("/blog", "/blog/launch", "/"),
}
CLICKS = {"/": ("start-free", "watch-demo"), "/pricing": ("compare-plans",), "/docs/api": ("copy-snippet",)}
LOCAL_HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 20, 15, 18, 20, 19, 17, 14, 12, 12, 13, 12, 8, 4)
DAY_WEIGHTS = (  # two weeks a line, from a Monday
    90, 96, 98, 95, 82, 44, 42, 97, 103, 105, 100, 90, 150, 70,
    108, 112, 115, 110, 96, 55, 52, 104, 116, 118, 113, 99, 57, 54,
)
# fmt: on


class Visitor(NamedTuple):
    """A person at one device; is_member says whether the signup lies behind them."""

    anonymous_id: str
    country: str | None
    utc_offset: int
    device: tuple[str, str, str]
    user_id: str | None = None
    is_member: bool = False


class Visit(NamedTuple):
    """A session: who comes, when and from where."""

    visitor: Visitor
    start: datetime
    channel: Channel


def main(folder: Path = SAMPLE_DATA) -> None:
    """Replaces the day folders of the target folder by newly drawn ones."""
    rows = sample_rows()
    for old in folder.glob("day=*"):
        shutil.rmtree(old)
    for day, rows_of_day in groupby(rows, key=lambda row: f"{row['timestamp']:%Y-%m-%d}"):
        target = folder / f"day={day}" / "events.parquet"
        target.parent.mkdir(parents=True)
        write_day(list(rows_of_day), target)


def write_day(rows: list[Row], target: Path) -> None:
    """Writes one small file: without a copy of the Arrow schema, with statistics of the timestamp only."""
    columns = [("timestamp", pa.timestamp("us", "UTC")), *((name, pa.string()) for name in TEXT_COLUMNS)]
    small = {"compression": "zstd", "compression_level": 19, "store_schema": False}
    table = pa.Table.from_pylist(rows, pa.schema(columns))
    pq.write_table(table, target, write_statistics=["timestamp"], **small)


def sample_rows() -> list[Row]:
    """All events as rows keyed by column, in order of time; what runs past the last midnight is cut off."""
    rng = Random(SEED)
    rows = (row for visit, steps in all_visits(rng) for row in timed_rows(rng, visit, steps))
    kept = (row for row in rows if row["timestamp"] < FIRST_DAY + timedelta(days=len(DAY_WEIGHTS)))
    return sorted(kept, key=lambda row: (row["timestamp"], row["event_id"]))


def all_visits(rng: Random) -> Iterator[tuple[Visit, list[Step]]]:
    """Every visit with its steps: casual visitors, members from before, and the planned signups."""
    for _ in range(CASUAL_VISITORS):
        for visit in drawn_visits(rng, new_visitor(rng), rng.choices((1, 2, 3, 5), (68, 20, 8, 4))[0]):
            yield visit, casual_steps(rng, visit)
    for number in range(MEMBERS_FROM_BEFORE):
        member = new_visitor(rng)._replace(user_id=f"user_{101 + number * 4}", is_member=True)
        for visit in drawn_visits(rng, member, rng.randrange(2, 8)):
            yield visit, member_steps(rng, "purchase" if rng.randrange(10) == 0 else None)
    for number, (day, hour, *origin) in enumerate(SIGNUPS):
        newcomer = new_visitor(rng)._replace(user_id=f"user_{201 + number}")
        channel = next(channel for channel in CHANNELS if [channel.source, channel.medium] == origin)
        days_in = day - FIRST_DAY.day
        yield Visit(newcomer, moment_in(rng, days_in, hour), channel), signup_steps(rng)
        for nth, visit in enumerate(drawn_visits(rng, newcomer._replace(is_member=True), 3, days_in + 1)):
            yield visit, member_steps(rng, "subscribe" if nth == 0 and rng.randrange(2) else None)


def new_visitor(rng: Random) -> Visitor:
    """A visitor who is no member yet, with a country and a device to keep."""
    country, utc_offset, _ = rng.choices(COUNTRIES, [weight for *_, weight in COUNTRIES])[0]
    device_type, browser, system, _ = rng.choices(DEVICES, [weight for *_, weight in DEVICES])[0]
    return Visitor(f"anon_{rng.getrandbits(48):012x}", country, utc_offset, (device_type, browser, system))


def drawn_visits(rng: Random, visitor: Visitor, times: int, first_day: int = 0) -> Iterator[Visit]:
    """At most so many visits from a day on, no two on one day, in order of time."""
    for day in sorted(set(rng.choices(range(first_day, len(DAY_WEIGHTS)), DAY_WEIGHTS[first_day:], k=times))):
        local_hour = rng.choices(range(24), LOCAL_HOUR_WEIGHTS)[0]
        start = moment_in(rng, day, (local_hour - visitor.utc_offset) % 24)
        weights = [c.weight * (4 if day == LAUNCH and c.source == "facebook" else 1) for c in CHANNELS]
        yield Visit(visitor, start, rng.choices(CHANNELS, weights)[0])


def moment_in(rng: Random, day: int, hour: int) -> datetime:
    """A moment in the first three quarters of an hour; days count from the first."""
    return FIRST_DAY + timedelta(days=day, hours=hour, milliseconds=rng.randrange(45 * 60_000))


def casual_steps(rng: Random, visit: Visit) -> list[Step]:
    """A walk along the site's links; most walks are short."""
    path = rng.choice(LANDINGS[visit.channel.medium])
    if path == "/" and visit.visitor.country in {"DE", "AT"}:
        path = "/de"
    steps: list[Step] = []
    for _ in range(rng.choices((1, 2, 3, 4, 6, 9), (40, 22, 15, 11, 8, 4))[0]):
        steps.append(pageview(rng, path))
        if path in CLICKS and rng.randrange(8) == 0:
            steps.append(("click", path, {"target": rng.choice(CLICKS[path])}))
        path = rng.choice(LINKS[path])
    return steps


def member_steps(rng: Random, order: str | None) -> list[Step]:
    """A login, some reading of the documentation and, if there is one, an order."""
    login: Step = ("login", "/login", {"method": "password"})
    steps = [pageview(rng, "/"), pageview(rng, "/login"), login]
    steps += [pageview(rng, rng.choice(LINKS["/docs"])) for _ in range(rng.randrange(4))]
    if order:
        steps += [pageview(rng, "/account"), (order, "/account", {"plan": rng.choice(("starter", "team"))})]
    return steps


def signup_steps(rng: Random) -> list[Step]:
    """From a landing over the prices to the signup, then the first page of the documentation."""
    pages = [pageview(rng, path) for path in (rng.choice(("/", "/features")), "/pricing", "/signup")]
    return [*pages, ("signup", "/signup", {"plan": "free"}), pageview(rng, "/docs/getting-started")]


def pageview(rng: Random, path: str) -> Step:
    """A view of one page."""
    return "$pageview", path, {"load_ms": rng.randrange(90, 1_400)}


def timed_rows(rng: Random, visit: Visit, steps: list[Step]) -> Iterator[Row]:
    """A row per step; the user is known from the signup on, and only the landing carries the campaign."""
    constant = visit_columns(visit) | {"session_id": f"session_{rng.getrandbits(40):010x}"}
    moment, url, referrer, is_known = visit.start, "", visit.channel.referrer, visit.visitor.is_member
    for event_name, path, properties in steps:
        if event_name == "$pageview":
            query = "" if url or not visit.channel.campaign else f"?utm_campaign={visit.channel.campaign}"
            referrer, url = url or referrer, SITE + quote(path) + query
        is_known = is_known or event_name == "signup"
        yield constant | {
            "timestamp": moment,
            "event_name": event_name,
            "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
            "user_id": visit.visitor.user_id if is_known else None,
            "path": path,
            "url": url,
            "referrer": referrer,
            "properties": json.dumps(properties, separators=(",", ":")),
        }
        moment += timedelta(milliseconds=rng.randrange(3_000, 100_000))


def visit_columns(visit: Visit) -> Row:
    """The columns that stay the same for a whole visit."""
    names = ("anonymous_id", "country", "device_type", "browser", "os", "source", "medium", "campaign")
    visitor, channel = visit.visitor, visit.channel
    values = (visitor.anonymous_id, visitor.country, *visitor.device, *channel[:3])
    return dict(zip(names, values, strict=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
