"""An answer on its way out: which format, which colours, how wide, and the notes beside it."""

import io
import os
import shutil
import sys

from mmstats.answer import Stats
from mmstats.cli import stderr, stdout
from mmstats.query import StatsQuery
from mmstats.render import WRITERS
from mmstats.settings import Settings

_UNKNOWN_WIDTH = 100  # of a file or pipe that a table is sent to


def show(stats: Stats, query: StatsQuery, settings: Settings) -> None:
    """Write the answer to stdout in the format that is set, then what there is to say of it to stderr.

    Raises ClosedPipe when the reader of stdout is gone, OutputError when it cannot be written.
    """
    form = settings.format or ("table" if stdout.is_terminal() else "json")
    if form == "table":
        stdout.write_text(_table(stats, query, settings.color), sys.stdout.encoding)
    else:
        stdout.write_text(WRITERS[form](stats))
    for sentence in stats.notices:
        stderr.warn(sentence)
    if stats.truncated:
        stderr.note(f"{len(stats.rows):,} of {stats.groups:,} rows; --limit or --all answers more")


def _table(stats: Stats, query: StatsQuery, color: str) -> str:
    from rich.console import Console

    from mmstats.render.caption import Caption
    from mmstats.render.table import print_table

    page = _Page()
    colored = color == "always" or (color == "auto" and stdout.is_terminal() and not os.environ.get("NO_COLOR"))
    console = Console(
        file=page,
        width=shutil.get_terminal_size((_UNKNOWN_WIDTH, 24)).columns,
        force_terminal=colored,
        color_system=("standard" if color == "always" else "auto") if colored else None,
        no_color=not colored,
        legacy_windows=False,
    )
    print_table(stats, Caption(query.start, query.end, query.event), console)
    return page.getvalue()


class _Page(io.StringIO):
    """Text that will be written to stdout, and so may hold what stdout can encode."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of stdout."""
        return sys.stdout.encoding or "utf-8"
