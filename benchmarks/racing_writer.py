"""Asks about files while a writer rewrites them in place: no wrong answer, no bug, no silent death.

A writer process truncates a file, writes one of two versions of its events into it in pieces, and begins again;
sometimes it replaces the file by a new one instead. Beside it the command line asks one question after the other. The
answer must be that of one version; else the file must be named (exit 4). Text may be answered as far as it is written,
since nobody can tell a file that is rewritten from one that grows; but no answer may mix the versions.

    python benchmarks/racing_writer.py [--runs 500] [--format parquet] [--rows 200000]
"""

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

QUESTIONS = (
    ("--group-by", "source,country"),
    ("--metric", "uniques", "--group-by", "source"),
    ("--interval", "hour", "--event", "signup", "--group-by", "source"),
    ("--from", "2026-05-01T06:00:00Z", "--to", "2026-05-01T18:00:00Z", "--group-by", "source,path"),
)
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "parquet": lambda frame, path: frame.write_parquet(path, row_group_size=20_000),
    "arrow": lambda frame, path: frame.write_ipc(path, record_batch_size=20_000),
    "ndjson": lambda frame, path: frame.write_ndjson(path),
    "csv": lambda frame, path: frame.write_csv(path),
}
TEXTS = {"ndjson", "csv"}


def events(rows: int, version: int) -> pl.DataFrame:
    """One version of the events; the second is as long and has other values."""
    number = pl.int_range(rows)
    start = pl.lit("2026-05-01").str.to_datetime(time_unit="us")
    return pl.select(
        timestamp=(start + pl.duration(microseconds=number * (86_400_000_000 // rows))).dt.to_string("iso:strict"),
        event_name=pl.when(number % (3 + version) == 0).then(pl.lit("signup")).otherwise(pl.lit("pageview")),
        anonymous_id=pl.format("visitor-{}", number % (rows // (5 + version))),
        source=pl.format("v{}-{}", version, number % (7 + version)),
        country=pl.format("C{}", number % (11 + version)),
        path=pl.format("/{}", number % (20 + version)),
    )


def rewrite(path: Path, contents: list[bytes], seed: int) -> None:
    """Rewrite a file until this process is killed."""
    random_ = random.Random(seed)
    for content in itertools.cycle(contents):
        if random_.random() < 0.2:
            beside = path.with_suffix(".tmp")
            beside.write_bytes(content)
            beside.replace(path)
        else:
            with path.open("r+b") as file:
                file.truncate(0)
                piece = max(1, len(content) // random_.choice((1, 3, 20)))
                for at in range(0, len(content), piece):
                    file.write(content[at : at + piece])
                    file.flush()
                    time.sleep(random_.choice((0, 0, 0.001, 0.01)))
        time.sleep(random_.choice((0, 0.02, 0.1, 0.3)))


def ask(path: Path, question: tuple[str, ...], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Ask one question at the command line."""
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(path), *question, "--format", "json", "--all"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


def main() -> int:
    """Run the experiment, print what came of it, and return 1 when something must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--format", choices=WRITERS, default="parquet")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "MMSTATS_CACHE_DIR": str(Path(folder, "cache"))}
        path, contents, right = Path(folder, f"events.{options.format}"), [], {}
        for version in (0, 1):
            WRITERS[options.format](events(options.rows, version), path)
            contents.append(path.read_bytes())
            for question in QUESTIONS:
                right.setdefault(question, set()).add(ask(path, question, environment).stdout)
        writer = get_context("spawn").Process(target=rewrite, args=(path, contents, options.seed), daemon=True)
        writer.start()
        outcomes: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for number in range(options.runs):
            question = QUESTIONS[number % len(QUESTIONS)]
            done = ask(path, question, environment)
            outcome = f"exit {done.returncode}"
            if done.returncode == 0:
                versions = {row["source"][:2] for row in json.loads(done.stdout)["rows"]}
                prefix = options.format in TEXTS and len(versions) <= 1
                outcome = "right" if done.stdout in right[question] else "as far as written" if prefix else "WRONG"
            elif done.returncode == 4:
                outcome = f"exit 4: {done.stderr.partition(': ')[2].partition('hint:')[0].strip()[-90:]}"
            outcomes[outcome] += 1
            examples.setdefault(outcome, done.stderr[-1500:])
        writer.kill()
        writer.join()
    for outcome, count in outcomes.most_common():
        print(f"{count:6,}  {outcome}")
    bad = [one for one in outcomes if one not in {"right", "as far as written"} and not one.startswith("exit 4")]
    for outcome in bad:
        print(f"\n{outcome}:\n{examples[outcome]}")
    print(json.dumps({"runs": options.runs, "bad": sum(outcomes[one] for one in bad)}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
