"""`mmstats config show`: what is set, and where; what may be a secret is not shown."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstats.answer import encode
from mmstats.api_keys import KEYS_VARIABLE, keys_file
from mmstats.cache import CACHE_VARIABLE, SIZE_VARIABLE, configured_cache
from mmstats.cli.options import CONFIG_SHOW
from mmstats.cli.output import choose_sink, tells_format
from mmstats.cli.terminal import show_report
from mmstats.engine_address import TOKEN_VARIABLE
from mmstats.options import Texts, read_options
from mmstats.render import DESCRIPTION_FORMATS
from mmstats.serve.options import KEY_VARIABLE
from mmstats.settings import CONFIG_VARIABLE, SETTINGS, Settings, own_file, settings_here

if TYPE_CHECKING:
    from rich.console import Console

VERSION = 1
DEFAULT = "default"
_HIDDEN = "***"
# What says how a store is reached and not by whose right; what other options hold may be a key.
_NO_SECRETS = frozenset(
    {
        *("endpoint", "endpoint_url", "endpoint_url_s3", "region", "default_region", "profile", "skip_signature"),
        *("timeout", "connect_timeout", "max_retries", "allow_http", "virtual_hosted_style_request"),
    }
)


def show(texts: Texts) -> None:
    """Write every setting with its value and where it is set: as a table or as JSON."""
    values = read_options(CONFIG_SHOW, texts, [tells_format(DESCRIPTION_FORMATS)])
    sink = choose_sink(values)
    settings = settings_here(os.environ)
    rows = [*_of_settings(settings), *_of_environment(os.environ)]
    fields = [{"name": name, "value": value, "from": origin} for name, value, origin in rows]

    def print_page(console: "Console") -> None:
        from mmstats.render.pages import print_settings

        print_settings([(name, _text(value), origin) for name, value, origin in rows], console)

    show_report(encode({"version": VERSION, "settings": fields}), print_page, values, settings, sink)


Row = tuple[str, Any, str]  # the name, the value as JSON has it, and where it is set


def _of_settings(settings: Settings) -> Iterator[Row]:
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        if setting.name == "storage_options":
            value = {name: _concealed(text) if name in _NO_SECRETS else _HIDDEN for name, text in value.items()}
        elif setting.name == "data":
            value = [_concealed(location) for location in value]
        elif setting.name == "engine":
            value = str(value)
        yield setting.name, value, settings.origins.get(setting.name, DEFAULT)


def _of_environment(environ: Mapping[str, str]) -> Iterator[Row]:
    """What only the environment sets."""
    cache = configured_cache(environ)
    found: Mapping[str, tuple[str, Any]] = {
        "config": (CONFIG_VARIABLE, str(own_file(Path.cwd(), environ))),
        "cache_dir": (CACHE_VARIABLE, str(cache.folder)),
        "cache_size": (SIZE_VARIABLE, cache.most_bytes),
        "keys_file": (KEYS_VARIABLE, str(keys_file(environ))),
        "serve_key": (KEY_VARIABLE, _HIDDEN if environ.get(KEY_VARIABLE) else None),
        "engine_token": (TOKEN_VARIABLE, _HIDDEN if environ.get(TOKEN_VARIABLE) else None),
    }
    for name, (variable, value) in found.items():
        yield name, value, variable if environ.get(variable) else DEFAULT


def _concealed(text: str) -> str:
    """A location without a password, or the query of a URL, in which a signature may be."""
    text = re.sub(r"(?<=://)[^/@]*@", f"{_HIDDEN}@", text)
    return re.sub(r"(?<=\?).*", _HIDDEN, text, flags=re.DOTALL) if re.match("https?://", text) else text


def _text(value: Any) -> str:
    """A value for eyes; empty for none."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
