"""A dataset as a user names it: where events are, which columns they have, and how they are read; nothing is opened."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmstats.limits import Limits
from mmstats.wording import did_you_mean, one_of

TIMESTAMP_UNITS = ("s", "ms", "us", "ns")

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


def read_mapping(text: str) -> tuple[str, str]:
    """The event column and the data's name for it that `column=name` gives; the name may hold further `=`.

    Raises ValueError, whose message ends the sentence "--map …".
    """
    column, equals, name = text.partition("=")
    if not equals:
        raise ValueError(f"must be column=name, such as event_name=type, not {text!r}")
    if not column:
        raise ValueError(f"has no event column before the '=' in {text!r}")
    if not name:
        raise ValueError(f"has no name after the '=' in {text!r}")
    return read_column(column), name


def read_column(text: str) -> str:
    """The event column that `text` names.

    Raises ValueError, whose message ends the sentence "this setting …".
    """
    if text in EVENT_COLUMNS:
        return text
    # `event` is what others call the event's name, but by its letters event_id is nearer.
    meant = did_you_mean("event_name" if text == "event" else text, EVENT_COLUMNS)
    known = f"event columns: {', '.join(EVENT_COLUMNS)}"
    raise ValueError(f"names {text!r}, which is no event column; {meant or known}")


INPUT_FORMATS = ("parquet", "ndjson", "json", "csv", "tsv", "arrow")
OPTIONS = {"input_format": INPUT_FORMATS, "timestamp_unit": TIMESTAMP_UNITS}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where events are and how they are to be read.

    `columns` maps event columns to the data's names; `timestamp_unit` is of numeric timestamps, by default told from
    their magnitude; `trust_partitions` lets `day=` and the like folders decide which files a range needs;
    `storage_options` say how object stores are reached, and are never shown, since keys may be among them;
    `limits` change how the work is done.
    """

    locations: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    input_format: str | None = None
    timestamp_unit: str | None = None
    skip_bad_rows: bool = False
    trust_partitions: bool = False
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits = field(default=Limits(), repr=False)

    @property
    def is_sample(self) -> bool:
        """Whether it is the bundled sample."""
        return self.locations == (sample_folder(),)


def read_option(name: str, text: str | None, faults: dict[str, list[str]]) -> str | None:
    """The value of one of `OPTIONS`; what is wrong with it is added to the faults."""
    try:
        return None if text is None else one_of(text, OPTIONS[name])
    except ValueError as fault:
        faults[name] = [str(fault)]
        return None


def sample_folder() -> str:
    """Where the bundled sample lies: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "sample_data"
    return str(installed if os.path.isdir(installed) else package.parent / "sample_data")
