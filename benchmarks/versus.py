"""mmstats beside DuckDB, ClickHouse and DataFusion: time, memory and accuracy of the same questions on the same files.

It writes the events, installs the other engines into an environment of their own, compares all answers, and then asks
in rounds: whole processes one after another, each with the machine to itself, its threads as it chooses and the files
in the page cache, in another order each round. A ratio is one of two runs in the same round, so that a machine that
changes its speed changes it for both.

    python benchmarks/versus.py --rows 1000000
    python benchmarks/versus.py --rows 20000000 --rounds 5 --json results.json --chart results.svg
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from suite import QUESTIONS, START, Question
from versus_chart import chart
from versus_engines import BARE, HERE, TWICE, Engine, Place, duckdb_program, engines, exact_answer, install, installed
from versus_measure import Turns, disagreements, errors, run
from versus_report import Results, show, write_json


def main() -> int:
    """Measure everything; 1 when answers differ."""
    given = _arguments()
    place = _place(given)
    asked = [question for question in QUESTIONS if given.only is None or given.only in question.name]
    found = engines(place, _say)
    results = Results(given.rows, given.days, given.rounds, {engine.name: engine.version for engine in found})
    results.wrong += _agree(found, asked)
    measure(results, found, [START, *asked])
    if place.duckdb:
        _accuracy(results, found, asked, place)
    show(results)
    if given.json:
        write_json(results, given.json)
    if given.chart:
        given.chart.write_text(chart(results))
    return min(len(results.wrong), 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    work = Path(tempfile.gettempdir()) / "mmstats-versus"
    parser.add_argument("--rows", type=int, default=1_000_000, help="events to write")
    parser.add_argument("--days", type=int, choices=(30, 365), default=30, help="files to write them to, one a day")
    parser.add_argument("--rounds", type=int, default=5, help="how often each engine is asked each question")
    parser.add_argument("--only", metavar="TEXT", help="only the questions whose names have this text")
    parser.add_argument("--work", type=Path, default=work, help="the folder for events and engines, kept for next time")
    parser.add_argument("--duckdb", metavar="PROGRAM", help="DuckDB's command line, instead of installing one")
    parser.add_argument("--no-install", action="store_true", help="ask no engine that is not there yet")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="also draw the ratios, as SVG")
    return parser.parse_args()


def _place(given: argparse.Namespace) -> Place:
    """The events written and the other engines installed, where they are not yet."""
    millions, rest = divmod(given.rows, 1_000_000)
    events = given.work / f"{given.rows if rest else f'{millions}m'}-{given.days}"
    command = [sys.executable, str(HERE / "event_sets.py"), str(events)]
    # Apart from this process, which has to stay small.
    subprocess.run([*command, "--rows", str(given.rows), "--days", str(given.days)], check=True)
    python = installed(given.work) if given.no_install else install(given.work, _say)
    return Place(given.work, events, given.duckdb or (python and duckdb_program(python)), python)


def _agree(found: Sequence[Engine], asked: Sequence[Question]) -> list[str]:
    """Ask everything once, which also brings the files into the page cache; what differs between the answers."""
    wrong = []
    for question in asked:
        runs = {engine.name: engine.read(run(engine, question).out) for engine in found}
        runs.pop(BARE)
        wrong += disagreements(question, runs)
        _say(f"compared {len(runs)} answers: {question.name}")
    return wrong


def measure(results: Results, found: Sequence[Engine], asked: Sequence[Question]) -> None:
    """Ask in rounds, each round beginning with another engine."""
    results.turns = {question.name: Turns({engine.name: [] for engine in found}) for question in asked}
    for number in range(results.rounds):
        order = [found[(place + number) % len(found)] for place in range(len(found))]
        for question in asked:
            for engine in order:
                results.turns[question.name].runs[engine.name].append(run(engine, question))
        _say(f"round {number + 1} of {results.rounds}")


def _accuracy(results: Results, found: Sequence[Engine], asked: Sequence[Question], place: Place) -> None:
    """How far each engine's estimates are off, from the answers of the last round."""
    for question in (question for question in asked if question.metric == "uniques"):
        exact = exact_answer(place, question)
        for engine in (engine for engine in found if engine.name not in (BARE, TWICE)):
            answer = engine.read(results.turns[question.name].runs[engine.name][-1].out)
            results.errors.setdefault(question.name, {})[engine.name] = errors(question, answer, exact)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
