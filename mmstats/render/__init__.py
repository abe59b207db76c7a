"""An answer for eyes and pipes: a table for a terminal, and text formats for a pipe or a file.

`table` and `pages` need Rich; import them only when something is drawn.
"""

from collections.abc import Callable

from mmstats.answer import Stats
from mmstats.render.records import to_csv, to_json_line, to_markdown, to_ndjson, to_parquet

WRITERS: dict[str, Callable[[Stats], str]] = {
    "json": to_json_line,
    "ndjson": to_ndjson,
    "csv": to_csv,
    "markdown": to_markdown,
}
FORMATS = ("table", *WRITERS)
FILE_FORMATS = (*FORMATS, "parquet")  # bytes, and so for a file alone
DESCRIPTION_FORMATS = ("table", "json")
EXTENSIONS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".md": "markdown",
    ".txt": "table",
    ".parquet": "parquet",
}

__all__ = ["DESCRIPTION_FORMATS", "EXTENSIONS", "FILE_FORMATS", "FORMATS", "WRITERS", "to_parquet"]
