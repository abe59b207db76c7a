"""`mmstats describe` and `mmstats import`: the commands about a dataset."""

import os
import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from mmstats.cli import ExitCode
from mmstats.cli.completion import save_event_names
from mmstats.cli.options import DESCRIBE, IMPORT, SOURCE
from mmstats.cli.output import choose_sink, tells_format
from mmstats.cli.progress import Progress
from mmstats.cli.terminal import note, show_report, warn
from mmstats.dataset import SAMPLE_ALONE
from mmstats.errors import InvalidParams
from mmstats.interrupts import raised
from mmstats.options import Option, Texts, read_options, read_texts
from mmstats.question.ranges import UTC_NAME
from mmstats.render import DESCRIPTION_FORMATS
from mmstats.resources import fit_address_space
from mmstats.settings import Settings, choose_dataset, settings_here
from mmstats.wording import plural, visible

if TYPE_CHECKING:
    from rich.console import Console


_USAGE = "mmstats import events/ --to store; --sample imports the bundled sample"


def describe(texts: Texts) -> ExitCode:
    """Describe a dataset, and save its event names for completion."""
    settings = settings_here(os.environ)
    values = read_options(DESCRIBE, _zoned(texts, settings), [SAMPLE_ALONE, tells_format(DESCRIPTION_FORMATS)])
    dataset = choose_dataset(values, settings).in_zone(values["timezone"] or UTC_NAME)
    if not (values["sample"] or values["data"]) and dataset.is_sample:
        note("this is the bundled sample; --data names yours")
    sink = choose_sink(values, dataset.locations)

    fit_address_space()
    from mmstats.engines.local import describe  # after validation: wrong options load no engine

    compute = describe.check if values["check"] else describe.describe
    with raised(), Progress() as progress:
        description = compute(dataset, progress.advance)
    if description.lead:
        lead = description.lead
        # A schema says itself how its files are written.
        options = [one for one in SOURCE if one.name == "map" or not lead.fits]
        description = replace(description, lead=replace(lead, given=_given(options, texts, lead.flags)))
    if description.fault is None:
        save_event_names(dataset.locations, [name for name, _ in description.events if name is not None])

    def print_page(console: "Console") -> None:
        from mmstats.render.pages import print_description

        names = ["the bundled sample"] if dataset.is_sample else dataset.locations
        print_description(description, names, console)

    show_report(description.to_json(), print_page, values, settings, sink)
    for notice in description.notices:
        warn(notice)
    if description.fault:
        raise description.fault
    return ExitCode.ANSWERED if description.holds else ExitCode.DOES_NOT_HOLD


def _given(options: Iterable[Option], texts: Texts, flags: Iterable[str]) -> tuple[str, ...]:
    """What a user said by some options, as flags, but for mappings of columns that other flags map.

    Keys of object stores are not repeated.
    """
    mapped = {flag.partition("=")[0] for flag in flags}
    return tuple(
        word
        for option in options
        if option.name not in ("data", "sample", "storage_option") and not option.is_switch
        for text in texts.get(option.name, ())
        if not (option.name == "map" and text.partition("=")[0] in mapped)
        for word in (option.flag, text)
    )


def import_(texts: Texts) -> None:
    """Import the events of sources into a store."""
    settings = settings_here(os.environ)
    values, faults = read_texts(IMPORT, _zoned(texts, settings), [SAMPLE_ALONE])
    is_named = "data" in texts or "sample" in texts or settings.data
    if not is_named or faults:
        faults = ({} if is_named else {"data": ["is required"]}) | faults
        raise InvalidParams(faults, hint=_USAGE if ["is required"] in faults.values() else "")
    dataset = choose_dataset(values, settings).in_zone(values["timezone"] or UTC_NAME)

    fit_address_space()
    from mmstats.store.importing import Callbacks, import_events  # after validation: wrong options load no engine

    with raised(), Progress() as progress:
        done = import_events(dataset, values["to"], Callbacks(progress.expect, progress.advance, note))
    for notice in done.notices:
        warn(notice)
    files = done.manifest.files
    note(
        f"sources: {done.added:,} added, {done.replaced:,} replaced, {done.unchanged:,} unchanged; "
        f"rows imported: {done.rows:,}; the store has {sum(file.rows for file in files):,} rows "
        f"in {plural(len(files), 'file')}, {sum(file.bytes for file in files):,} bytes"
    )
    note(f"to ask it: mmstats query --data {visible(shlex.quote(values['to']))}")


def _zoned(texts: Texts, settings: Settings) -> Texts:
    """The texts of options, with the zone of the settings where they say none."""
    return {"timezone": [settings.timezone], **texts} if settings.timezone else texts
