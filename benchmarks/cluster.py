"""Asks a local Apache Spark of two executors about a large set, and says what that takes of the client.

The client is a process of its own for each question, as `mmstats query` is; its peak of memory is what the system says
of it. The same is asked of the local engine, whose answer must be the same. Spark is the tests' own.

    python benchmarks/cluster.py FOLDER [--rows 50000000]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.event_sets import EventSet, ensure
from tests import clusters

QUESTIONS = {
    "events": (),
    "events by day and source": ("--interval", "day", "--group-by", "source"),
    "top paths": ("--group-by", "path", "--limit", "10"),
    "unique visitors": ("--metric", "uniques"),
    "unique visitors by country": ("--metric", "uniques", "--group-by", "country"),
    "events of a week": ("--from", "2026-05-04", "--to", "2026-05-11", "--group-by", "event_name"),
}

AS_IT_COMES = {  # where the tests' Spark is set up for questions about next to nothing
    "spark.driver.extraJavaOptions": "",
    "spark.executor.extraJavaOptions": "",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}


@dataclass(frozen=True)
class Asked:
    """One question's answer, how long it took and the most memory of the process that asked, in bytes."""

    answer: str
    seconds: float
    peak: int


def ask(data: Path, engine: str, *options: str) -> Asked:
    """Ask one question in a new process."""
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(data), "--engine", engine, "--no-cache"]
    before = time.perf_counter()
    process = subprocess.Popen([*command, "--format", "json", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Asked(answer, time.perf_counter() - before, _peak(used))


def _peak(used: "resource.struct_rusage") -> int:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Write the set where it is not there, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--data", type=Path, help="a set that is there already")
    given = parser.parse_args()
    data = given.data or given.folder / f"{given.rows}-30"
    if not given.data:
        ensure(data, EventSet(given.rows))
    size = sum(file.stat().st_size for file in data.rglob("*.parquet"))
    print(f"{given.rows:,} events, {size / 1e6:,.0f} MB of Parquet, {size / given.rows:.1f} bytes an event")
    print("| question | Spark, s | client's peak, MB | local, s | peak, MB |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, clusters.spark(Path(folder), **AS_IT_COMES) as spark:
        for name, options in QUESTIONS.items():
            there, here = ask(data, spark.address, *options), ask(data, "local", *options)
            assert json.loads(there.answer) == json.loads(here.answer)
            figures = f"{there.seconds:.1f} | {there.peak / 1e6:.0f} | {here.seconds:.1f} | {here.peak / 1e6:.0f}"
            print(f"| {name} | {figures} |", flush=True)
        print(f"tasks by executor: {spark.tasks()}")


if __name__ == "__main__":
    main()
