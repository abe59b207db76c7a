"""`mmstats query`: ask the stats question of a dataset and show the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmstats.cli.output import show
from mmstats.cli.progress import Progress
from mmstats.cli.source import SourceOptions, completed, settings_here
from mmstats.cli.stdout import is_terminal
from mmstats.query import Extensions, read_question
from mmstats.render import FORMATS
from mmstats.settings import COLORS, Settings
from mmstats.suggest import one_of


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """The options that say how an answer is shown, as given."""

    format: str | None
    color: str | None

    def check(self, faults: dict[str, list[str]]) -> None:
        """Add what is wrong with an option to the faults."""
        for name, given, choices in (("format", self.format, FORMATS), ("color", self.color, COLORS)):
            try:
                given is None or one_of(given, choices)
            except ValueError as fault:
                faults[name] = [str(fault)]

    def over(self, settings: Settings) -> Settings:
        """The settings with these options before them; a format that is set counts on a terminal only."""
        form = self.format or (settings.format if is_terminal() else None)
        return replace(settings, format=form, color=self.color or settings.color)


def query(
    given: Mapping[str, Sequence[str] | None], extensions: Extensions, source: SourceOptions, shown: ShowOptions
) -> None:
    """Answer the question that the options ask; everything wrong with them is said at once, before any data is read."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    texts = {name: list(values) for name, values in given.items() if values is not None}
    question = read_question(texts, extensions, faults=faults)
    settings = shown.over(settings_here())
    dataset = completed(asked, settings)

    from mmstats.engines import engine_for  # after validation: a wrong question loads no engine

    with Progress() as progress:
        stats = engine_for()(question, dataset, progress.advance)
    show(stats, question, settings)
