"""`mmstats schemas`: list the exports that are known, print the TOML of one, or draft one for other data."""

import os

from mmstats.cli.options import SCHEMAS_INIT, SCHEMAS_SHOW
from mmstats.cli.output import choose_sink
from mmstats.cli.terminal import note, write_text
from mmstats.dataset import SAMPLE_ALONE
from mmstats.errors import InvalidParams
from mmstats.interrupts import raised
from mmstats.options import Texts, read_options
from mmstats.resources import fit_address_space
from mmstats.schemas import bundled, bundled_text, title_of
from mmstats.settings import choose_dataset, settings_here


def show_all() -> None:
    """Write a line for each bundled schema."""
    names = bundled()
    width = max(map(len, names))
    write_text("".join(f"{one:{width}}  {title_of(one)}\n" for one in names))


def show(texts: Texts) -> None:
    """Write a bundled schema as it stands."""
    write_text(bundled_text(read_options(SCHEMAS_SHOW, texts)["schema"]))


def init(texts: Texts) -> None:
    """Write a schema to edit for the data that is named."""
    values = read_options(SCHEMAS_INIT, texts, [SAMPLE_ALONE])
    settings = settings_here(os.environ)
    if not ("data" in texts or "sample" in texts or settings.data):
        raise InvalidParams({"data": ["is required"]}, hint="mmstats schemas init events.ndjson -o mine.toml")
    dataset = choose_dataset({**values, "map": {}, "skip_bad_rows": True, "trust_partitions": False}, settings)
    sink = choose_sink(values, dataset.locations)

    fit_address_space()
    from mmstats.engines.local.leads import sample  # after validation: wrong options load no engine
    from mmstats.schemas.draft import draft_schema
    from mmstats.schemas.guesses import guess_columns, lacking

    with raised():
        outline = sample(dataset)
    sink.write(draft_schema(outline, dataset).encode())
    if lacks := lacking(guess_columns(outline)):
        note(f"fill in {' and '.join(lacks)}: nothing looks like it")
