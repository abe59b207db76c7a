"""`mmstats cache`: look at the cache, or clear it."""

import os
from typing import TYPE_CHECKING

from mmstats.answer import encode
from mmstats.cache import Cache, CacheInfo, configured_cache
from mmstats.cli.terminal import is_terminal, note, write_page, write_text
from mmstats.errors import OutputError, Unreadable
from mmstats.settings import settings_here
from mmstats.wording import visible

if TYPE_CHECKING:
    from rich.console import Console


def info() -> None:
    """Write where the cache is and how much is in it: a table on a terminal, else JSON."""
    cache = configured_cache(os.environ)
    try:
        found = cache.info()
    except OSError as error:
        raise Unreadable(visible(f"{cache.folder}: cannot be looked into: {error.strerror}")) from None
    if is_terminal():
        write_page(lambda console: _print_info(cache, found, console), settings_here(os.environ).color)
        return
    fields = {
        "folder": str(cache.folder),
        "entries": found.entries,
        "bytes": found.bytes,
        "most_bytes": cache.most_bytes,
        "most_entries": cache.most_entries,
        "kinds": found.kinds,
    }
    write_text(encode(fields) + "\n")


def _print_info(cache: Cache, found: CacheInfo, console: "Console") -> None:
    from mmstats.render.layout import Column, Layout, figures
    from mmstats.render.text import size

    layout = Layout(console)
    heading = [
        *layout.lines(visible(str(cache.folder)), "bold"),
        *layout.lines(f"{size(found.bytes)} of at most {size(cache.most_bytes)}"),
        *layout.lines(f"{found.entries:,} of at most {cache.most_entries:,} entries"),
    ]
    kinds = Column("kind", [kind.replace("_", " ") for kind in found.kinds])
    table = layout.table(kinds, figures("entries", [f"{count:,}" for count in found.kinds.values()]))
    layout.print_sections([heading, table])


def clear() -> None:
    """Remove the cache, with all that is in it."""
    cache = configured_cache(os.environ)
    try:
        dropped = cache.info().entries
        cache.clear()
    except OSError as error:
        raise OutputError(visible(f"{cache.folder}: cannot be cleared: {error.strerror}")) from None
    note(f"dropped {dropped:,} {'entry' if dropped == 1 else 'entries'}")
