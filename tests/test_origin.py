"""Data that the question does not name is named beside the answer and in errors, with where it was found."""

from pathlib import Path

import pytest

import mmstats
from mmstats.cli import run
from tests.conftest import ndjson
from tests.serving import serving, until

ROW = {"timestamp": "2026-05-04", "event_name": "a"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder is the working directory, and nobody's settings are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.delenv("MMSTATS_DATA", raising=False)
    (tmp_path / "a.ndjson").write_bytes(ndjson([ROW]))
    return tmp_path


def caption(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a table says below its rows, in one line."""
    assert run(["query", "--format", "table", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split("\n\n")[-1].split())


def test_a_table_names_data_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caption says what the data is and that MMSTATS_DATA names it; data of the command line needs no word."""
    monkeypatch.setenv("MMSTATS_DATA", "a.ndjson")
    assert caption(capsys).endswith("a.ndjson from MMSTATS_DATA")
    assert "a.ndjson" not in caption(capsys, "--data", "a.ndjson")
    assert "MMSTATS_DATA" not in caption(capsys, "--sample")


def test_a_table_names_data_that_a_file_names(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caption names the file that was found, and how many more locations it has."""
    monkeypatch.setenv("COLUMNS", "400")
    (here / "mmstats.toml").write_text('data = ["a.ndjson", "*.ndjson"]')
    said = caption(capsys).replace(" ", "")
    assert said.endswith(f"{here}/a.ndjsonand1morefrom{here}/mmstats.toml".replace(" ", ""))


@pytest.mark.parametrize("command", [["query"], ["query", "--explain"], ["describe"]], ids=" ".join)
def test_errors_name_where_the_data_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Whatever is wrong with data that the question does not name, the error says where it is named."""
    monkeypatch.setenv("MMSTATS_DATA", "gone")
    assert run(command) == 3
    assert capsys.readouterr().err.splitlines()[0] == "error: gone: no such file or folder (data from MMSTATS_DATA)"
    monkeypatch.delenv("MMSTATS_DATA")
    (here / "mmstats.toml").write_text('data = "b.arrow"')
    (here / "b.arrow").write_bytes(b"none")
    assert run(command) == 4
    assert capsys.readouterr().err.splitlines()[0].endswith(f" (data from {here}/mmstats.toml)")
    assert run([*command, "--data", "gone"]) == 3
    assert "data from" not in capsys.readouterr().err


def test_bad_rows_and_python_say_it_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while events are read says it, and so does the Python door."""
    (here / "a.ndjson").write_bytes(b"{\n")
    monkeypatch.setenv("MMSTATS_DATA", "a.ndjson")
    with pytest.raises(mmstats.Unreadable, match=r"a\.ndjson: line 1: .* \(data from MMSTATS_DATA\)$"):
        mmstats.stats()


def test_a_server_says_it_too(here: Path) -> None:
    """A server says of data that cannot be read where it is named, in its reply and in its log."""
    with serving(environment={"MMSTATS_DATA": str(here / "a.ndjson")}) as server:
        (here / "a.ndjson").write_bytes(b"{\n")
        reply = server.stats(event="a")
        assert reply.status == 502
        assert "(data from MMSTATS_DATA)" in reply.json["details"]["message"]
        until(lambda: "(data from MMSTATS_DATA)" in server.log())  # a line may come behind the reply
