"""What is not loaded: start-up counts, so nothing imports an engine or a terminal library before it needs one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARIES = ("polars", "polars_hash", "pyarrow", "numpy", "typer", "rich")
SERVER = ("starlette", "uvicorn", "anyio", "h11", "structlog", "prometheus_client", "cachetools", "asyncio")
RUN = """
import json, os, sys
{work}
sys.stderr.write(json.dumps([code, sorted(sys.modules)]))
"""


def loaded(work: str) -> tuple[int, set[str]]:
    """The exit code and the modules that a fresh interpreter ends with, once it has done some work."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMSTATS_")}
    ran = subprocess.run(
        [sys.executable, "-c", RUN.format(work=work)],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=ROOT / "tests",
        capture_output=True,
        check=True,
        text=True,
    )
    code, modules = json.loads(ran.stderr.splitlines()[-1])
    return code, set(modules)


def run(*arguments: str) -> tuple[int, set[str]]:
    """The exit code and the modules of one command line."""
    return loaded(f"import mmstats.cli; code = int(mmstats.cli.run({list(arguments)!r}))")


def absent(modules: set[str], names: Sequence[str]) -> None:
    """Check that none of the libraries was loaded."""
    assert not modules & set(names)


def test_importing_mmstats_loads_no_library() -> None:
    """`import mmstats` alone loads nothing, and its names no engine and no terminal library."""
    _, modules = loaded("import mmstats; code = 0")
    assert [name for name in modules if name.startswith("mmstats")] == ["mmstats"]
    _, modules = loaded(
        "from mmstats import *; code = len(dir(mmstats := __import__('mmstats'))) < len(mmstats.__all__)"
    )
    assert "mmstats.api" in modules
    absent(modules, (*LIBRARIES, *SERVER))


def test_asking_in_python_loads_no_terminal() -> None:
    """A question from Python loads the engine, and neither Typer nor Rich nor the doors."""
    _, modules = loaded("import mmstats; mmstats.stats(); code = 0")
    assert "polars" in modules
    absent(modules, ("typer", "rich", "mmstats.cli", "mmstats.render"))


def test_a_wrong_question_in_python_loads_no_engine() -> None:
    """A question refused for its parameters loads no engine."""
    work = "import mmstats\ntry: mmstats.stats(limit=0)\nexcept mmstats.InvalidParams: code = 2"
    code, modules = loaded(work)
    assert code == 2
    absent(modules, LIBRARIES)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 0),
        (["query", "--help"], 0),
        (["query", "--limit", "0"], 2),
        (["query", "--group-by", "campaigne"], 2),
        (["query", "--from", "2026-05-02", "--to", "2026-05-01"], 2),
        (["query", "--groupby", "source"], 2),
        (["query", "--format", "xml"], 2),
        (["query", "--interval", "day", "--interval", "day"], 2),
        (["query", "--where", "sorce = a"], 2),
        (["import", "--help"], 0),
        (["import", "events", "--to", ""], 2),
        (["qeury"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_help_and_wrong_questions_load_no_engine(arguments: list[str], code: int) -> None:
    """Help, the version and a refused question load neither Polars nor Arrow nor Rich."""
    ended, modules = run(*arguments)
    assert ended == code
    assert "typer" in modules
    absent(
        modules, ("polars", "polars_hash", "pyarrow", "rich", "mmstats.engines.local.engine", "mmstats.readers.scan")
    )


@pytest.mark.parametrize(
    "question",
    [
        [],
        ["--event", "signup", "--group-by", "source,medium", "--interval", "day"],
        ["--from", "2026-05-10", "--to", "2026-05-20", "--group-by", "path"],
    ],
    ids=lambda question: " ".join(question) or "plain",
)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_counts_to_a_pipe_load_the_engine_alone(question: list[str], form: str) -> None:
    """Counting Parquet events to a pipe loads Polars, but not Arrow, NumPy, the hash plugin, Rich or the server."""
    ended, modules = run("query", "--no-cache", "--sample", "--format", form, *question)
    assert ended == 0
    assert "polars" in modules
    absent(modules, ("polars_hash", "pyarrow", "numpy", "rich", "mmstats.serve.app", *SERVER[:-1]))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["serve", "--help"], 0),
        (["serve", "--sample", "--port", "x"], 2),
        (["serve", "--data", "-"], 2),
        (["serve", "--sample", "--no-such"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_server_that_does_not_start_is_not_loaded(arguments: list[str], code: int) -> None:
    """The help of `serve` and its wrong options load neither the server's libraries nor an engine."""
    ended, modules = run(*arguments)
    assert ended == code
    absent(modules, (*SERVER[:-1], "polars", "polars_hash", "pyarrow", "rich", "mmstats.engines.local.engine"))


def test_the_server_loads_no_engine() -> None:
    """All that the server is made of loads neither the engine nor Arrow nor Typer."""
    _, modules = loaded("import mmstats.serve.server; code = 0")
    assert {"starlette", "uvicorn"} <= modules
    absent(modules, ("polars", "polars_hash", "pyarrow", "typer", "mmstats.engines.local.engine"))


def test_distinct_visitors_load_the_hash() -> None:
    """Estimating distinct visitors loads the hash plugin, counting them exactly does not."""
    assert "polars_hash" in run("query", "--no-cache", "--sample", "--metric", "uniques")[1]
    _, modules = run("query", "--no-cache", "--sample", "--metric", "uniques", "--exact")
    absent(modules, ("polars_hash", "pyarrow", "numpy", "rich"))


@pytest.mark.parametrize(("batch_rows", "metric"), [(1 << 20, "uniques"), (500, "count"), (500, "uniques")])
def test_only_visitors_of_many_events_load_numpy(batch_rows: int, metric: str) -> None:
    """NumPy is loaded to estimate distinct visitors from the first full batch on, and for nothing else."""
    work = f"""
from mmstats.dataset import SAMPLE, Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
answer(StatsQuery({metric!r}, group_by=("country",)), Dataset(SAMPLE, limits=Limits(batch_rows={batch_rows})))
code = 0
"""
    assert ("numpy" in loaded(work)[1]) is (batch_rows == 500 and metric == "uniques")
