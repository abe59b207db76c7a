"""`mmstats serve`: the server started with its dataset, its options and the keys that open it."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mmstats.api_keys import Key, KeyFile, keys_file, new_key, read_key
from mmstats.cache import user_cache
from mmstats.cli import terminal
from mmstats.cli.datasets import SourceOptions
from mmstats.cli.exits import ExitCode
from mmstats.dataset import Dataset
from mmstats.engine_address import LOCAL
from mmstats.engines import engine_for
from mmstats.errors import InvalidParams, InvalidSettings, OutputError
from mmstats.serve.options import KEY_VARIABLE, read_options
from mmstats.settings import Settings, choose, settings_here


def serve(given: Mapping[str, Sequence[str]], source: SourceOptions, *, extensions: bool, auth: bool) -> int:
    """Answer the stats question over HTTP until a signal ends it; everything wrong with the options is said at once."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    if "-" in asked.locations:
        faults["data"] = ["must not be '-': standard input can be read only once, and a server reads again"]
    options = read_options(given, faults, extensions=extensions, auth=auth)
    if faults:
        raise InvalidParams(faults)
    settings = settings_here(os.environ)
    dataset = _dataset(asked, settings)
    options = replace(
        options, max_memory=options.max_memory or settings.max_memory, engine=options.engine or settings.engine
    )
    if options.engine and options.engine != LOCAL:
        engine_for(options.engine)  # what it lacks is said now, and not with the first query
    user_cache(os.environ)  # what is wrong with it is said now, and not with the first query
    keys = _keys() if options.auth else None

    from mmstats.serve.auth import Keyring  # after validation: a wrong option loads no server
    from mmstats.serve.observability import open_log
    from mmstats.serve.server import serve as run

    log = open_log(options.log_format, sys.stderr or Path(os.devnull).open("w"))  # noqa: SIM115 - open to the end
    keyring = Keyring(keys.file, keys.given, log) if keys else None
    ended_by = run(dataset, options, keyring, log, lambda url: _announce(url, keys))
    return ExitCode.INTERRUPTED if ended_by == signal.SIGINT else ExitCode.ANSWERED


def _dataset(asked: Dataset, settings: Settings) -> Dataset:
    dataset = choose(asked, settings)
    if dataset.is_sample and not asked.is_sample:
        raise InvalidParams({"data": ["is required"]}, hint="--sample serves the bundled sample")
    return dataset


@dataclass(frozen=True)
class _Keys:
    """The keys of a run beside those of the key file; `shown` is one made for it, to be shown to a person."""

    file: KeyFile
    given: tuple[Key, ...] = ()
    shown: Key | None = None


def _keys() -> _Keys:
    file = KeyFile(keys_file(os.environ))
    own = _key_of_environment()
    if own:
        return _Keys(file, (own,))
    if file.read():
        return _Keys(file)
    made = _made()
    return _Keys(file, (made,), made)


def _announce(url: str, keys: _Keys | None) -> None:
    """Print where the server is; for a person, also a request that it answers."""
    lines = [url]
    if sys.stdout is not None and sys.stdout.isatty():
        question = shlex.quote(f"{url}/v1/stats?from=2000-01-01&to=2100-01-01&group_by=event_name")
        lines += ["", *(["A key for this run only:", ""] if keys and keys.shown else [])]
        lines += [f"  curl {_header(keys)}{question}", "", f"{url}/docs describes it in a browser. Ctrl-C ends it.", ""]
    # When nobody reads it, the server serves all the same.
    with suppress(terminal.ClosedPipe, OutputError):
        terminal.write_text("\n".join(lines) + "\n")


def _header(keys: _Keys | None) -> str:
    if keys is None:
        return ""
    key = keys.shown.text if keys.shown else "<your key>"
    return f"-H {shlex.quote(f'Authorization: Bearer {key}')} "


def _key_of_environment() -> Key | None:
    text = os.environ.get(KEY_VARIABLE)
    if not text:
        return None
    try:
        key = read_key(text)
        if key.kind != "rk":
            raise ValueError("must be a key that reads: rk_…")
    except ValueError as fault:
        raise InvalidSettings(f"{KEY_VARIABLE} {fault}", hint="mmstats keys create") from None
    return key


def _made() -> Key:
    """A key for this run, if there is a person to show it to."""
    if sys.stdout is None or not sys.stdout.isatty():
        raise InvalidSettings("no key is configured, and nobody is there to be shown one", hint="mmstats keys create")
    return new_key()
