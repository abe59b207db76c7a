"""Asks questions with little memory and few open files: an answer, or a word about the lack; no sound file is blamed.

Beyond what it takes to start, the engine ends the process itself where it gets no memory, with a line that says so:
these are counted apart.

python benchmarks/limits.py [--runs 5] [--rows 1000000] [--memory 400 700 1500] [--files 5 8 16]
"""

import argparse
import os
import resource
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from racing_writer import QUESTIONS, WRITERS, events

SECONDS = 60  # after which a question that has no answer is taken to hang


def ask(path: Path, question: tuple[str, ...], limit: str, value: int) -> tuple[str, str]:
    """What came of one question with a limit (its name in the module `resource`), and what was said."""
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(path), *question, "--no-cache", "--all"]
    try:
        done = subprocess.run(
            [*command, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            preexec_fn=partial(resource.setrlimit, getattr(resource, limit), (value, value)),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        return "HANG", ""
    if done.returncode == 0:
        return "answered", done.stdout
    if done.returncode == 4 and ("system grants no more" in done.stderr or "may map" in done.stderr):
        return "refused for the lack", done.stderr
    if "memory allocation of" in done.stderr:
        return "ended by the engine", done.stderr
    return f"exit {done.returncode}", done.stderr


def main() -> int:
    """Run the experiment, print what came of it, and return 1 when something must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory", type=int, nargs="*", default=[400, 700, 1500], help="MB that may be mapped")
    parser.add_argument("--files", type=int, nargs="*", default=[5, 8, 16], help="files that may be open")
    options = parser.parse_args()
    limits = [("RLIMIT_AS", size << 20) for size in options.memory] + [("RLIMIT_NOFILE", n) for n in options.files]
    bad = 0
    with TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            path = Path(folder, f"events.{name}")
            write(events(options.rows, 0), path)
            right = {question: ask(path, question, "RLIMIT_CORE", 0) for question in QUESTIONS}
            for limit, value in limits:
                outcomes: Counter[str] = Counter()
                for question in QUESTIONS * options.runs:
                    outcome, said = ask(path, question, limit, value)
                    if outcome == "answered" and said != right[question][1]:
                        outcome = "WRONG"
                    if outcome not in {"answered", "refused for the lack", "ended by the engine"}:
                        bad += 1
                        print(outcome, said[-600:])
                    outcomes[outcome] += 1
                shown = f"{value >> 20:,} MiB" if limit == "RLIMIT_AS" else f"{value} open files"
                print(f"{name:8} {shown:14}", *(f"{count} {what}" for what, count in outcomes.most_common()), sep="  ")
    print(f"bad: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
