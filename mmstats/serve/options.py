"""How the server is to run: every option declared once, and the reading of them from text."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from mmstats.engine_address import EngineAddress, read_engine
from mmstats.wording import one_of, read_size

LOG_FORMATS = ("text", "json")
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

    `query_timeout` is in seconds, `max_memory` in bytes; a `rate_limit` or `max_memory` of None is none; an `engine` of
    None is the settings' to say; without `auth` nobody needs a key.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    cors_origin: frozenset[str] = frozenset()
    max_concurrency: int = field(default_factory=_cores)
    queue: int = 256
    query_timeout: int = 60
    max_memory: int | None = None
    rate_limit: Rate | None = None
    log_format: str = "text"
    engine: EngineAddress | None = None
    extensions: bool = False
    auth: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name, as a field of `ServeOptions` and with dashes as a flag, and how its text is read.

    `read` raises ValueError with the rest of the sentence "this option …".
    """

    name: str
    read: Callable[[str], Any]
    help: str
    metavar: str
    repeatable: bool = False
    default: str = ""

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return "--" + self.name.replace("_", "-")


def _integer(text: str, least: int, most: int) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or not least <= int(text) <= most:
        raise ValueError(f"must be an integer from {least} to {most}, not {text!r}")
    return int(text)


def _host(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text.removeprefix("[").removesuffix("]")


def _rate(text: str) -> Rate:
    match = re.fullmatch(r"0*([1-9][0-9]{0,8})/([smh])", text, re.ASCII)
    if not match:
        raise ValueError(f"must be a rate such as 50/s, 100/m or 1000/h, not {text!r}")
    return Rate(int(match[1]), _SECONDS[match[2]])


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text) or not _has_port(text):
        raise ValueError(f"must be an origin such as https://app.example, without a path, not {text!r}")
    return text.lower()


def _has_port(origin: str) -> bool:
    """Whether the port of an origin, where it names one, is one."""
    try:
        return urlsplit(origin).port != 0
    except ValueError:
        return False


OPTIONS = (
    Option("host", _host, "The address to listen on.", "HOST"),
    Option("port", partial(_integer, least=0, most=65535), "The port to listen on; 0 picks one.", "PORT"),
    Option(
        "cors_origin",
        _origin,
        "An origin whose pages may ask from a browser, such as https://app.example; may be repeated.",
        "ORIGIN",
        repeatable=True,
    ),
    Option(
        "max_concurrency",
        partial(_integer, least=1, most=1024),
        "How many queries run at once.",
        "N",
        default="as many as cores",
    ),
    Option("queue", partial(_integer, least=0, most=100_000), "How many more queries may wait.", "N"),
    Option("query_timeout", partial(_integer, least=1, most=86400), "Seconds that a query may take.", "SECONDS"),
    Option("max_memory", read_size, "About how much memory the process of one query may take, such as 700MiB.", "SIZE"),
    Option("engine", read_engine, "Who computes: local, or a Spark Connect server.", "ADDRESS", default="local"),
    Option("rate_limit", _rate, "How often one key may ask, such as 50/s, 100/m or 1000/h.", "N/UNIT"),
    Option("log_format", partial(one_of, choices=LOG_FORMATS), "How the log is written.", "|".join(LOG_FORMATS)),
)


def read_options(given: Mapping[str, Sequence[str]], faults: dict[str, list[str]], **switches: bool) -> ServeOptions:
    """The options that the texts given for each name say; what is wrong with one is added to the faults."""
    values: dict[str, Any] = dict(switches)
    for option in OPTIONS:
        try:
            texts = [option.read(text) for text in given.get(option.name, ())]
        except ValueError as fault:
            faults[option.name] = [str(fault)]
            continue
        if texts:
            values[option.name] = frozenset(texts) if option.repeatable else texts[0]
    return ServeOptions(**values)
