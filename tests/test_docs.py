"""README.md and the pages in docs/ describe the program as it is, and hang together."""

import doctest
import html
import re
import runpy
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import typer

import mmstats
from mmstats.cli import ExitCode
from mmstats.cli.app import app
from mmstats.dataset import EVENT_COLUMNS
from mmstats.files.event_file import EXTENSIONS
from mmstats.question.parameters import EXTENSIONS as BEYOND_THE_API
from mmstats.question.parameters import PARAMETERS
from mmstats.schemas import bundled
from mmstats.serve.errors import ERROR_CODES
from mmstats.settings import FORMATS, SETTINGS, load_settings
from tests.docs import PAGES, README, ROOT, generate
from tests.terminal import Terminal

TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
TEXT = "\n".join(TEXTS.values())
FENCED = re.compile(r"^(<!-- not run: [^\n]+ -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SOURCES = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "mmstats").rglob("*.py"))


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _flags(command: Any) -> Iterator[str]:
    """The flags of a command and of those below it."""
    yield from (flag for parameter in command.params for flag in parameter.opts if flag.startswith("-"))
    for below in getattr(command, "commands", {}).values():
        yield from _flags(below)


FLAGS = sorted(set(_flags(typer.main.get_command(app))))
VARIABLES = sorted(set(re.findall(r'"(MMSTATS_[A-Z_]+)"', SOURCES)))
NAMES = [
    *EVENT_COLUMNS,
    *EXTENSIONS,
    *FORMATS,
    *ERROR_CODES,
    *VARIABLES,
    *(setting.name for setting in SETTINGS),
    *(parameter.name for parameter in (*PARAMETERS, *BEYOND_THE_API)),
]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_pages_show_what_the_program_says(page: Path) -> None:
    """Every command on a page prints what stands below it, and every table is the program's: `python -m tests.docs`."""
    assert generate(TEXTS[page]) == TEXTS[page]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    """What looks like a session is one, and is run; a block that is not says why, to who reads the page's source."""
    for not_run, language, body in FENCED.findall(TEXTS[page]):
        assert language in ("console", "python", "sh", "text", "toml")
        assert not_run == "" or language in ("console", "sh")
        assert language == "console" or not re.search(r"^\$ ", body, re.MULTILINE), body
        assert language != "python" or ">>> " in body, body


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_python_sessions_are_real(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every Python session on a page answers as it shows."""
    monkeypatch.chdir(Terminal(tmp_path).folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("body", [body for _, language, body in FENCED.findall(TEXT) if language == "toml"])
def test_settings_files_are_real(body: str, tmp_path: Path) -> None:
    """Every `mmstats.toml` that is shown is one that the program takes."""
    (tmp_path / "mmstats.toml").write_text(body, encoding="utf-8")
    settings = load_settings(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "none")})
    assert settings.data == (str(tmp_path / "events"),)


@pytest.mark.parametrize("name", ["table", "chart"])
def test_pictures_show_what_the_program_says(name: str) -> None:
    """The README's pictures are of what a terminal shows today: `python docs/pictures/draw.py`."""
    draw = runpy.run_path(str(ROOT / "docs" / "pictures" / "draw.py"))
    drawn = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert _shown(drawn) == _shown(draw["picture"](draw["PICTURES"][name]))


def _shown(svg: str) -> str:
    """The text of a picture; how it is cut into pieces and where these stand are Rich's."""
    return html.unescape("".join(re.findall(r"<text [^>]*>(.*?)</text>", svg, re.DOTALL)))


def test_the_first_screen_sets_up_and_answers() -> None:
    """The first screen has a command that answers a question and one that passes the tests; CI runs both from there."""
    screen = "\n".join(TEXTS[README].splitlines()[:20])
    commands = re.findall(r"```sh\n(.*?)\n```", screen)
    assert len(commands) == 2
    assert commands[0].endswith("mmstats query --event signup --group-by source,medium")
    assert commands[1].endswith("-m pytest --cov -n 2")
    below = re.findall(r'command_below "(.*?)"', (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    for line, command in zip(below, commands, strict=True):
        assert re.search(rf"^{line}.*\n\n(<!-- .* -->\n)?```sh\n{re.escape(command)}\n```", screen, re.MULTILINE)


def test_the_readme_is_short() -> None:
    """The README has at most 200 lines; the rest is in docs/."""
    assert len(TEXTS[README].splitlines()) <= 200


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_documented(flag: str) -> None:
    """Every flag of every command stands on some page."""
    assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", TEXT)


@pytest.mark.parametrize("code", [str(code.value) for code in ExitCode])
def test_every_exit_code_is_documented(code: str) -> None:
    """Every exit code stands in a table."""
    assert f"\n| {code} | " in TEXT


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented(name: str) -> None:
    """Every column, extension, format, setting, parameter, code of an error and variable stands on some page."""
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", signature(mmstats.stats).parameters)
def test_every_argument_is_documented(name: str) -> None:
    """Every argument of `mmstats.stats` stands on the page about Python."""
    assert re.search(rf"^    {name}=", TEXTS[ROOT / "docs" / "python.md"], re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to something here leads to a file, and to a heading of it where it names one."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCED.sub("", TEXTS[page])):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in _anchors(TEXTS[target]), link


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_page_is_an_orphan() -> None:
    """The README links to every page, but to those of single sources by way of their index."""
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", TEXTS[README]))
    index = TEXTS[ROOT / "docs" / "sources.md"]
    linked |= {f"docs/{page}" for page in re.findall(r"\]\((sources/[^)#]+\.md)", index)}
    assert linked == {_name(page) for page in PAGES if page != README}
    assert {page.stem for page in PAGES if page.parent == ROOT / "docs" / "sources"} == set(bundled()) - {"plausible"}
