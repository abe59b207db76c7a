"""A dataset as a user names it: where events are, which columns they have, and how they are read; nothing is opened."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmstats.derivation import Schema
from mmstats.dialect import DIALECT, Dialect
from mmstats.errors import Fault
from mmstats.limits import Limits
from mmstats.options import Form, Option, add_pair, add_text, excludes, switch
from mmstats.wording import did_you_mean, visible

TIMESTAMP_UNITS = ("s", "ms", "us", "ns")
INPUT_FORMATS = ("parquet", "ndjson", "json", "csv", "tsv", "arrow")

EVENT_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "event_name",
    "event_id",
    "anonymous_id",
    "user_id",
    "session_id",
    "source",
    "medium",
    "campaign",
    "country",
    "device_type",
    "browser",
    "os",
    "path",
    "url",
    "referrer",
    "properties",
)


def sample_folder() -> str:
    """Where the bundled sample lies: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "sample_data"
    return str(installed if os.path.isdir(installed) else package.parent / "sample_data")


SAMPLE = (sample_folder(),)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where events are and how they are read.

    `columns` maps event columns to the data's names; `timestamp_unit` is that of numeric timestamps, by default guessed
    from their magnitude; `dialect` is how the files are written; the `schema` of a known export says what those
    event columns are made of that `columns` does not map, which may need a `geo_database`; `looked_up` tells releases
    of what it looks up. `trust_partitions` lets `day=` and the like folders decide which files a range needs;
    `storage_options` say how object stores are reached, and are never shown, since keys may be among them; `limits`
    change how the work is done. `origin` is the variable or the file that names the locations, empty where the user has
    named them for this very question. `seen` are the states of the files that a schema was read from and looks up in,
    by path, as in `mmstats.file_states`.
    """

    locations: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    input_format: str | None = None
    timestamp_unit: str | None = None
    skip_bad_rows: bool = False
    trust_partitions: bool = False
    dialect: Dialect = field(default=Dialect())
    schema: Schema | None = None
    geo_database: str | None = None
    looked_up: str = ""
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits = field(default=Limits(), repr=False)
    origin: str = field(default="", repr=False, compare=False)
    seen: Mapping[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    def within(self, max_memory: int | None) -> "Dataset":
        """The same for a question that may take about so many bytes of memory, None for no bound.

        What is held to answer faster takes at most a quarter of them.
        """
        if max_memory is None:
            return self
        return replace(self, limits=replace(self.limits, table_bytes=min(self.limits.table_bytes, max_memory // 4)))

    def in_zone(self, zone: str) -> "Dataset":
        """The same for a question in a zone, by its IANA name: that of timestamps in a format which name none."""
        if not self.dialect.timestamp_format or zone == self.dialect.time_zone:
            return self
        return replace(self, dialect=replace(self.dialect, time_zone=zone))

    @property
    def named_elsewhere(self) -> str:
        """What its locations are, and where they are named if not in the question; else empty."""
        if not self.origin:
            return ""
        first, *others = self.locations
        more = f" and {len(others):,} more" if others else ""
        return f"{visible(first)}{more} from {visible(self.origin)}"

    @property
    def read_as(self) -> str:
        """All that decides what events are made of files, as a text to compare: what is kept of files knows it."""
        read_as = (sorted(self.columns.items()), self.timestamp_unit, self.input_format, self.dialect)
        return repr((*read_as, self.schema, self.looked_up))

    @property
    def is_sample(self) -> bool:
        """Whether it is the bundled sample."""
        return self.locations == SAMPLE


def read_column(text: str) -> str:
    """The event column that `text` names.

    Raises ValueError with the rest of the sentence "this option …".
    """
    if text in EVENT_COLUMNS:
        return text
    meant = did_you_mean(text, EVENT_COLUMNS, aliases={"event": "event_name", "time": "timestamp"})
    known = f"event columns: {', '.join(EVENT_COLUMNS)}"
    raise ValueError(Fault(f"names {text!r}, which is no event column", meant or known))


def read_mapping(text: str) -> tuple[str, str]:
    """The event column and the data's name for it in `column=name`; the name may hold further `=`.

    Raises ValueError with the rest of the sentence "this option …".
    """
    column, equals, name = text.partition("=")
    if not equals:
        raise ValueError(f"must be column=name, such as event_name=type, not {text!r}")
    if not column:
        raise ValueError(f"has no event column before the '=' in {text!r}")
    if not name:
        raise ValueError(f"has no name after the '=' in {text!r}")
    return read_column(column), name


def read_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """The data's names for event columns, as a mapping says them.

    Raises ValueError with an argument for each thing that is wrong.
    """
    faults: list[str] = []
    for column, name in columns.items():
        try:
            read_column(column)
        except ValueError as fault:
            faults += fault.args
        else:
            faults += [] if name else [f"has an empty name for {column}"]
    if faults:
        raise ValueError(*faults)
    return dict(columns)


def _read_storage_option(text: str) -> tuple[str, str]:
    """The name and the value in `KEY=VALUE`; the value may be a key, so that no message repeats it."""
    name, equals, value = text.partition("=")
    name = name.strip().lower()
    if not equals or not name:
        raise ValueError("must be KEY=VALUE")
    return name, value


DATA = Option(
    "data",
    "A file, folder, s3:// prefix or glob of events, or - for stdin; may be repeated.",
    metavar="LOCATION",
    default=(),
    nonempty=True,
    add=add_text,
    form=Form.EITHER,
    short="d",
)
TIMESTAMP_UNIT = Option(
    "timestamp_unit", "The unit of numeric timestamps, by default guessed from their size.", choices=TIMESTAMP_UNITS
)
INPUT_FORMAT = Option(
    "input_format",
    "The format of the data, whatever its names say.",
    choices=INPUT_FORMATS,
    words={"jsonl": "ndjson", "jsonlines": "ndjson", "json_lines": "ndjson", "pq": "parquet", "feather": "arrow"},
)
SOURCE: tuple[Option, ...] = (
    DATA,
    switch("sample", "Read the bundled sample."),
    Option(
        "map",
        "Read an event column from another of the data's columns; may be repeated.",
        read_mapping,
        metavar="COLUMN=NAME",
        default={},
        add=add_pair,
    ),
    INPUT_FORMAT,
    TIMESTAMP_UNIT,
    *DIALECT,
    switch("skip_bad_rows", "Leave out rows that cannot be read, and say how many."),
    switch("trust_partitions", "Let day=YYYY-MM-DD folders decide which files a range needs."),
    Option(
        "storage_option",
        "How object stores are reached, such as endpoint or region; may be repeated.",
        _read_storage_option,
        metavar="KEY=VALUE",
        default={},
        add=add_pair,
    ),
)

SAMPLE_ALONE = excludes("sample", "data", "cannot be given with --data")
