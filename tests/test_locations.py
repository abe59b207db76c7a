"""Locations: what a file, a folder or a glob names, once each, and what is said of the rest."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import Unreadable
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile

from .conftest import WRITERS, Ask, Ran, delimited, ndjson

ROOT = Path(__file__).resolve().parent.parent
EVENT = {"timestamp": "2026-05-01", "event_name": "a"}
ONE = ndjson([EVENT])


def put(path: Path, data: bytes = ONE) -> Path:
    """A file, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_folder_gives_all_event_files_below_it(ask: Ask, tmp_path: Path) -> None:
    """A folder is walked, but for names that begin with a dot or an underscore; others are counted on stderr."""
    for name in ("a.ndjson", "b/c.json", "b/d/e.JSONL", "b=c/f.ndjson"):
        put(tmp_path / "events" / name)
    for name in (".a.ndjson", "_b.ndjson", ".c/d.ndjson", "_d/e.ndjson", "b/_temporary/0.ndjson", "_SUCCESS"):
        put(tmp_path / "events" / name, b"broken")
    ran = ask("events")
    assert (ran.value, ran.err) == (4, "")
    put(tmp_path / "events" / "b" / "notes.txt", b"broken")
    assert ask("events/").err == "warning: passed over 1 file of unknown extension\n"
    put(tmp_path / "events" / "Makefile", b"broken")
    put(tmp_path / "events" / "a.orc.gz", b"broken")
    ran = ask("./events")
    assert (ran.value, ran.err) == (4, "warning: passed over 3 files of unknown extension\n")


@pytest.mark.parametrize(
    ("files", "location", "says"),
    [
        ([], "none", "none: no such file or folder"),
        ([], "none/a.csv", "none/a.csv: no such file or folder"),
        ([], "*.csv", "*.csv: nothing matches"),
        (["events/.a.csv"], "events", "events: no event files, no files"),
        (["events/a.txt"], "events", "events: no event files, only 1 file of another kind"),
        (["events/a.txt", "events/b"], "events", "events: no event files, only 2 files of other kinds"),
        (["a.txt", "b.txt"], "*.txt", "*.txt: no event files, only 2 files of other kinds"),
        (["a.txt"], "a.txt", "a.txt: the extension says no format of events"),
        (["a.orc.gz"], "a.orc.gz", "a.orc.gz: the extension says no format of events"),
        (["a.csv"], "a.csv/b.csv", "a.csv/b.csv: no such file or folder"),
        (["a.csv"], "a\nb.csv", "a\\nb.csv: no such file or folder"),
        ([], "\x1b[31m.csv", "\\x1b[31m.csv: nothing matches"),
        ([], "a" * 300 + ".csv", "a" * 300 + ".csv: "),
        ([], "gopher://x/y", "gopher://x/y: "),
    ],
)
def test_what_is_not_there_is_said(ask: Ask, tmp_path: Path, files: list[str], location: str, says: str) -> None:
    """A location that names no event files ends with exit 3, one line that names it, and a hint."""
    for name in files:
        put(tmp_path / name)
    ran = ask(location)
    assert ran.code == 3
    assert ran.error.startswith(says)


def test_a_misspelt_location_is_offered(ask: Ask, tmp_path: Path) -> None:
    """What lies beside a location that is not there and has a name like it is offered."""
    put(tmp_path / "events" / "may.ndjson")
    assert ask("evnts").err.splitlines()[1] == "hint: did you mean events?"
    assert ask("events/mai.ndjson").err.splitlines()[1] == "hint: did you mean events/may.ndjson?"


def test_an_unknown_extension_is_read_when_its_format_is_said(ask: Ask, tmp_path: Path) -> None:
    """--input-format decides, whatever a file's name says, and keeps its compression."""
    put(tmp_path / "a.txt")
    assert "--input-format" in ask("a.txt").err
    assert ask("a.txt", "--input-format", "ndjson").value == 1
    put(tmp_path / "b.ndjson", delimited([EVENT]))
    assert ask("b.ndjson", "--input-format", "csv").value == 1
    put(tmp_path / "c.dat.gz", WRITERS["ndjson.gz"]([EVENT]))
    assert ask("c.dat.gz", "--input-format", "json").value == 1
    put(tmp_path / "d.parquet", delimited([EVENT], "\t"))
    assert ask("d.parquet", "--input-format", "tsv").value == 1
    put(tmp_path / "e", WRITERS["parquet"]([EVENT]))
    assert ask("e", "--input-format", "parquet").value == 1
    put(tmp_path / "f", WRITERS["arrow"]([EVENT]))
    assert ask("f", "--input-format", "arrow").value == 1


NAMES = [
    "a b.{}", "[a].{}", "*.{}", "Zürich 🎈.{}", "a\nb.{}", "\x1b[31m.{}", "a%20b.{}", "#.{}", "~a.{}", "a:b.{}",
    "-a.{}", "a?.{}", "a=b/c.{}", "[x]/[y].{}", "{{a,b}}.{}", "a'\"b.{}", "a\\b.{}", "a.b.{}", "s3:x.{}", "$HOME.{}",
]  # fmt: skip


@pytest.mark.parametrize("form", ["ndjson", "csv.gz", "parquet", "arrow", "feather"])
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_only_a_name(ask: Ask, tmp_path: Path, name: str, form: str) -> None:
    """A file is read whatever characters its name has; what exists is not read as a glob."""
    path = put(tmp_path / "events" / name.format(form), WRITERS[form]([EVENT] * 2))
    put(tmp_path / "events" / f"[z].{form}", WRITERS[form]([EVENT]))
    assert ask(path).value == 2
    assert ask(path.parent).value == (2 if path.parent.name != "events" else 3)
    os.chdir(tmp_path / "events")
    assert ask(name.format(form), "--event", "a").value == 2


@pytest.mark.parametrize("form", WRITERS)
def test_a_name_that_is_not_utf8_is_read_or_refused(ask: Ask, tmp_path: Path, form: str) -> None:
    """A name of bytes that are no text is never a crash: the file is read, or the error shows the name escaped."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff." + form.encode())
    put(Path(path), WRITERS[form]([EVENT]))
    ran = ask(path)
    if ran.code:
        assert ran.code == 4
        assert f"\\udcff.{form}: " in ran.error
    else:
        assert ran.value == 1


def test_globs(ask: Ask, tmp_path: Path) -> None:
    """A glob matches files and folders, `**` at any depth, hidden and underscored folders never."""
    for name in ("a.ndjson", "b/c.ndjson", "b/d/e.ndjson", "x.csv"):
        put(tmp_path / name, ONE if name.endswith("ndjson") else delimited([EVENT] * 10))
    put(tmp_path / "_b" / "c.ndjson", b"broken")
    put(tmp_path / ".b" / "c.ndjson", b"broken")
    assert ask("*.ndjson").value == 1
    assert ask("*/*.ndjson").value == 1
    assert ask("**/*.ndjson").value == 3
    assert ask("?").value == 2
    assert ask("[ab]*").value == 3
    assert ask("*.[cn]*").value == 11
    assert ask("**").value == 13


def test_a_file_matched_twice_counts_once(ask: Ask, tmp_path: Path) -> None:
    """However often and by whatever names a file is matched, its events count once."""
    path = put(tmp_path / "events" / "a.ndjson")
    (tmp_path / "events" / "b.ndjson").symlink_to("a.ndjson")
    (tmp_path / "link").symlink_to("events")
    again = ["events/a.ndjson", "events", "**/*.ndjson", "./events/../events/a.ndjson", "link", str(path)]
    assert ask("events", *(word for location in again for word in ("--data", location))).value == 1


def test_links(ask: Ask, tmp_path: Path) -> None:
    """Links are followed, but in no circle; one that leads nowhere is an error that names it."""
    put(tmp_path / "events" / "a.ndjson")
    (tmp_path / "events" / "again").symlink_to(tmp_path / "events")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nowhere.csv").symlink_to("none")
    assert ask("events").value == 1
    nowhere = ask("nowhere.csv")
    assert (nowhere.code, nowhere.error) == (3, "nowhere.csv: a link to nothing")
    circle = ask("circle")
    assert circle.code in (3, 4)
    assert circle.error.startswith("circle: ")
    (tmp_path / "events" / "b.csv").symlink_to("none")
    nowhere = ask("events")
    assert (nowhere.code, nowhere.error) == (3, "events/b.csv: a link to nothing")


@pytest.mark.parametrize("name", ["circle", "circle.csv"])
def test_a_circular_link_in_a_folder_is_no_crash(ask: Ask, tmp_path: Path, name: str) -> None:
    """A link to itself holds no events: passed over by its extension, or named."""
    put(tmp_path / "events" / "a.ndjson")
    (tmp_path / "events" / name).symlink_to(name)
    ran = ask("events")
    if name.endswith(".csv"):
        assert ran.code in (3, 4)
        assert ran.error.startswith("events/circle.csv: ")
    else:
        assert (ran.value, ran.err) == (1, "warning: passed over 1 file of unknown extension\n")


def test_what_is_neither_file_nor_folder_is_passed_over_in_a_folder(ask: Ask, tmp_path: Path) -> None:
    """Sockets in a folder are no events."""
    put(tmp_path / "events" / "a.ndjson")
    os.chdir(tmp_path / "events")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("b.ndjson")
        ran = ask(".")
        assert (ran.value, ran.err) == (1, "warning: passed over 1 pipe, socket or device\n")


PROGRAM = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import mmstats.cli
out, err, nowhere = os.dup(1), os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 1), os.dup2(nowhere, 2)
for warm in (["--sample"], ["--data", "none"], ["--data", "-", "--input-format", "csv"]):
    mmstats.cli.run(["query", *warm])
os.dup2(out, 1), os.dup2(err, 2)
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(mmstats.cli.run(["query", "--data", sys.argv[1]]))
"""  # asked before, so that all is imported: nobody may read an installation below somebody's home


def refused(ask: Ask, secret: Path, location: str) -> Ran:
    """Ask of what the asker may not read: as it is to its owner, or to nobody when the owner is root."""
    mode = secret.stat().st_mode
    if os.getuid() != 0:
        secret.chmod(0)
        try:
            return ask(location)
        finally:
            secret.chmod(mode)
    secret.chmod(mode & ~0o077)
    for parent in (folder for folder in secret.parents if "pytest-" in str(folder)):
        parent.chmod(parent.stat().st_mode | 0o055)
    command = [sys.executable, "-c", PROGRAM, location]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={"HOME": "/nonexistent"},
        input="timestamp,event\n1,a\n",
        check=False,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("form", ["ndjson", "csv.gz", "parquet", "arrow"])
def test_a_file_that_may_not_be_read_is_named(ask: Ask, tmp_path: Path, form: str) -> None:
    """A file of somebody else ends with exit 4 and its name."""
    secret = put(tmp_path / f"a.{form}", WRITERS[form]([EVENT]))
    ran = refused(ask, secret, f"a.{form}")
    assert (ran.code, ran.error) == (4, f"a.{form}: Permission denied")


@pytest.mark.parametrize("location", [".", "secret", "secret/a.ndjson", "secret/*.ndjson"])
def test_a_folder_that_may_not_be_read_is_named(ask: Ask, tmp_path: Path, location: str) -> None:
    """A folder of somebody else ends with exit 4 and its name, however it was come by."""
    put(tmp_path / "secret" / "a.ndjson")
    ran = refused(ask, tmp_path / "secret", location)
    assert ran.code == 4
    assert "secret" in ran.error
    assert ran.error.endswith(": Permission denied")


@pytest.mark.parametrize("location", [".", "*/a.ndjson", "*/*", "**/*.ndjson"])
def test_a_forbidden_folder_among_others_is_not_passed_over(ask: Ask, tmp_path: Path, location: str) -> None:
    """A folder of somebody else ends the question, however many others could be read beside it."""
    put(tmp_path / "open" / "a.ndjson")
    put(tmp_path / "secret" / "a.ndjson")
    ran = refused(ask, tmp_path / "secret", location)
    assert (ran.code, ran.error) == (4, f"{'./' if location == '.' else ''}secret: Permission denied")


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet", "arrow", "feather"])
def test_a_file_that_vanishes_is_named(tmp_path: Path, form: str) -> None:
    """A file that was found and is gone when it is to be read is named."""
    path = put(tmp_path / f"a.{form}", WRITERS[form]([EVENT]))

    class Losing(Profile):
        def begin(self, phase: str) -> None:
            super().begin(phase)
            if phase == "read and group":
                path.unlink()

    with pytest.raises(Unreadable) as lost:
        answer(StatsQuery(group_by=("source",)), Dataset((str(path),)), Losing())
    assert lost.value.message == f"{path}: No such file or directory"


def test_folders_nested_deep(ask: Ask, tmp_path: Path) -> None:
    """Folders are read however deep they are nested."""
    folders = [tmp_path / "events"]
    for _ in range(1_100):
        folders.append(folders[-1] / "d")
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "a.ndjson").write_bytes(ONE)
    assert ask("events").value == 1
    (folders[-1] / "a.ndjson").unlink()
    for folder in reversed(folders):  # Python's own removal of trees calls itself
        folder.rmdir()


def test_folders_that_link_to_each_other(ask: Ask, tmp_path: Path) -> None:
    """A folder is entered once, however many links lead to it."""
    folders = [tmp_path / "events" / name for name in "abcdefghij"]
    for folder in folders:
        put(folder / "a.ndjson")
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    assert ask("events").value == len(folders)


HIVE = {"source=a%20b%2Fc/medium=%C3%BC": ("a b/c", "ü"), "source=__HIVE_DEFAULT_PARTITION__/medium=": (None, "")}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("folders", "values"), HIVE.items(), ids=HIVE)
def test_hive_folders_fill_columns_that_a_file_lacks(
    ask: Ask, tmp_path: Path, form: str, folders: str, values: tuple[str | None, str]
) -> None:
    """Hive folders give columns that a file lacks, URL-decoded; the file's own values go first, null included."""
    put(tmp_path / "events" / folders / f"a.{form}", WRITERS[form]([EVENT]))
    (row,) = ask("events", "--group-by", "source,medium").rows
    assert (row["source"], row["medium"]) == values
    if values[0] is not None:
        assert ask("events", "--map", "event_name=source", "--event", values[0]).value == 1
    put(tmp_path / "events" / folders / f"a.{form}", WRITERS[form]([{**EVENT, "source": "own"}, {**EVENT}]))
    rows = ask("events", "--group-by", "source,medium").rows
    assert [(row["source"], row["medium"]) for row in rows] == [("own", values[1]), (None, values[1])]


@pytest.mark.parametrize("form", WRITERS)
def test_hive_folders_may_name_the_event_and_the_day(ask: Ask, tmp_path: Path, form: str) -> None:
    """The columns that must be there may come from folders, too."""
    for event in ("a", "b"):
        for day in ("2026-05-01", "2026-05-02"):
            folder = tmp_path / "events" / f"event_name={event}" / f"timestamp={day}"
            put(folder / f"a.{form}", WRITERS[form]([{"source": "x"}] * (2 if event == "a" else 1)))
    assert ask("events", "--group-by", "event_name", "--interval", "day", "--from", "2026-05-02").rows == [
        {"bucket": "2026-05-02 00:00:00", "event_name": "a", "value": 2},
        {"bucket": "2026-05-02 00:00:00", "event_name": "b", "value": 1},
    ]
    assert ask("events", "--event", "b").value == 2


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("first", ["event_name=x", "x"])
def test_a_file_without_an_event_name_is_named_beside_one_that_has_it(
    ask: Ask, tmp_path: Path, form: str, first: str
) -> None:
    """A column that must be there is missed in the file that lacks it, though the folder of another file has it."""
    folders = {"event_name=x", "other"} if first == "event_name=x" else {"x", "event_name=y"}
    for folder in folders:
        put(tmp_path / "events" / folder / f"a.{form}", WRITERS[form]([{"timestamp": "2026-05-01T00:00:00"}]))
    (without,) = (folder for folder in folders if "=" not in folder)
    for asked in ([], ["--event", "x"], ["--group-by", "source"]):
        ran = ask("events", *asked)
        assert ran.code == 3
        assert ran.error.startswith(f"events/{without}/a.{form}: no column 'event_name'")


@pytest.mark.parametrize("form", WRITERS)
def test_hive_folders_do_not_prune_by_themselves(ask: Ask, tmp_path: Path, form: str) -> None:
    """A folder's day may be local or that of arrival: only --trust-partitions lets it decide."""
    put(tmp_path / "events" / "day=2026-04-30" / f"a.{form}", WRITERS[form]([EVENT]))
    assert ask("events", "--from", "2026-05-01").value == 1
    assert ask("events", "--from", "2026-05-01", "--trust-partitions").value == 0


PARTITIONS = [
    "day=2026-05-02", "date=2026-05-02", "dt=2026-05-02", "year=2026/month=05/day=02", "year=2026/month=5/day=2",
    "day=2026-05-02/hour=07", "dt=2026-05-02/hour=7", "year=2026/month=05/day=02/hour=07", "day=2026%2D05%2D02",
]  # fmt: skip


@pytest.mark.parametrize("folders", PARTITIONS)
def test_trusted_folders_decide_by_hour_and_day(ask: Ask, tmp_path: Path, folders: str) -> None:
    """With --trust-partitions only folders that may hold some of the range are opened."""
    put(tmp_path / "events" / folders / "a.csv", delimited([{**EVENT, "timestamp": "2026-05-02T07:30:00"}]))
    put(tmp_path / "events" / "month=1" / "kept.csv", delimited([EVENT]))
    put(tmp_path / "events" / "day=2025-01-01" / "broken.csv", b"x")
    put(tmp_path / "events" / "year=2025" / "broken.parquet", b"x")
    put(tmp_path / "events" / "year=2026" / "month=12" / "broken.csv", b"x")
    for start, end, value in (
        ("2026-05-02", "2026-05-03", 1),
        ("2026-05-02T07:00:00", "2026-05-02T08:00:00", 1),
        ("2026-05-01", "2026-05-02", 1),
        ("2026-05-01", "2026-05-02T07:30:00.000001", 2),
        ("2026-05-03", "2026-06-01", 0),
    ):
        assert ask("events", "--trust-partitions", "--from", start, "--to", end).value == value
    assert ask("events", "--from", "2026-05-02").code in (3, 4)


def test_a_glob_waits_for_no_pipe(ask: Ask, tmp_path: Path) -> None:
    """A named pipe that a glob or a folder meets is passed over: only who names it wants to wait for its writer."""
    put(tmp_path / "events" / "a.ndjson")
    os.mkfifo(tmp_path / "events" / "b.ndjson")
    for location in ("events/*.ndjson", "events"):
        ran = ask(location)
        assert (ran.value, ran.err) == (1, "warning: passed over 1 pipe, socket or device\n")
    ran = ask("events/b.*")
    assert (ran.code, ran.error) == (3, "events/b.*: no event files, only 1 pipe, socket or device")
