"""How the server is to run: every option declared once, and the values that the server takes."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mmstats.engine_address import EngineAddress, read_engine
from mmstats.options import Option, switch
from mmstats.question.parameters import EXTENSIONS
from mmstats.wording import read_size

KEY_VARIABLE = "MMSTATS_SERVE_KEY"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_ORIGIN = re.compile(r"https?://[^/\s,@?#*]+|\*|null")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds; as many may come at once."""

    requests: int
    seconds: int


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the server is to run.

    `query_timeout` is in seconds, `max_memory` in bytes; a `rate_limit` or `max_memory` of None is no limit; an
    `engine` of None is the settings' to say, a `log_format` of None the terminal's; without `auth` nobody needs a key.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    cors_origin: frozenset[str] = frozenset()
    max_concurrency: int = field(default_factory=_cores)
    queue: int = 256
    query_timeout: int = 60
    max_memory: int | None = None
    rate_limit: Rate | None = None
    log_format: str | None = None
    engine: EngineAddress | None = None
    extensions: bool = False
    auth: bool = True


def _read_host(text: str) -> str:
    return text.removeprefix("[").removesuffix("]")


def _read_rate(text: str) -> Rate:
    match = re.fullmatch(r"0*([1-9][0-9]{0,8})/([smh])", text, re.ASCII)
    if not match:
        raise ValueError(f"must be a rate such as 50/s, 100/m or 1000/h, not {text!r}")
    return Rate(int(match[1]), _SECONDS[match[2]])


def _read_origin(text: str) -> str:
    try:
        if _ORIGIN.fullmatch(text) and urlsplit(text).port != 0:
            return text.lower()
    except ValueError:  # of a port that is no port
        pass
    raise ValueError(f"must be an origin such as https://app.example, without a path, not {text!r}")


def _add_origin(origins: frozenset[str], origin: str) -> frozenset[str]:
    return origins | {origin}


_DEFAULTS = ServeOptions()
OPTIONS: tuple[Option, ...] = (
    Option("host", "The address to listen on.", _read_host, metavar="HOST", default=_DEFAULTS.host, nonempty=True),
    Option("port", "The port to listen on; 0 picks one.", metavar="PORT", default=_DEFAULTS.port, bounds=(0, 65535)),
    switch("extensions", f"Accept parameters beyond the API: {', '.join(option.name for option in EXTENSIONS)}."),
    switch("no_auth", "Ask for no key; only on a loopback address."),
    Option(
        "cors_origin",
        "An origin whose pages may ask from a browser, such as https://app.example, or '*' for any; may be repeated.",
        _read_origin,
        metavar="ORIGIN",
        default=_DEFAULTS.cors_origin,
        add=_add_origin,
    ),
    Option(
        "max_concurrency",
        "How many queries run at once.",
        metavar="N",
        default=_DEFAULTS.max_concurrency,
        default_text="as many as cores",
        bounds=(1, 1024),
    ),
    Option("queue", "How many more queries may wait.", metavar="N", default=_DEFAULTS.queue, bounds=(0, 100_000)),
    Option(
        "query_timeout",
        "Seconds that a query may take.",
        metavar="SECONDS",
        default=_DEFAULTS.query_timeout,
        bounds=(1, 86400),
    ),
    Option(
        "max_memory",
        "About how much memory the process of one query may take, such as 700MiB.",
        read_size,
        metavar="SIZE",
    ),
    Option(
        "engine",
        "The engine: local, or a Spark Connect server.",
        read_engine,
        metavar="ADDRESS",
        default_text="local",
    ),
    Option("rate_limit", "How often one key may ask, such as 50/s, 100/m or 1000/h.", _read_rate, metavar="N/UNIT"),
    Option(
        "log_format",
        "How the log is written.",
        choices=("text", "json"),
        default_text="for eyes on a terminal, else text",
    ),
)


def serve_options(values: Mapping[str, Any]) -> ServeOptions:
    """How the server is to run by the values of `OPTIONS`."""
    named = {option.name: values[option.name] for option in OPTIONS if option.name != "no_auth"}
    return ServeOptions(**named, auth=not values["no_auth"])
