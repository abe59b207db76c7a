"""What a question of an object store costs: requests, bytes and seconds, beside DuckDB's httpfs on the same bucket.

Starts a server of its own (SeaweedFS) and a proxy that counts, with a delay before each answer such as a network has.
Each question is asked by a process of its own that keeps nothing, then twice by mmstats with a cache.

    python -m benchmarks.object_store [--rows 5000000] [--delay 0.02]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.event_sets import EventSet, ensure
from tests.proxy import Proxy, proxied
from tests.seaweed import ACCESS, SECRET, known, seaweed

DAY = ("--from", "2026-05-10", "--to", "2026-05-11")
QUESTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "by country": (("--group-by", "country"), "SELECT country, count(*) FROM events GROUP BY ALL"),
    "by path, one day": (
        ("--group-by", "path", *DAY),
        "SELECT path, count(*) FROM events WHERE timestamp >= '2026-05-10' AND timestamp < '2026-05-11' GROUP BY ALL",
    ),
    "signups by day": (
        ("--event", "signup", "--interval", "day"),
        "SELECT date_trunc('day', timestamp)::VARCHAR, count(*) FROM events WHERE event_name = 'signup' GROUP BY ALL",
    ),
    "visitors by country": (
        ("--metric", "uniques", "--group-by", "country"),
        "SELECT country, approx_count_distinct(anonymous_id) FROM events GROUP BY ALL",
    ),
}
DUCKDB = """
import sys, duckdb
from pathlib import Path
import duckdb_extension_httpfs
extension, = Path(duckdb_extension_httpfs.__file__).parent.glob("extensions/*/httpfs.duckdb_extension")
endpoint, access, secret, sql = sys.argv[1:]
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{extension}'")
connection.execute("SET TimeZone = 'UTC'")
connection.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{access}', SECRET '{secret}', ENDPOINT '{endpoint}', "
                   "URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')")
connection.execute("CREATE VIEW events AS FROM read_parquet('s3://events/set/*.parquet', hive_partitioning = false)")
connection.execute(sql).fetchall()
"""


def measured(proxy: Proxy, command: Sequence[str]) -> str:
    """A command run, as the cells of a table."""
    proxy.reset()
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    took = time.perf_counter() - started
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1][:100]} | | "
    return f"{len(proxy.requests):,} | {proxy.sent / 1e6:.1f} MB | {took:.2f} s"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--delay", type=float, default=0.02)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, seaweed() as server, proxied(server.port) as proxy:
        ensure(Path(folder) / "set", EventSet(asked.rows, 30, "parquet"))
        for file in sorted((Path(folder) / "set").glob("*.parquet")):
            server.put(f"set/{file.name}", file.read_bytes())
        print(f"{sum(server.keys('set/').values()) / 1e6:.0f} MB in {len(server.keys('set/'))} objects\n")
        print("| question | | requests | bytes | time |\n| --- | --- | ---: | ---: | ---: |")
        with known(server, AWS_ENDPOINT_URL_S3=proxy.endpoint, MMSTATS_CACHE_DIR=f"{folder}/cache"):
            proxy.delay = asked.delay
            for name, (flags, sql) in QUESTIONS.items():
                ask = [
                    sys.executable,
                    "-m",
                    "mmstats",
                    "query",
                    "--data",
                    "s3://events/set/",
                    *flags,
                    "--format",
                    "json",
                ]
                duck = [sys.executable, "-c", DUCKDB, proxy.endpoint.partition("//")[2], ACCESS, SECRET, sql]
                print(f"| {name} | DuckDB | {measured(proxy, duck)} |")
                for kind, command in {"no cache": [*ask, "--no-cache"], "first": ask, "again": ask}.items():
                    print(f"| | mmstats, {kind} | {measured(proxy, command)} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
