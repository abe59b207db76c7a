"""`python -m mmstats` is `mmstats`."""

from mmstats.cli import main

main()
