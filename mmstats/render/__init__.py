"""An answer for eyes and pipes: a table for the terminal, and text formats that a pipe or a file may take.

The table is printed by `mmstats.render.table`, which needs Rich and is to be imported only when it is wanted.
"""

from collections.abc import Callable

from mmstats.answer import Stats, encode
from mmstats.render.csv import to_csv
from mmstats.render.markdown import to_markdown


def to_json_line(stats: Stats) -> str:
    """The bytes that HTTP sends, and one final newline."""
    return stats.to_json() + "\n"


def to_ndjson(stats: Stats) -> str:
    """A compact JSON object a line for every row, nothing for no rows."""
    return "".join(encode(row) + "\n" for row in stats.rows)


WRITERS: dict[str, Callable[[Stats], str]] = {
    "json": to_json_line,
    "ndjson": to_ndjson,
    "csv": to_csv,
    "markdown": to_markdown,
}
FORMATS = ("table", *WRITERS)
DESCRIPTION_FORMATS = ("table", "json")
