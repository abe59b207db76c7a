"""`mmstats config show` says what is set and by whom, and shows no secret."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from mmstats.cli import run
from mmstats.settings import SETTINGS

ROOT = Path(__file__).parent.parent
SECRET = "S3CRET"
# Every variable of ours, with a value that may be shown where it is no secret.
VARIABLES = {
    "MMSTATS_DATA": f"https://me:{SECRET}@host/a.parquet?sig={SECRET}",
    "MMSTATS_MAX_MEMORY": "2GB",
    "MMSTATS_ENGINE": f"sc://host:15002/;use_ssl=true;token={SECRET}",
    "MMSTATS_ENGINE_TOKEN": SECRET,
    "MMSTATS_CACHE_DIR": "kept",
    "MMSTATS_CACHE_SIZE": "3GB",
    "MMSTATS_KEYS_FILE": "/keys.json",
    "MMSTATS_SERVE_KEY": SECRET,
    "MMSTATS_CONFIG": "own.toml",
    "MMSTATS_GEO_DATABASE": "/countries.mmdb",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder is the working directory, and nothing is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[Any, str]]:
    """Every setting by its name: its value, and where it is set."""
    assert run(["config", "show", "--format", "json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["version"] == 1
    return {one["name"]: (one["value"], one["from"]) for one in written["settings"]}


def test_every_setting_has_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is set, every setting of a file is shown with its default."""
    found = shown(capsys)
    assert {setting.name for setting in SETTINGS} <= found.keys()
    assert {origin for _, origin in found.values()} == {"default"}
    assert found["color"] == ("auto", "default")


def test_each_setting_names_the_file_or_variable_that_sets_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The project's file goes before the user's own, the environment before both; columns are of both files."""
    own, project = here / ".config" / "mmstats" / "config.toml", here / "mmstats.toml"
    own.parent.mkdir(parents=True)
    own.write_text('data = "own"\nformat = "csv"\ncolor = "never"\nmax_memory = "1GB"\n[columns]\npath = "p"\n')
    project.write_text('data = "a"\nformat = "table"\n[columns]\nos = "o"\n')
    monkeypatch.setenv("MMSTATS_MAX_MEMORY", "2GB")
    found = shown(capsys)
    assert found["data"] == ([str(here / "a")], str(project))
    assert found["format"] == ("table", str(project))
    assert found["color"] == ("never", str(own))
    assert found["max_memory"] == (2_000_000_000, "MMSTATS_MAX_MEMORY")
    assert found["columns"] == ({"path": "p", "os": "o"}, f"{own}, {project}")


@pytest.mark.parametrize("form", ["json", "table"])
def test_every_variable_is_shown_and_no_secret(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Every variable that the program reads is named as the origin of what it sets; what may be a key is hidden."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    (here / "own.toml").write_text(
        f'[storage_options]\nregion = "eu"\naccess_key_id = "{SECRET}"\nsas_token = "{SECRET}"\n'
        f'endpoint = "https://u:{SECRET}@host"\n'
    )
    assert run(["config", "show", "--format", form]) == 0
    out = capsys.readouterr().out
    assert SECRET not in out
    source = "".join(path.read_text() for path in (ROOT / "mmstats").rglob("*.py"))
    named = set(re.findall(r'"(MMSTATS_[A-Z_]+)"', source))
    assert named == set(VARIABLES)
    assert all(name in out for name in named - {"MMSTATS_CONFIG"})
    if form == "json":
        found = {one["name"]: one["value"] for one in json.loads(out)["settings"]}
        assert found["storage_options"]["region"] == "eu"
        assert (found["serve_key"], found["cache_size"]) == ("***", 3_000_000_000)


def test_wrong_settings_are_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be followed is refused as it is by every other command."""
    (here / "mmstats.toml").write_text("colour = 1")
    assert run(["config", "show"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {here}/mmstats.toml: unknown setting 'colour'\n")


def test_a_cache_of_no_size_is_no_cache(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With MMSTATS_CACHE_SIZE=0 nothing is read of a cache or written to it, by any command."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(here / "cache"))
    commands = [["query", "--sample", "--stats"], ["describe", "--sample"], ["query", "--sample", "--explain"]]
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "0")
    for command in commands:
        assert run(command) == 0
    assert "cache: not used" in capsys.readouterr().err
    assert not (here / "cache").exists()
    monkeypatch.delenv("MMSTATS_CACHE_SIZE")
    assert run(commands[0]) == 0
    assert run(commands[0]) == 0
    assert "the answer was cached" in capsys.readouterr().err
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "0")
    assert run(commands[0]) == 0
    assert "cached" not in capsys.readouterr().err
    assert run(["cache", "info"]) == 0
    assert json.loads(capsys.readouterr().out)["most_bytes"] == 0


def test_an_import_ends_with_how_to_ask(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of an import is a command that a shell takes as it is, whatever the store is called."""
    (here / "a.csv").write_text("timestamp,event_name\n2026-05-04,a\n")
    for store in ("store", "my $store's"):
        assert run(["import", "a.csv", "--to", store]) == 0
        last = capsys.readouterr().err.splitlines()[-1]
        command = last.removeprefix("note: to ask it: ")
        assert shlex.split(command) == ["mmstats", "query", "--data", store]
        assert run(shlex.split(command)[1:]) == 0
        assert '"value":1' in capsys.readouterr().out
