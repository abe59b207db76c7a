"""The command line: what it refuses and how, where it writes, and how it ends."""

import os
import pickle
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmstats import InvalidQuestion, stats
from mmstats.cli import run
from tests.terminal import Terminal, all_shown

MMSTATS = [sys.executable, "-m", "mmstats"]
SIGNUPS = '{"metric":"count","rows":[{"value":12}]}\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts in an empty folder and sees nothing of what its user has set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


REFUSED = {
    "repeated": (["--limit", "1", "--limit", "1"], "error: --limit may be given only once\n"),
    "repeated switch": (["--all", "--all"], "error: --all may be given only once\n"),
    "limit": (["--limit", "1_0"], "error: --limit must be an integer from 1 to 1000, not '1_0'\n"),
    "lost plus": (
        ["--from", "2026-05-01T00:00:00 02:00"],
        "error: --from has a blank before the offset in '2026-05-01T00:00:00 02:00': "
        "a '+' must be percent-encoded as %2B in a URL\n",
    ),
    "all and limit": (
        ["--all", "--limit", "5"],
        "error: --limit cannot be given when all rows are asked for\n",
    ),
    "exact count": (["--exact"], "error: --exact needs a metric that is estimated: uniques, users or sessions\n"),
    "fill alone": (["--fill"], "error: --fill needs an interval\n"),
    "sample and data": (["--sample", "--data", "x"], "error: --sample cannot be given with --data\n"),
    "empty data": (["--data", ""], "error: --data must not be empty\n"),
    "no value": (["--from"], "error: --from needs a value\nhint: mmstats query --help shows how it is used\n"),
    "value to a switch": (
        ["--all=1"],
        "error: --all takes no value\nhint: mmstats query --help shows how it is used\n",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_question_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong question ends with code 2, says what is wrong in our form and writes nothing to stdout."""
    assert run(["query", *arguments]) == 2
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    "arguments",
    [["--event", ""], ["--event", "--format", "csv"], ["--event"]],
    ids=["empty", "swallowed", "at the end"],
)
def test_an_unquoted_event_gets_the_hint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An event that the shell expanded to nothing gets the hint to quote it."""
    assert run(["query", *arguments]) == 2
    assert "--event '$pageview'" in capsys.readouterr().err


def test_an_unknown_command_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt command is refused with the nearest one."""
    assert run(["qurey"]) == 2
    assert capsys.readouterr() == ("", "error: no such command: qurey\nhint: did you mean mmstats query?\n")


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, with its examples."""
    assert run([]) == 0
    assert "mmstats query --event signup --group-by source,medium" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["query", "-h"], ["query", "--help"], ["import", "-h"]], ids=" ".join
)
def test_help_ends_with_three_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every help ends with three examples."""
    assert run(arguments) == 0
    examples = capsys.readouterr().out.partition("Examples:\n")[2].partition("\n\n")[0]
    assert examples.count("mmstats ") == 3


def test_the_sample_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any data the sample is read and stderr says so; with --sample it says nothing."""
    assert run(["query", "--event", "signup"]) == 0
    assert capsys.readouterr() == (SIGNUPS, "note: this is the bundled sample; --data names yours\n")
    assert run(["query", "--event", "signup", "--sample"]) == 0
    assert capsys.readouterr() == (SIGNUPS, "")


def test_truncation_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    """When the limit cut rows off, stderr says how many of how many."""
    assert run(["query", "--sample", "--group-by", "country", "--limit", "2"]) == 0
    assert capsys.readouterr().err == "note: 2 of 14 rows; --limit or --all answers more\n"


@pytest.mark.parametrize("name", ["MMSTATS_DATA", "mmstats.toml"])
def test_data_is_found_where_the_user_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--data`, `MMSTATS_DATA` names the data, and else an `mmstats.toml` beside or above."""
    (tmp_path / "e.ndjson").write_text('{"at":"2026-05-01","event":"a"}\n')
    (tmp_path / "mmstats.toml").write_text('data = "e.ndjson"\n[columns]\ntimestamp = "at"\n')
    if name == "MMSTATS_DATA":
        (tmp_path / "f.csv").write_text("at,event\n1,a\n2,b\n")
        monkeypatch.setenv(name, str(tmp_path / "f.csv"))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert run(["query"]) == 0
    expected = 2 if name == "MMSTATS_DATA" else 1
    assert capsys.readouterr() == (f'{{"metric":"count","rows":[{{"value":{expected}}}]}}\n', "")


OUTPUTS = [["query", "--sample", "--group-by", "path"], ["--help"], ["query", "--help"], ["--version"]]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_a_closed_pipe_is_no_error(arguments: list[str], unbuffered: str) -> None:
    """A reader that closes the pipe ends the command with code 0 and no message."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*MMSTATS, *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_a_full_disk_is_code_5(arguments: list[str], unbuffered: str) -> None:
    """An answer or a help that cannot be written ends with code 5 and says why."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*MMSTATS, *arguments], stdout=full, stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, done.stderr) == (5, b"error: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["query"], 0), (["query", "--limit", "x"], 2), (["query", "--data", "none"], 3)]
)
def test_a_closed_stderr_changes_nothing(arguments: list[str], code: int) -> None:
    """Without a stderr the answer and the exit code are the same."""
    command = " ".join([*MMSTATS, *arguments, "2>&-"])
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False)
    assert done.returncode == code
    assert done.stdout == (b'{"metric":"count","rows":[{"value":3759}]}\n' if code == 0 else b"")


@pytest.mark.parametrize("arguments", [["query", "--sample"], ["query", "--sample", "--format", "table"]], ids=" ".join)
def test_a_closed_stdout_is_code_5(arguments: list[str]) -> None:
    """Without a stdout the command ends with code 5 and says why."""
    command = " ".join([*MMSTATS, *arguments, ">&-"])
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (5, b"error: cannot write to stdout: it is closed\n")


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"group_by": "x"}], ids=str)
def test_errors_cross_processes(wrong: dict[str, Any]) -> None:
    """An error that was pickled is the same error."""
    with pytest.raises(InvalidQuestion) as raised:
        stats(**wrong)
    assert vars(pickle.loads(pickle.dumps(raised.value))) == vars(raised.value)


def on_terminal(
    arguments: list[str], columns: int = 80, *, with_stderr: bool = False, code: int = 0, **environment: str
) -> str:
    """What a command writes to a terminal of so many columns, by default without a pager.

    A slow machine would see how far the reading is, which goes to stderr.
    """
    process, terminal = pty.fork()
    if process == 0:
        if not with_stderr:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.environ.update({"COLUMNS": str(columns), "TERM": "xterm-256color", "PAGER": "", **environment})
        os.execv(sys.executable, [*MMSTATS, *arguments])
    written = all_shown(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == code
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_table() -> None:
    """On a terminal the answer is a table, in colour."""
    shown = on_terminal(["query", "--sample", "--event", "signup", "--group-by", "source"])
    assert "facebook" in shown
    assert "3 rows" not in shown
    assert "2 rows" in shown
    assert "\x1b[" in shown


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [([], {"NO_COLOR": "1"}), (["--color", "never"], {}), ([], {"TERM": "dumb"})],
    ids=["NO_COLOR", "--color never", "dumb terminal"],
)
def test_colour_can_be_declined(arguments: list[str], environment: dict[str, str]) -> None:
    """`NO_COLOR`, `--color never` and a dumb terminal get no escape sequences."""
    shown = on_terminal(["query", "--sample", "--group-by", "country", *arguments], **environment)
    assert "\x1b" not in shown


RED, CYAN, YELLOW, DIM = "\x1b[1;31m", "\x1b[36m", "\x1b[33m", "\x1b[2m"
PLAIN = "error: no such option: --evnt\nhint: did you mean --event?\n"


def test_messages_are_coloured_on_a_terminal() -> None:
    """On a terminal the first word of a message has a colour, the rest has none."""
    shown = on_terminal(["query", "--evnt", "x"], with_stderr=True, code=2)
    assert shown == (f"{RED}error:\x1b[0m no such option: --evnt\n{CYAN}hint:\x1b[0m did you mean --event?\n")
    shown = on_terminal(["query", "--event", "sign_up", "--json"], with_stderr=True)
    assert f"{DIM}note:\x1b[0m this is the bundled sample" in shown
    assert f"{YELLOW}warning:\x1b[0m the data has no event" in shown


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {"NO_COLOR": "1"}),
        (["--color", "never"], {}),
        (["--color=never"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"MMSTATS_CONFIG": "own.toml"}),
        (["--color", "auto"], {"NO_COLOR": "1"}),
    ],
    ids=str,
)
def test_colours_of_messages_can_be_declined(arguments: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    """`NO_COLOR`, `--color never` wherever it stands, the settings and a dumb terminal leave messages plain."""
    (tmp_path / "own.toml").write_text('color = "never"')
    assert on_terminal(["query", "--evnt", "x", *arguments], with_stderr=True, code=2, **environment) == PLAIN
    assert on_terminal(["query", *arguments, "--evnt"], with_stderr=True, code=2, **environment) == PLAIN


def test_messages_in_a_pipe_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe or a file messages have no colours, unless `--color always` asks for them."""
    assert run(["query", "--evnt", "x"]) == 2
    assert capsys.readouterr().err == PLAIN
    assert run(["query", "--evnt", "x", "--color", "always"]) == 2
    assert capsys.readouterr().err.startswith(f"{RED}error:\x1b[0m ")
    assert run(["query", "--evnt", "x"]) == 2
    assert capsys.readouterr().err == PLAIN


def test_colour_can_be_forced(capsys: pytest.CaptureFixture[str]) -> None:
    """`--color always` colours a table that goes to a file."""
    assert run(["query", "--sample", "--group-by", "country", "--format", "table", "--color", "always"]) == 0
    assert "\x1b[" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    """A table fits the terminal, however narrow."""
    shown = on_terminal(["query", "--sample", "--group-by", "path,country", "--color", "never"], columns)
    assert max(len(line) for line in shown.splitlines() if not line.startswith("note:")) <= columns


def test_an_interrupt_is_code_130(tmp_path: Path) -> None:
    """An interrupted command ends with code 130 and no traceback."""
    fifo = tmp_path / "events"
    os.mkfifo(fifo)
    with (
        subprocess.Popen(
            [*MMSTATS, "query", "--data", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
        fifo.open("wb"),
    ):  # opening waits until the command reads
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_bug_is_code_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug of ours is reported as one, with its traceback, and ends with code 70."""
    monkeypatch.setattr("mmstats.engines.stages.order", None)
    assert run(["query", "--sample"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_every_format_holds_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON, NDJSON, CSV and Markdown hold the same rows."""
    shown = {}
    for form in ("json", "ndjson", "csv", "markdown"):
        assert run(["query", "--sample", "--event", "signup", "--group-by", "source", "--format", form]) == 0
        shown[form] = capsys.readouterr().out
    assert shown == {
        "json": '{"metric":"count","rows":[{"source":"facebook","value":9},{"source":"google","value":3}]}\n',
        "ndjson": '{"source":"facebook","value":9}\n{"source":"google","value":3}\n',
        "csv": "source,value\nfacebook,9\ngoogle,3\n",
        "markdown": "| source | value |\n| --- | ---: |\n| facebook | 9 |\n| google | 3 |\n",
    }


def test_help_and_readers_share_the_declared_formats() -> None:
    """The formats that a settings file may name are those that the command line shows."""
    from mmstats import render, settings

    assert settings.FORMATS == render.FORMATS


def test_a_dumb_terminal_is_shown_no_progress(tmp_path: Path) -> None:
    """A terminal that cannot redraw shows the answer and nothing else, however long reading takes."""
    slow = "(sleep 1.5; zcat events.ndjson.gz) | mmstats query --data - --format json"
    assert Terminal(tmp_path).run(slow) == (0, '{"metric":"count","rows":[{"value":133}]}\n')
