"""An answer as a table to be read on a terminal.

Null is `null`; the empty string, the string `null` and texts with blanks at an end stand in double quotes.
Colour only repeats what the characters say.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mmstats.answer import Stats
from mmstats.render.alphabet import alphabet_of
from mmstats.render.caption import Caption
from mmstats.render.columns import GAP, Column, fitted
from mmstats.render.labels import NULL
from mmstats.render.records import records
from mmstats.render.widths import cells, wrap


def print_table(stats: Stats, caption: Caption, console: Console) -> None:
    """Print `stats` as wide as `console` allows, one line a row, and `caption` below.

    A terminal too narrow for labels and value side by side gets a line for each label instead.
    """
    alphabet = alphabet_of(console.encoding)
    columns = fitted(stats, alphabet, console.width)
    for line in grid(columns, alphabet.rule) if columns else records(stats, alphabet, console.width):
        print_line(console, line)
    print_line(console, Text())
    sentence = alphabet.spelled(caption.sentence(stats, alphabet.dot))
    for part in wrap(sentence, console.width, alphabet.ellipsis):
        print_line(console, Text(part, "dim"))


def print_line(console: Console, line: Text) -> None:
    """Print `line` as it is: it fits, and Rich, which measures some texts otherwise, must not wrap it."""
    console.print(line, soft_wrap=True)


def grid(columns: Sequence[Column], rule: str) -> Iterator[Text]:
    """A header, a rule under every named column, and the rows."""
    yield _row(columns, [column.name for column in columns], ["bold"] * len(columns))
    rules = [rule * column.width if column.name else "" for column in columns]
    yield _row(columns, rules, ["dim"] * len(columns))
    for texts in zip(*(column.texts for column in columns), strict=True):
        styles = ["dim" if text == NULL else column.style for column, text in zip(columns, texts, strict=True)]
        yield _row(columns, texts, styles)


def _row(columns: Sequence[Column], texts: Sequence[str], styles: Sequence[str]) -> Text:
    line = Text()
    for column, text, style in zip(columns, texts, styles, strict=True):
        blanks = " " * (column.width - cells(text))
        line.append(" " * GAP if line else "")
        line.append(blanks if column.right else "").append(text, style).append("" if column.right else blanks)
    line.rstrip()
    return line
