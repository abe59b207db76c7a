"""The names of a file's own columns, to offer one of them."""

from collections.abc import Collection

from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.columnar_file import read_schema
from mmstats.readers.csv_head import read_head
from mmstats.readers.json_columns import first_object
from mmstats.readers.log_lines import NAMES
from mmstats.readers.projection import Projection


def column_names(file: EventFile, projection: Projection) -> Collection[str]:
    """The names in the schema, the header or the first objects of a file; raises Unreadable as reading it does."""
    if not file.format.is_text:
        return read_schema(file).columns
    if file.format.name == "log":
        return NAMES
    if file.format.name not in ("csv", "tsv"):
        return first_object(file, projection)
    with open_bytes(file) as stream:
        found = read_head(file, stream, projection.dialect, projection.limits.csv_header_bytes)
        return found[0].names if found else ()
