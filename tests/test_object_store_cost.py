"""What a question of an object store fetches: footers and the columns it needs, and the second time a listing only."""

import io
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from mmstats.cache import CACHE_VARIABLE
from mmstats.dataset import Dataset
from mmstats.store.importing import import_events
from tests.conftest import WRITERS, Ask, ndjson
from tests.proxy import Proxy, proxied
from tests.seaweed import Seaweed, known

_numbers = count()
ROWS = 100_000
FEW = [{"timestamp": "2026-05-01T12:00:00Z", "event_name": "e"}] * 3
DAY = datetime(2026, 5, 1)  # noqa: DTZ001


@pytest.fixture(autouse=True)
def proxy(s3: Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy that counts between here and the server; each test has a cache of its own."""
    with known(s3), proxied(s3.port) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.endpoint)
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
        yield running


def wide(day: int) -> bytes:
    """Events of a day in six row groups, most of whose bytes are columns that questions seldom read."""
    some = random.Random(day)
    texts = {name: [f"{some.getrandbits(96):x}" for _ in range(ROWS)] for name in ("event_id", "url", "referrer")}
    step = timedelta(days=1) / ROWS
    buffer = io.BytesIO()
    pl.DataFrame(
        {
            "timestamp": [DAY + timedelta(days=day) + step * number for number in range(ROWS)],
            "event_name": ["a", "b"] * (ROWS // 2),
            "country": some.choices(("DE", "FR", "US"), k=ROWS),
            **texts,
        }
    ).write_parquet(buffer, row_group_size=ROWS // 6)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def days(s3: Seaweed) -> str:
    """A prefix with four days."""
    first, *_ = (s3.put(f"wide/{day}.parquet", wide(day)) for day in range(4))
    return first.removesuffix("0.parquet")


def total(s3: Seaweed) -> int:
    """The bytes of the four days."""
    return sum(s3.keys("wide/").values())


def test_one_column_of_a_wide_file_is_a_small_share_of_it(s3: Seaweed, proxy: Proxy, days: str, ask: Ask) -> None:
    """A question by country fetches countries, instants and footers: less than a fifth of all."""
    assert ask(days, "--group-by", "country").answer["rows"]
    assert proxy.sent < total(s3) / 5
    assert len(proxy.requests) < 4 * 20


def test_files_and_row_groups_out_of_range_are_not_fetched(s3: Seaweed, proxy: Proxy, days: str, ask: Ask) -> None:
    """An hour of a day fetches footers and a row group."""
    hour = ("--from", "2026-05-03T01:00", "--to", "2026-05-03T02:00")
    assert (
        sum(row["value"] for row in ask(days, "--map", "path=url", "--group-by", "path", "--all", *hour).rows) == 4167
    )
    assert proxy.sent < total(s3) / 8


def test_asked_again_it_costs_a_listing(proxy: Proxy, days: str, ask: Ask) -> None:
    """The answer is kept by the tags of the objects, without waiting for any to settle."""
    first = ask(days, "--group-by", "country")
    proxy.reset()
    assert ask(days, "--group-by", "country") == first
    assert [one.partition("?")[0] for one in proxy.requests] == ["GET /events"]
    assert proxy.sent < 10_000


def test_only_what_is_new_is_fetched(s3: Seaweed, proxy: Proxy, ask: Ask) -> None:
    """Of objects that are as they were the parts are kept; a changed one is read again, by its tag."""
    there = f"s3://{s3.bucket}/grown{next(_numbers)}/"
    prefix = there.removeprefix(f"s3://{s3.bucket}/")
    for day in range(3):
        s3.put(f"{prefix}{day}.parquet", wide(day))
    assert sum(row["value"] for row in ask(there, "--group-by", "country").rows) == 3 * ROWS
    for name, rows in {"3.parquet": 4, "0.parquet": 4}.items():
        s3.put(f"{prefix}{name}", wide(9))
        proxy.reset()
        assert sum(row["value"] for row in ask(there, "--group-by", "country").rows) == rows * ROWS
        read = {one.rpartition("/")[2] for one in proxy.requests if ".parquet" in one and "country" not in one}
        assert proxy.sent < sum(s3.keys(prefix).values()) / 8
        assert name in read


def test_a_change_within_a_moment_is_noticed(s3: Seaweed, ask: Ask) -> None:
    """Every change shows in the tag, so none is missed, however soon it follows."""
    there = s3.put(f"moment{next(_numbers)}.ndjson", ndjson([{"timestamp": "2026-05-01", "event_name": "a"}]))
    for name in "bcdefg":
        key = there.removeprefix(f"s3://{s3.bucket}/")
        s3.put(key, ndjson([{"timestamp": "2026-05-01", "event_name": name}]))
        assert ask(there, "--group-by", "event_name").rows == [{"event_name": name, "value": 1}]


def test_what_will_be_fetched_is_told_before(s3: Seaweed, proxy: Proxy, days: str, ask: Ask) -> None:
    """`--explain` tells the bytes of the columns and row groups wanted, by footers; small gaps are fetched besides."""
    asked = ("--map", "path=url", "--group-by", "path", "--from", "2026-05-02", "--to", "2026-05-03", "--no-cache")
    explained = ask(days, *asked, "--explain").answer
    told = explained["bytes"]["read"]
    assert explained["rows"] == ROWS
    assert explained["bytes"]["stored"] == total(s3)
    proxy.reset()
    assert ask(days, *asked, "--limit", "1").rows
    assert total(s3) / 16 < told < total(s3) / 4
    assert told < proxy.sent < 2 * told + 4 * 3 * (64 << 10)


def test_arrow_is_fetched_once(s3: Seaweed, proxy: Proxy, ask: Ask) -> None:
    """Of a format without a footer that says where a column is, all is fetched, and no more than that."""
    buffer = io.BytesIO()
    pl.read_parquet(io.BytesIO(wide(1))).write_ipc(buffer, compression="zstd", record_batch_size=10_000)
    there = s3.put(f"arrow{next(_numbers)}.arrow", buffer.getvalue())
    assert sum(row["value"] for row in ask(there, "--group-by", "country", "--event", "a").rows) == ROWS // 2
    assert proxy.sent < len(buffer.getvalue()) * 1.02


def test_small_arrow_objects_are_fetched_at_once(s3: Seaweed, proxy: Proxy, ask: Ask) -> None:
    """A request for each, and several on their way while the store takes its time."""
    prefix = f"small{next(_numbers)}"
    for number in range(40):
        s3.put(f"{prefix}/{number}.{('arrow', 'feather')[number % 2]}", WRITERS[("arrow", "feather")[number % 2]](FEW))
    proxy.delay = 0.05
    assert ask(f"s3://{s3.bucket}/{prefix}/").value == 40 * len(FEW)
    assert len([one for one in proxy.requests if "list-type" not in one]) == 40
    assert 4 < proxy.at_once <= 16


def test_of_a_store_asked_again_only_the_manifest_is_fetched(
    s3: Seaweed, proxy: Proxy, ask: Ask, tmp_path: Path
) -> None:
    """Its files never change under their names, so that the parts of answers are kept without a look at them."""
    for day in range(2):
        (tmp_path / f"{day}.parquet").write_bytes(wide(day))
    store = f"s3://{s3.bucket}/kept{next(_numbers)}/"
    import_events(Dataset((str(tmp_path),)), store)
    assert sum(row["value"] for row in ask(store, "--group-by", "country").rows) == 2 * ROWS
    for flags in ((), ("--from", "2026-05-01")):
        proxy.reset()
        assert sum(row["value"] for row in ask(store, "--group-by", "country", *flags).rows) == 2 * ROWS
        assert not [one for one in proxy.requests if ".parquet" in one]
