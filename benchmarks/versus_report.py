"""The tables of `versus.py`, and the same numbers as JSON."""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import geometric_mean

from serve_report import Report
from versus_engines import BARE, BASE
from versus_measure import Turns

FORM = 1  # of the JSON


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

    def mean_ratio(self, engine: str) -> float:
        """The geometric mean of its ratios over all questions."""
        return geometric_mean(turns.ratio(engine, BASE).middle for turns in self.turns.values())


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
    means = {name: f"{results.mean_ratio(name):.2f}" for name in results.compared}
    return [*rows, {"question": "geometric mean", **means}]


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
    told["geometric_means"] = {name: results.mean_ratio(name) for name in results.compared}
    file.write_text(json.dumps(told, indent=2) + "\n")
