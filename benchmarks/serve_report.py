"""The tables of `serve_load.py`: shown as they come, kept for JSON, with whatever was wrong."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from serve_client import client

PACKAGES = ("mmstats-cli", "uvicorn", "h11", "starlette", "anyio", "polars")

Row = Mapping[str, object]


@dataclass
class Report:
    """All tables, shown as they come, and what went wrong in them."""

    tables: dict[str, Sequence[Row]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def show(self, title: str, rows: Sequence[Row]) -> None:
        """Print a table, its columns aligned, and keep it."""
        self.tables[title] = rows
        print(f"\n{title}\n")
        cells = [list(rows[0]), *([text(value) for value in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [isinstance(value, int | float) for value in rows[0].values()]
        for line in cells:
            shown = zip(line, widths, right, strict=True)
            print("  ".join(f"{cell:>{width}}" if to else f"{cell:<{width}}" for cell, width, to in shown).rstrip())
        sys.stdout.flush()

    def check(self, where: str, wrong: object) -> None:
        """Keep what must not have been."""
        if wrong:
            self.faults.append(f"{where}: {wrong}")


def text(value: object) -> str:
    """A cell: a number with as many digits as mean something."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)


def show_machine(report: Report, others: Mapping[str, str | None]) -> None:
    """What was measured, on what and by what."""
    rows = [{"what": "cores", "version": str(os.cpu_count())}, {"what": "system", "version": platform.platform()}]
    rows += [{"what": "Python", "version": platform.python_version()}]
    rows += [{"what": name, "version": _version(name)} for name in PACKAGES]
    rows += [{"what": "client of one request again and again", "version": client()}]
    rows += [{"what": "client of everything else", "version": "Python asyncio"}]
    for name, program in others.items():
        rows += [{"what": name, "version": _said(program) if program else f"not compared: no --{name}"}]
    report.show("Measured with", rows)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed: from its source"


def _said(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
