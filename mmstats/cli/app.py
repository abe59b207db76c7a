"""The commands as the parser knows them; what a command does lives in a module of its own."""

from collections.abc import Callable
from inspect import Signature
from typing import Annotated, Any

import typer

from mmstats.cli import options
from mmstats.cli.help import (
    CACHE,
    CONFIG,
    DESCRIBE,
    HELP,
    IMPORT,
    KEYS,
    KEYS_CREATE,
    KEYS_LIST,
    KEYS_REVOKE,
    QUERY,
    ROOT,
    SCHEMAS,
    SCHEMAS_INIT,
    SCHEMAS_SHOW,
    SERVE,
)
from mmstats.cli.parsing import Command, Group, ShowGroup, WrongUsage
from mmstats.options import Texts
from mmstats.question.parameters import QUESTION
from mmstats.recall import Recallable
from mmstats.version import __version__
from mmstats.wording import visible

app = typer.Typer(
    cls=Group,
    name="mmstats",
    help="Ask the stats query of a hosted analytics API of event files you have: Parquet, NDJSON, CSV or Arrow.",
    epilog=ROOT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmstats {__version__}")
        raise typer.Exit


def _show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool, typer.Option("--version", "-V", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Show the help when there is no command."""
    _show_help(context)


Run = Callable[..., int | Recallable | None]


def _command(group: typer.Typer, name: str, epilog: str, *tables: options.Table) -> Callable[[Run], Run]:
    """Make a function a command: its options are those of the tables, and it takes the texts written for each table."""

    def add(run: Run) -> Run:
        def call(**values: Any) -> int | Recallable | None:
            found = [[(option.name, options.written(option, values)) for option in table] for table in tables]
            return run(*({name: texts for name, texts in table if texts} for table in found))

        call.__doc__ = run.__doc__
        call.__signature__ = Signature(  # type: ignore[attr-defined]
            [parameter for table in tables for option in table for parameter in options.parameters(option)]
        )
        group.command(name, cls=Command, epilog=epilog)(call)
        return run

    return add


@_command(app, "query", QUERY, QUESTION, options.QUERY)
def query_command(question: Texts, texts: Texts) -> Recallable | None:
    """Count events, or distinct visitors, over a time range, grouped and bucketed."""
    from mmstats.cli.query import query

    return query(question, texts)


@_command(app, "describe", DESCRIBE, options.DESCRIBE)
def describe_command(texts: Texts) -> int:
    """Describe a dataset: files, rows, time range, columns, event names, and rows that cannot be read."""
    from mmstats.cli.datasets import describe

    return describe(texts)


@_command(app, "import", IMPORT, options.IMPORT)
def import_command(texts: Texts) -> None:
    """Import events into a store, which is faster to query: sorted, typed Parquet by day."""
    from mmstats.cli.datasets import import_

    import_(texts)


@_command(app, "serve", SERVE, options.SERVE)
def serve_command(texts: Texts) -> int:
    """Answer the same question over HTTP, as the hosted API does: GET /v1/stats."""
    from mmstats.cli.serve import serve

    return serve(texts)


def _list_schemas(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        from mmstats.cli.schemas import show_all

        show_all()


schemas = typer.Typer(
    help="List the tools whose exports are known, print how one is read, or draft a schema of your own.",
    invoke_without_command=True,
    callback=_list_schemas,
)
app.add_typer(schemas, name="schemas", cls=ShowGroup, epilog=SCHEMAS)


@_command(schemas, "show", SCHEMAS_SHOW, options.SCHEMAS_SHOW)
def schemas_show_command(texts: Texts) -> None:
    """Print how the export of a tool is read, as an example; `mmstats schemas NAME` does so too."""
    from mmstats.cli.schemas import show

    show(texts)


@_command(schemas, "init", SCHEMAS_INIT, options.SCHEMAS_INIT)
def schemas_init_command(texts: Texts) -> None:
    """Write a schema to edit: which columns and paths of your data may serve as event columns."""
    from mmstats.cli.schemas import init

    init(texts)


cache = typer.Typer(
    help="Show how large the cache of answers is, or clear it.",
    invoke_without_command=True,
    callback=_show_help,
)
app.add_typer(cache, name="cache", cls=Group, epilog=CACHE)


@_command(cache, "info", CACHE)
def cache_info_command() -> None:
    """Say where the cache is, how many entries it holds and what it takes on disk."""
    from mmstats.cli.cache import info

    info()


@_command(cache, "clear", CACHE)
def cache_clear_command() -> None:
    """Delete all entries of the cache."""
    from mmstats.cli.cache import clear

    clear()


config = typer.Typer(help="Show what is set, and where.", invoke_without_command=True, callback=_show_help)
app.add_typer(config, name="config", cls=Group, epilog=CONFIG)


@_command(config, "show", CONFIG, options.CONFIG_SHOW)
def config_show_command(texts: Texts) -> None:
    """Say what is set, by which file or variable, or by default; secrets are hidden."""
    from mmstats.cli.config import show

    show(texts)


keys = typer.Typer(
    help="Make, list and revoke API keys for your own server.", invoke_without_command=True, callback=_show_help
)
app.add_typer(keys, name="keys", cls=Group, epilog=KEYS)


@_command(keys, "create", KEYS_CREATE, options.KEYS_CREATE)
def keys_create_command(texts: Texts) -> None:
    """Make a key and print it: the only time that it is shown."""
    from mmstats.cli.keys import create

    create(texts)


@_command(keys, "list", KEYS_LIST, options.KEYS_LIST)
def keys_list_command(texts: Texts) -> None:
    """List the keys; their secrets are not stored."""
    from mmstats.cli.keys import show_all

    show_all(texts)


@_command(keys, "revoke", KEYS_REVOKE, options.KEYS_REVOKE)
def keys_revoke_command(texts: Texts) -> None:
    """Remove a key, so that it is not accepted any more."""
    from mmstats.cli.keys import revoke

    revoke(*texts["prefix"])


@_command(app, "help", HELP, options.HELP)
def help_command(texts: Texts) -> int:
    """Show the help of a command, as its --help does."""
    words = texts.get("command", ())
    command: Any = typer.main.get_command(app)
    for at, word in enumerate(words):
        if not isinstance(command, Group):
            known = f"mmstats help {' '.join(words[:at])}"
            raise WrongUsage(f"no such command: {visible(' '.join(words))}", hint=known)
        command = command.commands.get(word, command)
    shown: int = typer.main.get_command(app).main([*words, "--help"], prog_name="mmstats", standalone_mode=False)
    return shown
