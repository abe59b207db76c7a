"""What Ctrl-C does at any instant of a run: its exit code, and what is on stderr.

Whole processes, each interrupted once, or twice 2 ms apart, at a random instant between its start and its end. Until
Python runs the program's first line, an interrupt is Python's own, which kills the process or prints a traceback
without a frame of the program; how late that was is shown.

    python benchmarks/interrupts.py [RUNS]
"""

import random
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import mmstats

SCRIPT = [str(Path(sys.executable).with_name("mmstats"))]
MODULE = [sys.executable, "-m", "mmstats"]
QUERY = ["query", "--sample", "--no-cache", "--group-by", "country"]
SERVE = ["serve", "--sample", "--no-auth", "--port", "0"]
COMMANDS = {
    "mmstats query": ([*SCRIPT, *QUERY], 1),
    "python -m mmstats query": ([*MODULE, *QUERY], 1),
    "mmstats query, interrupted twice": ([*SCRIPT, *QUERY], 2),
    "mmstats serve": ([*SCRIPT, *SERVE], 1),
}
SERVE_SECONDS = 1.0  # in which it starts
LONGEST_SECONDS = 60.0
PROGRAM = str(Path(mmstats.__file__).parent)


def seconds(command: list[str]) -> float:
    """How long a process takes from start to end, as the median of seven."""
    took = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def outcome(command: list[str], instant: float, times: int) -> tuple[str, bool]:
    """How an interrupted process ended, in words, and whether that is as it should be."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(instant)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        out, err = process.communicate(timeout=LONGEST_SECONDS)
    said = [line for line in err.splitlines() if not line.startswith("timestamp=")]  # the server's log
    if not out and process.returncode not in (0, 130) and PROGRAM not in err:
        return "Python's own", True
    answer = "an answer" if out else "no answer"
    right = not said and (process.returncode == 130 or (process.returncode == 0 and bool(out)))
    return f"exit {process.returncode}, {answer}, stderr: {said[-1] if said else 'nothing'}", right


def main() -> int:
    """Count the outcomes; 1 when one of the program's own is anything but a silent 130, or an answer and 0."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits that it is ignored, as after `&`
    draw, failed = random.Random(1), False
    for name, (command, times) in COMMANDS.items():
        length = SERVE_SECONDS if "serve" in command else seconds(command)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(runs):
            instant = draw.uniform(0, length)
            how, right = outcome(command, instant, times)
            found[how].append(instant * 1000)
            failed |= not right
        print(f"{name}, at {runs} instants of {length * 1000:.0f} ms:")
        for how, instants in sorted(found.items(), key=lambda one: min(one[1])):
            print(f"  {len(instants):4} × {how} ({min(instants):.0f} to {max(instants):.0f} ms)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
