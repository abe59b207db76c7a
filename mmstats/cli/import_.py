"""`mmstats import`: take events into a store, and say what was done."""

import os
from typing import TYPE_CHECKING

from mmstats.cli import stderr
from mmstats.cli.interrupts import keep_interruptible
from mmstats.cli.progress import Progress
from mmstats.cli.source import SourceOptions, completed
from mmstats.cli.usage import WrongUsage
from mmstats.errors import InvalidParams
from mmstats.settings import settings_here

if TYPE_CHECKING:
    from mmstats.store.importing import Imported


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
        done = import_events(dataset, to, Watch(progress.expect, progress.advance, stderr.note))
    for notice in done.notices:
        stderr.warn(notice)
    stderr.note(_summary(done))


def _summary(done: "Imported") -> str:
    sources = f"{done.added:,} added, {done.replaced:,} replaced, {done.unchanged:,} unchanged"
    files, size = done.store.files, sum(file.bytes for file in done.store.files)
    total = sum(file.rows for file in files)
    return (
        f"sources: {sources}; rows imported: {done.rows:,}; "
        f"the store has {total:,} rows in {len(files):,} {'file' if len(files) == 1 else 'files'}, {size:,} bytes"
    )
