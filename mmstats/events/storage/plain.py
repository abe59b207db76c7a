"""How the stores of Google and Azure and servers of the web are reached: by options, else by the environment.

The library finds the keys of these itself, from the same variables here and in the engine.
"""

from collections.abc import Mapping

from mmstats.events.storage.access import Access
from mmstats.events.storage.url import Url


def reached(url: Url, options: Mapping[str, str]) -> Access:
    """How a bucket, a container or a server is reached."""
    return Access(url.root, dict(options))
