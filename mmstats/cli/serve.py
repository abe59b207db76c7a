"""`mmstats serve`: the server started with its dataset, its options and the keys that it accepts."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmstats.api_keys import Key, KeyFile, keys_file, new_key, read_key
from mmstats.cache import user_cache
from mmstats.cli import ExitCode
from mmstats.cli.options import SERVE
from mmstats.cli.terminal import ClosedPipe, is_terminal, write_text
from mmstats.dataset import SAMPLE_ALONE
from mmstats.engine_address import LOCAL
from mmstats.engines import engine_for
from mmstats.errors import InvalidParams, InvalidSettings, OutputError
from mmstats.options import Faults, Texts, read_options
from mmstats.serve.options import KEY_VARIABLE, serve_options
from mmstats.settings import choose_dataset, settings_here


def serve(texts: Texts) -> int:
    """Answer the stats question over HTTP until a signal ends it."""
    values = read_options(SERVE, texts, [SAMPLE_ALONE, _data_is_not_stdin])
    settings = settings_here(os.environ)
    dataset = choose_dataset(values, settings)
    if not (values["sample"] or values["data"]) and dataset.is_sample:
        raise InvalidParams({"data": ["is required"]}, hint="--sample serves the bundled sample")
    options = serve_options(values)
    options = replace(
        options, max_memory=options.max_memory or settings.max_memory, engine=options.engine or settings.engine
    )
    if options.engine and options.engine != LOCAL:
        engine_for(options.engine)  # what it lacks is raised now, and not with the first query
    user_cache(os.environ)  # what is wrong with it is raised now, and not with the first query
    file = KeyFile(keys_file(os.environ)) if options.auth else None
    key = new = None
    if file:
        key = _key_of_environment()
        if not key and not file.read():
            key = new = _key_for_this_run()

    from mmstats.serve.auth import Keyring  # after validation: a wrong option loads no server
    from mmstats.serve.log import open_log
    from mmstats.serve.server import serve as run

    log = open_log(options.log_format, sys.stderr or Path(os.devnull).open("w"))  # noqa: SIM115 - open to the end
    keyring = Keyring(file, (key,) if key else (), log) if file else None
    ended_by = run(dataset, options, keyring, log, partial(_announce, auth=options.auth, new=new))
    return ExitCode.INTERRUPTED if ended_by == signal.SIGINT else ExitCode.ANSWERED


def _data_is_not_stdin(texts: Texts, _: Mapping[str, Any]) -> Faults:
    reason = "must not be '-': standard input can be read only once, and a server reads again"
    return {"data": [reason]} if "-" in texts.get("data", ()) else {}


def _announce(url: str, *, auth: bool, new: Key | None) -> None:
    """Print where the server is; for a person, also a request that it answers, with the key if it is new."""
    lines = [url]
    if is_terminal():
        header = f"Authorization: Bearer {new.text if new else '<your key>'}"
        words = ["curl", *(["-H", shlex.quote(header)] if auth else [])]
        words += [shlex.quote(f"{url}/v1/stats?from=2000-01-01&to=2100-01-01&group_by=event_name")]
        lines += ["", *(["A key for this run only:", ""] if new else []), f"  {' '.join(words)}", ""]
        lines += [f"Open {url} in a browser to try it there. Ctrl-C ends it.", ""]
    # When nobody reads it, the server serves all the same.
    with suppress(ClosedPipe, OutputError):
        write_text("\n".join(lines) + "\n")


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


def _key_for_this_run() -> Key:
    """A new key, if there is a person to show it to."""
    if not is_terminal():
        raise InvalidSettings("no key is configured, and nobody is there to be shown one", hint="mmstats keys create")
    return new_key()
