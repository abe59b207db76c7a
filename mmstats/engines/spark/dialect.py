"""In what the servers that speak Spark Connect differ, as far as it matters here."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be spoken to.

    `quote` makes a character of a path mean itself in a pattern. A server that is `declared` the types of a Parquet
    file's columns reads no others; one that is not is fine with all of them. It may read `mixed` compressions at once.
    Its patterns may know `possessive` quantifiers.
    `disk` is what a local path begins with, and `schemes` are its own names for those of object stores.
    """

    name: str
    quote: str
    declared: bool
    mixed: bool
    possessive: bool
    disk: str
    schemes: Mapping[str, str] = field(default_factory=dict)

    def regex(self, possessive: str) -> str:
        """A regular expression whose groups repeat possessively, as the server knows it."""
        return possessive if self.possessive else possessive.replace("*+", "*").replace("}+", "}")

    def pattern(self, path: str) -> str:
        """A path as a pattern that matches it alone."""
        return "".join(self.quote.format(one) if one in "\\[]{}*?" else one for one in path)


SPARK = Dialect("Spark", "\\{}", declared=True, mixed=True, possessive=True, disk="file://", schemes={"s3": "s3a"})
SAIL = Dialect("Sail", "[{}]", declared=False, mixed=False, possessive=False, disk="")
