"""README.md and the pages in docs/ describe the program as it is."""

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
from tests.docs import PAGES, README, ROOT, generate

TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
TEXT = "\n".join(TEXTS.values())


def _flags(command: Any) -> Iterator[str]:
    """The flags of a command and of those below it."""
    yield from (flag for parameter in command.params for flag in parameter.opts if flag.startswith("-"))
    for below in getattr(command, "commands", {}).values():
        yield from _flags(below)


FLAGS = sorted(set(_flags(typer.main.get_command(app))))


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_generated_parts_are_fresh(page: Path) -> None:
    """Every command on a page prints what stands below it, and every table is the program's."""
    assert generate(TEXTS[page]) == TEXTS[page]


def test_readme_is_short() -> None:
    """The README has at most 200 lines; the rest is in docs/."""
    assert len(TEXTS[README].splitlines()) <= 200


def test_the_first_screen_sets_up_and_answers() -> None:
    """The first screen has a command that answers a question and one that passes the tests; CI runs both from there."""
    screen = "\n".join(TEXTS[README].splitlines()[:20])
    commands = re.findall(r"```sh\n(.*?)\n```", screen)
    assert len(commands) == 2
    assert commands[0].endswith("mmstats query --event signup --group-by source,medium")
    assert commands[1].endswith("-m pytest --cov -n 2")
    below = re.findall(r'command_below "(.*?)"', (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    for line, command in zip(below, commands, strict=True):
        assert re.search(rf"^{line}.*\n\n```sh\n{re.escape(command)}\n```", screen, re.MULTILINE)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_documented(flag: str) -> None:
    """Every flag of every command stands in the docs."""
    assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", TEXT)


@pytest.mark.parametrize("code", [str(code.value) for code in ExitCode])
def test_every_exit_code_is_documented(code: str) -> None:
    """Every exit code stands in a table of the docs."""
    assert f"\n| {code} | " in TEXT


@pytest.mark.parametrize("word", [*EVENT_COLUMNS, *EXTENSIONS, *(setting.name for setting in SETTINGS), *FORMATS])
def test_every_name_is_documented(word: str) -> None:
    """Every event column, extension, setting and output format stands in the docs."""
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_python_sessions_are_real(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every Python session on a page answers as it shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_links_lead_somewhere() -> None:
    """Every local link leads to a file or to a heading that is there."""
    for page, text in TEXTS.items():
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.is_file(), f"{_name(page)}: {link}"
            assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), f"{_name(page)}: {link}"


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_linked_from_the_readme() -> None:
    """No page is an orphan: the README links to each."""
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", TEXTS[README]))
    assert linked == {_name(page) for page in PAGES if page != README}
