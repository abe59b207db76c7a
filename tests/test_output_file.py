"""`--output`: an answer or a report in a file, in the format that its name tells, whole or not at all."""

import json
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmstats.cli import run
from mmstats.render import EXTENSIONS, FILE_FORMATS

QUESTION = ["query", "--sample", "--group-by", "country", "--interval", "week", "--limit", "5"]
MMSTATS = [sys.executable, "-m", "mmstats"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test starts in an empty folder and sees nothing of what its user has set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("ending", [ending for ending, form in EXTENSIONS.items() if form != "parquet"])
def test_the_name_tells_the_format(ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The file holds what stdout would get in the format of its extension; stdout is empty and stderr stays."""
    assert run([*QUESTION, "--format", EXTENSIONS[ending]]) == 0
    shown = capsys.readouterr()
    assert run([*QUESTION, "-o", f"answer{ending.upper()}"]) == 0
    assert Path(f"answer{ending.upper()}").read_text(encoding="utf-8") == shown.out
    assert capsys.readouterr() == ("", shown.err)
    assert "note: 5 of " in shown.err


def test_every_format_has_a_name() -> None:
    """Each format of a file is that of some extension."""
    assert set(EXTENSIONS.values()) == set(FILE_FORMATS)


def test_the_format_that_is_given_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """`--format` and its short flags decide whatever the name says, and for a name that says nothing."""
    assert run(["query", "--sample", "--csv", "-o", "a.json"]) == 0
    assert run(["query", "--sample", "--format", "csv", "-o", "answer"]) == 0
    assert Path("a.json").read_text() == Path("answer").read_text() == "value\n3759\n"
    assert run(["query", "--sample", "-o", "-", "-f", "csv"]) == 0
    assert capsys.readouterr().out == "value\n3759\n"


def test_parquet() -> None:
    """A Parquet file has buckets as timestamps in UTC, labels as strings, values as integers, in the same order."""
    Path("e.ndjson").write_text(
        '{"timestamp":"0001-01-02","event_name":"a","country":"é"}\n{"timestamp":"2026-05-02","event_name":"a"}\n'
    )
    assert run(["query", "e.ndjson", "-g", "country", "-i", "day", "-o", "a.parquet"]) == 0
    table = pq.read_table("a.parquet")
    kinds = [pa.timestamp("us", tz="UTC"), pa.large_string(), pa.int64()]
    assert list(zip(table.schema.names, table.schema.types, strict=True)) == list(
        zip(["bucket", "country", "value"], kinds, strict=True)
    )
    assert pl.read_parquet("a.parquet").rows() == [
        (datetime(1, 1, 2, tzinfo=UTC), "é", 1),
        (datetime(2026, 5, 2, tzinfo=UTC), None, 1),
    ]
    assert run(["query", "e.ndjson", "-g", "country", "--event", "none", "-o", "a.parquet"]) == 0
    assert pl.read_parquet("a.parquet").schema == {"country": pl.String, "value": pl.Int64}


@pytest.mark.parametrize("command", [["describe", "--sample"], ["query", "--sample", "--explain"], ["keys", "list"]])
def test_reports(command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A description, an explanation and a list of keys go to a file as JSON or as their page."""
    monkeypatch.setenv("MMSTATS_KEYS_FILE", "keys.json")
    assert run([*command, "--json"]) == 0
    shown = capsys.readouterr().out
    assert run([*command, "-o", "a.json"]) == 0
    assert json.loads(Path("a.json").read_text()) == json.loads(shown)
    assert run([*command, "-o", "a.txt"]) == 0
    assert run([*command, "--format", "table"]) == 0
    assert Path("a.txt").read_text(encoding="utf-8") == capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            ["query", "-o", "answer"],
            "--output must end with .json or .ndjson or .jsonl or .csv or .md or .txt or .parquet, not 'answer'",
            "--format tells what any other name holds",
        ),
        (
            ["query", "--explain", "-o", "a.csv"],
            "--output must end with .json or .txt, not 'a.csv'",
            "--format tells what any other name holds",
        ),
        (
            ["describe", "-o", "a.csv", "--color", "x"],
            "--color must be auto or always or never, not 'x'; --output must end with .json or .txt, not 'a.csv'",
            "--format tells what any other name holds",
        ),
        (["query", "-o", ""], "--output must not be empty", ""),
        (["query", "-f", "parquet"], "--format cannot be parquet without --output, which names its file", ""),
        (["query", "-o", "a.json", "-o", "b.json"], "--output may be given only once", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_tells_no_format_is_refused(
    arguments: list[str], error: str, hint: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An output whose format is not known is a wrong question, the known names are listed, and nothing is written."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == f"error: {error}"
    assert said.err.splitlines()[1:] == ([f"hint: {hint}"] if hint else [])
    assert list(here.iterdir()) == []


def test_a_file_to_read_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    """The output may not be one of the files that the question reads, by whatever name."""
    Path("e.csv").write_text("timestamp,event_name\n2026-05-01,a\n")
    Path("link.csv").symlink_to("e.csv")
    for name in ("e.csv", "link.csv"):
        assert run(["query", "e.csv", "-o", name]) == 2
        assert capsys.readouterr().err == f"error: --output is a file to read: {name}\nhint: name another file\n"
    assert Path("e.csv").read_text() == "timestamp,event_name\n2026-05-01,a\n"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none/a.csv", "its folder does not exist"),
        ("folder.csv", "it is a folder"),
        ("file/a.csv", "Not a directory"),
        ("loop.csv", "Too many levels of symbolic links"),
        ("a" * 252 + ".csv", "File name too long"),
        ("/dev/full", "No space left on device"),
        ("/proc/a.csv", ""),
    ],
    ids=lambda text: text[:12],
)
def test_what_cannot_be_written_is_code_5(path: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An output that cannot be written ends with code 5 and says why; nothing else is left behind."""
    Path("folder.csv").mkdir()
    Path("file").touch()
    Path("loop.csv").symlink_to("loop.csv")
    before = sorted(Path().iterdir())
    assert run(["query", "--sample", "--csv", "-o", path]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {path}: cannot be written: {why}")
    assert sorted(Path().iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("mode", [0o500, 0o700])
def test_rights_are_respected(mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A file or a folder that may not be written is refused before anything is read."""
    Path("folder").mkdir()
    Path("folder/a.csv").touch(mode=0o444)
    Path("folder").chmod(mode)
    assert run(["query", "none", "-o", "folder/a.csv"]) == 5
    assert capsys.readouterr().err == "error: folder/a.csv: cannot be written: Permission denied\n"
    Path("folder").chmod(0o700)


def test_an_output_is_checked_before_the_data_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the output cannot be written, nobody waits for the answer first."""
    assert run(["query", "no-such-data", "-o", "none/a.csv"]) == 5
    assert run(["query", "no-such-data", "-o", "a.csv"]) == 3
    assert "no-such-data" in capsys.readouterr().err
    assert not Path("a.csv").exists()


def test_a_new_file_has_the_rights_of_one_and_a_replaced_its_own() -> None:
    """A new file has what the umask leaves; one that is replaced keeps its rights, and other links their content."""
    old = os.umask(0o027)
    try:
        assert run(["query", "--sample", "-o", "a.csv"]) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE(Path("a.csv").stat().st_mode) == 0o640
    Path("a.csv").chmod(0o604)
    Path("b.csv").hardlink_to("a.csv")
    assert run(["query", "--sample", "--event", "signup", "-o", "a.csv"]) == 0
    assert stat.S_IMODE(Path("a.csv").stat().st_mode) == 0o604
    assert (Path("a.csv").read_text(), Path("b.csv").read_text()) == ("value\n12\n", "value\n3759\n")


def test_a_failure_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """When the disk fails while the file is written, the old one stays, and nothing beside it."""
    Path("a.csv").write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert run(["query", "--sample", "-o", "a.csv"]) == 5
    assert capsys.readouterr().err.endswith("error: a.csv: cannot be written: No space left on device\n")
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("a.csv", "old")]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(exists: bool) -> None:
    """A symbolic link stays one; what it leads to is written, also where that is not there yet."""
    Path("far").mkdir()
    if exists:
        Path("far/real.csv").write_text("old")
    Path("a.csv").symlink_to("far/real.csv")
    assert run(["query", "--sample", "-o", "a.csv"]) == 0
    assert Path("a.csv").is_symlink()
    assert Path("far/real.csv").read_text() == "value\n3759\n"


def test_devices_and_pipes_are_written_straight() -> None:
    """`/dev/null` stays what it is, and a named pipe gets the answer."""
    assert run(["query", "--sample", "--csv", "-o", "/dev/null"]) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo("pipe.csv")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe.csv").read_bytes()))
    reader.start()
    assert run(["query", "--sample", "-o", "pipe.csv"]) == 0
    reader.join(60)
    assert got == [b"value\n3759\n"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="this system has no /dev/stdout")
def test_standard_output_by_name() -> None:
    """`/dev/stdout` goes on where stdout is, be it a pipe or a file, and a reader that has gone is no error."""
    command = " ".join([*MMSTATS, "query", "--sample", "--csv", "-o", "/dev/stdout"])
    piped = subprocess.run(["sh", "-c", f"{command} | cat"], capture_output=True, check=True)
    assert piped.stdout == b"value\n3759\n"
    subprocess.run(["sh", "-c", f"(echo a; {command}; echo b) >out"], check=True)
    assert Path("out").read_text() == "a\nvalue\n3759\nb\n"
    read, write = os.pipe()
    os.close(read)
    gone = subprocess.run(["sh", "-c", command], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (gone.returncode, gone.stderr) == (0, b"")


def test_a_table_in_a_file_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in a file is as wide as in a pipe, without colours unless `--color always` asks for them."""
    assert run([*QUESTION, "-o", "a.txt"]) == 0
    monkeypatch.setenv("COLUMNS", "20")
    assert run([*QUESTION, "-o", "b.txt"]) == 0
    assert Path("a.txt").read_bytes() == Path("b.txt").read_bytes()
    assert run([*QUESTION, "-o", "c.txt", "--color", "always"]) == 0
    assert b"\x1b[" in Path("c.txt").read_bytes()
    assert b"\x1b[" not in Path("a.txt").read_bytes()
