"""`mmstats cache`: look at the cache, or clear it."""

import os

from mmstats.answer import encode
from mmstats.cache import user_cache
from mmstats.cli.terminal import note, write_text
from mmstats.errors import OutputError
from mmstats.wording import visible


def info() -> None:
    """Write where the cache is and how much is in it."""
    cache = user_cache(os.environ)
    entries = cache.entries()
    size = sum(entry.stat().st_size for entry in entries)
    fields = {"folder": str(cache.folder), "entries": len(entries), "bytes": size, "most_bytes": cache.most_bytes}
    write_text(encode(fields) + "\n")


def clear() -> None:
    """Drop all entries."""
    cache = user_cache(os.environ)
    dropped = len(cache.entries())
    try:
        cache.clear()
    except OSError as error:
        raise OutputError(visible(f"{cache.folder}: cannot be cleared: {error.strerror}")) from None
    note(f"dropped {dropped:,} {'entry' if dropped == 1 else 'entries'}")
