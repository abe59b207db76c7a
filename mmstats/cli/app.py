"""The commands and their options, as the parser knows them; what a command does lives in a module of its own."""

from typing import Annotated

import typer

from mmstats.cli import options as opt
from mmstats.cli.completion import Completing
from mmstats.cli.help import CACHE, DESCRIBE, IMPORT, KEYS, KEYS_CREATE, KEYS_LIST, KEYS_REVOKE, QUERY, ROOT, SERVE
from mmstats.cli.parsing import Command, Group, KeyCommand, KeyGroup
from mmstats.render import DESCRIPTION_FORMATS
from mmstats.version import __version__

app = typer.Typer(
    cls=Completing,
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


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Show the help when there is no command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("query", cls=Command, epilog=QUERY)
def query_command(
    metric: opt.Metric = None,
    from_: opt.From = None,
    to: opt.To = None,
    event: opt.Event = None,
    group_by: opt.GroupBy = None,
    interval: opt.Interval = None,
    limit: opt.Limit = None,
    all_: opt.All = False,
    exact: opt.Exact = False,
    fill: opt.Fill = False,
    data: opt.Data = None,
    sample: opt.Sample = False,
    map_: opt.Map = None,
    input_format: opt.InputFormat = None,
    timestamp_unit: opt.TimestampUnit = None,
    skip_bad_rows: opt.SkipBadRows = False,
    trust_partitions: opt.TrustPartitions = False,
    storage_option: opt.StorageOption = None,
    max_memory: opt.MaxMemory = None,
    engine: opt.Engine = None,
    no_cache: opt.NoCache = False,
    explain: opt.Explain = False,
    stats: opt.Stats = False,
    format: opt.Format = None,
    color: opt.Color = None,
) -> None:
    """Count events, or distinct visitors, over a time range, grouped and bucketed."""
    from mmstats.cli.datasets import SourceOptions
    from mmstats.cli.query import WorkOptions, query
    from mmstats.cli.terminal import ShowOptions
    from mmstats.question.query import Extensions

    once = {"metric": metric, "from": from_, "to": to, "event": event, "interval": interval, "limit": limit}
    given = {**{name: None if value is None else [value] for name, value in once.items()}, "group_by": group_by}
    query(
        given,
        Extensions(exact=exact, fill=fill, unlimited=all_),
        SourceOptions(
            data, sample, map_, input_format, timestamp_unit, skip_bad_rows, trust_partitions, storage_option
        ),
        ShowOptions(format, color),
        WorkOptions(max_memory, engine, no_cache, explain, stats),
    )


@app.command("describe", cls=Command, epilog=DESCRIBE)
def describe_command(
    check: opt.Check = False,
    data: opt.Data = None,
    sample: opt.Sample = False,
    map_: opt.Map = None,
    input_format: opt.InputFormat = None,
    timestamp_unit: opt.TimestampUnit = None,
    storage_option: opt.StorageOption = None,
    format: opt.DescribeFormat = None,
    color: opt.Color = None,
) -> int:
    """Say what is in a dataset: files, rows, time range, columns, event names, and rows that cannot be read."""
    from mmstats.cli.datasets import SourceOptions, describe
    from mmstats.cli.terminal import ShowOptions

    return describe(
        SourceOptions(data, sample, map_, input_format, timestamp_unit, storage_options=storage_option),
        ShowOptions(format, color, DESCRIPTION_FORMATS),
        check=check,
    )


@app.command("import", cls=Command, epilog=IMPORT)
def import_command(
    source: opt.Sources,
    to: opt.Store,
    map_: opt.Map = None,
    input_format: opt.InputFormat = None,
    timestamp_unit: opt.TimestampUnit = None,
    skip_bad_rows: opt.SkipBadRows = False,
    storage_option: opt.StorageOption = None,
) -> None:
    """Take events into a store, which is faster to ask: sorted, typed Parquet by day."""
    from mmstats.cli.datasets import SourceOptions, import_

    given = SourceOptions(
        source, False, map_, input_format, timestamp_unit, skip_bad_rows, storage_options=storage_option
    )
    import_(given, to)


@app.command("serve", cls=Command, epilog=SERVE)
def serve_command(
    data: opt.Served = None,
    sample: opt.Sample = False,
    map_: opt.Map = None,
    input_format: opt.InputFormat = None,
    timestamp_unit: opt.TimestampUnit = None,
    skip_bad_rows: opt.SkipBadRows = False,
    trust_partitions: opt.TrustPartitions = False,
    storage_option: opt.StorageOption = None,
    host: opt.Host = None,
    port: opt.Port = None,
    extensions: opt.AcceptExtensions = False,
    no_auth: opt.NoAuth = False,
    cors_origin: opt.CorsOrigin = None,
    max_concurrency: opt.MaxConcurrency = None,
    queue: opt.Queue = None,
    query_timeout: opt.QueryTimeout = None,
    max_memory: opt.ServedMemory = None,
    engine: opt.ServedEngine = None,
    rate_limit: opt.RateLimit = None,
    log_format: opt.LogFormat = None,
) -> int:
    """Answer the same question over HTTP, as the hosted API does: GET /v1/stats."""
    from mmstats.cli.datasets import SourceOptions
    from mmstats.cli.serve import serve

    once = {"host": host, "port": port, "max_concurrency": max_concurrency, "queue": queue}
    once |= {"query_timeout": query_timeout, "max_memory": max_memory, "engine": engine}
    once |= {"rate_limit": rate_limit, "log_format": log_format}
    given = {**{name: [value] for name, value in once.items() if value is not None}, "cors_origin": cors_origin or []}
    source = SourceOptions(
        data, sample, map_, input_format, timestamp_unit, skip_bad_rows, trust_partitions, storage_option
    )
    return serve(given, source, extensions=extensions, auth=not no_auth)


cache = typer.Typer(help="Look at what is kept to answer a question sooner when it is asked again, or drop it.")
app.add_typer(cache, name="cache", cls=Group, epilog=CACHE)


@cache.callback(invoke_without_command=True)
def cache_root(context: typer.Context) -> None:
    """Show the help when there is no command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@cache.command("info", cls=Command, epilog=CACHE)
def cache_info_command() -> None:
    """Say where the cache is, how many entries it holds and how large it is, as JSON."""
    from mmstats.cli.cache import info

    info()


@cache.command("clear", cls=Command, epilog=CACHE)
def cache_clear_command() -> None:
    """Drop all that is kept."""
    from mmstats.cli.cache import clear

    clear()


keys = typer.Typer(help="Make, list and revoke API keys for your own server.")
app.add_typer(keys, name="keys", cls=KeyGroup, epilog=KEYS)


@keys.callback(invoke_without_command=True)
def keys_root(context: typer.Context) -> None:
    """Show the help when there is no command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@keys.command("create", cls=KeyCommand, epilog=KEYS_CREATE)
def keys_create_command(name: opt.KeyName = None) -> None:
    """Make a key and print it: the only time that it is shown."""
    from mmstats.cli.keys import create

    create(name)


@keys.command("list", cls=KeyCommand, epilog=KEYS_LIST)
def keys_list_command(format: opt.KeysFormat = None, color: opt.Color = None) -> None:
    """List the keys; their secrets are not kept."""
    from mmstats.cli.keys import show_all
    from mmstats.cli.terminal import ShowOptions

    show_all(ShowOptions(format, color, DESCRIPTION_FORMATS))


@keys.command("revoke", cls=KeyCommand, epilog=KEYS_REVOKE)
def keys_revoke_command(prefix: opt.KeyPrefix) -> None:
    """Forget a key, so that it is not accepted any more."""
    from mmstats.cli.keys import revoke

    revoke(prefix)
