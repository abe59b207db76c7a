"""The program: `mmstats`, or `python -m mmstats`."""

import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:  # before all other imports: Python would print a traceback for an interrupt that comes up in one of them
        from mmstats import interrupts

        interrupts.end_at_once()
    except KeyboardInterrupt:
        os._exit(130)
    from mmstats.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":  # a worker process loads this module as well, under another name
    main()
