"""The program: `mmstats`, or `python -m mmstats`."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code, also when interrupted while it is loaded."""
    try:
        from mmstats.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":  # a worker process loads this module as well, under another name
    main()
