"""Event names that a describe has left in the user's cache, so that completion need not read any events."""

import contextlib
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from mmstats.cache import cache_folder, replace_file

VERSION = 1


def remember(locations: Sequence[str], names: Sequence[str]) -> None:
    """Keep the event names of the dataset at some locations; what cannot be kept is let go in silence."""
    if "-" in locations:
        return
    with contextlib.suppress(OSError, ValueError):  # a text that is no UTF-8 is a ValueError
        replace_file(
            _file(locations), json.dumps({"version": VERSION, "events": list(names)}, ensure_ascii=False).encode()
        )


def recall(locations: Sequence[str]) -> list[str]:
    """The event names kept for the dataset at some locations, the most frequent first; none when there are none."""
    try:
        kept = json.loads(_file(locations).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(kept, dict) or kept.get("version") != VERSION or not isinstance(kept.get("events"), list):
        return []
    return [name for name in kept["events"] if isinstance(name, str)]


def _file(locations: Sequence[str]) -> Path:
    key = b"\0".join(sorted({os.fsencode(_absolute(location)) for location in locations}))
    return cache_folder(os.environ) / f"{sha256(key).hexdigest()}.json"


def _absolute(location: str) -> str:
    return location if "://" in location else os.path.abspath(location)  # noqa: PTH100 – pathlib's keeps `..`
