"""A dataset as a user names it: where events are and how they are to be read; plain data, nothing opened."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmstats.limits import Limits
from mmstats.settings import TIMESTAMP_UNITS, Settings
from mmstats.suggest import one_of

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


def choose(asked: Dataset, settings: Settings) -> Dataset:
    """What is asked for, completed by the settings; with no location in either, the bundled sample.

    The sample is read as it was written, whatever a user has set for other data.
    """
    locations = asked.locations or settings.data
    if not locations or locations == (sample_folder(),):
        return replace(asked, locations=(sample_folder(),))
    return replace(
        asked,
        locations=locations,
        columns={**settings.columns, **asked.columns},
        timestamp_unit=asked.timestamp_unit or settings.timestamp_unit,
        skip_bad_rows=asked.skip_bad_rows or settings.skip_bad_rows,
        trust_partitions=asked.trust_partitions or settings.trust_partitions,
        storage_options={**settings.storage_options, **asked.storage_options},
    )
