"""In what the servers that speak Spark Connect differ, as far as it matters here."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be spoken to.

    `quote` makes a character of a path mean itself in a pattern. A server that is `declared` the types of a Parquet
    file's columns reads no others; one that is not is fine with all of them. It may read `mixed` compressions at once.
    Its patterns may know `possessive` quantifiers. `disk` is what a local path begins with, and `schemes` are its own
    names for those of object stores, None for one that it knows by other addresses. It may tell of each row the path of
    its file, in the column `origin`, and have a format of files that tells their `lengths` as its machines see them. It
    reads no path in which the pattern `unread` is found.
    """

    name: str
    quote: str
    declared: bool
    mixed: bool
    possessive: bool
    disk: str
    unread: str
    origin: str = ""
    lengths: str = ""
    schemes: Mapping[str, str | None] = field(default_factory=dict)

    def regex(self, possessive: str) -> str:
        """A regular expression whose groups repeat possessively, as the server knows it."""
        return possessive if self.possessive else possessive.replace("*+", "*").replace("}+", "}")

    def pattern(self, path: str) -> str:
        """A path as a pattern that matches it alone."""
        return "".join(self.quote.format(one) if one in "\\[]{}*?" else one for one in path)


_HIDDEN = r"(?:^|/)[_.][^/]*\Z"
SPARK = Dialect(
    "Spark",
    "\\{}",
    declared=True,
    mixed=True,
    possessive=True,
    disk="file://",
    unread=rf"{_HIDDEN}|:[^/]*\Z",
    origin="_metadata",
    lengths="binaryFile",
    schemes={"s3": "s3a", "az": None},
)
SAIL = Dialect(
    "Sail", "[{}]", declared=False, mixed=False, possessive=False, disk="", unread=rf"{_HIDDEN}|[\x00-\x1f\x7f]"
)
