"""An answer on its way out: which format, which colours, how wide, and the notes beside it."""

from dataclasses import dataclass

from mmstats.answer import Stats
from mmstats.cli import stderr, stdout
from mmstats.cli.page import drawn
from mmstats.question.query import StatsQuery
from mmstats.render import FORMATS, WRITERS
from mmstats.settings import COLORS, Settings
from mmstats.wording import one_of


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """The options that say how something is shown, as given; `formats` are those that it has."""

    format: str | None
    color: str | None
    formats: tuple[str, ...] = FORMATS

    def check(self, faults: dict[str, list[str]]) -> None:
        """Add what is wrong with an option to the faults."""
        for name, given, choices in (("format", self.format, self.formats), ("color", self.color, COLORS)):
            try:
                given is None or one_of(given, choices)
            except ValueError as fault:
                faults[name] = [str(fault)]

    def chosen(self, settings: Settings) -> tuple[str, str]:
        """The format and the use of colour; a format that is set counts on a terminal, and where there is it."""
        color = self.color or settings.color
        if self.format or not stdout.is_terminal():
            return self.format or "json", color
        return settings.format if settings.format in self.formats else "table", color


def show(stats: Stats, query: StatsQuery, form: str, color: str) -> None:
    """Write the answer to stdout, then what there is to say of it to stderr.

    Raises ClosedPipe when the reader of stdout is gone, OutputError when it cannot be written.
    """
    if form == "table":
        stdout.write_page(_table(stats, query, color))
    else:
        stdout.write_text(WRITERS[form](stats))
    for sentence in stats.notices:
        stderr.warn(sentence)
    if stats.truncated:
        stderr.note(f"{len(stats.rows):,} of {stats.groups:,} rows; --limit or --all answers more")


def _table(stats: Stats, query: StatsQuery, color: str) -> str:
    from mmstats.render.caption import Caption
    from mmstats.render.table import print_table

    caption = Caption(query.start, query.end, query.event)
    return drawn(lambda console: print_table(stats, caption, console), color)
