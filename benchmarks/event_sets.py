"""Writes the events that `versus.py` asks about: a large, busy site, one file per UTC day.

The rows are the same on every run: each is computed from its number, so that days are written beside each other and
none is held whole. Most visitors come once and few come often, few of the 2,000 paths are read by many, a visitor
keeps country and device, a session keeps its source. A finished set has a marker and is used again.

    python benchmarks/event_sets.py FOLDER [--rows 1000000] [--days 30|365] [--format parquet|ndjson|ndjson.gz|csv]
"""

import argparse
import gzip
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from math import log1p
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20260501
VERSION = 1  # of the rows: another number makes sets that are there already be written anew
FIRST_DAYS = {30: datetime(2026, 5, 1, tzinfo=UTC), 365: datetime(2026, 1, 1, tzinfo=UTC)}
FORMATS = ("parquet", "ndjson", "ndjson.gz", "csv")
SITE = "https://www.example.com"
WEEK = (11, 11, 11, 11, 10, 8, 8)  # how busy the days from Monday on are, beside each other
ROWS_AT_ONCE = 1 << 18
MARKER = "_finished.json"  # a name that begins with _ is no event file
VISITORS_PER_ROW = 0.165
REGULARS = 3_000  # how many times larger the number of visitors is than that of the regular ones
_DAY = 86_400_000_000
_SESSION = 1_800_000_000  # a visitor's events within the same half hour are one session
_U64 = 1 << 64

# Unformatted, because tables read better as rows.
# fmt: off
NAMES = {
    "$pageview": 700, "click": 120, "scroll": 80, "search": 35, "form_submit": 20, "login": 15, "video_play": 10,
    "add_to_cart": 8, "download": 5, "signup": 3, "share": 2, "purchase": 2,
}
CHANNELS = {  # source, medium
    (None, None): 280, ("google", "organic"): 260, ("google", "paid"): 110, ("facebook", "paid"): 80,
    ("facebook", "social"): 60, ("newsletter", "email"): 50, ("bing", "organic"): 30, ("github.com", "referral"): 30,
    ("linkedin", "social"): 25, ("x", "social"): 20, ("reddit", "social"): 15, ("partner.example", "referral"): 15,
    ("duckduckgo", "organic"): 10, ("youtube", None): 10, ("podcast", "audio"): 5,
}
COUNTRIES = (
    "US", "DE", "GB", "FR", "IN", "BR", "CA", "NL", "JP", "PL", "ES", "IT", "AU", "SE", "MX", "CH", "KR", "TR",
    "ID", "AT", "BE", "DK", "NO", "FI", "PT", "IE", "CZ", "RO", "HU", "GR", "UA", "IL", "AR", "CL", "CO", "ZA",
    "SG", "MY", "TH", "VN", "PH", "TW", "HK", "NZ", "AE", "SA", "EG", "NG", "KE", "PK", "BD", "PE", "SK", "BG",
    "HR", "RS", "LT", "LV", "EE", "SI",
)
DEVICES = {  # device type, browser, operating system
    ("desktop", "Chrome", "Windows"): 250, ("desktop", "Edge", "Windows"): 60, ("desktop", "Firefox", "Windows"): 30,
    ("desktop", "Chrome", "macOS"): 70, ("desktop", "Safari", "macOS"): 70, ("desktop", "Firefox", "Linux"): 25,
    ("desktop", "Chrome", "Linux"): 15, ("mobile", "Safari", "iOS"): 210, ("mobile", "Chrome", "Android"): 190,
    ("mobile", "Samsung Internet", "Android"): 40, ("tablet", "Safari", "iPadOS"): 30,
    ("tablet", "Chrome", "Android"): 10,
}
PATHS = ("/", *(f"/{part}/{number}" for number in range(500) for part in ("articles", "docs", "products", "tags")))
# fmt: on


@dataclass(frozen=True)
class EventSet:
    """What decides a set's rows and the form of its files."""

    rows: int
    days: int = 30
    format: str = "parquet"
    seed: int = SEED
    version: int = VERSION

    @property
    def first_day(self) -> datetime:
        """The midnight that the set begins with."""
        return FIRST_DAYS[self.days]

    def starts(self) -> list[int]:
        """The number of the first row of every day, and of the row after the last."""
        weights = [WEEK[(self.first_day + timedelta(days=day)).weekday()] for day in range(self.days)]
        ends = list(accumulate(weights, initial=0))
        return [self.rows * end // ends[-1] for end in ends]


def ensure(folder: Path, events: EventSet) -> float | None:
    """Write the set unless it is there already; how many seconds it took."""
    marker = folder / MARKER
    if marker.exists() and json.loads(marker.read_text()) == asdict(events):
        return None
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something else: name another folder")
    start = time.perf_counter()
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    os.environ["POLARS_MAX_THREADS"] = "1"  # of the processes started below: one for each core already
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        list(pool.map(write_day, [unfinished] * events.days, [events] * events.days, range(events.days)))
    del os.environ["POLARS_MAX_THREADS"]
    (unfinished / MARKER).write_text(json.dumps(asdict(events)))
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return time.perf_counter() - start


def write_day(folder: Path, events: EventSet, day: int) -> None:
    """Write one day's file, some rows at a time."""
    name = f"events-{events.first_day + timedelta(days=day):%Y-%m-%d}.{events.format}"
    (_write_parquet if events.format == "parquet" else _write_text)(folder / name, events.format, _parts(events, day))


def _write_parquet(file: Path, _: str, parts: Iterable[pl.DataFrame]) -> None:
    writer = None
    for part in parts:
        table = part.to_arrow()
        # Without Arrow's own schema in the file, repeated texts are what they are to other writers: plain text.
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd", store_schema=False)
        writer.write_table(table)
    if writer:
        writer.close()


def _write_text(file: Path, form: str, parts: Iterable[pl.DataFrame]) -> None:
    with ExitStack() as stack:
        out = stack.enter_context(file.open("wb"))
        write: Callable[[bytes], int] = out.write
        if form.endswith(".gz"):
            write = stack.enter_context(gzip.GzipFile("", "wb", 6, out, mtime=0)).write
        for number, part in enumerate(parts):
            told = part.with_columns(part["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
            text = told.write_csv(include_header=number == 0) if form == "csv" else told.write_ndjson()
            write(text.encode())


def _parts(events: EventSet, day: int) -> Iterator[pl.DataFrame]:
    first, end = events.starts()[day : day + 2]
    for start in range(first, end, ROWS_AT_ONCE):
        yield _rows(events, day, (first, end), range(start, min(start + ROWS_AT_ONCE, end)))


def _rows(events: EventSet, day: int, of_day: tuple[int, int], numbers: range) -> pl.DataFrame:
    """These rows of a day, in order of time."""
    number = pl.int_range(numbers.start, numbers.stop, dtype=pl.UInt64, eager=True).alias("number")
    slot = _DAY // (of_day[1] - of_day[0])  # each row has a share of the day to itself, and lies somewhere in it
    moment = (number - of_day[0]) * slot + _mixed(number, events.seed, 1) % slot
    visitor = _visitors(_mixed(number, events.seed, 2), int(events.rows * VISITORS_PER_ROW))
    who = _mixed(visitor, events.seed, 3)
    session = _mixed(visitor * 65_536 + day * 48 + moment // _SESSION, events.seed, 4)
    midnight = int((events.first_day + timedelta(days=day)).timestamp()) * 1_000_000
    path = _mixed(number, events.seed, 5)
    columns = {
        "timestamp": (moment + midnight).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        "event_name": _drawn(_mixed(number, events.seed, 6), NAMES, NAMES.values()),
        "event_id": _uuid(_mixed(number, events.seed, 7), _mixed(number, events.seed, 8)),
        "anonymous_id": _uuid(who, _mixed(visitor, events.seed, 9)),
        "session_id": _uuid(session, _mixed(session, events.seed, 10)),
        **_drawn_together(("source", "medium"), session, CHANNELS),
        "country": _drawn(who, COUNTRIES, _skewed(len(COUNTRIES))),
        **_drawn_together(("device_type", "browser", "os"), _mixed(who, events.seed, 11), DEVICES),
        "path": _drawn(path, PATHS[:2_000], _skewed(2_000)),
        "url": _drawn(path, [SITE + path for path in PATHS[:2_000]], _skewed(2_000)),
    }
    return pl.DataFrame([column.alias(name) for name, column in columns.items()])


def _mixed(number: pl.Series, seed: int, salt: int) -> pl.Series:
    """As good as random 64 bits made of a number: SplitMix64, whose arithmetic wraps as that of the columns does."""
    mixed = number * 0x9E3779B97F4A7C15 + (seed * 0xD1342543DE82EF95 + salt * 0xDA942042E4DD58B5) % _U64
    mixed = (mixed ^ mixed // (1 << 30)) * 0xBF58476D1CE4E5B9
    mixed = (mixed ^ mixed // (1 << 27)) * 0x94D049BB133111EB
    return mixed ^ mixed // (1 << 31)


def _visitors(drawn: pl.Series, visitors: int) -> pl.Series:
    """Visitors so that the n-th comes as often as 1 / (n + regulars): the law of Zipf and Mandelbrot."""
    regulars = max(visitors // REGULARS, 1)
    share = (drawn // (1 << 11)).cast(pl.Float64) / float(1 << 53)
    drawn_often: pl.Series = ((share * log1p(visitors / regulars)).exp() - 1) * regulars
    return drawn_often.cast(pl.UInt64)


def _skewed(size: int) -> list[int]:
    return [100_000 // (rank + 3) for rank in range(size)]


def _drawn(drawn: pl.Series, values: Iterable[str | None], weights: Iterable[int]) -> pl.Series:
    """One of the values for each row, as often as their weights say."""
    slots = _slots(tuple(values), tuple(weights))
    return slots.gather(drawn // (1 << 8) % len(slots))


@cache
def _slots(values: tuple[str | None, ...], weights: tuple[int, ...]) -> pl.Series:
    kinds = pl.Enum(list(dict.fromkeys(value for value in values if value is not None)))
    slots = [value for value, weight in zip(values, weights, strict=True) for _ in range(weight)]
    return pl.Series(slots, dtype=kinds)


def _drawn_together(
    names: Sequence[str],
    drawn: pl.Series,
    weighed: Mapping[tuple[str | None, str | None], int] | Mapping[tuple[str, str, str], int],
) -> dict[str, pl.Series]:
    """Columns that go with each other."""
    columns = zip(*weighed, strict=True)
    return {name: _drawn(drawn, values, weighed.values()) for name, values in zip(names, columns, strict=True)}


def _uuid(high: pl.Series, low: pl.Series) -> pl.Series:
    """The text of a UUID made of 128 bits."""
    pairs = pl.select(pl.concat_arr(high, low)).to_series().rechunk().to_arrow()
    octets = pa.Array.from_buffers(pa.binary(16), len(pairs), [None, pairs.flatten().buffers()[1]])
    digits = pl.Series(octets).bin.encode("hex")
    ends = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    return pl.select(pl.concat_str([digits.str.slice(*end) for end in ends], separator="-")).to_series()


def main() -> None:
    """Write a set, or say that it is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, choices=sorted(FIRST_DAYS), default=30)
    parser.add_argument("--format", choices=FORMATS, default="parquet")
    given = parser.parse_args()
    seconds = ensure(given.folder, EventSet(given.rows, given.days, given.format))
    print("it is there already" if seconds is None else f"{given.rows:,} events written in {seconds:.1f} s")


if __name__ == "__main__":
    main()
