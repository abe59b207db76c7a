"""Whole processes and what they took, in turns, and the figures that come of many turns."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from suite import Question
from versus_engines import Answer, Engine


@dataclass(frozen=True)
class Run:
    """One process from start to end: its wall time, its peak of resident memory, and what it wrote."""

    seconds: float
    mib: float
    out: str


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the lowest and the highest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread":
        """The spread of these numbers."""
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass
class Turns:
    """The runs of one question by each engine, in the order of the rounds."""

    runs: dict[str, list[Run]] = field(default_factory=dict)

    def seconds(self, engine: str) -> Spread:
        """How long it took."""
        return Spread.of([run.seconds for run in self.runs[engine]])

    def ratio(self, engine: str, base: str) -> Spread:
        """How many times as long as the other it took, each time in the same round."""
        pairs = zip(self.runs[engine], self.runs[base], strict=True)
        return Spread.of([run.seconds / other.seconds for run, other in pairs])

    def mib(self, engine: str) -> float:
        """Its highest peak."""
        return max(run.mib for run in self.runs[engine])


def run(engine: Engine, question: Question) -> Run:
    """Ask once; SystemExit when the process fails.

    The kernel counts this process's own peak as that of its child, so it stays small: no engine is imported here.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            engine.command(question), stdout=out, stderr=errors, env={**os.environ, **engine.environment}
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            told = errors.read().decode(errors="replace")
            raise SystemExit(f"{engine.name} failed with {process.returncode} on {question.name!r}:\n{told}")
        out.seek(0)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return Run(seconds, used.ru_maxrss / unit, out.read().decode())


def disagreements(question: Question, answers: Mapping[str, Answer]) -> list[str]:
    """What differs between the answers: every row of counts; of estimates the labels that all must have."""
    if question.metric == "uniques":
        sizes = {name: len(answer) for name, answer in answers.items()}
        return [f"{question.name}: so many rows each: {sizes}"] if len(set(sizes.values())) > 1 else []
    rows = {name: [(*_labels(question, row), row["value"]) for row in answer] for name, answer in answers.items()}
    first, *others = rows
    return [f"{question.name}: {name} answers otherwise than {first}" for name in others if rows[name] != rows[first]]


def errors(question: Question, answer: Answer, exact: Answer) -> tuple[float, float]:
    """The root mean square and the largest of the relative errors of an answer's rows."""
    truth = {_labels(question, row): _number(row["value"]) for row in exact}
    off = [abs(_number(row["value"]) / truth[_labels(question, row)] - 1) for row in answer]
    return sqrt(statistics.fmean(error**2 for error in off)), max(off)


def _labels(question: Question, row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[label] for label in question.labels)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
