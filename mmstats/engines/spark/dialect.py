"""In what the servers that speak Spark Connect differ, as far as it matters here."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be spoken to."""

    name: str
    quote: str  # makes a character of a path mean itself in a pattern
    declared: bool  # told the types of columns of Parquet, it reads no others; if not, it is fine with all of them
    mixed: bool  # reads several compressions at once
    trusting: bool  # takes strings of Parquet for text, whatever they are
    possessive: bool  # its regular expressions know possessive quantifiers
    disk: str  # what a local path begins with
    unread: str  # a regular expression found in the paths that it does not read
    origin: str = ""  # the column that tells of each row the path of its file
    lengths: str = ""  # the format of files that tells their lengths as its machines see them
    schemes: Mapping[str, str | None] = field(default_factory=dict)  # those of stores; None has other addresses there

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
    trusting=True,
    possessive=True,
    disk="file://",
    unread=rf"{_HIDDEN}|:[^/]*\Z|\.(?i:bz2|deflate|lz4|snappy|passthrough)\Z",  # it takes such for compressed
    origin="_metadata",
    lengths="binaryFile",
    schemes={"s3": "s3a", "az": None},
)
SAIL = Dialect(
    "Sail",
    "[{}]",
    declared=False,
    mixed=False,
    trusting=False,
    possessive=False,
    disk="",
    unread=rf"{_HIDDEN}|[\x00-\x1f\x7f]",
)
