"""Answers longer than the terminal, in the user's pager, and that rows cut off are told once."""

import pytest

from mmstats.cli import run
from tests.test_cli import on_terminal

MARKED = "sed 's/^/paged /'"
LONG = ["query", "--sample", "--group-by", "path,source"]


def paged(*arguments: str, **environment: str) -> bool:
    """Whether an answer on a terminal of 24 lines goes through the pager."""
    shown = on_terminal([*arguments], **{"PAGER": MARKED, "LINES": "24", **environment})
    assert "value" in shown
    return "paged " in shown


@pytest.mark.parametrize("arguments", [LONG, [*LONG, "--explain"], ["describe", "--sample"]], ids=" ".join)
def test_what_is_longer_than_the_terminal_is_paged(arguments: list[str]) -> None:
    """Any page with more lines than the terminal goes through `$PAGER`, every line of it."""
    shown = on_terminal(arguments, LINES="12", PAGER=MARKED)
    page = [line for line in shown.splitlines() if not line.startswith(("note: ", "warning: "))]
    assert len(page) >= 12
    assert all(line.startswith("paged ") for line in page)


def test_what_fits_is_not_paged() -> None:
    """A page that fits the terminal is printed as it is."""
    assert not paged("query", "--sample", "--group-by", "country")
    assert not paged(*LONG, LINES="200")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--no-pager"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"PAGER": ""}),
        (["--format", "json"], {}),
    ],
    ids=["--no-pager", "dumb terminal", "no pager named", "json"],
)
def test_the_pager_can_be_declined(arguments: list[str], environment: dict[str, str]) -> None:
    """`--no-pager`, an empty `PAGER`, a dumb terminal and a machine's format have none."""
    assert not paged(*LONG, *arguments, **environment)


def test_a_pager_that_is_not_there_is_done_without() -> None:
    """Where the shell does not find `$PAGER`, the answer is printed."""
    assert not paged(*LONG, PAGER="mmstats-no-such-pager")


def test_a_pager_that_is_left_early_is_no_error() -> None:
    """A pager that ends before it has read everything ends nothing but the page."""
    shown = on_terminal([*LONG, "--all"], LINES="12", NO_COLOR="1", PAGER="head -n 1 | sed 's/^/paged /'")
    assert [line.split()[:2] for line in shown.splitlines() if "value" in line] == [["paged", "path"]]


def test_less_gets_what_it_needs_for_colours() -> None:
    """A pager is told how to show colours and to quit when the page fits after all, unless the user has said else."""
    assert "FRX" in on_terminal(LONG, LINES="12", PAGER='echo "$LESS value"; cat')
    assert "FRX" not in on_terminal(LONG, LINES="12", PAGER='echo "$LESS value"; cat', LESS="i")


def test_rows_cut_off_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal it stands below the table alone; where stdout and stderr go apart, each says it."""
    shown = on_terminal([*LONG, "--limit", "2"], columns=100, with_stderr=True)
    assert shown.count(" of 74 rows") == 1
    assert "--limit or --all answers more" in shown
    assert run([*LONG, "--limit", "2", "--format", "table"]) == 0
    apart = capsys.readouterr()
    assert apart.out.count("2 of 74 rows; total 3,759, the other 72 rows together ") == 1
    assert "note: 2 of 74 rows; --limit or --all answers more\n" in apart.err


def test_a_dumb_terminal_has_its_own_width() -> None:
    """The table of a dumb terminal is as wide as that terminal."""
    shown = on_terminal([*LONG, "--limit", "3"], columns=50, TERM="dumb")
    assert max(map(len, shown.splitlines()[1:])) <= 50
