r"""An answer record by record: as JSON, NDJSON, CSV and Markdown text, and as a Parquet file.

In Markdown a backslash goes before every character that could be read as markup, links without brackets included.
Left alone are `_` inside a word and `:` inside a number, which mean nothing there, so that `sign_up` and
`00:00:00` stay readable. No escape stops what GitHub does to the finished page: it links `@name`, `#1` and
mail addresses, draws `:smile:`, and like all HTML shows several blanks as one.
"""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from mmstats.answer import Stats, Value, encode, number_text
from mmstats.wording import visible

NULL, OTHERS = "null", "(other)"

# What CSV must quote: nothing at all, blanks at an end, and what separates fields and lines.
_QUOTED = re.compile(r'\A\Z|\A\s|[,"\r\n]|\s\Z')
_MARKUP = re.compile(
    r"[\\`*\[\]<>&#~|$@]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|(?<![0-9]):|:(?![0-9])"
    r"|(?<=[Ww]{3})\."
)


def to_json_line(stats: Stats) -> str:
    """The bytes that HTTP sends, and a final newline."""
    return stats.to_json() + "\n"


def to_ndjson(stats: Stats) -> str:
    """One compact JSON object per row and line; no rows give no text."""
    return "".join(encode(row) + "\n" for row in stats.rows)


def to_csv(stats: Stats) -> str:
    """A header and one line per row, quoted as in RFC 4180, with LF line ends and the data as it is.

    An unquoted empty field is null, `""` an empty string.
    """
    lines = [stats.columns, *([row[column] for column in stats.columns] for row in stats.rows)]
    return "".join(",".join(map(_csv_field, line)) + "\n" for line in lines)


def _csv_field(value: Value) -> str:
    if value is None:
        return ""
    text = value_text(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def to_markdown(stats: Stats) -> str:
    """A GitHub Flavored Markdown table in which every character of the data means itself.

    Labels stand to the left as in `label_text`, null in italics; values stand to the right as plain digits.
    """
    labels = stats.columns[: -len(stats.values)]
    lines = [
        [*map(_escape_markup, stats.columns)],
        [*("---" for _ in labels), *("---:" for _ in stats.values)],
        *([_markdown_cell(row[name]) for name in stats.columns] for row in stats.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_parquet(stats: Stats) -> bytes:
    """A Parquet file: `bucket` a timestamp in UTC to the microsecond, labels strings, `value` a 64-bit integer."""
    if "bucket" in stats.labels:
        stats = replace(stats, rows=[{**row, "bucket": _in_utc(str(row["bucket"]))} for row in stats.rows])
    frame = stats.to_polars()
    if "bucket" in stats.labels:
        buckets = frame["bucket"].str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC")
        frame = frame.with_columns(buckets)
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def _in_utc(label: str) -> str:
    """The label of a bucket without an offset: what it is in UTC."""
    if len(label) == len("2026-05-16 00:00:00"):
        return label
    return datetime.fromisoformat(label).astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _markdown_cell(value: Value) -> str:
    if value is None:
        return f"*{NULL}*"
    return _escape_markup(label_text(value)) if isinstance(value, str) else value_text(value)


def _escape_markup(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)


def value_text(value: str | int | Decimal) -> str:
    """A value as text formats write it."""
    if isinstance(value, str):
        return value
    return ("false", "true")[value] if isinstance(value, bool) else number_text(value)


def label_text(label: str | None) -> str:
    """`label` on one line as tables show it, control characters escaped; no two labels look the same.

    Null is `null`, and the other groups are `(other)`. Double quotes surround the empty string, the strings `null` and
    `(other)`, and what starts with a quote or has a blank at an end.
    """
    if label is None:
        return NULL
    text = visible(label)
    mistakable = text in ("", NULL, OTHERS) or text.startswith('"') or text != text.strip()
    return f'"{text}"' if mistakable else text
