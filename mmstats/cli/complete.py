"""What the shell offers for a half-typed value: columns, metrics, intervals, and event names a describe has left."""

from collections.abc import Callable, Sequence

from mmstats.query import DIMENSIONS, INTERVALS, METRICS

Completer = Callable[[str], list[str]]


def among(choices: Sequence[str]) -> Completer:
    """Offers the choices that begin as typed."""

    def offer(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def columns(incomplete: str) -> list[str]:
    """Offers, for the last name of a comma-separated list, the columns that it does not have yet."""
    before, comma, last = incomplete.rpartition(",")
    had = set(before.split(","))
    return [before + comma + name for name in DIMENSIONS if name.startswith(last) and name not in had]


VALUES: dict[str, Completer] = {"metric": among(METRICS), "interval": among(INTERVALS), "group_by": columns}
