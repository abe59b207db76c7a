"""Draws the README's pictures: what a terminal shows of a question, with its colours, as SVG.

python docs/pictures/draw.py
"""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
PICTURES = {
    "table": "mmstats query --sample --metric uniques --group-by source,medium",
    "chart": "mmstats query --sample --metric uniques --interval day --from 2026-05-11 --to 2026-05-25",
}
COLUMNS = 92


def shown(command: str) -> str:
    """What a terminal shows of a command, with its escapes for colours."""
    asked = [sys.executable, "-m", *shlex.split(command), "--format", "table", "--color", "always", "--no-cache"]
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr  # a terminal would show it, in between
    return done.stdout


def picture(command: str) -> str:
    """The SVG of a terminal in which a command was run."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(Text.assemble(("$ ", "green"), command))
    console.print(Text.from_ansi(shown(command)))
    svg = console.export_svg(title="mmstats")
    # A page shows a picture without the fonts that it asks other servers for.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    # Some programs leave out blanks that a text begins with.
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


if __name__ == "__main__":
    for name, command in PICTURES.items():
        (HERE / f"{name}.svg").write_text(picture(command), encoding="utf-8")
