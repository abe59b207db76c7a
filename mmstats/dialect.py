"""How files are written, as far as their names do not say it: delimiters, quotes, names, nulls, timestamps.

Flags fill it, and so does the table `[file]` of a schema, over which flags win.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from mmstats.errors import Fault
from mmstats.options import Option

_FLAGS = ("delimiter", "records", "timestamp_format")  # which are read into the field of the same name
TAB = "tab"
LINES = ("combined",)
LOG_TIME = "%d/%b/%Y:%H:%M:%S %z"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How files are written.

    Of CSV and TSV: the `delimiter`, None for the one that a file shows; whether `quotes` enclose fields; the `names`, a
    mark such as `#Fields:` that the line of names begins with, a list of names where no line has them, or empty where
    the first line has them; the mark of a `comment` line; the text of a field that is `null`; whether an empty text is
    null too. `lines` says that each line is of another form, one of `LINES`.

    Of JSON: `records`, the key of the array that holds the events.

    Of names of files: the `format` of those whose names say none, further `extensions` of such files, and globs of
    names to `ignore`.

    Of text timestamps: the `timestamp_format` of strptime, and the `time_zone` of those without one.
    """

    delimiter: str | None = None
    quotes: bool = True
    names: str | tuple[str, ...] = ""
    comment: str = ""
    null: str | None = None
    empty_is_null: bool = False
    lines: str = ""
    records: str = ""
    format: str | None = None
    extensions: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    timestamp_format: str | None = None
    time_zone: str = "UTC"

    def overridden(self, values: Mapping[str, Any]) -> "Dialect":
        """The same with what the values of `DIALECT` options say."""
        # Other options have names of fields, too: the format of an answer is not that of the data.
        said = {name: values[name] for name in _FLAGS if values.get(name) is not None}
        if values.get("quote"):
            said["quotes"] = values["quote"] != "none"
        return replace(self, **said)

    @property
    def unsaid_format(self) -> str | None:
        """The format of files whose names say none, None where these are no event files."""
        return self.format or ("log" if self.lines else None)

    @property
    def is_plain_csv(self) -> bool:
        """Whether nothing is said of CSV but what fields are null."""
        return self.delimiter is None and self.quotes and not (self.names or self.comment or self.lines)

    @property
    def null_texts(self) -> tuple[str, ...]:
        """The texts that are null."""
        return (*(() if self.null is None else (self.null,)), *(("",) if self.empty_is_null else ()))

    @property
    def timestamps(self) -> str | None:
        """The format of timestamps: what is said, else that of the lines."""
        return self.timestamp_format or (LOG_TIME if self.lines else None)

    @property
    def said(self) -> dict[str, Any]:
        """What is not as it is by default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}


def read_delimiter(text: str) -> str:
    """The delimiter that a text names: one ASCII character, or `tab`.

    Raises ValueError with the rest of the sentence "this option …".
    """
    found = "\t" if text in (TAB, r"\t") else text
    if len(found) != 1 or not found.isascii() or found in '"\r\n\0':
        raise ValueError(f"must be one ASCII character other than a quote or a line break, or {TAB}, not {text!r}")
    return found


def read_timestamp_format(text: str) -> str:
    """A format that strptime knows and that names a year at least.

    Raises ValueError with the rest of the sentence "this option …".
    """
    some = datetime(2026, 5, 31, 13, 14, 15)  # noqa: DTZ001 - it is only written and read
    try:
        found = datetime.strptime(some.astimezone(UTC).strftime(text), text)  # noqa: DTZ007
    except ValueError:
        offer = "`timestamp_unit` reads epochs" if "%s" in text else ""
        raise ValueError(Fault(f"must be a format of strptime, such as %Y%m%d, not {text!r}", offer)) from None
    if found.year != some.year:
        raise ValueError(f"must name the year, as %Y%m%d does, not {text!r}")
    return text


DIALECT: tuple[Option, ...] = (
    Option(
        "delimiter",
        "What separates the fields of CSV: one character, or tab; by default what the header shows.",
        read_delimiter,
        metavar="CHARACTER",
    ),
    Option("quote", "With none, a quote in CSV is a character like any other.", choices=("none",)),
    Option("records", "The key of the array that holds the events of a JSON object.", metavar="KEY", nonempty=True),
    Option(
        "timestamp_format",
        "How timestamps are written, as strptime reads them: %Y%m%d.",
        read_timestamp_format,
        metavar="FORMAT",
        nonempty=True,
    ),
)
