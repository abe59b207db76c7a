"""What starting costs: a question on the bundled sample against importing the engine, `--help` against Typer's import.

Whole processes, interleaved so that a machine that changes its speed changes it for both; medians and their ratio.

    python benchmarks/startup.py [RUNS]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

MMSTATS = str(Path(sys.executable).with_name("mmstats"))
# Computed each time: an answer given again would say nothing of the engine's start.
QUERY = [MMSTATS, "query", "--no-cache"]
PAIRS = {
    "a question on the sample": (
        [*QUERY, "--sample", "--event", "signup", "--group-by", "source,medium"],
        [sys.executable, "-c", "import polars"],
        1.45,
    ),
    "unique visitors on the sample": (
        [*QUERY, "--sample", "--metric", "uniques", "--group-by", "country"],
        [sys.executable, "-c", "import polars"],
        1.45,
    ),
    "a count over a range of the sample": (
        [*QUERY, "--sample", "--event", "$pageview", "--from", "2026-05-01", "--to", "2026-06-01"],
        [sys.executable, "-c", "import polars"],
        1.45,
    ),
    "a question asked again": ([MMSTATS, "query", "--sample"], [sys.executable, "-c", "pass"], 3.5),
    "--help": ([MMSTATS, "--help"], [sys.executable, "-c", "import typer"], 2.5),
}


def seconds(command: list[str]) -> float:
    """How long a process takes from start to end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure every pair; 1 when a ratio is over its aim."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    missed = 0
    for name, (ours, theirs, aim) in PAIRS.items():
        seconds(ours), seconds(theirs)  # the first run of each fills the caches
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = sorted(a / b for a, b in pairs)
        low, middle, high = ratios[0], statistics.median(ratios), ratios[-1]
        print(f"{name}: {mine * 1000:.0f} ms against {other * 1000:.0f} ms of `{' '.join(theirs[1:])}`: ", end="")
        print(f"ratio {middle:.2f} ({low:.2f} to {high:.2f}), aim at most {aim}")
        missed += middle > aim
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
