"""The storages of a dataset's locations, each opened when a location first needs it."""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from cachetools import TTLCache

from mmstats.errors import InvalidSettings, NotEvents
from mmstats.events.storage.access import ENVIRONMENT, Access
from mmstats.events.storage.url import Url
from mmstats.wording import visible

if TYPE_CHECKING:
    from mmstats.events.storage.objects import Objects

_PLAIN = "mmstats.events.storage.plain"
_AWS = "mmstats.events.storage.aws"
# Who finds out how a store is reached, by the scheme of its locations.
REACHED_BY = {
    "s3": _AWS,
    "gs": _PLAIN,
    "az": _PLAIN,
    "abfs": _PLAIN,
    "abfss": _PLAIN,
    "http": _PLAIN,
    "https": _PLAIN,
}
_EXTRA = {_AWS: "s3", _PLAIN: "remote"}
# Keys that had to be asked for, as of a service, are asked for again after so many seconds, or when they expire.
_KEPT_SECONDS = 120
_kept: "TTLCache[object, Access]" = TTLCache(8, _KEPT_SECONDS)


class Storages:
    """The object stores of one dataset; `options` are what the user says of how they are reached."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = {name.lower(): value for name, value in options.items()}
        self._open: dict[str, Objects] = {}

    def of(self, url: Url) -> "Objects":
        """The store of a location.

        Raises NotEvents for a scheme that nobody speaks, InvalidSettings where a library is missing or the
        configuration is wrong, and Unreadable where credentials cannot be had.
        """
        if url.root not in self._open:
            finder = _finder(url)
            access = _reached(finder, url, self._options)
            from mmstats.events.storage.objects import Objects

            self._open[url.root] = Objects(access)
        return self._open[url.root]


def _finder(url: Url) -> str:
    finder = REACHED_BY.get(url.scheme)
    if finder is None:
        known = ", ".join(f"{scheme}://" for scheme in REACHED_BY)
        raise NotEvents(f"{visible(str(url))}: unknown scheme {visible(url.scheme)!r}", hint=f"known are {known}")
    if find_spec("obstore") is None:
        extra = _EXTRA[finder]
        raise InvalidSettings(f"{url.scheme}:// needs obstore", hint=f"pip install 'mmstats[{extra}]'")
    return finder


def _reached(finder: str, url: Url, options: Mapping[str, str]) -> Access:
    with ENVIRONMENT:
        told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        asked = (url.root, tuple(sorted(options.items())), told)
        if asked not in _kept:
            _kept[asked] = cast(Access, import_module(finder).reached(url, options))
        return _kept[asked]
