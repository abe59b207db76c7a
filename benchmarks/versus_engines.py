"""Who is asked in `versus.py`, each as a command: mmstats in each of its states, other engines, and a bare scan."""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suite import DATAFUSION, DUCKDB_TABLE, START, Question, clickhouse, duckdb_files, sql

HERE = Path(__file__).resolve().parent
MMSTATS = str(Path(sys.executable).with_name("mmstats"))
BASE = "DuckDB"
TABLE = "DuckDB table"
TWICE = "DuckDB, once more"  # the same thing again: the noise of the machine
BARE = "bare scan"
OURS = ("mmstats", "mmstats imported", "mmstats kept")
PACKAGES = ("duckdb-cli", "duckdb", "datafusion", "chdb")
IMPORT = ("import", "{events}", "--to", "{store}")  # its arguments, where there is such a command
_LOAD = "CREATE TABLE events AS SELECT * REPLACE (make_timestamp(epoch_us(timestamp)) AS timestamp) FROM {}"

THREADS = os.cpu_count() or 1  # of every engine that says how many it takes

Answer = list[dict[str, object]]


@dataclass(frozen=True)
class Engine:
    """How one engine is asked, and how its output is read."""

    name: str
    version: str
    command: Callable[[Question], list[str]]
    read: Callable[[str], Answer]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where the events, the other engines and what is made of the events are."""

    work: Path
    events: Path
    duckdb: str | None
    python: str | None

    @property
    def pattern(self) -> str:
        """The files, as a glob."""
        return f"{self.events}/*.parquet"

    def beside(self, ending: str) -> Path:
        """A path for what is made of the events."""
        return self.events.with_name(self.events.name + ending)


def installed(work: Path) -> str | None:
    """The Python of the environment with the other engines, None where there is none."""
    python = work / "venv" / "bin" / "python"
    return str(python) if python.exists() else None


def install(work: Path, say: Callable[[str], None]) -> str | None:
    """As `installed`, made where there is none; without those engines that cannot be installed."""
    if not installed(work):
        say(f"installing {', '.join(PACKAGES)} into {work / 'venv'}")
        venv.create(work / "venv", with_pip=True)
        for package in PACKAGES:
            subprocess.run([work / "venv" / "bin" / "pip", "install", "-q", package], check=False)
    return installed(work)


def duckdb_program(python: str) -> str | None:
    """The program that `duckdb-cli` brings, not the script in Python that starts it: that would cost DuckDB time."""
    where = "import duckdb_cli, pathlib; print(pathlib.Path(duckdb_cli.__file__).with_name('duckdb'))"
    return _said([python, "-c", where])


def engines(place: Place, say: Callable[[str], None]) -> list[Engine]:
    """All that can be asked; `say` is told who cannot, and why."""
    found = [*_mmstats(place, say)]
    found += _duckdb(place, say) if place.duckdb else []
    found += _in_python(place) if place.python else []
    found += _by_hand(place)
    names = {engine.name for engine in found}
    for name in (BASE, "DuckDB library", "ClickHouse", "DataFusion"):
        if name not in names:
            say(f"{name} is left out: it is not installed")
    return [*found, _bare(place)]


def _mmstats(place: Place, say: Callable[[str], None]) -> Iterator[Engine]:
    version = (_said([MMSTATS, "--version"]) or "").removeprefix("mmstats ")
    nothing = place.beside(".nothing.ndjson")
    nothing.touch()
    yield _asked_of(OURS[0], version, place.events, nothing, "--no-cache")
    if _said([MMSTATS, "import", "--help"]) is None:
        say("mmstats imported, mmstats kept are left out: there is no `mmstats import`")
        return
    store = place.beside(".store")
    arguments = [part.format(events=place.events, store=store) for part in IMPORT]
    say("mmstats import, which does nothing where it was done before")
    start = time.perf_counter()
    done = subprocess.run([MMSTATS, *arguments], capture_output=True, text=True, check=False)
    say(f"took {time.perf_counter() - start:.1f} s: {done.stderr.strip()}")
    if done.returncode:
        say("mmstats imported, mmstats kept are left out")
        return
    yield _asked_of(OURS[1], version, store, nothing, "--no-cache")
    if _said([MMSTATS, "cache", "--help"]) is None:
        say("mmstats kept is left out: there is no `mmstats cache`")
        return
    yield _asked_of(OURS[2], version, store, nothing, cache=place.beside(".kept-cache"))


def _asked_of(name: str, version: str, data: Path, nothing: Path, *flags: str, cache: Path | None = None) -> Engine:
    def command(question: Question) -> list[str]:
        asked = str(nothing if question == START else data)
        return [MMSTATS, "query", "--data", asked, "--format", "json", *flags, *question.arguments]

    def read(out: str) -> Answer:
        rows: Answer = json.loads(out)["rows"]
        return rows

    threads = {"POLARS_MAX_THREADS": str(THREADS)}
    return Engine(name, version, command, read, threads | ({"MMSTATS_CACHE_DIR": str(cache)} if cache else {}))


def _duckdb(place: Place, say: Callable[[str], None]) -> Iterator[Engine]:
    program = str(place.duckdb)
    version = _said([program, "--version"])
    if not version:
        return
    database = place.beside(f".{version.split()[0]}.duckdb")
    files = duckdb_files(place.pattern)
    if not database.exists():
        say(f"loading {database.name}")
        unfinished = database.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        subprocess.run([program, str(unfinished), "-c", _LOAD.format(files.events)], check=True, capture_output=True)
        unfinished.rename(database)
    threads = ["-json", "-c", f"SET threads TO {THREADS}", "-c"]
    for name in (BASE, TWICE):
        yield Engine(name, version, lambda question: [program, *threads, sql(question, files)], json.loads)
    table = [program, "-readonly", str(database), *threads]
    yield Engine(TABLE, version, lambda question: [*table, sql(question, DUCKDB_TABLE)], json.loads)


def exact_answer(place: Place, question: Question) -> Answer:
    """All rows of the answer with visitors counted exactly, by DuckDB."""
    asked = [str(place.duckdb), "-json", "-c", sql(question, duckdb_files(place.pattern), exact=True)]
    answer: Answer = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    return answer


def _in_python(place: Place) -> Iterator[Engine]:
    dialects = {
        "duckdb": ("DuckDB library", duckdb_files(place.pattern)),
        "chdb": ("ClickHouse", clickhouse(place.pattern)),
        "datafusion": ("DataFusion", DATAFUSION),
    }
    for package, (name, dialect) in dialects.items():
        runner = [str(place.python), str(HERE / "sql_runner.py"), package, str(place.events)]
        if version := _said([*runner, "version"]):
            yield Engine(
                name,
                f"{version} ({package})",
                lambda question, runner=runner, dialect=dialect: [*runner, sql(question, dialect)],  # type: ignore[misc]
                lambda out: [json.loads(line) for line in out.splitlines() if line],
            )


def _by_hand(place: Place) -> Iterator[Engine]:
    """Polars as a skilled user would write the question, with visitors counted and estimated."""
    for name, how in (("Polars by hand", "exact"), ("Polars by hand, estimating", "estimated")):
        script = [sys.executable, str(HERE / "polars_by_hand.py"), place.pattern, how]
        yield Engine(name, _polars(), lambda question, script=script: [*script, *_asked_by_hand(question)], json.loads)


def _asked_by_hand(question: Question) -> list[str]:
    return [] if question == START else ["ask", *question.arguments]


def _polars() -> str:
    version = _said([sys.executable, "-c", "import polars; print(polars.__version__)"])
    return f"Polars {version}"


def _bare(place: Place) -> Engine:
    def command(question: Question) -> list[str]:
        if question == START:
            return [sys.executable, "-c", "import polars"]
        bounds = [question.start, question.end] if question.start and question.end else []
        return [sys.executable, str(HERE / "bare_scan.py"), str(place.events), ",".join(question.columns), *bounds]

    return Engine(BARE, _polars(), command, lambda _: [])


def _said(command: list[str]) -> str | None:
    """What a command says, None when it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
