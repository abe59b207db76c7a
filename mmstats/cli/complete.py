"""What the shell offers for a half-typed value: columns, metrics, intervals, and event names a describe has left."""

import os
from collections.abc import Callable, Sequence

import typer

from mmstats.cli.remembered import recall
from mmstats.dataset import EVENT_COLUMNS
from mmstats.question.parameters import DIMENSIONS, INTERVALS, METRICS

Completer = Callable[..., list[str]]


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


def mapped(incomplete: str) -> list[str]:
    """Offers the event columns that a `COLUMN=NAME` may begin with."""
    return [f"{name}=" for name in EVENT_COLUMNS if f"{name}=".startswith(incomplete)]


def events(context: typer.Context, incomplete: str) -> list[str]:
    """Offers the names that a describe has left of the dataset which the command line names; none in doubt."""
    from mmstats.cli.shells import carried

    try:
        kept = recall(_locations(context))
    except Exception:  # whatever it is, a shell in the middle of a command line is no place to say it
        return []
    return [name for name in kept if name.startswith(incomplete) and carried(name)]


def _locations(context: typer.Context) -> tuple[str, ...]:
    """Where the events are that a half-typed command would read."""
    from mmstats.cli.source import SourceOptions
    from mmstats.settings import choose, settings_here

    given = context.params
    source = SourceOptions(given.get("data"), bool(given.get("sample")))
    return choose(source.read({}), settings_here(os.environ)).locations


VALUES: dict[str, Completer] = {
    "metric": among(METRICS),
    "interval": among(INTERVALS),
    "group_by": columns,
    "event": events,
}
