r"""An answer as a GitHub Flavored Markdown table, in which every character of the data means itself.

Null is an italic *null*; the empty string, the string `null` and texts with blanks at an end stand in double
quotes, as in the table for terminals. Control and bidirectional characters stand as escapes. Values are plain
digits.

A backslash goes before every character that Markdown could read as its own, links without brackets included.
Left alone are `_` inside a word and `:` inside a number, which mean nothing there, so that `sign_up` and
`00:00:00` stay readable. No escape stops what GitHub does to the finished page: it links `@name`, `#1` and
mail addresses, draws `:smile:`, and like all HTML shows several blanks as one.
"""

import re
from collections.abc import Iterable

from mmstats.answer import Stats
from mmstats.render.labels import shown

_ACTIVE = re.compile(
    r"[\\`*\[\]<>&#~|$@]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|(?<![0-9]):|:(?![0-9])"
    r"|(?<=[Ww]{3})\."
)


def to_markdown(stats: Stats) -> str:
    """`stats` as a table: labels to the left, `value` to the right."""
    lines = [
        _line([*map(_escaped, stats.labels), "value"]),
        _line([*("---" for _ in stats.labels), "---:"]),
        *(_line([*(_cell(row[name]) for name in stats.labels), str(row["value"])]) for row in stats.rows),
    ]
    return "".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cell(label: str | int | None) -> str:
    return f"*{shown(None)}*" if label is None else _escaped(shown(label))


def _escaped(text: str) -> str:
    return _ACTIVE.sub(r"\\\g<0>", text)
