"""How the stores of Google and Azure and servers of the web are reached: by options, else by the environment.

The library finds the keys of these itself, from the same variables here and in the engine.
"""

import os
from collections.abc import Mapping

from mmstats.events.storage.access import Access
from mmstats.events.storage.url import Url

_OPTIONS = ("endpoint", "azure_endpoint", "azure_storage_endpoint")  # as the library calls them
_VARIABLES = ("AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT")


def reached(url: Url, options: Mapping[str, str]) -> Access:
    """How a bucket, a container or a server is reached."""
    named = [options.get(name) for name in _OPTIONS] + [os.environ.get(name) for name in _VARIABLES]
    return Access(url.root, dict(options), at="" if url.is_web else next(filter(None, named), ""))
