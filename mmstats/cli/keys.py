"""`mmstats keys`: make, list and revoke the API keys that are known here, and show a secret once and never again."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from mmstats.answer import encode
from mmstats.api_keys import Key, KeyFile, StoredKey, keys_file, new_key, read_key, read_name, read_prefix
from mmstats.cli import terminal
from mmstats.cli.parsing import WrongUsage
from mmstats.cli.terminal import ShowOptions, drawn
from mmstats.errors import InvalidParams, OutputError
from mmstats.settings import settings_here
from mmstats.wording import did_you_mean, visible

_LIST = "mmstats keys list shows the keys that are known here"


def create(name: str | None) -> None:
    """Make a key and write it to stdout; a key that nobody could read is not kept."""
    if name is not None:
        try:
            read_name(name)
        except ValueError as fault:
            raise InvalidParams({"name": [str(fault)]}) from None
    file = KeyFile(keys_file(os.environ))
    key = _added(file, name)
    try:
        terminal.write_text(key.text + "\n")
    except (terminal.ClosedPipe, OutputError):
        with suppress(KeyError):
            file.remove(key.prefix)
        raise
    terminal.note(f"this key is shown only this once; a digest of it is kept in {visible(str(file.path))}")


def _added(file: KeyFile, name: str | None) -> Key:
    while True:
        key = new_key()
        stored = StoredKey.of(key, name, datetime.now(UTC))
        try:
            file.add(stored)
        except ValueError:  # the prefix is taken
            continue
        return key


def show_all(shown: ShowOptions) -> None:
    """Write the keys that are known here, as a table or as JSON, without what they are known by."""
    faults: dict[str, list[str]] = {}
    shown.check(faults)
    if faults:
        raise InvalidParams(faults)
    keys = KeyFile(keys_file(os.environ)).read()
    form, color = shown.chosen(settings_here(os.environ))
    if form == "json":
        rows = [{"prefix": key.prefix, "name": key.name, "created": key.created} for key in keys]
        terminal.write_text(encode({"keys": rows}) + "\n")
    else:
        terminal.write_page(_page(keys, color))


def _page(keys: Sequence[StoredKey], color: str) -> str:
    from mmstats.render.pages import print_keys

    return drawn(lambda console: print_keys(keys, console), color)


def revoke(text: str) -> None:
    """Forget the key that `text` is, or whose prefix it is; a secret in it is not repeated.

    Raises WrongUsage for a key that is not known here.
    """
    file = KeyFile(keys_file(os.environ))
    stored = _wanted(text, file.read())
    try:
        file.remove(stored.prefix)
    except KeyError:
        raise _unknown(stored.prefix, ()) from None
    name = f" ({visible(stored.name)})" if stored.name else ""
    terminal.note(f"revoked the key {stored.prefix}{name}")


def _wanted(text: str, keys: Sequence[StoredKey]) -> StoredKey:
    by_prefix = {stored.prefix: stored for stored in keys}
    try:
        key = read_key(text)
    except ValueError:
        prefix = _prefix(text)
        if prefix not in by_prefix:
            raise _unknown(prefix, keys) from None
        return by_prefix[prefix]
    found = by_prefix.get(key.prefix)
    if found is None or not found.matches(key):
        raise WrongUsage("this key is not known here", hint=_LIST)
    return found


def _prefix(text: str) -> str:
    try:
        return read_prefix(text)
    except ValueError as fault:
        raise WrongUsage(f"PREFIX {fault}, or the whole key", hint=_LIST) from None


def _unknown(prefix: str, keys: Sequence[StoredKey]) -> WrongUsage:
    meant = did_you_mean(prefix, [stored.prefix for stored in keys])
    return WrongUsage(f"no key of prefix {prefix} is known here", hint=f"{meant} {_LIST}".lstrip())
