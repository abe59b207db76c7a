"""`mmstats keys`: make, list and revoke the API keys that are known here; a secret is shown once and never again."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mmstats.answer import encode
from mmstats.api_keys import KeyFile, StoredKey, keys_file, new_key, read_key, read_prefix
from mmstats.cli.options import KEYS_CREATE, KEYS_LIST
from mmstats.cli.output import choose_sink, tells_format
from mmstats.cli.parsing import WrongUsage
from mmstats.cli.terminal import ClosedPipe, note, show_report, write_text
from mmstats.errors import OutputError
from mmstats.interrupts import raised
from mmstats.options import Texts, read_options
from mmstats.render import DESCRIPTION_FORMATS
from mmstats.settings import settings_here
from mmstats.wording import did_you_mean, visible

if TYPE_CHECKING:
    from rich.console import Console

_LIST = "mmstats keys list shows the keys that are known here"


def create(texts: Texts) -> None:
    """Make a key and write it to stdout; a key that nobody could read is not stored."""
    name = read_options(KEYS_CREATE, texts)["name"]
    file = KeyFile(keys_file(os.environ))
    while True:
        key = new_key()
        stored = StoredKey.of(key, name, datetime.now(UTC))
        with suppress(ValueError):  # the prefix is taken
            with raised():
                file.add(stored)
            break
    try:
        write_text(key.text + "\n")
    except (ClosedPipe, OutputError):
        with suppress(KeyError):
            file.remove(key.prefix)
        raise
    note(f"this key is shown only this once; a digest of it is kept in {visible(str(file.path))}")


def show_all(texts: Texts) -> None:
    """Write the keys that are known here, as a table or as JSON, without what they are known by."""
    values = read_options(KEYS_LIST, texts, [tells_format(DESCRIPTION_FORMATS)])
    sink = choose_sink(values)
    keys = KeyFile(keys_file(os.environ)).read()
    rows = [{"prefix": key.prefix, "name": key.name, "created": key.created} for key in keys]

    def print_page(console: "Console") -> None:
        from mmstats.render.pages import print_keys

        print_keys(keys, console)

    show_report(encode({"keys": rows}), print_page, values, settings_here(os.environ), sink)


def revoke(text: str) -> None:
    """Remove the key that `text` is, or whose prefix it is; a secret in it is not repeated.

    Raises WrongUsage for a key that is not known here.
    """
    file = KeyFile(keys_file(os.environ))
    stored = _find(text, file.read())
    try:
        with raised():
            file.remove(stored.prefix)
    except KeyError:  # somebody else has revoked it meanwhile
        raise _unknown(stored.prefix, ()) from None
    name = f" ({visible(stored.name)})" if stored.name else ""
    note(f"revoked the key {stored.prefix}{name}")


def _find(text: str, keys: Sequence[StoredKey]) -> StoredKey:
    by_prefix = {stored.prefix: stored for stored in keys}
    try:
        key = read_key(text)
    except ValueError:
        try:
            prefix = read_prefix(text)
        except ValueError as fault:
            raise WrongUsage(f"PREFIX {fault}, or the whole key", hint=_LIST) from None
        if prefix not in by_prefix:
            raise _unknown(prefix, keys) from None
        return by_prefix[prefix]
    found = by_prefix.get(key.prefix)
    if found is None or not found.matches(key):
        raise WrongUsage("this key is not known here", hint=_LIST)
    return found


def _unknown(prefix: str, keys: Sequence[StoredKey]) -> WrongUsage:
    meant = did_you_mean(prefix, [stored.prefix for stored in keys])
    return WrongUsage(f"no key of prefix {prefix} is known here", hint=f"{meant} {_LIST}".lstrip())
