"""The program: `mmstats`, or `python -m mmstats`."""

import atexit
import gc
import os
import sys

_GARBAGE = 50_000  # objects more than before until the collector looks: imports make many, and none of them is garbage


def main() -> None:
    """Run the command line and end the process with its exit code."""
    code: int | None = None
    atexit.register(lambda: None if code is None else _end(code))  # registered first, and so called last
    try:  # before all other imports: Python would print a traceback for an interrupt that comes up in one of them
        from mmstats import interrupts

        interrupts.end_at_once()
    except KeyboardInterrupt:
        os._exit(130)
    code = _run(sys.argv[1:])
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """The exit code of a command line; where its output is recalled, nothing of the command line itself is loaded."""
    from mmstats import recall

    question = recall.asked(arguments)
    try:
        code = recall.recall(question) if question else None
    except OSError as error:
        from mmstats.cli import report_unwritten

        return report_unwritten(arguments, error)
    if code is not None:
        return code
    gc.set_threshold(_GARBAGE)
    from mmstats.cli import run

    return run(arguments, question)


def _end(code: int) -> None:
    """End the process here: for Python to take the engine and its modules apart would take a fifth of a small question.

    Threads have ended by now. An output that cannot be flushed is left to Python, to say so.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


if __name__ == "__main__":  # a worker process loads this module as well, under another name
    main()
