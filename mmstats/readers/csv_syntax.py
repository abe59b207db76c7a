"""How the records of a CSV file are written: what separates and encloses their fields, and which lines are none."""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class CsvSyntax:
    """How records are written.

    A line that begins with the `comment` is none, nor is one that begins with the `mark` of names; empty for no such.
    """

    delimiter: str
    quotes: bool = True
    comment: str = ""
    mark: str = ""

    @cached_property
    def starts(self) -> tuple[bytes, ...]:
        """How lines begin that are no records."""
        return tuple(start.encode() for start in (self.mark, self.comment) if start)

    @cached_property
    def line_of_none(self) -> re.Pattern[bytes]:
        """A line break, behind which such a line begins."""
        return re.compile(rb"[\r\n](?=%s)" % b"|".join(map(re.escape, self.starts)))

    def is_names(self, line: bytes) -> bool:
        """Whether a line has the mark of names."""
        return bool(self.mark) and line.startswith(self.mark.encode())

    def names_in(self, line: bytes) -> tuple[str, ...]:
        """The names on a line with the mark: separated as fields are, or else by blanks."""
        rest = line.decode("utf-8", "replace").removeprefix(self.mark).strip()
        return tuple(rest.split(self.delimiter if self.delimiter in rest else None))
