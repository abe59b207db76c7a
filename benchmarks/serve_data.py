"""Writes the events that `serve_load.py` asks about: a month of a busy site, one Parquet file per UTC day.

The rows are the same on every run: one seeded generator draws everything. Few visitors make many of the events and
few of the 2,000 paths are read by many, as on a real site.
"""

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20260501
FIRST_DAY = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 30
PATHS = 2_000
SITE = "https://www.example.com"
_DAY_MICROSECONDS = 86_400_000_000

Column = list[str | None]

# Unformatted, because tables read better as rows.
# fmt: off
NAMES = {"$pageview": 80, "click": 12, "login": 5, "signup": 2, "purchase": 1}
CHANNELS = {  # source, medium, campaign, referrer
    (None, None, None, None): 30, ("google", "organic", None, "https://www.google.com/"): 30,
    ("google", "paid", "brand-search", "https://www.google.com/"): 12,
    ("facebook", "paid", "spring-launch", "https://l.facebook.com/"): 10,
    ("facebook", "social", None, "https://www.facebook.com/"): 8, ("newsletter", "email", "product-news", None): 6,
    ("github.com", "referral", None, "https://github.com/"): 4,
}
COUNTRIES = {"US": 32, "DE": 22, "GB": 9, "FR": 8, "IN": 8, "BR": 5, "NL": 4, "CA": 4, "PL": 3, "JP": 3, None: 2}
DEVICES = {  # device type, browser, operating system
    ("desktop", "Chrome", "Windows"): 30, ("desktop", "Safari", "macOS"): 15, ("desktop", "Firefox", "Linux"): 7,
    ("mobile", "Safari", "iOS"): 24, ("mobile", "Chrome", "Android"): 21, ("tablet", "Safari", "iPadOS"): 3,
}
# fmt: on


def write_events(folder: Path, rows: int) -> None:
    """Writes so many events, spread evenly over the days, in order of time."""
    rng = Random(SEED)
    for day in range(DAYS):
        rows_of_day = rows * (day + 1) // DAYS - rows * day // DAYS
        start = FIRST_DAY + timedelta(days=day)
        pq.write_table(_events_of_day(rng, start, rows_of_day, rows), folder / f"{start:%Y-%m-%d}.parquet")


def _events_of_day(rng: Random, start: datetime, rows: int, of: int) -> pa.Table:
    first = int(start.timestamp()) * 1_000_000
    moments = sorted(first + int(rng.random() * _DAY_MICROSECONDS) for _ in range(rows))
    columns = {"timestamp": pa.array(moments, pa.timestamp("us", "UTC"))}
    texts = _what(rng, rows) | _who(rng, rows, max(of // 5, 1))
    return pa.table(columns | {name: pa.array(values, pa.string()) for name, values in texts.items()})


def _what(rng: Random, rows: int) -> dict[str, Column]:
    """What happened, where on the site, and from where the visit came."""
    weights = list(accumulate(1 / (rank + 1) for rank in range(PATHS)))
    paths = [f"/articles/{number}" for number in rng.choices(range(PATHS), cum_weights=weights, k=rows)]
    channels = zip(*_drawn(rng, CHANNELS, rows), strict=True)
    return {
        "event_name": _drawn(rng, NAMES, rows),
        "event_id": [f"{rng.getrandbits(128):032x}" for _ in range(rows)],
        "path": paths,
        "url": [SITE + path for path in paths],
        **dict(zip(("source", "medium", "campaign", "referrer"), map(list, channels), strict=True)),
        "properties": [f'{{"load_ms":{rng.randrange(90, 1_400)}}}' for _ in range(rows)],
    }


def _who(rng: Random, rows: int, visitors: int) -> dict[str, Column]:
    """Who it was, from where and with what; one in ten visitors is known as a user."""
    numbers = [int(visitors * rng.random() ** 3) for _ in range(rows)]
    devices = zip(*_drawn(rng, DEVICES, rows), strict=True)
    return {
        "anonymous_id": [f"anon_{number:08x}" for number in numbers],
        "user_id": [f"user_{number}" if number % 10 == 0 else None for number in numbers],
        "session_id": [f"session_{number:08x}_{rng.randrange(4)}" for number in numbers],
        "country": _drawn(rng, COUNTRIES, rows),
        **dict(zip(("device_type", "browser", "os"), map(list, devices), strict=True)),
    }


def _drawn(rng: Random, weighed: dict, rows: int) -> list:
    return rng.choices(list(weighed), list(weighed.values()), k=rows)
