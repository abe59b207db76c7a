"""`mmstats describe`: say what is in a dataset, and with `--check` whether all of it can be read."""

import sys
from dataclasses import dataclass

from mmstats.cli import stdout
from mmstats.cli.exits import ExitCode
from mmstats.cli.page import drawn
from mmstats.cli.progress import Progress
from mmstats.cli.remembered import remember
from mmstats.cli.source import SourceOptions, completed, settings_here
from mmstats.description import Description
from mmstats.errors import InvalidParams
from mmstats.settings import COLORS, Settings
from mmstats.suggest import one_of

FORMATS = ("table", "json")


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """The options that say how a description is shown, as given."""

    format: str | None
    color: str | None

    def check(self, faults: dict[str, list[str]]) -> None:
        """Add what is wrong with an option to the faults."""
        for name, given, choices in (("format", self.format, FORMATS), ("color", self.color, COLORS)):
            try:
                given is None or one_of(given, choices)
            except ValueError as fault:
                faults[name] = [str(fault)]

    def form(self, settings: Settings) -> str:
        """The format to show; one that is set counts on a terminal only, and where a description has it."""
        if self.format:
            return self.format
        if not stdout.is_terminal():
            return "json"
        return settings.format if settings.format in FORMATS else "table"


def describe(source: SourceOptions, shown: ShowOptions, *, check: bool) -> ExitCode:
    """Describe the dataset that the options name; its event names are left to be offered by completion."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    if faults:
        raise InvalidParams(faults)
    settings = settings_here()
    dataset = completed(asked, settings)

    from mmstats.engines import profile  # after validation: wrong options load no engine

    compute = profile.check if check else profile.describe
    with Progress() as progress:
        description = compute(dataset, progress.advance)
    remember(dataset.locations, [name for name, _ in description.events if name is not None])
    _show(description, shown.form(settings), shown.color or settings.color)
    return ExitCode.ANSWERED if description.holds else ExitCode.DOES_NOT_HOLD


def _show(description: Description, form: str, color: str) -> None:
    if form == "json":
        stdout.write_text(description.to_json() + "\n")
        return
    from mmstats.render.description import print_description

    page = drawn(lambda console: print_description(description, console), color)
    stdout.write_text(page, sys.stdout.encoding)
