"""The keys that are known here, to be read on a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mmstats.api_keys import StoredKey
from mmstats.render.alphabet import alphabet_of
from mmstats.render.columns import GAP, Column
from mmstats.render.table import grid, print_line
from mmstats.wording import visible

_NONE = "no keys; mmstats keys create makes one"


def print_keys(keys: Sequence[StoredKey], console: Console) -> None:
    """Print a line for every key, as wide as `console` allows; a name that is too long loses its middle."""
    if not keys:
        print_line(console, Text(_NONE))
        return
    alphabet = alphabet_of(console.encoding)
    instants = [key.created.removesuffix("Z").replace("T", " ") for key in keys]
    rigid = [Column("prefix", [key.prefix for key in keys]), Column("created (UTC)", instants)]
    names = Column("name", [alphabet.spelled(visible(key.name or "")) for key in keys])
    room = console.width - sum(column.width + GAP for column in rigid)
    for line in grid([*rigid, names.cut(max(room, 1), alphabet.ellipsis)], alphabet.rule):
        print_line(console, line)
