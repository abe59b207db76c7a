"""`mmstats serve`: the server started with its dataset, its options and the keys that open it."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mmstats.cli import stdout
from mmstats.cli.exits import ExitCode
from mmstats.cli.source import SourceOptions
from mmstats.dataset import Dataset, choose
from mmstats.errors import InvalidParams, InvalidSettings, OutputError
from mmstats.keyfile import KeyFile, keys_file
from mmstats.keys import Key, StoredKey, new_key, read_key
from mmstats.serve.options import ServeOptions, read_options
from mmstats.settings import settings_here

KEY_VARIABLE = "MMSTATS_SERVE_KEY"


def serve(given: Mapping[str, Sequence[str]], source: SourceOptions, *, extensions: bool, auth: bool) -> int:
    """Answer the stats question over HTTP until a signal ends it; everything wrong with the options is said at once."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    if "-" in asked.locations:
        faults["data"] = ["must not be '-': standard input can be read only once, and a server reads again"]
    options = read_options(given, faults, extensions=extensions, auth=auth)
    if faults:
        raise InvalidParams(faults)
    dataset = _dataset(asked)
    keys = _Keys(options)

    from mmstats.serve.keyring import Keyring  # after validation: a wrong option loads no server
    from mmstats.serve.log import open_log
    from mmstats.serve.server import serve as run

    log = open_log(options.log_format, sys.stderr)
    keyring = Keyring(keys.file, keys.given, log) if options.auth else None
    ended_by = run(dataset, options, keyring, log, keys.announce)
    return ExitCode.INTERRUPTED if ended_by == signal.SIGINT else ExitCode.ANSWERED


def _dataset(asked: Dataset) -> Dataset:
    dataset = choose(asked, settings_here(os.environ))
    if dataset.is_sample and not asked.is_sample:
        raise InvalidParams({"data": ["is required"]}, hint="--sample serves the bundled sample")
    return dataset


class _Keys:
    """The keys of this run: those of the key file, the environment's, or else one made for it."""

    def __init__(self, options: ServeOptions) -> None:
        self.file = KeyFile(keys_file(os.environ))
        self._shown: Key | None = None
        self._needed = options.auth
        own = _key_of_environment()
        if options.auth and own is None and not self.file.read():
            own = self._shown = _made()
        self.given = [StoredKey.of(own, None, datetime.now(UTC))] if own else []

    def announce(self, url: str) -> None:
        """Print where the server is; for a person, also a request that it answers."""
        lines = [url]
        if sys.stdout is not None and sys.stdout.isatty():
            question = shlex.quote(f"{url}/v1/stats?from=2000-01-01&to=2100-01-01&group_by=event_name")
            lines += ["", *(["A key for this run only:", ""] if self._shown else [])]
            lines += [f"  curl {self._header()}{question}", ""]
            lines += [f"{url}/docs describes it in a browser. Ctrl-C ends it.", ""]
        try:
            stdout.write_text("\n".join(lines) + "\n")
        except (stdout.ClosedPipe, OutputError):
            return  # nobody reads it; the server serves all the same

    def _header(self) -> str:
        if not self._needed:
            return ""
        key = self._shown.text if self._shown else "<your key>"
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
