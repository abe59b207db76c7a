"""`python -m mmstats` is `mmstats`."""

from mmstats.cli import main

if __name__ == "__main__":  # a worker process loads this module as well, under another name
    main()
