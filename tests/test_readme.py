"""README.md describes the program as it is."""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mmstats.cli import ExitCode
from mmstats.cli.app import app
from mmstats.dataset import EVENT_COLUMNS
from mmstats.files.event_file import EXTENSIONS
from mmstats.settings import FORMATS, SETTINGS
from tests.readme import README, generate

TEXT = README.read_text(encoding="utf-8")


def _flags(command: Any) -> Iterator[str]:
    """The flags of a command and of those below it."""
    yield from (flag for parameter in command.params for flag in parameter.opts if flag.startswith("-"))
    for below in getattr(command, "commands", {}).values():
        yield from _flags(below)


FLAGS = sorted(set(_flags(typer.main.get_command(app))))


def test_generated_parts_are_fresh() -> None:
    """Every command in the README prints what stands below it, and every table is the program's."""
    assert generate(TEXT) == TEXT


def test_the_first_screen_sets_up_and_answers() -> None:
    """The first screen has a command that answers a question and one that passes the tests; CI runs both from there."""
    screen = "\n".join(TEXT.splitlines()[:20])
    commands = re.findall(r"```sh\n(.*?)\n```", screen)
    assert len(commands) == 2
    assert commands[0].endswith("mmstats query --event signup --group-by source,medium")
    assert commands[1].endswith("-m pytest --cov -n 2")
    below = re.findall(r'command_below "(.*?)"', (README.parent / ".ci" / "run").read_text(encoding="utf-8"))
    for line, command in zip(below, commands, strict=True):
        assert re.search(rf"^{line}.*\n\n```sh\n{re.escape(command)}\n```", screen, re.MULTILINE)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_documented(flag: str) -> None:
    """Every flag of every command stands in the README."""
    assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", TEXT)


@pytest.mark.parametrize("code", [str(code.value) for code in ExitCode])
def test_every_exit_code_is_documented(code: str) -> None:
    """Every exit code stands in the README's table."""
    assert f"\n| {code} | " in TEXT


@pytest.mark.parametrize("word", [*EVENT_COLUMNS, *EXTENSIONS, *(setting.name for setting in SETTINGS), *FORMATS])
def test_every_name_is_documented(word: str) -> None:
    """Every event column, extension, setting and output format stands in the README."""
    assert f"`{word}`" in TEXT


def test_the_python_session_is_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python session answers as the README shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert doctest.testfile(str(README), module_relative=False).failed == 0


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", TEXT))
def test_links_lead_somewhere(link: str) -> None:
    """Every local link leads to a file."""
    assert (Path(README.parent) / link).is_file()
