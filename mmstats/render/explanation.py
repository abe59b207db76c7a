"""How a question would be answered, to be read on a terminal: what is read of which files, and the engine's plan."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from mmstats.render.alphabet import Alphabet, alphabet_of
from mmstats.render.columns import Column
from mmstats.render.layout import Layout, figures, plural, print_sections, size
from mmstats.reports import Explanation, FileUse, Use, count_files, read_bytes, read_rows
from mmstats.wording import visible

_FILES = 20  # that are named
_MEANING = {Use.READ: "to read", Use.KEPT: "kept from before", Use.OUTSIDE: "outside range or event"}


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Print `explanation` as wide as `console` allows; file names that are too long lose their middle."""
    alphabet = alphabet_of(console.encoding)
    print_sections(_sections(explanation, Layout(alphabet, console.width), alphabet), console)


def _sections(about: Explanation, layout: Layout, alphabet: Alphabet) -> Iterator[Iterable[Text]]:
    yield _heading(about, layout)
    yield _summary(about, layout)
    yield _reading(about, layout)
    # Not wrapped: what is below what is told by how far it is indented.
    yield [Text(alphabet.spelled(visible(step)), "dim") for step in about.plan]


def _heading(about: Explanation, layout: Layout) -> Iterator[Text]:
    if about.answer_kept:
        yield from layout.lines("the answer is kept from before: no file is read", "bold")
        return
    rows = read_rows(about.files)
    told = "rows that are not counted yet" if rows is None else plural(rows, "row")
    yield from layout.lines(f"at most {size(read_bytes(about.files))} to read, {told}", "bold")
    yield from layout.lines(f"columns: {', '.join(about.columns) or 'none'}")


def _summary(about: Explanation, layout: Layout) -> Iterator[Text]:
    uses = [use for use in Use if count_files(about.files, use)]
    of_use = [[one for one in about.files if one.use is use] for use in uses]
    return layout.table(
        Column("files", [_MEANING[use] for use in uses]),
        figures("number", [f"{len(files):,}" for files in of_use]),
        figures("size", [size(sum(one.size for one in files)) for files in of_use]),
        figures("to read", [size(read_bytes(files)) for files in of_use]),
    )


def _reading(about: Explanation, layout: Layout) -> Iterator[Text]:
    """The files to read, those of which most is read first."""
    files = sorted((one for one in about.files if one.use is Use.READ), key=lambda one: -one.bytes)
    if not files:
        return
    yield from layout.table(
        Column("to read", [one.file for one in files[:_FILES]]),
        figures("bytes", [size(one.bytes) for one in files[:_FILES]]),
        figures("rows", [_rows(one) for one in files[:_FILES]]),
    )
    if len(files) > _FILES:
        yield from layout.lines(f"and {plural(len(files) - _FILES, 'more file')}", "dim")


def _rows(one: FileUse) -> str:
    return "" if one.rows is None else f"{one.rows:,}"
