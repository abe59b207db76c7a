"""What a user has set outside the command line: in `mmstats.toml`, in their own file, in the environment.

A project's file is merely found, in the working directory or above it, and may be somebody else's: it may say
where the events are, what their columns are called and how an answer is shown, not which rows are left out.
"""

import glob
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from mmstats.dataset import TIMESTAMP_UNITS, Dataset, read_column, sample_folder
from mmstats.engine_address import ENGINE_VARIABLE, LOCAL, EngineAddress, read_engine
from mmstats.errors import InvalidSettings
from mmstats.wording import did_you_mean, nearest, read_size, visible

T = TypeVar("T")

PROJECT_FILE = "mmstats.toml"
USER_FILE = "config.toml"
CONFIG_VARIABLE = "MMSTATS_CONFIG"
DATA_VARIABLE = "MMSTATS_DATA"
MEMORY_VARIABLE = "MMSTATS_MAX_MEMORY"
FORMATS = ("table", "json", "ndjson", "csv", "markdown")
COLORS = ("auto", "always", "never")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set, each setting under its name in `SETTINGS`, its default where nobody set it.

    `data` is empty when no location is set; else `data_from` says where: a variable's name or a file's path.
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
    engine: EngineAddress = LOCAL
    data_from: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a file; its default stands in `Settings`.

    `read` turns a file's value into the setting's; it raises TypeError for a value that is not of `kind` and
    ValueError with the rest of the sentence "this setting …". Only a `shared` one may stand in a found file.
    """

    name: str
    kind: str
    read: Callable[[Any], Any]
    help: str
    choices: tuple[str, ...] = ()
    shared: bool = False


def _locations(value: Any) -> tuple[str, ...]:
    texts = tuple(map(_text, value if isinstance(value, list) else [value]))
    if not all(texts):
        raise ValueError("must not be empty")
    if not texts:
        raise ValueError("must name at least one location")
    if "-" in texts:
        raise ValueError("must not be '-': standard input is named on the command line, not in a file")
    return texts


def _columns(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError
    names = {read_column(column): _text(name) for column, name in value.items()}
    for column, name in names.items():
        if not name:
            raise ValueError(f"has an empty name for {column}")
    return names


def _options(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError
    return {name.lower(): _text(option) for name, option in value.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return read_size(str(value))


def _engine(value: Any) -> EngineAddress:
    return read_engine(_text(value))


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "data",
        "a string or a list of strings",
        _locations,
        "Where the events are: files, folders or globs; relative ones start at this file's folder.",
        shared=True,
    ),
    Setting("columns", "a table of strings", _columns, "The data's names for event columns.", shared=True),
    Setting("format", "a string", _text, "How a terminal shows an answer.", FORMATS, shared=True),
    Setting("color", "a string", _text, "When to use colours.", COLORS),
    Setting("timestamp_unit", "a string", _text, "The unit of numeric timestamps.", TIMESTAMP_UNITS),
    Setting("skip_bad_rows", "true or false", _switch, "Leave out rows that cannot be read, and say so."),
    Setting("trust_partitions", "true or false", _switch, "Skip folders named for days out of range."),
    Setting(
        "storage_options",
        "a table of strings",
        _options,
        "How object stores are reached, such as the endpoint.",
    ),
    Setting("max_memory", "a size such as 700MiB", _size, "About how much memory a question may take."),
    Setting("engine", "a string", _engine, "Who computes: local, or a Spark Connect server, sc://HOST:PORT."),
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

    Raises InvalidSettings, naming the file or the variable, for one that cannot be read or followed.
    """
    folder = folder.absolute()
    own = _own_file(folder, environ)
    project = _project_file(folder)
    values: dict[str, Any] = {}
    # A configuration folder that is not absolute would make a file of the working directory the user's own.
    if own.is_absolute() and os.path.lexists(own):
        values = _values(own, own)
    if project and os.path.realpath(project) != os.path.realpath(own):
        found = _values(project, own)
        columns = {**values.get("columns", {}), **found.get("columns", {})}
        values |= found | {"columns": columns}
    if environ.get(DATA_VARIABLE):
        values |= {"data": (environ[DATA_VARIABLE],), "data_from": DATA_VARIABLE}
    if environ.get(MEMORY_VARIABLE):
        values["max_memory"] = _of_variable(environ, MEMORY_VARIABLE, read_size)
    if environ.get(ENGINE_VARIABLE):
        values["engine"] = _of_variable(environ, ENGINE_VARIABLE, read_engine)
    return Settings(**values)


def _of_variable(environ: Mapping[str, str], name: str, read: Callable[[str], T]) -> T:
    try:
        return read(environ[name])
    except ValueError as fault:
        raise InvalidSettings(visible(f"{name} {fault}")) from None


def _own_file(folder: Path, environ: Mapping[str, str]) -> Path:
    named = environ.get(CONFIG_VARIABLE)
    if not named:
        from platformdirs import user_config_dir

        return Path(user_config_dir("mmstats"), USER_FILE)
    own = folder / named
    if not os.path.lexists(own):
        raise _refused(own, "there is no such file", f"{CONFIG_VARIABLE} names it: correct or unset it")
    return own


def _project_file(folder: Path) -> Path | None:
    files = (parent / PROJECT_FILE for parent in (folder, *folder.parents))
    # A link to nothing counts as found: a file further up must not answer in its place.
    return next(filter(os.path.lexists, files), None)


def _values(file: Path, own: Path) -> dict[str, Any]:
    """What a file sets; one other than the user's `own` is merely found."""
    values: dict[str, Any] = {}
    for name, value in _parsed(file, found=file != own).items():
        _check_name(name, file, own)
        try:
            values[name] = _read(BY_NAME[name], value)
        except ValueError as fault:
            raise _refused(file, f"{name} {fault}") from None
    if "data" in values:
        anchored = tuple(_anchored(location, file.parent) for location in values["data"])
        values |= {"data": anchored, "data_from": visible(str(file))}
    return values


def _parsed(file: Path, *, found: bool) -> dict[str, Any]:
    import tomllib

    try:
        # One that is merely found could be a link to a device or a pipe, and reading would never end.
        if found and not file.is_file():
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


def _read(setting: Setting, value: Any) -> Any:
    wanted = f"must be {' or '.join(setting.choices) or setting.kind}"
    try:
        read = setting.read(value)
    except TypeError:
        raise ValueError(wanted) from None
    if setting.choices and read not in setting.choices:
        meant = did_you_mean(read, setting.choices)
        raise ValueError(f"{wanted}, not {read!r}" + (f"; {meant}" if meant else ""))
    return read


def _anchored(location: str, folder: Path) -> str:
    """A location of a file in `folder`, so that it means the same from everywhere."""
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


def choose(asked: Dataset, settings: Settings) -> Dataset:
    """What is asked for, completed by the settings; with no location in either, the bundled sample.

    The sample is read as it was written, whatever a user has set for other data.
    """
    locations = asked.locations or settings.data
    if not locations or locations == (sample_folder(),):
        return replace(asked, locations=(sample_folder(),))
    return replace(
        asked,
        locations=locations,
        columns={**settings.columns, **asked.columns},
        timestamp_unit=asked.timestamp_unit or settings.timestamp_unit,
        skip_bad_rows=asked.skip_bad_rows or settings.skip_bad_rows,
        trust_partitions=asked.trust_partitions or settings.trust_partitions,
        storage_options={**settings.storage_options, **asked.storage_options},
    )
