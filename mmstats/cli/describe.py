"""`mmstats describe`: say what is in a dataset, and with `--check` whether all of it can be read."""

import os
from collections.abc import Sequence

from mmstats.cli import stdout
from mmstats.cli.exits import ExitCode
from mmstats.cli.interrupts import keep_interruptible
from mmstats.cli.output import ShowOptions
from mmstats.cli.page import drawn
from mmstats.cli.progress import Progress
from mmstats.cli.remembered import remember
from mmstats.cli.source import SourceOptions, completed
from mmstats.errors import InvalidParams
from mmstats.reports import Description
from mmstats.settings import settings_here


def describe(source: SourceOptions, shown: ShowOptions, *, check: bool) -> ExitCode:
    """Describe the dataset that the options name; its event names are left to be offered by completion."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    if faults:
        raise InvalidParams(faults)
    settings = settings_here(os.environ)
    dataset = completed(asked, settings)

    from mmstats.engines import profile  # after validation: wrong options load no engine

    compute = profile.check if check else profile.describe
    keep_interruptible()
    with Progress() as progress:
        description = compute(dataset, progress.advance)
    remember(dataset.locations, [name for name, _ in description.events if name is not None])
    form, color = shown.chosen(settings)
    if form == "json":
        stdout.write_text(description.to_json() + "\n")
    else:
        names = ["the bundled sample"] if dataset.is_sample else dataset.locations
        stdout.write_page(_page(description, names, color))
    return ExitCode.ANSWERED if description.holds else ExitCode.DOES_NOT_HOLD


def _page(description: Description, names: Sequence[str], color: str) -> str:
    from mmstats.render.description import print_description

    return drawn(lambda console: print_description(description, names, console), color)
