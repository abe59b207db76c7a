"""Locations that are URLs, taken apart; a key is what a listing of the store calls it, not encoded in any way."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from mmstats.errors import NotEvents
from mmstats.wording import visible

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_LIKE_DISK = {"file"}
_SAID = "--storage-option and the environment say them"


@dataclass(frozen=True, slots=True)
class Url:
    """A location in an object store, or on a server of the web: whose, and what there."""

    scheme: str
    host: str  # a bucket, a container, or a host with its port
    key: str

    def __str__(self) -> str:
        return f"{self.root}/{self.key}"

    @property
    def root(self) -> str:
        """What all paths of the same store begin with."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_web(self) -> bool:
        """Whether it is one file on a server that cannot list."""
        return self.scheme in {"http", "https"}


def scheme_of(location: str) -> str | None:
    """The scheme of a location that is no path on disk, in lower case."""
    found = _SCHEME.match(location)
    return None if found is None or found[1].lower() in _LIKE_DISK else found[1].lower()


def read_url(location: str) -> Url:
    """A location, taken apart.

    Raises NotEvents for one that names no bucket, or what may be secret: a password, or a signed query.
    """
    scheme = scheme_of(location) or ""
    host, _, key = location[len(scheme) + 3 :].partition("/")
    if scheme not in {"http", "https"}:
        if not host:
            raise NotEvents(f"{visible(location)}: names no bucket", hint=f"{scheme}://BUCKET/PREFIX/")
        if ":" in host or ("@" in host and not scheme.startswith("abfs")):  # there it tells a container's account
            shown = visible(f"{scheme}://{host.rpartition('@')[2].partition(':')[0]}/{key}")
            raise NotEvents(f"{shown}: a location names no user, password or port", hint=_SAID)
        return Url(scheme, host, key)
    try:
        parts = urlsplit(location)
    except ValueError:
        raise NotEvents(f"{scheme}://: not the URL of a file") from None  # the rest may be secret
    if parts.query or parts.fragment or "@" in parts.netloc:
        shown = visible(f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
        raise NotEvents(f"{shown}: a URL with a password, a query or a fragment cannot be read", hint="download it")
    return Url(scheme, parts.netloc, unquote(parts.path).removeprefix("/"))


def web_address(root: str, key: str) -> str:
    """The URL of a file on a server of the web."""
    return f"{root}/{quote(key)}"
