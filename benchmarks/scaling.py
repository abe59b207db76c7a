"""How time and memory grow with the rows, and what one day of many costs beside that day alone.

    python benchmarks/scaling.py --rows 20000000 200000000 --rounds 3
    python benchmarks/scaling.py --rows 20000000 --one-day --rounds 5

Each question is asked in whole processes of `mmstats query --no-cache`, of the sets of events in turn; `event_sets.py`
writes those that are not there yet. 200 million rows take 13 GB.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from serve_report import Report
from suite import QUESTIONS, Question
from versus_engines import HERE, MMSTATS, Engine
from versus_measure import Turns, run

ASKED = ("by path", "one day, by source, medium", "uniques by country", "uniques by day, path")
ONE_DAY = next(question for question in QUESTIONS if question.name == "one day, by source, medium")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    work = Path(tempfile.gettempdir()) / "mmstats-versus"
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="events in each set")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is asked")
    parser.add_argument("--work", type=Path, default=work, help="the folder for events, kept for next time")
    parser.add_argument("--one-day", action="store_true", help="ask for one day of 365 instead, and of its file alone")
    given = parser.parse_args()
    if given.one_day:
        one_day(_written(given.work, given.rows[0], 365), given.rounds)
    else:
        growth({f"{rows:,}": _written(given.work, rows, 30) for rows in given.rows}, given.rounds)


def _written(work: Path, rows: int, days: int) -> Path:
    """The folder of a set of events, written where it is not there yet."""
    millions, rest = divmod(rows, 1_000_000)
    folder = work / f"{rows if rest else f'{millions}m'}-{days}"
    command = [sys.executable, str(HERE / "event_sets.py"), str(folder), "--rows", str(rows), "--days", str(days)]
    subprocess.run(command, check=True)
    return folder


def growth(sets: Mapping[str, Path], rounds: int) -> None:
    """The time and memory of some questions over sets of events, the first of which is the measure of the others."""
    engines = [_of(name, folder) for name, folder in sets.items()]
    first = engines[0].name
    rows: list[dict[str, object]] = []
    for question in (one for one in QUESTIONS if one.name in ASKED):
        turns = _measured(question, engines, rounds)
        rows += [
            {
                "question": question.name,
                "events": engine.name,
                "seconds": str(turns.seconds(engine.name)),
                "times the first": f"{turns.ratio(engine.name, first).middle:.2f}",
                "peak MiB": round(turns.mib(engine.name)),
                "times its memory": f"{turns.mib(engine.name) / turns.mib(first):.2f}",
            }
            for engine in engines
        ]
    Report().show("Growth with the rows", rows)


def one_day(folder: Path, rounds: int) -> None:
    """A day out of a year's files beside its file alone, and beside an empty question."""
    day = str(ONE_DAY.start)[:10]
    engines = [_of("365 files", folder), _of("its file alone", folder / f"events-{day}.parquet")]
    turns = _measured(ONE_DAY, engines, rounds)
    names = [engine.name for engine in engines]
    ratio = turns.ratio(*names)
    rows = [{"of": name, "seconds": str(turns.seconds(name)), "peak MiB": round(turns.mib(name))} for name in names]
    Report().show(f"{ONE_DAY.name}: {ratio} times its file alone", rows)


def _of(name: str, data: Path) -> Engine:
    def command(question: Question) -> list[str]:
        return [MMSTATS, "query", "--data", str(data), "--no-cache", "--format", "json", *question.arguments]

    return Engine(name, "", command, lambda _: [])


def _measured(question: Question, engines: Sequence[Engine], rounds: int) -> Turns:
    turns = Turns({engine.name: [] for engine in engines})
    for engine in engines:
        run(engine, question)  # which brings the files into the page cache
    for _ in range(rounds):
        for engine in engines:
            turns.runs[engine.name].append(run(engine, question))
    return turns


if __name__ == "__main__":
    main()
