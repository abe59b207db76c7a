"""A newcomer's session: the README's own commands, in terminals of several widths, in a pipe, without colours."""

import json
import re
from pathlib import Path

import pytest

from tests.docs import BLOCK, README
from tests.terminal import Terminal

STYLE = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = [
    line.removeprefix("$ ")
    for _, kind, body in BLOCK.findall(README.read_text(encoding="utf-8"))
    if kind == "console"
    for line in body.splitlines()
    if line.startswith("$ mmstats")
]
# Without stderr, where a slow machine is shown how far reading is.
ANSWERED = [f"{command} 2>/dev/null" for command in COMMANDS if "sorce" not in command and "|" not in command]
WRONG = [command for command in COMMANDS if "sorce" in command]


def test_the_readme_asks_questions() -> None:
    """There is something to try: four questions that are answered, and one that is wrong."""
    assert (len(ANSWERED), len(WRONG)) == (4, 1)


@pytest.fixture(scope="module", params=[60, 100, 200], ids="{} columns".format)
def terminal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Terminal, int]:
    """A terminal with colours, and how wide it is."""
    home = tmp_path_factory.mktemp("home")
    return Terminal(home, request.param, TERM="xterm-256color", PAGER="cat"), request.param


@pytest.mark.parametrize("command", ANSWERED)
def test_a_table_fits_the_terminal_and_shows_the_answer(terminal: tuple[Terminal, int], command: str) -> None:
    """A table is no wider than the terminal, and its rows are those that a pipe gets as JSON, in their order."""
    screen, width = terminal
    code, shown = screen.run(command)
    assert code == 0
    lines = STYLE.sub("", shown).splitlines()
    assert max(map(len, lines)) <= width
    rows = json.loads(screen.run(f"{command} | cat")[1])["rows"]
    assert len(rows) >= 3
    below = iter(lines)
    for row in rows:
        words = {str(value).removesuffix(" 00:00:00") for value in row.values()}
        assert any(words <= set(line.split()) for line in below), row


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_question_is_told_in_colour(terminal: tuple[Terminal, int], command: str) -> None:
    """A wrong question ends with exit code 2, an error and a hint, their first words in colour."""
    code, shown = terminal[0].run(f"{command} || echo $?")
    assert code == 0
    error, hint, exit_code = shown.splitlines()
    assert (STYLE.sub("", error), exit_code) == ("error: cannot group by 'sorce'", "2")
    assert STYLE.sub("", hint).startswith("hint: did you mean source? ")
    assert STYLE.match(error)
    assert STYLE.match(hint)


@pytest.mark.parametrize("command", ANSWERED + WRONG)
def test_no_color_takes_the_colours_alone(tmp_path: Path, command: str) -> None:
    """With `NO_COLOR` a terminal is shown the same text, without one colour."""
    script = f"{command} || true"
    _, colored = Terminal(tmp_path / "a", 100, TERM="xterm-256color", PAGER="cat").run(script)
    _, plain = Terminal(tmp_path / "b", 100, TERM="xterm-256color", PAGER="cat", NO_COLOR="1").run(script)
    assert "\x1b" not in plain
    assert STYLE.sub("", colored) == plain


@pytest.mark.parametrize("command", ANSWERED)
def test_a_reader_who_leaves_early_sees_no_complaint(tmp_path: Path, command: str) -> None:
    """`| head -c 10` gets the beginning of the JSON, and that is all."""
    code, shown = Terminal(tmp_path).run(
        f"{command.replace(' 2>/dev/null', ' 2>errors')} | head -c 10; ! grep -v ^note: errors"
    )
    assert (code, shown) == (0, '{"metric":')
