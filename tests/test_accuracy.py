"""How good the estimate of distinct visitors is: the contract's table, held for several kinds of ids.

The ids are the same on every run, so are the figures; `pytest -s` or `-rP` shows them, benchmarks/accuracy.py all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.accuracy import KINDS, TRIALS, Figures, measure

ROOT = Path(__file__).parent.parent
# Size, then at most: root mean square error, mean error, worst error.
BOUNDS = {
    1_000: (0.0015, 0.01, 0.01),
    10_000: (0.0035, 0.032, 0.032),
    100_000: (0.007, 0.002, 0.032),
    1_000_000: (0.007, 0.002, 0.032),
}


def figures_of(size: int, kind: str) -> Figures:
    """Measure, and print what was measured."""
    figures = measure(size, TRIALS[size], kind)
    print(figures)  # noqa: T201 - shown when asked for
    return figures


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 10, 100])
def test_small_counts_are_exact(size: int, kind: str) -> None:
    """Up to 100 ids, 99.5 % of 400 trials are exact, and the rest is off by a few in a hundred."""
    figures = figures_of(size, kind)
    assert figures.trials >= 400
    assert figures.exact >= 0.995
    assert figures.worst <= 0.032


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        *((size, kind) for size in (1_000, 10_000) for kind in KINDS),
        *((100_000, kind) for kind in ("sequential", "long prefix")),
        (1_000_000, "sequential"),
    ],
)
def test_errors_stay_within_the_contract(size: int, kind: str) -> None:
    """Root mean square, mean and worst error of at least 200 trials are within the contract's bounds."""
    figures = figures_of(size, kind)
    rmse, mean, worst = BOUNDS[size]
    assert figures.trials >= 200
    assert figures.rmse <= rmse
    assert abs(figures.mean) <= mean
    assert figures.worst <= worst


@pytest.mark.parametrize("size", [14, 128, 300, 2_000, 5_000, 16_384, 30_000, 50_000])
def test_nothing_between_is_worse(size: int) -> None:
    """Between the sizes of the table no estimate is off by more than 3.2 %, nor biased by more than 0.2 %."""
    figures = measure(size, 200, "sequential", seed=3)
    print(figures)  # noqa: T201 - shown when asked for
    assert figures.worst <= 0.032
    assert abs(figures.mean) <= 0.002


GROUPED = """
import re, sys
from pathlib import Path
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.question.query import StatsQuery
stats = answer(StatsQuery("uniques", group_by=("path",), limit=None), Dataset((sys.argv[1],)))
# Not getrusage(), whose peak is that of the process that started this one.
print(stats.groups, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
WRITE = """
import sys
import polars as pl
number = pl.int_range(2_000_000, dtype=pl.Int64)
pl.select(
    timestamp=pl.datetime(2026, 5, 1),
    event_name=pl.lit("e"),
    path=pl.format("/page/{}", number * 7919 % 2000),
    anonymous_id=pl.format("visitor-{}", number * 104_729 % 500_009),
).write_parquet(sys.argv[1], row_group_size=100_000)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_many_groups_fit_into_memory(tmp_path: Path) -> None:
    """Two million rows in 2,000 groups take less than a gigabyte: a group costs only the registers it touches."""
    file = str(tmp_path / "events.parquet")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", WRITE, file], env=environment, check=True)
    ran = subprocess.run(
        [sys.executable, "-c", GROUPED, file], env=environment, check=True, capture_output=True, text=True
    )
    groups, megabytes = map(int, ran.stdout.split())
    print(f"{groups:,} groups over 2,000,000 rows: {megabytes:,} MiB at the peak")  # noqa: T201
    assert groups == 2000
    assert megabytes < 1000
