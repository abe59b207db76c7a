"""`mmstats cache`: what is kept to answer sooner."""

import os

from mmstats.answer import encode
from mmstats.cache import user_cache
from mmstats.cli import terminal
from mmstats.errors import OutputError
from mmstats.wording import visible


def info() -> None:
    """Write where the cache is and how much is in it."""
    cache = user_cache(os.environ)
    entries = cache.entries()
    size = sum(entry.stat().st_size for entry in entries)
    told = {"folder": str(cache.folder), "entries": len(entries), "bytes": size, "most_bytes": cache.most_bytes}
    terminal.write_text(encode(told) + "\n")


def clear() -> None:
    """Drop all entries."""
    cache = user_cache(os.environ)
    dropped = len(cache.entries())
    try:
        cache.clear()
    except OSError as error:
        raise OutputError(visible(f"{cache.folder}: cannot be cleared: {error.strerror}")) from None
    terminal.note(f"dropped {dropped:,} {'entry' if dropped == 1 else 'entries'}")
