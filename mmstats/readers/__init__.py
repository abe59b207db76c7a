"""From the bytes of files to event columns."""

import os

# A zone such as +05:30, which other writers use, is a zone: without this the engine panics at the sight of one.
os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
# Of every object that it scans the engine fetches so much of the end at first: most footers are far smaller.
os.environ.setdefault("POLARS_CLOUD_FOOTER_READ_SIZE", str(32 << 10))
