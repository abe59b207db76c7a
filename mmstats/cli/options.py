"""The options of each command, as tables, and how the parser takes one."""

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import replace
from inspect import Parameter
from typing import Annotated, Any

import typer

from mmstats.api_keys import read_name
from mmstats.cli import completion
from mmstats.dataset import DATA
from mmstats.dataset import SOURCE as DATASET
from mmstats.engine_address import read_engine
from mmstats.options import Form, Option, add_text, switch
from mmstats.question.ranges import PERIODS, read_zone
from mmstats.render import DESCRIPTION_FORMATS, FILE_FORMATS
from mmstats.schemas import GEO_DATABASE, SCHEMA, read_bundled
from mmstats.serve.options import OPTIONS as SERVER
from mmstats.settings import COLORS, FORMAT_WORDS
from mmstats.wording import read_size

Table = tuple[Option, ...]
_ZONE = Option(
    "timezone",
    "The zone of timestamps in --timestamp-format that name none: an IANA name, or local.",
    read_zone,
    metavar="ZONE",
    default_text="UTC",
    nonempty=True,
)
SOURCE: Table = (*DATASET, SCHEMA, GEO_DATABASE)


def _source_without(*names: str) -> Table:
    return tuple(option for option in SOURCE if option.name not in names)


OUTPUT = Option(
    "output",
    "Write it to this file, whole or not at all; its name tells the format where --format does not.",
    lambda path: None if path == "-" else path,
    metavar="FILE",
    nonempty=True,
    short="o",
)


def _show(what: str, formats: tuple[str, ...]) -> Table:
    default = "table on a terminal, else json"
    return (
        Option(
            "format",
            f"How to show {what}",
            choices=formats,
            words=FORMAT_WORDS,
            default_text=default,
            short="f",
            choice_flags=tuple(one for one in ("json", "csv") if one in formats),
        ),
        OUTPUT,
        Option("color", "Whether to colour tables and messages", choices=COLORS, default_text="auto"),
        switch("no_pager", "Show what is longer than the terminal without a pager ($PAGER, else less)."),
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
    Option(
        "explain",
        "Say what would be read, and why, instead of answering; =full adds the engine's plan.",
        metavar="[=full]",
        choices=("summary", "full"),
        implied="summary",
    ),
    switch("stats", "Say on stderr what was read and how long it took."),
    *_show("the answer", FILE_FORMATS),
)
DESCRIBE: Table = (
    switch("check", "Check every row of every file: list what cannot be read, and exit with 1 if there is any."),
    *_source_without("skip_bad_rows", "trust_partitions"),
    _ZONE,
    *_show("the description", DESCRIPTION_FORMATS),
)
IMPORT: Table = (
    DATA,
    Option(
        "to",
        "The folder or URL of the store, made where there is none.",
        metavar="STORE",
        nonempty=True,
        required=True,
    ),
    *_source_without("data", "trust_partitions"),
    _ZONE,
)
SERVE: Table = (
    replace(DATA, help="A file, folder, URL or glob of events; may be repeated."),
    *_source_without("data"),
    *SERVER,
)
KEYS_CREATE: Table = (Option("name", "What the key is for, to know it again in the list.", read_name, metavar="NAME"),)
KEYS_LIST = _show("the keys", DESCRIPTION_FORMATS)
SCHEMAS_SHOW: Table = (
    Option("schema", "The one to print.", read_bundled, metavar="NAME", form=Form.ARGUMENT, required=True),
)
SCHEMAS_INIT: Table = (
    *_source_without("map", "schema", "geo_database", "skip_bad_rows", "trust_partitions"),
    replace(OUTPUT, help="Write it to this file, whole or not at all."),
)
CONFIG_SHOW = _show("the settings", DESCRIPTION_FORMATS)
KEYS_REVOKE: Table = (
    Option(
        "prefix",
        "The key's prefix, as listed, or the whole key.",
        metavar="PREFIX",
        form=Form.ARGUMENT,
        required=True,
    ),
)
HELP: Table = (
    Option(
        "command", "The command, and the one below it.", metavar="COMMAND", default=(), add=add_text, form=Form.ARGUMENT
    ),
)

# The values of a flag that needs none: what it means by itself comes first.
IMPLIED = {option.flag: (option.implied, *option.choices) for option in QUERY if option.implied}

# What the shell offers for a value, where the choices do not say it.
_COMPLETERS: dict[str, completion.Completer] = {
    "command": completion.commands,
    "event": completion.events,
    "group_by": completion.columns,
    "map": completion.mapped,
    "metric": completion.metrics,
    "order": completion.sort_keys,
    "period": completion.among(PERIODS),
    "timezone": completion.zones,
    "where": completion.filtered,
    "prefix": completion.key_prefixes,
    "schema": completion.schemas,
}


def parameters(option: Option) -> Iterator[Parameter]:
    """An option as the parser takes it from a function's signature: as an argument, and by each of its flags."""
    if option.form is not Form.FLAG:
        needed = option.required and option.form is Form.ARGUMENT
        argument = typer.Argument(
            help=option.help, metavar=option.metavar, show_default=False, autocompletion=_completer(option)
        )
        yield _parameter(_argument(option), list[str] if option.repeatable else str, argument, needed=needed)
    if option.form is not Form.ARGUMENT:
        default = option.default_text or (option.default if not option.is_switch else "")
        flag = typer.Option(
            *reversed(option.flags),
            help=(
                option.help
                if option.form is Form.FLAG
                else "The same behind a flag, after the arguments; may be repeated."
            )
            + (f"  [default: {default}]" if default else "")
            + ("  [required]" * option.required),
            metavar=option.metavar or "|".join(option.choices) or None,
            show_default=False,
            autocompletion=_completer(option),
        )
        kind = bool if option.is_switch else list[str] if option.repeatable else str
        yield _parameter(option.name, kind, flag)
    for choice in option.choice_flags:
        flag = typer.Option(f"--{choice}", help=f"Short for {option.flag} {choice}.", show_default=False)
        yield _parameter(_choice_flag(option, choice), bool, flag)


def written(option: Option, values: Mapping[str, Any]) -> list[str]:
    """All texts that the parser has found for an option: the arguments first, then what its flags say."""
    texts: list[str] = []
    for name in (_argument(option), _safe(option.name)):
        value = values.get(name)
        texts += ["true"] if value is True else [value] if isinstance(value, str) else value or []
    return texts + [choice for choice in option.choice_flags if values.get(_choice_flag(option, choice))]


def _parameter(name: str, kind: Any, info: Any, *, needed: bool = False) -> Parameter:
    return Parameter(
        _safe(name),
        Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind if needed or kind is bool else kind | None, info],
        default=Parameter.empty if needed else False if kind is bool else None,
    )


def _safe(name: str) -> str:
    return name + "_" * keyword.iskeyword(name)


def _argument(option: Option) -> str:
    return f"{option.name}_argument"


def _choice_flag(option: Option, choice: str) -> str:
    return f"{option.name}_{choice}"


def _completer(option: Option) -> completion.Completer | None:
    return _COMPLETERS.get(option.name) or (completion.among(option.choices) if option.choices else None)
