"""Files that are removed after they were found: exit code 4 and their name, for they were there."""

import glob
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.errors import Unreadable
from mmstats.files.fingerprint import fingerprint
from tests.conftest import WRITERS, Ask

FORMATS = ("ndjson", "json", "csv", "csv.gz", "parquet", "arrow", "feather")
QUERY = ["query", "--no-cache"]
COMMANDS = {
    "count": QUERY,
    "by path": [*QUERY, "--group-by", "path"],
    "cached": ["query", "--group-by", "path"],
    "uniques": [*QUERY, "--metric", "uniques"],
    "exact": [*QUERY, "--metric", "uniques", "--exact"],
    "range": ["query", "--from", "2026-05-01"],
    "describe": ["describe"],
    "import": ["import", "--to", "store"],
}
ROWS = [{"timestamp": "2026-05-04", "event_name": "a", "path": "/", "anonymous_id": "1"}]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.usefixtures("later")
def test_a_file_that_is_removed_before_it_is_read(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    extension: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever its format and whatever is asked; the other files do not answer in its place."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    kept, gone = (tmp_path / "events" / f"{name}.{extension}" for name in ("kept", "gone"))
    kept.parent.mkdir()
    for file in (kept, gone):
        file.write_bytes(WRITERS[extension](ROWS))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        flag = [] if "import" in command else ["--data"]
        running = threads.submit(run, [*command, *flag, str(kept.parent), *flag, str(pipe)])
        with pipe.open("wb") as stream:  # which waits until the command opens it too, and has found the files
            gone.unlink()
            stream.write(WRITERS["csv"](ROWS))
        code = running.result()
    written = capfd.readouterr()
    assert (code, written.out) == (4, "")
    assert written.err.splitlines()[0] == f"error: {gone}: No such file or directory"


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_that_is_removed_after_a_glob_matched_it(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    """As in a folder: it is not taken for a link to nothing."""
    (tmp_path / f"kept.{extension}").write_bytes(WRITERS[extension](ROWS))
    gone = tmp_path / f"gone.{extension}"
    matches = glob.iglob
    monkeypatch.setattr(glob, "iglob", lambda pattern, **how: [*matches(pattern, **how), str(gone)])
    assert (ran := ask(tmp_path / f"k*.{extension}")).code == 4
    assert ran.error == f"{gone}: No such file or directory"
    with pytest.raises(Unreadable, match="No such file or directory"):
        fingerprint(Dataset((str(tmp_path / f"k*.{extension}"),)))


def test_a_folder_that_is_removed_after_a_glob_matched_it(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds no files any more; what else the glob matched is read."""
    (tmp_path / "kept.ndjson").write_bytes(WRITERS["ndjson"](ROWS))
    matches = glob.iglob
    monkeypatch.setattr(glob, "iglob", lambda pattern, **how: [*matches(pattern, **how), str(tmp_path / "gone")])
    assert ask(tmp_path / "k*").value == 1


@pytest.mark.parametrize("name", ["gone.ndjson", "gone"])
def test_a_file_that_is_removed_after_its_name_was_seen(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A location that is named is a file or folder that was there, whatever it is called."""
    gone = str(tmp_path / name)
    lexists = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: path == gone or lexists(path))
    assert (ran := ask(gone)).code == 4
    assert ran.error == f"{gone}: No such file or directory"


def test_a_link_to_nothing_is_no_file(ask: Ask, tmp_path: Path) -> None:
    """Exit code 3, in a glob, in a folder and by its name: it never led anywhere."""
    link = tmp_path / "events" / "a.ndjson"
    link.parent.mkdir()
    link.symlink_to("nowhere")
    for location in (link, link.parent, link.with_name("*")):
        assert (ran := ask(location)).code == 3
        assert ran.error == f"{link}: a link to nothing"
