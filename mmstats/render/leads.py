"""Where to go on from data that is not flat, for a terminal: its columns and paths, and the command to copy."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from mmstats.render.layout import GAP, Column, Layout, figures, span
from mmstats.render.text import cells, percentage, shorten
from mmstats.reports import Lead
from mmstats.schemas import title_of
from mmstats.schemas.outline import PathUse
from mmstats.wording import plural, visible

_MOST_PATHS, _LEAST_SAMPLE = 100, 12  # in the table, and cells of a sample


def lead_sections(lead: Lead, locations: Sequence[str], layout: Layout) -> Iterator[Iterable[Text]]:
    """The sections of a description that lead on."""
    yield _paths(lead, layout)
    yield _what_next(lead, locations, layout)


def _paths(lead: Lead, layout: Layout) -> Iterator[Text]:
    uses, rest = lead.outline.paths[:_MOST_PATHS], lead.outline.paths[_MOST_PATHS:]
    if not uses:
        return
    paths, kinds = [visible(use.text) for use in uses], [", ".join(use.kinds) or "null" for use in uses]
    columns = [
        Column("in the data", paths, rigid=max(map(cells, paths)) <= layout.width // 2),
        Column("kind", kinds),
        figures("null", [percentage(use.nulls, use.rows) if use.rows else "" for use in uses]),
    ]
    room = max(_LEAST_SAMPLE, layout.width - span([min(one.width, layout.width // 2) for one in columns]) - GAP)
    samples = [_samples(use, room, layout.alphabet.ellipsis) for use in uses]
    yield from layout.table(*columns, Column("such as", samples))
    more = len(rest) + lead.outline.left_out
    if more:
        yield from layout.lines(f"and {plural(more, 'more path')}", "dim")
    yield from layout.lines(f"in a sample of {plural(lead.outline.rows, 'row')}", "dim")


def _samples(use: PathUse, room: int, ellipsis: str) -> str:
    """As many of its samples as there is room for, the first one in any case."""
    first, *others = [visible(one) for one in use.samples] or [""]
    text = shorten(first, room, ellipsis)
    for one in others:
        text = longer if cells(longer := f"{text}, {one}") <= room else text
    return text


def _what_next(lead: Lead, locations: Sequence[str], layout: Layout) -> Iterator[Text]:
    if lead.fits:
        yield from layout.lines(f"reads it: --schema {' or '.join(lead.fits)} ({title_of(lead.fits[0])})")
    elif lead.asks == "describe":
        yield from layout.lines("the events are in an array:")
    elif lead.flags:
        init = "mmstats schemas init writes them to a file to edit"
        yield from layout.lines(f"names that may serve as event columns ({init}):")
    else:
        return
    # Not wrapped: it is there to be copied.
    yield Text(layout.alphabet.escape(lead.command(locations)), "bold")
