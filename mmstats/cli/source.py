"""Which data a command reads: its options, completed by what the user has set."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmstats.cli import stderr
from mmstats.dataset import Dataset, read_mapping, read_option, sample_folder
from mmstats.settings import Settings, choose


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options that say which data is read and how, as given, in the order of the help."""

    data: Sequence[str] | None = None
    sample: bool = False
    map: Sequence[str] | None = None
    input_format: str | None = None
    timestamp_unit: str | None = None
    skip_bad_rows: bool = False
    trust_partitions: bool = False
    storage_options: Sequence[str] | None = field(default=None, repr=False)

    def read(self, faults: dict[str, list[str]]) -> Dataset:
        """The dataset asked for, not yet completed; what is wrong with an option is added to the faults."""
        data = tuple(self.data or ())
        if self.sample and data:
            faults["sample"] = ["cannot be given with --data"]
        if not all(data):
            faults["data"] = ["must not be empty"]
        return Dataset(
            (sample_folder(),) if self.sample else data,
            columns=_columns(self.map or (), faults),
            input_format=read_option("input_format", self.input_format, faults),
            timestamp_unit=read_option("timestamp_unit", self.timestamp_unit, faults),
            skip_bad_rows=self.skip_bad_rows,
            trust_partitions=self.trust_partitions,
            storage_options=_storage_options(self.storage_options or (), faults),
        )


def _columns(mappings: Sequence[str], faults: dict[str, list[str]]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for mapping in mappings:
        try:
            column, name = read_mapping(mapping)
            if column in columns:
                raise ValueError(f"names {column} twice")
            columns[column] = name
        except ValueError as fault:
            faults["map"] = [*faults.get("map", []), str(fault)]
    return columns


def _storage_options(pairs: Sequence[str], faults: dict[str, list[str]]) -> dict[str, str]:
    """The options by name; a fault names no value, which may be a key."""
    options: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip().lower()
        if not sign or not name:
            faults.setdefault("storage_option", []).append("must be KEY=VALUE")
        elif name in options:
            faults.setdefault("storage_option", []).append(f"names {name} twice")
        options[name] = value
    return options


def completed(asked: Dataset, settings: Settings) -> Dataset:
    """The dataset to read; says so when it is the sample although nobody asked for it."""
    dataset = choose(asked, settings)
    if dataset.is_sample and not asked.is_sample:
        stderr.note("this is the bundled sample; --data names yours")
    return dataset
