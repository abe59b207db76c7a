"""The names of a file's own columns, to offer one of them."""

from collections.abc import Collection

from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.limits import Limits
from mmstats.readers.columnar_file import read_schema
from mmstats.readers.csv_records import read_header
from mmstats.readers.json_columns import some_keys


def column_names(file: EventFile, limits: Limits) -> Collection[str]:
    """The names in the schema, the header or the first objects of a file; raises Unreadable as reading it does."""
    if not file.format.is_text:
        return read_schema(file).columns
    if file.format.name not in ("csv", "tsv"):
        return some_keys(file, limits)
    with open_bytes(file) as stream:
        found = read_header(file, stream, limits.csv_header_bytes)
        return found[0] if found else ()
