"""What is in a dataset, to be read on a terminal: a heading, then a table each of formats, columns and events."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mmstats.render.alphabet import Alphabet, alphabet_of
from mmstats.render.columns import Column
from mmstats.render.labels import shown
from mmstats.render.layout import Layout, figures, plural, print_sections, size
from mmstats.render.shares import percentages
from mmstats.reports import TOP, Check, Description
from mmstats.wording import visible

_FILES = 20  # with bad rows that are named


def print_description(description: Description, names: Sequence[str], console: Console) -> None:
    """Print `description`, headed by names, as wide as `console` allows; what is too long loses its middle."""
    page = _Page(description, names, alphabet_of(console.encoding), console.width)
    print_sections(page.sections(), console)


class _Page:
    """A description laid out for one width and one encoding."""

    def __init__(self, description: Description, names: Sequence[str], alphabet: Alphabet, width: int) -> None:
        self._of, self._names, self._dot = description, names, alphabet.dot
        self._layout = Layout(alphabet, width)

    def sections(self) -> Iterator[Iterable[Text]]:
        """The sections from top to bottom, some of them without lines."""
        yield self._heading()
        yield self._formats()
        yield self._columns()
        yield self._events()
        yield self._bad_rows()
        if self._of.check:
            yield self._check(self._of.check)

    def _heading(self) -> Iterator[Text]:
        about, dot = self._of, self._dot
        for name in self._names:
            yield from self._layout.lines(visible(name), "bold")
        parts = [plural(about.files, "file"), size(about.bytes), plural(about.rows, "row")]
        yield from self._layout.lines(f" {dot} ".join(parts))
        if about.first and about.last:
            yield from self._layout.lines(f"{_instant(about.first)} to {_instant(about.last)} UTC")
        if about.passed_over:
            yield from self._layout.lines(
                f"passed over {plural(about.passed_over, 'file')} of unknown extension", "dim"
            )

    def _formats(self) -> Iterator[Text]:
        uses = self._of.formats
        names = [f"{use.format} ({use.compression})" if use.compression else use.format for use in uses]
        files, sizes = [f"{use.files:,}" for use in uses], [size(use.bytes) for use in uses]
        return self._layout.table(Column("format", names), figures("files", files), figures("size", sizes))

    def _columns(self) -> Iterator[Text]:
        uses, rows = self._of.columns, self._of.rows
        nulls = [percentages([use.nulls, rows - use.nulls])[0] if rows else "" for use in uses]
        columns = [Column("column", [use.column for use in uses]), figures("null", nulls)]
        if any(use.sources != (use.column,) for use in uses):
            columns.append(Column("from", [", ".join(map(visible, use.sources)) for use in uses]))
        if uses:
            yield from self._layout.table(*columns)
        if self._of.missing:
            yield from self._layout.lines(f"not in the data: {', '.join(self._of.missing)}", "dim")

    def _events(self) -> Iterator[Text]:
        about, top = self._of, self._of.events[:TOP]
        counts = [count for _, count in top]
        shares = [percentages([count, about.rows - count])[0] for count in counts]
        if top:
            names = Column("event", [shown(name) for name, _ in top])
            yield from self._layout.table(
                names, figures("count", [f"{count:,}" for count in counts]), figures("share", shares)
            )
            if about.distinct > len(top):
                yield from self._layout.lines(f"{about.distinct:,} different names in all", "dim")

    def _bad_rows(self) -> Iterator[Text]:
        bad = sorted(self._of.bad_rows.items(), key=lambda item: -item[1])
        if bad:
            files = Column("left out as unreadable", [visible(file) for file, _ in bad[:_FILES]])
            yield from self._layout.table(files, figures("rows", [f"{rows:,}" for _, rows in bad[:_FILES]]))
            if len(bad) > _FILES:
                rest = sum(rows for _, rows in bad[_FILES:])
                yield from self._layout.lines(f"and {plural(rest, 'row')} of {len(bad) - _FILES:,} more files", "dim")

    def _check(self, check: Check) -> Iterator[Text]:
        if check.holds:
            yield from self._layout.lines("check: every file and every row can be read")
            return
        yield from self._layout.lines(f"check: {plural(check.total, 'fault')}", "bold")
        for fault in check.faults:
            # Not a table: what is wrong is a sentence, and must not be cut.
            parts = (visible(fault.file), fault.where, visible(fault.what))
            yield from self._layout.lines(": ".join(part for part in parts if part), indent=2)
        if check.total > len(check.faults):
            yield from self._layout.lines(f"and {check.total - len(check.faults):,} more", "dim")


def _instant(text: str) -> str:
    return text.removesuffix("Z").replace("T", " ")
