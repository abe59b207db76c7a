"""What a user has set outside the command line: in `mmstats.toml`, in their own file, in the environment.

A project's file is only found, in the working directory or above it, and may be somebody else's: it may say where the
events are, what their columns are called and how an answer is shown, not which rows are left out.
"""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mmstats.dataset import SAMPLE, TIMESTAMP_UNIT, Dataset, read_columns
from mmstats.engine_address import ENGINE_VARIABLE, EngineAddress, read_engine
from mmstats.engine_address import LOCAL as LOCAL_ENGINE
from mmstats.errors import InvalidSettings
from mmstats.file_states import state
from mmstats.options import read_choice
from mmstats.question.buckets import WEEK_STARTS
from mmstats.question.ranges import LOCAL, read_zone
from mmstats.wording import did_you_mean, nearest, read_size, visible

PROJECT_FILE = "mmstats.toml"
USER_FILE = "config.toml"
CONFIG_VARIABLE = "MMSTATS_CONFIG"
DATA_VARIABLE = "MMSTATS_DATA"
MEMORY_VARIABLE = "MMSTATS_MAX_MEMORY"
FORMATS = ("table", "json", "ndjson", "csv", "markdown")
FORMAT_WORDS = {"jsonl": "ndjson", "jsonlines": "ndjson", "md": "markdown", "text": "table", "txt": "table"}
COLORS = ("auto", "always", "never")
# The settings that the environment has too, by the variable, and how its text is read.
VARIABLES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "data": (DATA_VARIABLE, lambda location: (location,)),
    "max_memory": (MEMORY_VARIABLE, read_size),
    "engine": (ENGINE_VARIABLE, read_engine),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set, each setting under its name in `SETTINGS`, its default where nobody set it.

    `origins` says by name where those are set that somebody has set: the variable or the file. `seen` are the states
    of the files that were looked for, by path, before they were read: see `mmstats.file_states`.
    """

    data: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    color: str = "auto"
    timestamp_unit: str | None = None
    skip_bad_rows: bool = False
    trust_partitions: bool = False
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_memory: int | None = None
    engine: EngineAddress = LOCAL_ENGINE
    timezone: str | None = None
    week_start: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    seen: Mapping[str, str | None] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a file; its default stands in `Settings`.

    `kind` is one of `KINDS`; `read` turns a file's value of this kind into the setting's, and raises ValueError with
    the rest of the sentence "this setting …". Only a `shared` one may stand in a project's file.
    """

    name: str
    kind: str
    read: Callable[[Any], Any]
    help: str
    choices: tuple[str, ...] = ()
    shared: bool = False


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "a string": lambda value: isinstance(value, str),
    "a string or a list of strings": lambda value: _are_texts(value if isinstance(value, list) else [value]),
    "a table of strings": lambda value: isinstance(value, dict) and _are_texts(value.values()),
    "true or false": lambda value: isinstance(value, bool),
    "a size such as 700MiB": lambda value: isinstance(value, int | str) and not isinstance(value, bool),
}


def _read_data(value: str | list[str]) -> tuple[str, ...]:
    locations = (value,) if isinstance(value, str) else tuple(value)
    if not all(locations):
        raise ValueError("must not be empty")
    if not locations:
        raise ValueError("must name at least one location")
    if "-" in locations:
        raise ValueError("must not be '-': standard input is named on the command line, not in a file")
    return locations


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "data",
        "a string or a list of strings",
        _read_data,
        "Where the events are: files, folders or globs; relative ones start at this file's folder.",
        shared=True,
    ),
    Setting("columns", "a table of strings", read_columns, "The data's names for event columns.", shared=True),
    Setting(
        "format",
        "a string",
        partial(read_choice, choices=FORMATS, words=FORMAT_WORDS),
        "How a terminal shows an answer.",
        FORMATS,
        shared=True,
    ),
    Setting("color", "a string", partial(read_choice, choices=COLORS), "When to use colours.", COLORS),
    Setting(
        "timestamp_unit", "a string", TIMESTAMP_UNIT.read, "The unit of numeric timestamps.", TIMESTAMP_UNIT.choices
    ),
    Setting("skip_bad_rows", "true or false", bool, "Leave out rows that cannot be read, and say so."),
    Setting("trust_partitions", "true or false", bool, "Skip folders named for days out of range."),
    Setting(
        "storage_options",
        "a table of strings",
        lambda options: {name.lower(): value for name, value in options.items()},
        "How object stores are reached, such as the endpoint.",
    ),
    Setting(
        "max_memory",
        "a size such as 700MiB",
        lambda size: read_size(str(size)),
        "About how much memory a question may take.",
    ),
    Setting("engine", "a string", read_engine, "The engine: local, or a Spark Connect server, sc://HOST:PORT."),
    Setting(
        "timezone",
        "a string",
        lambda text: text if text == LOCAL else read_zone(text),  # which need not be told before it is asked for
        "The zone of ranges and buckets: an IANA name, or local.",
        shared=True,
    ),
    Setting(
        "week_start",
        "a string",
        partial(read_choice, choices=WEEK_STARTS),
        "The day on which weeks start.",
        WEEK_STARTS,
        shared=True,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


def settings_here(environ: Mapping[str, str]) -> Settings:
    """What is set for a command that runs in the working directory.

    Raises InvalidSettings as `load_settings` does, and when the working directory is gone.
    """
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        raise InvalidSettings("the working directory does not exist any more", hint="cd to one that does") from None
    return load_settings(folder, environ)


def load_settings(folder: Path, environ: Mapping[str, str]) -> Settings:
    """What is set for a command that runs in `folder`: environment over project's file over user's own.

    Raises InvalidSettings, naming the file or the variable, for one that cannot be read or has a wrong value.
    """
    folder = folder.absolute()
    own = own_file(folder, environ)
    seen = _look_for_files(folder, own)
    sources = [(str(file), _read_file(file, own)) for file in _files(seen, own)]
    for name, (variable, read) in VARIABLES.items():
        if environ.get(variable):
            sources.append((variable, {name: _read_variable(environ, variable, read)}))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, found in sources:  # what comes later goes before what came earlier
        for name, value in found.items():
            adds = name == "columns" and name in values
            values[name] = {**values[name], **value} if adds else value
            origins[name] = f"{origins[name]}, {origin}" if adds else origin
    return Settings(**values, origins=origins, seen=seen)


def _files(seen: Mapping[str, str | None], own: Path) -> Iterator[Path]:
    """Those of the files looked for that are read: the user's own, then the project's, where that is another file."""
    there = [Path(file) for file, found in seen.items() if found is not None]
    yield from (file for file in there if file == own or os.path.realpath(file) != os.path.realpath(own))


def _look_for_files(folder: Path, own: Path) -> dict[str, str | None]:
    """The states of the files that may be read for a command in `folder`: of the user's own, then of the project's."""
    # A configuration folder that is not absolute would make a file of the working directory the user's own.
    seen = {str(own): state(str(own))[0]} if own.is_absolute() else {}
    for parent in (folder, *folder.parents):
        file = str(parent / PROJECT_FILE)
        seen[file] = state(file)[0]
        if seen[file] is not None:  # a link to nothing too: a file further up must not be read in its place
            break
    return seen


def _read_variable(environ: Mapping[str, str], name: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(environ[name])
    except ValueError as fault:
        raise InvalidSettings(visible(f"{name} {fault}")) from None


def own_file(folder: Path, environ: Mapping[str, str]) -> Path:
    """The user's own configuration, which need not be there."""
    if not environ.get(CONFIG_VARIABLE):
        from platformdirs import user_config_dir

        return Path(user_config_dir("mmstats"), USER_FILE)
    own = folder / environ[CONFIG_VARIABLE]
    if not os.path.lexists(own):
        raise _refused(own, "there is no such file", f"{CONFIG_VARIABLE} names it: correct or unset it")
    return own


def _read_file(file: Path, own: Path) -> dict[str, Any]:
    """The settings of a file, of which the user's `own` may have all and a project's the shared ones."""
    values: dict[str, Any] = {}
    for name, value in _parse(file, is_own=file == own).items():
        _check_name(name, file, own)
        setting = BY_NAME[name]
        if not KINDS[setting.kind](value):
            raise _refused(file, f"{name} must be {' or '.join(setting.choices) or setting.kind}")
        try:
            values[name] = setting.read(value)
        except ValueError as fault:
            raise _refused(file, f"{name} {fault.args[0]}") from None
    if "data" in values:
        values["data"] = tuple(_absolute(location, file.parent) for location in values["data"])
        for location in values["data"] if file != own else ():
            # Whoever merely stands in a folder must not wait for a pipe, or read a device without end.
            if os.path.exists(location) and not (Path(location).is_file() or Path(location).is_dir()):
                hint = "--data names it where it is meant"
                raise _refused(file, f"data names {location}, which is neither a file nor a folder", hint)
    return values


def _parse(file: Path, *, is_own: bool) -> dict[str, Any]:
    import tomllib

    try:
        # A project's file could be a link to a device or a pipe, and reading would never end.
        if not is_own and not file.is_file():
            raise _refused(file, "not a file")
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))  # some editors begin a file with a mark
    except OSError as fault:
        raise _refused(file, f"cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        line = fault.object.count(b"\n", 0, fault.start) + 1
        raise _refused(file, f"not UTF-8 (at line {line})") from None
    except (ValueError, RecursionError) as fault:  # also integers too long, brackets too deep
        raise _refused(file, f"not valid TOML: {fault}") from None


def _check_name(name: str, file: Path, own: Path) -> None:
    """Refuse a setting that does not exist, or that only the user's own file may have."""
    allowed = [setting.name for setting in SETTINGS if setting.shared or file == own]
    if name in allowed:
        return
    meant = name if name in BY_NAME else nearest(name, BY_NAME)
    hint = f"{file.name} may set: {', '.join(allowed)}"
    if meant and meant not in allowed:
        hint = f"{meant} belongs in your own configuration, {own}; {hint}"
    if name in BY_NAME:
        raise _refused(file, f"{name} may not be set in a file that is merely found", hint)
    raise _refused(file, f"unknown setting {name!r}", f"{did_you_mean(name, BY_NAME)} {hint}".lstrip())


def _absolute(location: str, folder: Path) -> str:
    """A location in a file of `folder`, so that it means the same from everywhere."""
    if "://" in location:
        return location
    location = os.path.expanduser(location)  # noqa: PTH111 – pathlib's raises where there is no home
    if Path(location).is_absolute():
        return location
    path = folder / location
    # Brackets in the folder's own name are no pattern.
    return str(path) if os.path.lexists(path) else str(Path(glob.escape(str(folder)), location))


def _refused(file: Path, fault: str, hint: str = "") -> InvalidSettings:
    return InvalidSettings(visible(f"{file}: {fault}"), hint=visible(hint))


def choose_dataset(values: Mapping[str, Any], settings: Settings) -> Dataset:
    """The dataset that the values of `SOURCE` options name, completed by the settings; without any, the sample.

    The sample is read as it was written, whatever a user has set for other data.
    """
    locations = SAMPLE if values.get("sample") else values["data"] or settings.data or SAMPLE
    origin = "" if values.get("sample") or values["data"] else settings.origins.get("data", "")
    if locations == SAMPLE:
        settings = Settings()
    return Dataset(
        locations,
        origin=origin,
        columns={**settings.columns, **values["map"]},
        input_format=values["input_format"],
        timestamp_unit=values["timestamp_unit"] or settings.timestamp_unit,
        skip_bad_rows=values.get("skip_bad_rows") or settings.skip_bad_rows,
        trust_partitions=values.get("trust_partitions") or settings.trust_partitions,
        storage_options={**settings.storage_options, **values["storage_option"]},
    )
