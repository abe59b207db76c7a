"""What the servers that speak Spark Connect differ in, and the name of a file on each."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmstats.engines.spark.errors import refused
from mmstats.files.event_file import EventFile
from mmstats.wording import is_encodable


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One kind of server."""

    name: str
    glob_quote: str  # makes a character literal in a glob
    declares_types: bool  # columns of Parquet are read by declared types, and no others; else by the file's own
    trusts_strings: bool  # takes the strings of Parquet for UTF-8 unchecked
    local_prefix: str  # of a path on disk
    unread_paths: str  # a regular expression that is found in paths that it does not read
    metadata_column: str = ""  # holds the path of a row's file
    listing_format: str = ""  # reads the path and length of files as the cluster's machines see them
    schemes: Mapping[str, str | None] = field(default_factory=dict)  # of object stores; None is not known by its URL

    def path(self, file: EventFile) -> str:
        """The server's name for a file; raises Unreadable for an object store that it knows by another URL."""
        scheme, separator, rest = file.path.partition("://")
        if not separator:
            return self.local_prefix + os.path.abspath(file.path)  # noqa: PTH100 - symbolic links stay as they are
        named = self.schemes.get(scheme, scheme)
        if named is None:
            raise refused(file, f"a location in {scheme}://, which {self.name} knows by another address")
        return f"{named}://{rest}"

    def glob(self, file: EventFile) -> str:
        """A glob that matches the file alone; raises Unreadable for one that the server would not read."""
        if not is_encodable(file.path) or re.search(self.unread_paths, file.path):
            raise refused(file, f"a name that {self.name} does not read")
        return "".join(self.glob_quote.format(char) if char in "\\[]{}*?" else char for char in self.path(file))


_HIDDEN = r"(?:^|/)[_.][^/]*\Z"
SPARK = ServerKind(
    "Spark",
    glob_quote="\\{}",
    declares_types=True,
    trusts_strings=True,
    local_prefix="file://",
    unread_paths=rf"{_HIDDEN}|:[^/]*\Z",
    metadata_column="_metadata",
    listing_format="binaryFile",
    schemes={"s3": "s3a", "az": None},
)
SAIL = ServerKind(
    "Sail",
    glob_quote="[{}]",
    declares_types=False,
    trusts_strings=False,
    local_prefix="",
    unread_paths=rf"{_HIDDEN}|[\x00-\x1f\x7f]",
)
