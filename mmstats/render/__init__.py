"""An answer for eyes and pipes: a table for a terminal, and text formats for a pipe or a file.

`table` and `pages` need Rich; import them only when something is drawn.
"""

from collections.abc import Callable

from mmstats.answer import Stats
from mmstats.render.records import to_csv, to_json_line, to_markdown, to_ndjson

WRITERS: dict[str, Callable[[Stats], str]] = {
    "json": to_json_line,
    "ndjson": to_ndjson,
    "csv": to_csv,
    "markdown": to_markdown,
}
FORMATS = ("table", *WRITERS)
DESCRIPTION_FORMATS = ("table", "json")
