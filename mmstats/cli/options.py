"""The options of the commands, each declared once; those of the question come from its parameters."""

from typing import Annotated, Any

import typer

from mmstats.cli import completion
from mmstats.dataset import INPUT_FORMATS, TIMESTAMP_UNITS
from mmstats.question.parameters import BY_NAME, EXTENSIONS
from mmstats.render import DESCRIPTION_FORMATS, FORMATS
from mmstats.serve.options import OPTIONS, ServeOptions
from mmstats.settings import COLORS


def _question(name: str) -> Any:
    parameter = BY_NAME[name]
    default = f"  [default: {parameter.default}]" if parameter.default else ""
    return typer.Option(
        parameter.flag,
        help=parameter.help + default,
        metavar=parameter.metavar,
        show_default=False,
        autocompletion=completion.VALUES.get(name),
    )


def _extension(name: str) -> Any:
    extension = next(one for one in EXTENSIONS if one.name == name)
    return _option(f"--{name}", extension.help)


def _serving(name: str) -> Any:
    option = next(one for one in OPTIONS if one.name == name)
    default = option.default or getattr(ServeOptions(), name)
    shown = f"  [default: {default}]" if default else ""
    return typer.Option(option.flag, help=option.help + shown, metavar=option.metavar, show_default=False)


def _option(flag: str, help: str, **more: Any) -> Any:
    return typer.Option(flag, help=help, show_default=False, **more)


def _one_of(choices: tuple[str, ...]) -> dict[str, Any]:
    return {"metavar": "|".join(choices), "autocompletion": completion.among(choices)}


Metric = Annotated[str | None, _question("metric")]
From = Annotated[str | None, _question("from")]
To = Annotated[str | None, _question("to")]
Event = Annotated[str | None, _question("event")]
GroupBy = Annotated[list[str] | None, _question("group_by")]
Interval = Annotated[str | None, _question("interval")]
Limit = Annotated[str | None, _question("limit")]

All = Annotated[bool, _extension("all")]
Exact = Annotated[bool, _extension("exact")]
Fill = Annotated[bool, _extension("fill")]

Data = Annotated[
    list[str] | None,
    _option(
        "--data", "A file, folder, s3:// prefix or glob of events, or - for stdin; may be repeated.", metavar="LOCATION"
    ),
]
Sample = Annotated[bool, _option("--sample", "Take the bundled sample.")]
Map = Annotated[
    list[str] | None,
    _option(
        "--map",
        "Read an event column from another of the data's columns; may be repeated.",
        metavar="COLUMN=NAME",
        autocompletion=completion.mapped,
    ),
]
InputFormat = Annotated[
    str | None,
    _option("--input-format", "The format of the data, whatever its names say.", **_one_of(INPUT_FORMATS)),
]
TimestampUnit = Annotated[
    str | None,
    _option("--timestamp-unit", "The unit of numeric timestamps, by default told by size.", **_one_of(TIMESTAMP_UNITS)),
]
SkipBadRows = Annotated[bool, _option("--skip-bad-rows", "Leave out rows that cannot be read, and say how many.")]
TrustPartitions = Annotated[
    bool, _option("--trust-partitions", "Let day=YYYY-MM-DD folders decide which files a range needs.")
]
StorageOption = Annotated[
    list[str] | None,
    _option(
        "--storage-option",
        "How object stores are reached, such as endpoint or region; may be repeated.",
        metavar="KEY=VALUE",
    ),
]
Format = Annotated[
    str | None,
    _option(
        "--format",
        "How to show the answer  [default: table on a terminal, else json]",
        **_one_of(FORMATS),
    ),
]
DescribeFormat = Annotated[
    str | None,
    _option(
        "--format",
        "How to show the description  [default: table on a terminal, else json]",
        **_one_of(DESCRIPTION_FORMATS),
    ),
]
Check = Annotated[
    bool,
    _option("--check", "Judge every row of every file: what cannot be read is named, and the exit code is 1."),
]
Color = Annotated[
    str | None,
    _option("--color", "Whether to colour tables  [default: auto]", **_one_of(COLORS)),
]

MaxMemory = Annotated[
    str | None,
    _option(
        "--max-memory",
        "Refuse the question when it takes more than about this much memory, such as 700MiB.",
        metavar="SIZE",
    ),
]
Engine = Annotated[
    str | None,
    _option(
        "--engine",
        "Who computes: local, or a Spark Connect server, such as sc://HOST:15002  [default: local]",
        metavar="ADDRESS",
    ),
]
NoCache = Annotated[bool, _option("--no-cache", "Compute the answer although it may be kept, and do not keep it.")]
Explain = Annotated[bool, _option("--explain", "Say what would be read, and how, instead of answering.")]
Stats = Annotated[bool, _option("--stats", "Say on stderr what was read and how long it took.")]
Served = Annotated[
    list[str] | None,
    _option("--data", "A file, folder, URL or glob of events; may be repeated.", metavar="LOCATION"),
]
Host = Annotated[str | None, _serving("host")]
Port = Annotated[str | None, _serving("port")]
CorsOrigin = Annotated[list[str] | None, _serving("cors_origin")]
MaxConcurrency = Annotated[str | None, _serving("max_concurrency")]
Queue = Annotated[str | None, _serving("queue")]
ServedMemory = Annotated[str | None, _serving("max_memory")]
ServedEngine = Annotated[str | None, _serving("engine")]
QueryTimeout = Annotated[str | None, _serving("query_timeout")]
RateLimit = Annotated[str | None, _serving("rate_limit")]
LogFormat = Annotated[str | None, _serving("log_format")]
NoAuth = Annotated[bool, _option("--no-auth", "Ask for no key; only on a loopback address.")]
AcceptExtensions = Annotated[
    bool,
    _option("--extensions", f"Accept parameters beyond the API: {', '.join(one.name for one in EXTENSIONS)}."),
]

Sources = Annotated[
    list[str],
    typer.Argument(help="Files, folders or globs of events, or - for stdin.", metavar="SOURCE", show_default=False),
]
Store = Annotated[str, _option("--to", "The folder or URL of the store, made where there is none.", metavar="STORE")]

KeyName = Annotated[str | None, _option("--name", "What the key is for, to know it again in the list.", metavar="NAME")]
KeyPrefix = Annotated[
    str, typer.Argument(help="The key's prefix, as listed, or the whole key.", metavar="PREFIX", show_default=False)
]
KeysFormat = Annotated[
    str | None,
    _option(
        "--format",
        "How to show the keys  [default: table on a terminal, else json]",
        **_one_of(DESCRIPTION_FORMATS),
    ),
]
