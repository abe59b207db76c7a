"""What the settings promise: who may set what, which setting wins, and how a mistake is reported."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmstats.dataset import EVENT_COLUMNS, read_mapping
from mmstats.errors import InvalidSettings
from mmstats.settings import BY_NAME, SETTINGS, Settings, load_settings

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1)
COLUMNS = st.dictionaries(st.sampled_from(EVENT_COLUMNS), NAMES)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, in which the user's own configuration is as well."""
    folder = tmp_path / "home"
    (folder / "mmstats").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture
def here(tmp_path: Path, home: Path) -> Path:  # noqa: ARG001 – no test may read a real user's file
    """An empty working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def write(file: Path, text: str | bytes) -> Path:
    """Write a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def project(folder: Path, text: str | bytes) -> Path:
    """Write the project's file in `folder`."""
    return write(folder / "mmstats.toml", text)


def own(home: Path, text: str) -> Path:
    """Write the user's own configuration."""
    return write(home / "mmstats" / "config.toml", text)


def refusal(folder: Path, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The message and the hint with which the settings of `folder` are refused."""
    with pytest.raises(InvalidSettings) as refused:
        load_settings(folder, environ or {})
    return refused.value.message, refused.value.hint


def columns_table(columns: Mapping[str, str]) -> str:
    """A `[columns]` table; a JSON text is a TOML text."""
    lines = [f"{column} = {json.dumps(name, ensure_ascii=False)}\n" for column, name in columns.items()]
    return "[columns]\n" + "".join(lines)


def test_nothing_set(here: Path) -> None:
    """Without any file or variable every setting has its default."""
    assert load_settings(here, {}) == Settings()


def test_everything_set(here: Path, home: Path) -> None:
    """The user's own configuration may set every setting there is."""
    own(
        home,
        'data = "/events"\nformat = "csv"\ncolor = "never"\ntimestamp_unit = "ms"\n'
        'skip_bad_rows = true\ntrust_partitions = true\nmax_memory = "2GB"\n[columns]\nevent_name = "type"\n',
    )
    settings = load_settings(here, {})
    assert settings.data == ("/events",)
    assert settings.columns == {"event_name": "type"}
    assert (settings.format, settings.color, settings.timestamp_unit) == ("csv", "never", "ms")
    assert settings.skip_bad_rows
    assert settings.trust_partitions
    assert settings.max_memory == 2_000_000_000


def test_declared_once() -> None:
    """Every setting is declared once, in the order of the fields."""
    fields = [field.name for field in dataclasses.fields(Settings) if field.name not in ("origins", "seen")]
    assert [setting.name for setting in SETTINGS] == fields
    assert all(setting.help.endswith(".") for setting in SETTINGS)


def test_found_file_is_nearest(here: Path) -> None:
    """The nearest project file counts, and it alone."""
    project(here, 'format = "csv"\ndata = "far"')
    project(here / "a", 'data = "near"')
    deep = here / "a" / "b" / "c"
    deep.mkdir(parents=True)
    settings = load_settings(deep, {})
    assert settings.data == (str(here / "a" / "near"),)
    assert settings.format is None


def test_relative_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder given as `.` is searched upwards too."""
    project(here, 'format = "csv"')
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert load_settings(Path(), {}).format == "csv"


def test_precedence_of_data(here: Path, home: Path) -> None:
    """The variable wins over the project's file, and that over the user's; an empty variable is none."""
    own(home, 'data = "/own"')
    assert load_settings(here, {}) == Settings(data=("/own",))
    project(here, 'data = ["/a", "/b"]')
    assert load_settings(here, {}) == Settings(data=("/a", "/b"))
    assert load_settings(here, {"MMSTATS_DATA": ""}).data == ("/a", "/b")
    assert load_settings(here, {"MMSTATS_DATA": "sub/*.csv"}) == Settings(data=("sub/*.csv",))


def test_merge_by_key(here: Path, home: Path) -> None:
    """A project's file overrides only what it sets."""
    own(home, 'data = "/own"\nformat = "csv"\ncolor = "always"')
    project(here, 'format = "markdown"')
    settings = load_settings(here, {})
    assert (settings.data, settings.format, settings.color) == (("/own",), "markdown", "always")


@given(COLUMNS, COLUMNS)
def test_merge_by_column(
    tmp_path_factory: pytest.TempPathFactory, owns: dict[str, str], projects: dict[str, str]
) -> None:
    """Columns of both files count whatever the data's names; where both name one, the project wins."""
    folder = tmp_path_factory.mktemp("merge")
    config = write(folder / "own.toml", columns_table(owns))
    project(folder, columns_table(projects))
    settings = load_settings(folder, {"MMSTATS_CONFIG": str(config)})
    assert settings.columns == owns | projects


@pytest.mark.parametrize(
    "written, means",
    [
        pytest.param("events", "{here}/events", id="folder"),
        pytest.param("./a/../b/*.csv", "{here}/a/../b/*.csv", id="relative glob"),
        pytest.param("../events", "{here}/../events", id="parent"),
        pytest.param("/data/**/*.parquet", "/data/**/*.parquet", id="absolute glob"),
        pytest.param("s3://bucket/prefix/", "s3://bucket/prefix/", id="URL"),
        pytest.param("~/events", "{home}/events", id="home"),
        pytest.param("~$events.csv", "{here}/~$events.csv", id="no home"),
    ],
)
def test_locations(here: Path, home: Path, written: str, means: str) -> None:
    """A location of a file means the same from every folder: relative ones start at the file's."""
    project(here, f'data = "{written}"')
    (here / "sub").mkdir()
    assert load_settings(here / "sub", {}).data == (means.format(here=here, home=home),)


def test_own_locations(here: Path, home: Path) -> None:
    """Relative locations of the user's own configuration start at its folder."""
    own(home, 'data = "events"')
    assert load_settings(here, {}).data == (str(home / "mmstats" / "events"),)


def test_brackets_in_a_folder(here: Path) -> None:
    """A folder whose name has brackets is no pattern before a relative location."""
    folder = here / "[ab]"
    project(folder, 'data = ["*.csv", "is[t].csv"]')
    write(folder / "is[t].csv", "")
    assert load_settings(folder, {}).data == (f"{here}/[[]ab]/*.csv", f"{here}/[ab]/is[t].csv")


def test_named_configuration(here: Path, home: Path) -> None:
    """`MMSTATS_CONFIG` names a file in the place of the user's, relative to the working directory."""
    own(home, 'color = "always"\nformat = "csv"')
    write(here / "other.toml", 'color = "never"')
    settings = load_settings(here, {"MMSTATS_CONFIG": "other.toml"})
    assert (settings.color, settings.format) == ("never", None)
    assert load_settings(here, {"MMSTATS_CONFIG": ""}).color == "always"
    assert load_settings(here, {"MMSTATS_CONFIG": os.devnull}) == Settings()


def test_named_project_file(here: Path) -> None:
    """A project's file that the user names is the user's own, and may set everything."""
    project(here, "skip_bad_rows = true")
    assert load_settings(here, {"MMSTATS_CONFIG": "mmstats.toml"}).skip_bad_rows


def test_named_configuration_missing(here: Path) -> None:
    """A named configuration that is not there is an error; the user's usual one need not be there."""
    message, hint = refusal(here, {"MMSTATS_CONFIG": "none.toml"})
    assert message == f"{here / 'none.toml'}: there is no such file"
    assert "MMSTATS_CONFIG" in hint


def test_relative_configuration_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration folder that is not absolute cannot turn a found file into the user's own."""
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CONFIG_HOME", "conf")
    write(here / "conf" / "mmstats" / "config.toml", "skip_bad_rows = true")
    assert load_settings(here, {}) == Settings()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_editors(here: Path, mark: bytes) -> None:
    """Windows line ends and a byte order mark are ignored."""
    project(here, mark + b'format = "csv"\r\n[columns]\r\npath = "p"\r\n')
    assert load_settings(here, {}) == Settings(format="csv", columns={"path": "p"})


CHOICE = "must be table or json or ndjson or csv or markdown, not"
LOCATIONS = "data must be a string or a list of strings"


@pytest.mark.parametrize(
    "text, fault",
    [
        pytest.param("data = 3", LOCATIONS, id="data: number"),
        pytest.param('data = ["a", 1]', LOCATIONS, id="data: list of other things"),
        pytest.param("[data]", LOCATIONS, id="data: table"),
        pytest.param("data = []", "data must name at least one location", id="data: none"),
        pytest.param('data = ["a", ""]', "data must not be empty", id="data: empty"),
        pytest.param('data = ["a", "-"]', "data must not be '-': standard input", id="data: stdin"),
        pytest.param("columns = 1", "columns must be a table of strings", id="columns: number"),
        pytest.param("[columns]\npath = 1", "columns must be a table of strings", id="columns: no name"),
        pytest.param('[columns]\npath = ""', "columns has an empty name for path", id="columns: empty"),
        pytest.param(
            '[columns]\nevnt_name = "t"',
            "columns names 'evnt_name', which is no event column; did you mean event_name?",
            id="columns: unknown",
        ),
        pytest.param("format = true", "format must be table or json", id="format: type"),
        pytest.param('format = "jsn"', f"format {CHOICE} 'jsn'; did you mean json?", id="format: near"),
        pytest.param('format = "xyz"', f"format {CHOICE} 'xyz'", id="format: far"),
        pytest.param('format = "csv', "not valid TOML: ", id="TOML"),
        pytest.param("\n\nformat csv\n", "(at line 3, column 8)", id="TOML: line"),
        pytest.param("format = " + 10_000 * "[", "not valid TOML: ", id="TOML: depth"),
        pytest.param("format = " + 10_000 * "1", "not valid TOML: ", id="TOML: digits"),
        pytest.param(b'\ndata = "\xe9"', "not UTF-8 (at line 2)", id="not UTF-8"),
    ],
)
def test_refused_value(here: Path, text: str | bytes, fault: str) -> None:
    """A wrong value is refused in a line that names the file, the setting and the fault."""
    file = project(here, text)
    message, _ = refusal(here)
    assert message.startswith(f"{file}: ")
    assert fault in message
    assert message.isprintable()


MAY = (
    "mmstats.toml may set: data, columns, format, "
    "delimiter, quote, records, timestamp_format, schema, timezone, week_start"
)
OWN_MAY = f"config.toml may set: {', '.join(BY_NAME)}"


@pytest.mark.parametrize(
    "text, fault, hint",
    [
        pytest.param('fromat = "csv"', "unknown setting 'fromat'", f"did you mean format? {MAY}", id="near"),
        pytest.param("zzz = 1", "unknown setting 'zzz'", MAY, id="far"),
        pytest.param(
            'colour = "never"',
            "unknown setting 'colour'",
            f"did you mean color? color belongs in your own configuration, {{own}}; {MAY}",
            id="near the user's",
        ),
        pytest.param('"\\u001b[2J" = 1', "unknown setting '\\x1b[2J'", MAY, id="control characters"),
        *(
            pytest.param(
                f"{name} = 1",
                f"{name} may not be set in a file that is merely found",
                f"{name} belongs in your own configuration, {{own}}; {MAY}",
                id=name,
            )
            for name in (
                *("color", "timestamp_unit", "geo_database", "skip_bad_rows", "trust_partitions", "max_memory"),
                "engine",
            )
        ),
    ],
)
def test_refused_name(here: Path, home: Path, text: str, fault: str, hint: str) -> None:
    """What a project's file may not set is refused, with what it may, the nearest setting and where that belongs."""
    file = project(here, text)
    assert refusal(here) == (f"{file}: {fault}", hint.format(own=home / "mmstats" / "config.toml"))


@pytest.mark.parametrize(
    "text, fault, hint",
    [
        pytest.param("skip-bad-rows = true", "unknown setting 'skip-bad-rows'", OWN_MAY, id="dashes"),
        pytest.param("skip_bad_rows = 1", "skip_bad_rows must be true or false", "", id="switch"),
        pytest.param("trust_partitions = 'yes'", "trust_partitions must be true or false", "", id="switch: text"),
        pytest.param("max_memory = true", "max_memory must be a size such as 700MiB", "", id="size: type"),
        pytest.param("max_memory = -1", "max_memory must be a size such as 700MiB", "", id="size: integer"),
        pytest.param("max_memory = '2 much'", "max_memory must be a size such as 700MiB", "", id="size: text"),
        pytest.param("color = true", "color must be auto or always or never", "", id="color"),
        pytest.param("timestamp_unit = 'm'", "timestamp_unit must be s or ms or us or ns, not 'm'", "", id="unit"),
    ],
)
def test_refused_in_own(here: Path, home: Path, text: str, fault: str, hint: str) -> None:
    """The user's own configuration is read as strictly as a project's file."""
    file = own(home, text)
    message, offered = refusal(here)
    assert message.startswith(f"{file}: {fault}")
    assert offered.endswith(hint)


def test_refused_under_the_variable(here: Path) -> None:
    """A broken file is an error even if a variable overrides what it says."""
    project(here, "data = 3")
    assert LOCATIONS in refusal(here, {"MMSTATS_DATA": "events"})[0]


def test_no_file(here: Path) -> None:
    """What stands in the place of a project's file and is no file is refused, never passed over."""
    project(here, 'format = "csv"')
    for name, target in (("nothing", "none"), ("loop", "mmstats.toml"), ("device", os.devnull)):
        (here / name).mkdir()
        (here / name / "mmstats.toml").symlink_to(target)
    (here / "folder" / "mmstats.toml").mkdir(parents=True)
    for name in ("nothing", "loop", "device", "folder"):
        assert refusal(here / name)[0] == f"{here / name / 'mmstats.toml'}: not a file"


def test_unreadable(here: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read, or that is a folder, is refused with the system's reason."""
    (home / "mmstats" / "config.toml").mkdir()
    assert refusal(here)[0] == f"{home}/mmstats/config.toml: cannot be read: Is a directory"

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refusal(here)[0] == f"{home}/mmstats/config.toml: cannot be read: Permission denied"


@given(st.binary(max_size=40) | st.text(alphabet='=[]{}",.#\n acdtu0\\').map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a file holds, it is read or refused in one printable line."""
    folder = tmp_path_factory.mktemp("bytes")
    project(folder, content)
    try:
        load_settings(folder, {"MMSTATS_CONFIG": os.devnull})
    except InvalidSettings as refused:
        assert refused.message.startswith(f"{folder / 'mmstats.toml'}: ")
        assert refused.message.isprintable()


@given(st.sampled_from(EVENT_COLUMNS), NAMES)
def test_mapping(column: str, name: str) -> None:
    """`--map` takes every event column and every name, `=` and all."""
    assert read_mapping(f"{column}={name}") == (column, name)


@pytest.mark.parametrize(
    "text, fault",
    [
        pytest.param("event_name", "must be column=name, such as event_name=type, not 'event_name'", id="no ="),
        pytest.param("", "must be column=name, such as event_name=type, not ''", id="empty"),
        pytest.param("=type", "has no event column before the '=' in '=type'", id="no column"),
        pytest.param("path=", "has no name after the '=' in 'path='", id="no name"),
        pytest.param(
            "evnt_name=a",
            "names 'evnt_name', which is no event column; did you mean event_name?",
            id="unknown",
        ),
        pytest.param("event=a", "names 'event', which is no event column; did you mean event_name?", id="event"),
        pytest.param(
            "zzz=a",
            f"names 'zzz', which is no event column; event columns: {', '.join(EVENT_COLUMNS)}",
            id="far",
        ),
    ],
)
def test_refused_mapping(text: str, fault: str) -> None:
    """A wrong `--map` is refused with the rest of the sentence "--map …"."""
    with pytest.raises(ValueError) as refused:
        read_mapping(text)
    assert str(refused.value) == fault


def test_cheap_to_import() -> None:
    """The settings load neither an engine nor a terminal library nor what only reading a file needs."""
    program = "import sys, mmstats.settings; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    strangers = {"polars", "platformdirs", "tomllib", "typer", "rich", "mmstats.files"}
    assert not strangers & set(loaded.split())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("data", ["/dev/zero", "pipe"])
def test_a_found_file_names_no_pipe(here: Path, data: str) -> None:
    """A project's file, which is merely found, may name files and folders, not what never ends or is read once."""
    os.mkfifo(here / "pipe")
    project(here, f'data = "{data}"\n')
    with pytest.raises(InvalidSettings, match="which is neither a file nor a folder") as refused:
        load_settings(here, {})
    assert "--data" in refused.value.hint
