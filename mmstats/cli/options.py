"""The options of each command, as tables, and how the parser takes one."""

import keyword
from dataclasses import replace
from inspect import Parameter
from typing import Annotated

import typer

from mmstats.api_keys import read_name
from mmstats.cli import completion
from mmstats.dataset import DATA, SOURCE
from mmstats.engine_address import read_engine
from mmstats.options import Option, add_text, switch
from mmstats.render import DESCRIPTION_FORMATS, FORMATS
from mmstats.serve.options import OPTIONS as SERVER
from mmstats.settings import COLORS
from mmstats.wording import read_size

Table = tuple[Option, ...]


def _source_without(*names: str) -> Table:
    return tuple(option for option in SOURCE if option.name not in names)


def _show(what: str, formats: tuple[str, ...]) -> Table:
    default = "table on a terminal, else json"
    return (
        Option("format", f"How to show {what}", choices=formats, default_text=default),
        Option("color", "Whether to colour tables", choices=COLORS, default_text="auto"),
    )


QUERY: Table = (
    *SOURCE,
    Option(
        "max_memory",
        "Refuse the question when it takes more than about this much memory, such as 700MiB.",
        read_size,
        metavar="SIZE",
    ),
    Option(
        "engine",
        "The engine: local, or a Spark Connect server, such as sc://HOST:15002",
        read_engine,
        metavar="ADDRESS",
        default_text="local",
    ),
    switch("no_cache", "Compute the answer without the cache, and do not store it there."),
    switch("explain", "Say what would be read, and how, instead of answering."),
    switch("stats", "Say on stderr what was read and how long it took."),
    *_show("the answer", FORMATS),
)
DESCRIBE: Table = (
    switch("check", "Check every row of every file: list what cannot be read, and exit with 1 if there is any."),
    *_source_without("skip_bad_rows", "trust_partitions"),
    *_show("the description", DESCRIPTION_FORMATS),
)
IMPORT: Table = (
    Option(
        "data",
        "Files, folders or globs of events, or - for stdin.",
        metavar="SOURCE",
        default=(),
        add=add_text,
        positional=True,
        required=True,
    ),
    Option(
        "to",
        "The folder or URL of the store, made where there is none.",
        metavar="STORE",
        nonempty=True,
        required=True,
    ),
    *_source_without("data", "sample", "trust_partitions"),
)
SERVE: Table = (
    replace(DATA, help="A file, folder, URL or glob of events; may be repeated."),
    *_source_without("data"),
    *SERVER,
)
KEYS_CREATE: Table = (Option("name", "What the key is for, to know it again in the list.", read_name, metavar="NAME"),)
KEYS_LIST = _show("the keys", DESCRIPTION_FORMATS)
KEYS_REVOKE: Table = (
    Option(
        "prefix", "The key's prefix, as listed, or the whole key.", metavar="PREFIX", positional=True, required=True
    ),
)

# What the shell offers for a value, where the choices do not say it.
_COMPLETERS: dict[str, completion.Completer] = {
    "event": completion.events,
    "group_by": completion.columns,
    "map": completion.mapped,
}


def parameter(option: Option) -> Parameter:
    """An option as the parser takes it from a function's signature: text, several texts or a switch."""
    metavar = option.metavar or "|".join(option.choices) or None
    default = option.default_text or (option.default if not option.is_switch else "")
    if option.positional:
        info = typer.Argument(help=option.help, metavar=metavar, show_default=False)
    else:
        info = typer.Option(
            option.flag,
            help=option.help + (f"  [default: {default}]" if default else ""),
            metavar=metavar,
            show_default=False,
            autocompletion=_COMPLETERS.get(option.name) or completion.among(option.choices),
        )
    kind = bool if option.is_switch else list[str] if option.repeatable else str
    return Parameter(
        option.name + "_" * keyword.iskeyword(option.name),
        Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind if option.required or option.is_switch else kind | None, info],
        default=Parameter.empty if option.required else False if option.is_switch else None,
    )
