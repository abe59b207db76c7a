"""What becomes of answers when one bit of the data on disk is not what was written.

    python benchmarks/bit_flips.py store manifest cache plain --flips 1000
    python benchmarks/bit_flips.py store checksummed --check

Flips one bit at a time at a random place of a store's files, its manifest, the cache, or Parquet files without or with
page checksums, asks the same questions, and puts the bit back. An answer is held against that of the unharmed data. The
questions are asked in a process of their own, which a damaged file may end. With `--check` it is `mmstats describe
--check` that is asked, and has to find the flip.

Ends with 1 where an answer was wrong or the program failed; of `plain` files wrong answers are only counted, since
nothing tells the bits that they were written with.
"""

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from mmstats.dataset import Dataset

KINDS = ("store", "manifest", "cache", "plain", "checksummed")
UNPROVEN = ("plain", "checksummed")  # whose wrong answers are no fault of the program
ROWS = (140_000, 5_000, 3_000)  # of each day; the first is in two row groups of a store
QUESTIONS = [
    text.split()
    for text in (
        "",
        "--event signup",
        "--from 2026-05-01T06:30 --to 2026-05-02T07:00",
        "--group-by country",
        "--group-by source,medium --interval day",
        "--group-by path --event signup",
        "--group-by event_name,source,medium,country,device_type,browser,os,path",
        "--interval hour",
        "--group-by browser --from 2026-05-01T14:00 --to 2026-05-01T15:00",
        "--metric uniques",
        "--metric uniques --group-by os --interval week",
        "--metric uniques --group-by path --from 2026-05-01T22:00",
        "--metric uniques --exact --group-by device_type",
    )
]
SETTLED_SECONDS = 2.1  # files that were written more recently are not cached
_APRIL_30 = 20_573  # of 2026, in days since 1970
_PATIENCE = 60.0  # seconds for one question


class Outcome(IntEnum):
    """What became of an answer, the worst last."""

    RIGHT = 0
    REFUSED = 1
    WRONG = 2
    FAILED = 3


@dataclass(frozen=True)
class Ran:
    """How a command line ended, and what it wrote; a process that did not come back has no code."""

    code: int | None
    out: bytes
    err: str

    def outcome(self, expected: bytes) -> Outcome:
        """What became of the answer that was expected."""
        if self.code not in (0, 1, 3, 4) or "panicked" in self.err or "Traceback" in self.err:
            return Outcome.FAILED
        if self.code == 0:
            return Outcome.RIGHT if self.out == expected else Outcome.WRONG
        return Outcome.REFUSED


class Asker:
    """A process that runs command lines of mmstats, replaced when one of them has ended it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, arguments: Sequence[str]) -> Ran:
        """Run one command line."""
        self._connection.send(list(arguments))
        with contextlib.suppress(EOFError, ConnectionError):
            if self._connection.poll(_PATIENCE):
                return Ran(*self._connection.recv())
        self.end()
        self._start()
        return Ran(None, b"", (self._folder / "err").read_text(errors="replace"))

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(connection: Connection, folder: Path) -> None:
    """Run command lines, what they write caught where even a panic of the engine writes it."""
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND), descriptor)
    os.environ["MMSTATS_CACHE_DIR"] = str(folder / "cache")
    from mmstats.cli import run

    while True:
        arguments = connection.recv()
        for descriptor in (1, 2):
            os.truncate(descriptor, 0)
        try:
            code = int(run(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stderr.flush()
        connection.send((code, (folder / "out").read_bytes(), (folder / "err").read_text(errors="replace")))


def make_data(folder: Path, rows: Sequence[int] = ROWS) -> None:
    """Write plain and checksummed files, and a store of them, for as many days as there are numbers of rows."""
    from mmstats.store.importing import import_events

    for day, count in enumerate(rows, 1):
        table = _events(day, count).to_arrow()
        for kind in UNPROVEN:
            path = folder / kind / f"{day}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path, compression="zstd", write_page_checksum=kind == "checksummed")
    import_events(Dataset((str(folder / "plain"),)), folder / "store")


def _events(day: int, count: int) -> pl.DataFrame:
    """A day's events in order of time."""
    chance = random.Random(day)

    def drawn(*values: str | None) -> list[str | None]:
        return chance.choices(values, range(len(values), 0, -1), k=count)

    instants = sorted(chance.choices(range(86_400_000), k=count))
    return pl.DataFrame(
        {
            "timestamp": pl.Series(instants).cast(pl.Datetime("ms")) + timedelta(days=_APRIL_30 + day),
            "event_name": drawn("$pageview", "click", "search", "signup"),
            "anonymous_id": [f"visitor {number}" for number in chance.choices(range(count // 3 + 1), k=count)],
            "source": drawn("google", None, "facebook", "newsletter"),
            "medium": drawn("organic", "paid", None, "email"),
            "country": drawn("US", "DE", "GB", "FR", "IN", None),
            "device_type": drawn("desktop", "mobile", "tablet"),
            "browser": drawn("Chrome", "Safari", "Edge", "Firefox"),
            "os": drawn("Windows", "iOS", "Android", "macOS"),
            "path": drawn(*(f"/articles/{number}" for number in range(50))),
        }
    )  # fmt: skip


def targets(folder: Path, kind: str) -> list[Path]:
    """The files that bits of are flipped."""
    patterns = {"store": "store/day=*/*.parquet", "manifest": "store/_mmstats.json", "cache": "cache/*.sqlite"}
    return sorted(folder.glob(patterns.get(kind, f"{kind}/*.parquet")))


def commands(folder: Path, kind: str, *, check: bool) -> list[list[str]]:
    """The command lines to run for each flip."""
    data = ["--data", str(folder / (kind if kind in UNPROVEN else "store"))]
    if check:
        return [["describe", "--check", *data]]
    cached = [] if kind == "cache" else ["--no-cache"]
    return [["query", *data, "--all", *cached, *question] for question in QUESTIONS]


@contextlib.contextmanager
def flipped(files: Sequence[Path], chance: random.Random) -> Iterator[str]:
    """One bit of the files is another inside the block, which gets its place; then they are as they were."""
    position = chance.randrange(sum(file.stat().st_size for file in files))
    bit = chance.randrange(8)
    for file in files:
        before = file.read_bytes()
        if position < len(before):
            break
        position -= len(before)
    try:
        after = bytearray(before)
        after[position] ^= 1 << bit
        file.write_bytes(after)
        yield f"{file.name} byte {position} of {len(before)} bit {bit}"
    finally:
        for beside in file.parent.glob(f"{file.name}-*"):  # SQLite's journal
            beside.unlink()
        file.write_bytes(before)


def experiment(folder: Path, kind: str, flips: int, seed: int, *, check: bool = False) -> Counter[Outcome]:
    """How many flips had which outcome, the worst of all questions; places of wrong ones and failures are printed."""
    if kind == "cache":
        time.sleep(SETTLED_SECONDS)
    chance, counts = random.Random(seed), Counter[Outcome]()
    lines, asker = commands(folder, kind, check=check), Asker(folder)
    try:
        expected = [asker.ask(line) for line in lines]
        assert all(ran.code == 0 for ran in expected), expected
        files = targets(folder, kind)
        for _ in range(flips):
            with flipped(files, chance) as place:
                rans = [asker.ask(line) for line in lines]
            outcomes = [ran.outcome(whole.out) for ran, whole in zip(rans, expected, strict=True)]
            counts[max(outcomes)] += 1
            if max(outcomes) >= Outcome.WRONG:
                at = outcomes.index(max(outcomes))
                told = f": {rans[at].code} {rans[at].err.strip()[-300:]}" if max(outcomes) is Outcome.FAILED else ""
                print(f"{max(outcomes).name.lower()}: {place}: {' '.join(lines[at][3:])}{told}", file=sys.stderr)
    finally:
        asker.end()
    return counts


def main() -> int:
    """Flip bits, print how it ended, and say whether it ended well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="+", choices=KINDS, help="what to flip bits of")
    parser.add_argument("--flips", type=int, default=1000, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the places")
    parser.add_argument("--check", action="store_true", help="ask describe --check instead of questions")
    given = parser.parse_args()
    ends_well = True
    print(f"{'kind':12}{'flips':>9}", *(f"{outcome.name.lower():>8}" for outcome in Outcome))
    with tempfile.TemporaryDirectory(prefix="mmstats-flips-") as work:
        made = Path(work) / "made"
        make_data(made)
        for kind in given.kinds:
            folder = Path(work) / kind
            shutil.copytree(made, folder)
            counts = experiment(folder, kind, given.flips, given.seed, check=given.check)
            print(f"{kind:12}{given.flips:9}", *(f"{counts[outcome]:8}" for outcome in Outcome), flush=True)
            shutil.rmtree(folder)
            ends_well &= not counts[Outcome.FAILED] and (kind in UNPROVEN or not counts[Outcome.WRONG])
    return 0 if ends_well else 1


if __name__ == "__main__":
    sys.exit(main())
