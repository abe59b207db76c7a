"""The data options, and the commands about a dataset: `mmstats describe` and `mmstats import`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmstats.cli import terminal
from mmstats.cli.completion import remember
from mmstats.cli.exits import ExitCode
from mmstats.cli.parsing import WrongUsage
from mmstats.cli.terminal import Progress, ShowOptions, drawn, keep_interruptible
from mmstats.dataset import Dataset, read_mapping, read_option, sample_folder
from mmstats.errors import InvalidParams
from mmstats.reports import Description
from mmstats.settings import Settings, choose, settings_here

if TYPE_CHECKING:
    from mmstats.store.importing import Imported


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
            columns=_read_mappings(self.map or (), faults),
            input_format=read_option("input_format", self.input_format, faults),
            timestamp_unit=read_option("timestamp_unit", self.timestamp_unit, faults),
            skip_bad_rows=self.skip_bad_rows,
            trust_partitions=self.trust_partitions,
            storage_options=_storage_options(self.storage_options or (), faults),
        )


def _read_mappings(mappings: Sequence[str], faults: dict[str, list[str]]) -> dict[str, str]:
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
        terminal.note("this is the bundled sample; --data names yours")
    return dataset


def describe(source: SourceOptions, shown: ShowOptions, *, check: bool) -> ExitCode:
    """Describe the dataset that the options name; its event names are left to be offered by completion."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    if faults:
        raise InvalidParams(faults)
    settings = settings_here(os.environ)
    dataset = completed(asked, settings)

    from mmstats.engines.local import describe  # after validation: wrong options load no engine

    compute = describe.check if check else describe.describe
    keep_interruptible()
    with Progress() as progress:
        description = compute(dataset, progress.advance)
    remember(dataset.locations, [name for name, _ in description.events if name is not None])
    form, color = shown.chosen(settings)
    if form == "json":
        terminal.write_text(description.to_json() + "\n")
    else:
        names = ["the bundled sample"] if dataset.is_sample else dataset.locations
        terminal.write_page(_page(description, names, color))
    return ExitCode.ANSWERED if description.holds else ExitCode.DOES_NOT_HOLD


def _page(description: Description, names: Sequence[str], color: str) -> str:
    from mmstats.render.pages import print_description

    return drawn(lambda console: print_description(description, names, console), color)


def import_(source: SourceOptions, to: str) -> None:
    """Import the events that the options name into the store at `to`."""
    faults: dict[str, list[str]] = {}
    if not all(source.data or ()):
        raise WrongUsage("SOURCE must not be empty")
    asked = source.read(faults)
    if not to:
        faults["to"] = ["must not be empty"]
    if faults:
        raise InvalidParams(faults)
    dataset = completed(asked, settings_here(os.environ))

    from mmstats.store.importing import Watch, import_events  # after validation: wrong options load no engine

    keep_interruptible()
    with Progress() as progress:
        done = import_events(dataset, to, Watch(progress.expect, progress.advance, terminal.note))
    for notice in done.notices:
        terminal.warn(notice)
    terminal.note(_summary(done))


def _summary(done: "Imported") -> str:
    sources = f"{done.added:,} added, {done.replaced:,} replaced, {done.unchanged:,} unchanged"
    files, size = done.store.files, sum(file.bytes for file in done.store.files)
    total = sum(file.rows for file in files)
    return (
        f"sources: {sources}; rows imported: {done.rows:,}; "
        f"the store has {total:,} rows in {len(files):,} {'file' if len(files) == 1 else 'files'}, {size:,} bytes"
    )
