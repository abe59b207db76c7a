"""From the locations a user names to the event files they hold."""

from collections.abc import Mapping, Sequence

from mmstats.errors import NotEvents
from mmstats.events import folders
from mmstats.events.listing import KNOWN, Listing
from mmstats.events.stdin import standard_input
from mmstats.events.storage.url import scheme_of
from mmstats.wording import visible


def find_files(
    locations: Sequence[str], input_format: str | None = None, storage_options: Mapping[str, str] | None = None
) -> Listing:
    """All event files of the locations: files, folders, prefixes of object stores and globs.

    A folder gives every event file below it but those whose name, or whose folder's name, starts with `.` or `_`; a
    folder that is a store gives those that its manifest lists.
    Raises NotEvents when a location names nothing or nothing of a known format, Unreadable when a folder may not be
    listed.
    """
    listing = Listing()
    try:
        _take_all(locations, input_format, storage_options or {}, listing)
        _require_some(listing, locations)
    except BaseException:
        listing.close()
        raise
    listing.files.sort(key=lambda file: file.path)
    return listing


def _take_all(locations: Sequence[str], input_format: str | None, options: Mapping[str, str], listing: Listing) -> None:
    remote = None
    for location in locations:
        if location == "-":
            listing.add_stream(standard_input(), "stdin", input_format)
        elif scheme_of(location) is None:
            folders.take(location.removeprefix("file://"), input_format, listing)
        else:
            from mmstats.events import prefixes  # with what it takes to read from afar

            remote = remote or prefixes.Prefixes(options)
            remote.take(location, input_format, listing)


def _require_some(listing: Listing, locations: Sequence[str]) -> None:
    if not listing.files and not listing.stores:
        others = {0: "no files", 1: "only 1 file of another kind"}
        found = others.get(listing.unknown, f"only {listing.unknown} files of other kinds")
        raise NotEvents(f"{', '.join(map(visible, locations))}: no event files, {found}", hint=KNOWN)
