"""A page for the terminal: drawn by Rich as wide as the terminal is, to be written to stdout as text."""

import io
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from mmstats.cli import stdout

if TYPE_CHECKING:
    from rich.console import Console

_UNKNOWN_WIDTH = 100  # of a file or pipe that a page is sent to


def drawn(draw: "Callable[[Console], None]", color: str) -> str:
    """What `draw` prints, with colours when `color` is `always`, or `auto` and a person reads it."""
    from rich.console import Console

    page = _Page()
    colored = color == "always" or (color == "auto" and stdout.is_terminal() and not os.environ.get("NO_COLOR"))
    draw(
        Console(
            file=page,
            width=shutil.get_terminal_size((_UNKNOWN_WIDTH, 24)).columns,
            force_terminal=colored,
            color_system=("standard" if color == "always" else "auto") if colored else None,
            no_color=not colored,
            legacy_windows=False,
        )
    )
    return page.getvalue()


class _Page(io.StringIO):
    """Text that will be written to stdout, and so may hold what stdout can encode."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of stdout."""
        return stdout.encoding()
