"""What the shell offers for a half-typed command line, and the event names that a describe leaves for it."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstats.cli import run
from mmstats.cli.completion import bash_quoted, carried, open_quote, recall, remember
from mmstats.dataset import EVENT_COLUMNS

Offers = Callable[..., list[str]]
NAMES = ["$pageview", "Sign Up", "checkout:done", "signup", "a*b", "é"]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a folder, a cache and settings of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / ".cache"))


def completed(line: str, shell: str = "bash") -> subprocess.CompletedProcess[str]:
    """Ask the program for completion as a shell's own script does, the cursor at the end of the line."""
    words = len(line.split()) - (not line.endswith(" "))
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(words), "_TYPER_COMPLETE_ARGS": line}
    environ = {
        **os.environ,
        **asked,
        "_MMSTATS_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    return subprocess.run(
        [sys.executable, "-m", "mmstats"], env=environ, capture_output=True, encoding="utf-8", check=False
    )


def offers(line: str, shell: str = "bash") -> list[str]:
    """The offers for a line; nothing is said on stderr."""
    ran = completed(line, shell)
    assert ran.stderr == ""
    return list(filter(None, ran.stdout.split("\n")))


def written(names: list[str], path: str = "e.ndjson") -> None:
    """A file of events of these names, the first the most frequent, which has been described."""
    rows = [
        json.dumps({"timestamp": "2026-05-01", "event_name": name}) + "\n"
        for rank, name in enumerate(names)
        for _ in range(len(names) - rank)
    ]
    Path(path).write_text("".join(rows), encoding="utf-8")
    assert run(["describe", "--data", path]) == 0


def test_describe_leaves_names() -> None:
    """A describe leaves the event names of its dataset, the most frequent first, for the same place named otherwise."""
    written(NAMES)
    assert recall(["e.ndjson"]) == recall([str(Path("e.ndjson").absolute())]) == recall(["./x/../e.ndjson"]) == NAMES
    assert recall(["other.ndjson"]) == []


def test_a_thousand_names() -> None:
    """Of very many names the thousand most frequent are kept."""
    written([f"e{number:04}" for number in range(1_005)])
    assert recall(["e.ndjson"]) == [f"e{number:04}" for number in range(1_000)]


def test_cache_is_private(tmp_path: Path) -> None:
    """Nobody else may read the names, and nothing but whole files is left."""
    remember(["a"], NAMES)
    remember(["a"], NAMES[:2])
    (file,) = (tmp_path / ".cache").iterdir()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes()) == {"version": 1, "events": NAMES[:2]}


def test_cache_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MMSTATS_CACHE_DIR the names go where the user's caches are."""
    monkeypatch.delenv("MMSTATS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    remember(["a"], NAMES)
    assert recall(["a"]) == NAMES
    if sys.platform == "linux":
        assert len(list((tmp_path / "xdg" / "mmstats").iterdir())) == 1


def test_cache_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A cache that cannot be written is no reason to say anything."""
    (tmp_path / ".cache").write_text("a file")
    written(NAMES)
    assert capfd.readouterr().err == ""
    assert recall(["e.ndjson"]) == []


def test_standard_input_is_not_remembered(tmp_path: Path) -> None:
    """What came through a pipe cannot be named again."""
    remember(["-"], NAMES)
    assert not (tmp_path / ".cache").exists()


BROKEN = {
    "nothing": b"",
    "not JSON": b"{",
    "not UTF-8": b"\xff",
    "a list": b"[]",
    "another version": b'{"version":2,"events":["a"]}',
    "no names": b'{"version":1,"events":{"a":1}}',
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_cache(tmp_path: Path, case: str) -> None:
    """A cache that cannot be understood gives no names and no error."""
    remember(["e"], NAMES)
    next((tmp_path / ".cache").iterdir()).write_bytes(BROKEN[case])
    assert recall(["e"]) == []
    assert offers("mmstats query --data e --event ") == []


def test_events_in_bash() -> None:
    """Bash gets names with everything escaped that it would act on."""
    written(NAMES)
    line = "mmstats query --data e.ndjson --event "
    assert offers(line) == ["\\$pageview", "Sign\\ Up", "checkout\\:done", "signup", "a\\*b", "é"]
    assert offers(f"{line}$p") == ["\\$pageview"]
    assert offers(f"{line}'$p") == ["$pageview"]
    assert offers(f'{line}"$p') == ["\\$pageview"]
    assert offers("mmstats query --data e.ndjson --event = s") == ["signup"]


def test_events_in_other_shells() -> None:
    """Fish and Zsh quote by themselves, PowerShell gets quotes."""
    written(NAMES)
    line = "mmstats query --data e.ndjson --event "
    assert offers(line, "fish") == NAMES
    assert offers(line + "s", "zsh") == ["_arguments '*: :((\"signup\"))'"]
    assert offers(line + "'$p", "zsh") == ["_arguments '*: :((\"\\$pageview\"))'"]
    assert [offer.split(":::")[0] for offer in offers(line, "powershell")][:2] == ["'$pageview'", "'Sign Up'"]


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs Bash")
@pytest.mark.parametrize("name", ["$pageview", "Sign Up", "checkout:done", "a*b;c", "~", "#x", "(é) & | < > {a,b} !"])
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_bash_reads_what_was_meant(name: str, quote: str) -> None:
    """What Bash makes of an offer, inside a quote or not, is the name."""
    line = f"printf %s {quote}{bash_quoted(name, quote)}{quote}"
    ran = subprocess.run(["/bin/bash", "-c", line], capture_output=True, encoding="utf-8", check=True)
    assert ran.stdout == name


DANGEROUS = ["it's", 'a"b', "`id`", "\\$(id)", "a\nb", "\x1b[2J", "a\u202eb"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_names_that_a_shell_may_run(shell: str) -> None:
    """A name that some shell's script would lose or run is not offered."""
    written([*DANGEROUS, "fine"])
    assert not any(map(carried, DANGEROUS))
    line = "mmstats query --data e.ndjson --event "
    assert "fine" in "".join(offers(line, shell))
    assert len(offers(line, shell)) == 1


@pytest.mark.parametrize(
    ("line", "quote"), [("", ""), ("a 'b", "'"), ('a "b', '"'), ("a 'b' c", ""), ("a \\'b", ""), ("a b\\", "")]
)
def test_open_quote(line: str, quote: str) -> None:
    """It is told which quote is open at the cursor."""
    assert open_quote(line) == quote


def test_whose_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are those of the data that the command would read: named, set, or the sample."""
    written(["named"])
    written(["set"], "set.ndjson")
    assert run(["describe", "--sample"]) == 0
    assert "signup" in offers("mmstats query --event ")
    (tmp_path / "mmstats.toml").write_text('data = "set.ndjson"')
    assert offers("mmstats query --event ") == ["set"]
    assert offers("mmstats query --data e.ndjson --event ") == ["named"]
    assert "signup" in offers("mmstats query --sample --event ")
    monkeypatch.setenv("MMSTATS_DATA", "e.ndjson")
    assert offers("mmstats query --event ") == ["named"]


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    """With settings that cannot be followed there are no offers, and no error."""
    (tmp_path / "mmstats.toml").write_text("broken")
    assert offers("mmstats query --event ") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mmstats desc", ["describe"]),
        ("mmstats query --map ", [f"{column}=" for column in EVENT_COLUMNS]),
        ("mmstats describe --map event_n", ["event_name="]),
        ("mmstats describe --format ", ["table", "json"]),
        ("mmstats query --format m", ["markdown"]),
        ("mmstats describe --color a", ["auto", "always"]),
        ("mmstats describe --input-format p", ["parquet"]),
        ("mmstats query --interval = d", ["day"]),
    ],
)
def test_values(line: str, expected: list[str]) -> None:
    """Options that take one of a few values, and columns to map, are completed."""
    assert offers(line) == expected


def test_completion_loads_no_engine() -> None:
    """Completion answers while a finger is on the key: nothing that reads or draws is loaded for it."""
    remember(["e"], NAMES)
    code = (
        "import os, sys; os.environ |= {'_MMSTATS_COMPLETE': 'complete_bash', 'COMP_CWORD': '5',"
        "'COMP_WORDS': 'mmstats query --data e --event '}\n"
        "from mmstats.cli import run\n"
        "try: run([])\n"
        "finally: print({'polars', 'pyarrow', 'rich'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert ran.stdout.splitlines() == [*offers("mmstats query --data e --event "), "set()"]
