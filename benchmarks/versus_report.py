"""The tables of `versus.py`, and the same numbers as JSON."""

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from math import nan
from pathlib import Path
from statistics import geometric_mean

from serve_report import Report
from suite import START
from versus_engines import BARE, BASE
from versus_measure import Turns

FORM = 2  # of the JSON
LONG = 0.3  # seconds
SHORTEST = 0.005  # seconds beyond starting; less cannot be told from noise


@dataclass
class Results:
    """All that was measured."""

    rows: int
    days: int
    rounds: int
    versions: dict[str, str]
    turns: dict[str, Turns] = field(default_factory=dict)
    errors: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def compared(self) -> list[str]:
        """Those whose time is told as a multiple of the base's: none without it."""
        return [name for name in self.versions if name != BASE] if BASE in self.versions else []

    @property
    def asked(self) -> dict[str, Turns]:
        """The questions, without the row of what starting takes."""
        return {question: turns for question, turns in self.turns.items() if question != START.name}

    @property
    def long(self) -> dict[str, Turns]:
        """The questions that take the base more than a moment: of others it is told what starting takes."""
        return {name: turns for name, turns in self.asked.items() if turns.seconds(BASE).middle > LONG}

    def mean_ratios(self, engine: str) -> dict[str, float]:
        """Geometric means of its ratios: over all questions, without start-up, and over the long questions."""
        means = {"all questions": _mean(turns.ratio(engine, BASE).middle for turns in self.asked.values())}
        means["without start-up"] = _mean(
            self._beyond_start(turns, engine) / self._beyond_start(turns, BASE) for turns in self.asked.values()
        )
        means[f"over {LONG} s"] = _mean(turns.ratio(engine, BASE).middle for turns in self.long.values())
        return means

    def _beyond_start(self, turns: Turns, engine: str) -> float:
        start = self.turns[START.name].seconds(engine).middle
        return max(turns.seconds(engine).middle - start, SHORTEST)


def _mean(ratios: Iterable[float]) -> float:
    found = list(ratios)
    return geometric_mean(found) if found else nan


def show(results: Results) -> None:
    """Print the tables."""
    report = Report()
    machine = {"cores": str(os.cpu_count()), "system": platform.platform(), "Python": platform.python_version()}
    machine["events"] = f"{results.rows:,} in {results.days} Parquet files, in the page cache"
    report.show("Measured with", [{"what": key, "is": value} for key, value in (machine | results.versions).items()])
    times = f"Seconds, the median of {results.rounds} whole processes"
    _table(report, results, f"{times} (lowest to highest)", lambda turns, name: str(turns.seconds(name)))
    if results.compared:
        report.show(f"Times as long as {BASE} on the same files, of two runs in the same round", _ratios(results))
        report.show(
            f"Geometric means of these, {len(results.long)} questions taking {BASE} over {LONG} s", _means(results)
        )
    _table(report, results, "Peak memory of the process, MiB", lambda turns, name: round(turns.mib(name)))
    if results.errors:
        report.show("Relative error of estimated visitors, all rows: root mean square / largest", _errors(results))
    print(
        f"\n{BARE}: a process that imports Polars, decodes the columns that the question needs and counts their nulls"
    )
    print("\n" + ("\n".join(["wrong:", *results.wrong]) if results.wrong else "all answers agree"))


def _table(report: Report, results: Results, title: str, cell: Callable[[Turns, str], object]) -> None:
    rows = [
        {"question": question, **{name: cell(turns, name) for name in results.versions}}
        for question, turns in results.turns.items()
    ]
    report.show(title, rows)


def _ratios(results: Results) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"question": question, **{name: str(turns.ratio(name, BASE)) for name in results.compared}}
        for question, turns in results.turns.items()
    ]
    return rows


def _means(results: Results) -> list[dict[str, object]]:
    means = {name: results.mean_ratios(name) for name in results.compared}
    return [
        {"over": over, **{name: f"{means[name][over]:.2f}" for name in results.compared}}
        for over in next(iter(means.values()))
    ]


def _errors(results: Results) -> list[dict[str, object]]:
    return [
        {"question": question, **{name: f"{mean:.2%} / {worst:.2%}" for name, (mean, worst) in errors.items()}}
        for question, errors in results.errors.items()
    ]


def write_json(results: Results, file: Path) -> None:
    """Write every run's seconds and memory, and what is made of them."""
    told = {name: value for name, value in asdict(results).items() if name != "turns"} | {"form": FORM}
    told["questions"] = {
        question: {
            name: {
                "seconds": [round(run.seconds, 4) for run in runs],
                "peak_mib": round(turns.mib(name), 1),
                "ratio": asdict(turns.ratio(name, BASE)) if name in results.compared else None,
            }
            for name, runs in turns.runs.items()
        }
        for question, turns in results.turns.items()
    }
    told["geometric_means"] = {name: results.mean_ratios(name) for name in results.compared}
    file.write_text(json.dumps(told, indent=2) + "\n")
