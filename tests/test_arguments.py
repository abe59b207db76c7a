"""What people type: files as arguments, short flags, flags of a format, and `mmstats help`."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from mmstats.cli import run
from mmstats.cli.options import QUERY
from mmstats.question.parameters import QUESTION
from tests.serving import serving

TWO = '{"metric":"count","rows":[{"value":2}]}\n'
SHORT = {"d": "data", "m": "metric", "g": "group_by", "i": "interval", "n": "limit", "f": "format"}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts in a folder of two files and sees nothing of what its user has set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    Path("a.csv").write_text("timestamp,event_name\n2026-05-01,signup\n")
    Path("b.csv").write_text("timestamp,event_name\n2026-05-02,view\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.csv", "b.csv"],
        ["."],
        ["*.csv"],
        ["a.csv", "--data", "b.csv"],
        ["-d", "a.csv", "b.csv"],
        ["-da.csv", "--metric", "count", "b.csv", "a.csv"],
        ["--", "a.csv", "b.csv"],
    ],
    ids=" ".join,
)
def test_data_is_named_by_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments and `--data`, alone or mixed and wherever they stand, name the data; a file named twice counts once."""
    assert run(["query", *arguments]) == 0
    assert capsys.readouterr() == (TWO, "")


def test_a_glob_that_the_shell_expands() -> None:
    """A glob without quotes, which the shell makes arguments of, is read as well."""
    command = f"{sys.executable} -m mmstats query *.csv"
    assert subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout == TWO


def test_standard_input_as_an_argument(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`-` is standard input, beside a file."""
    stream = io.TextIOWrapper(io.BytesIO(b'{"timestamp":"2026-05-01","event":"a"}\n'))
    monkeypatch.setattr("sys.stdin", stream)
    assert run(["query", "a.csv", "-"]) == 0
    assert capsys.readouterr().out == TWO


def test_an_argument_that_looks_like_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """After `--` everything is a file."""
    Path("--all").write_text("timestamp,event_name\n2026-05-03,view\n")
    assert run(["query", "--input-format", "csv", "--", "a.csv", "--all"]) == 0
    assert capsys.readouterr() == (TWO, "")


def test_arguments_come_before_data(capsys: pytest.CaptureFixture[str]) -> None:
    """The first location that cannot be had is reported: arguments come first, then `--data` as it is given."""
    assert run(["query", "--data", "none.1", "none.2", "-d", "none.3", "none.4"]) == 3
    assert capsys.readouterr().err.startswith("error: none.2: ")


def test_describe_import_and_serve_take_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """`describe`, `import` and `serve` take the same arguments as `query`, and `import` takes `--data` too."""
    assert run(["describe", "a.csv", "b.csv", "--json"]) == 0
    assert '"rows":2' in capsys.readouterr().out
    assert run(["import", "a.csv", "--data", "b.csv", "--to", "store"]) == 0
    assert run(["query", "store"]) == 0
    assert capsys.readouterr().out == TWO
    with serving("a.csv", "b.csv") as server:
        answered = server.request("/v1/stats?from=2026-05-01&to=2026-06-01")
    assert answered.body.decode() == TWO.rstrip()


def test_import_needs_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`import` refuses to begin without data, names `--sample`, and else finds its data as every command does."""
    assert run(["import"]) == 2
    assert capsys.readouterr().err == (
        "error: --data is required; --to is required\n"
        "hint: mmstats import events/ --to store; --sample imports the bundled sample\n"
    )
    assert run(["import", "--sample", "--to", "store"]) == 0
    monkeypatch.setenv("MMSTATS_DATA", "a.csv")
    assert run(["import", "--to", "other"]) == 0
    assert "rows imported: 1;" in capsys.readouterr().err


def test_a_value_with_a_blank_that_nobody_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """The second word of a value is read as a file; where there is none, the hint says why it was."""
    assert run(["query", "--event", "Sign", "Up"]) == 3
    assert capsys.readouterr() == (
        "",
        "error: Up: no such file or folder\nhint: Up is read as a file; a value with blanks must be quoted\n",
    )
    assert run(["query", "none", "--all", "none"]) == 3
    assert capsys.readouterr() == ("", "error: none: no such file or folder\n")


def test_short_flags_are_declared_with_their_options() -> None:
    """Each short flag belongs to one option of `query`."""
    declared = {option.short: option.name for option in (*QUESTION, *QUERY) if option.short}
    assert declared.items() >= SHORT.items()


def test_short_flags_ask_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A question by short flags, with a blank before their values or none, is the same question."""
    long = ["--metric", "uniques", "--group-by", "country", "--interval", "week", "--limit", "3", "--format", "ndjson"]
    assert run(["query", "--sample", *long]) == 0
    expected = capsys.readouterr()
    assert run(["query", "--sample", "-m", "uniques", "-g", "country", "-i", "week", "-n", "3", "-f", "ndjson"]) == 0
    assert capsys.readouterr() == expected
    assert run(["query", "--sample", "-muniques", "-gcountry", "-iweek", "-n3", "-fndjson"]) == 0
    assert capsys.readouterr() == expected


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_format_by_its_own_flag(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` and `--csv` are short for `--format`."""
    assert run(["query", "a.csv", "-g", "event_name", "--format", form]) == 0
    expected = capsys.readouterr()
    assert run(["query", "a.csv", "-g", "event_name", f"--{form}"]) == 0
    assert capsys.readouterr() == expected


@pytest.mark.parametrize(
    "arguments", [["--json", "--csv"], ["--json", "--format", "table"], ["-f", "csv", "--csv"]], ids=" ".join
)
def test_a_format_is_given_once(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A format is refused beside another one, whichever flags say them."""
    assert run(["query", "a.csv", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: --format may be given only once\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("-data", "--data"), ("-data=a.csv", "--data"), ("-event", "--event"), ("-json", "--json"), ("-from", "--from")],
)
def test_a_long_flag_with_one_dash(written: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`-data` is not read as `-d ata`: the long flag is offered."""
    assert run(["query", written, "a.csv"]) == 2
    name = written.partition("=")[0]
    assert capsys.readouterr().err == f"error: no such option: {name}\nhint: did you mean {meant}?\n"


@pytest.mark.parametrize("words", [[], ["query"], ["keys", "create"], ["cache"]], ids=" ".join)
def test_help_is_a_command_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`mmstats help query` shows what `mmstats query --help` shows, and `mmstats help` all commands."""
    assert run([*words, "--help"]) == 0
    expected = capsys.readouterr()
    assert run(["help", *words]) == 0
    assert capsys.readouterr() == expected


def test_help_of_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command that does not exist is refused with the nearest."""
    assert run(["help", "qurey"]) == 2
    assert capsys.readouterr() == ("", "error: no such command: qurey\nhint: did you mean mmstats query?\n")


def test_the_version_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    """`-V` is `--version`."""
    assert run(["--version"]) == 0
    expected = capsys.readouterr()
    assert run(["-V"]) == 0
    assert capsys.readouterr() == expected
