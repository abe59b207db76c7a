"""An answer as CSV: a header and a line per row, quoted as in RFC 4180, LF line ends."""

import re

from mmstats.answer import Stats

# Nothing, blanks at an end, and what separates fields and lines.
_QUOTED = re.compile(r'\A\Z|\A\s|[,"\r\n]|\s\Z')


def to_csv(stats: Stats) -> str:
    """`stats` as CSV, the data as it is: an unquoted empty field is null, `""` an empty string."""
    columns = (*stats.labels, "value")
    lines = [columns, *([row[column] for column in columns] for row in stats.rows)]
    return "".join(",".join(map(_field, line)) + "\n" for line in lines)


def _field(value: str | int | None) -> str:
    if value is None:
        return ""
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
