"""What the shell offers for a half-typed command line, and the event names that `describe` saves for it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mmstats.cli import run
from mmstats.dataset import EVENT_COLUMNS

NAMES = ["$pageview", "Sign Up", "checkout:done", "signup", "a*b", "é"]
LINE = "mmstats query --data e.ndjson --event "


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a folder, settings and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / ".cache"))
    return tmp_path / ".cache"


def offers(line: str, shell: str = "bash") -> list[str]:
    """The offers for a line, as a shell's own script asks for them with the cursor at its end; stderr stays empty."""
    words = len(line.split()) - (not line.endswith(" "))
    environment = {
        **os.environ,
        "COMP_WORDS": line,
        "COMP_CWORD": str(words),
        "_TYPER_COMPLETE_ARGS": line,
        "_MMSTATS_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    command = [sys.executable, "-m", "mmstats"]
    ran = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ran.stderr == ""
    return list(filter(None, ran.stdout.split("\n")))


def describe(names: list[str], path: str = "e.ndjson") -> None:
    """Describe a file of events of these names, the first of which is the most frequent."""
    rows = [
        json.dumps({"timestamp": "2026-05-01", "event_name": name}) + "\n"
        for rank, name in enumerate(names)
        for _ in range(len(names) - rank)
    ]
    Path(path).write_text("".join(rows), encoding="utf-8")
    assert run(["describe", "--data", path]) == 0


@pytest.mark.parametrize("path", ["e.ndjson", "{here}/e.ndjson", "./x/../e.ndjson", "other.ndjson"])
def test_names_are_those_of_a_location(path: str, tmp_path: Path) -> None:
    """`describe` saves the event names of a location, the most frequent first, however it is written."""
    describe(NAMES)
    line = f"mmstats query --data {path.format(here=tmp_path)} --event "
    assert offers(line, "fish") == ([] if path.startswith("other") else NAMES)


def test_known_exports() -> None:
    """The shell completes the names of known exports."""
    assert offers("mmstats query --schema go", "fish") == ["goatcounter"]
    assert offers("mmstats schemas umam", "fish") == ["umami"]


def test_a_thousand_names() -> None:
    """Of very many names the thousand most frequent are saved."""
    describe([f"e{number:04}" for number in range(1_005)])
    assert offers(LINE, "fish") == [f"e{number:04}" for number in range(1_000)]


def test_the_file_is_private(cache: Path) -> None:
    """Nobody else may read the names, and the last ones replace those before."""
    describe(NAMES)
    describe(NAMES[:2])
    (file,) = cache.iterdir()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert offers(LINE, "fish") == NAMES[:2]


def test_the_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MMSTATS_CACHE_DIR the names are saved where the user's caches are."""
    monkeypatch.delenv("MMSTATS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    describe(NAMES)
    assert offers(LINE, "fish") == NAMES
    if sys.platform == "linux":
        assert len(list((tmp_path / "xdg" / "mmstats").iterdir())) == 1


def test_names_that_cannot_be_saved(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A cache that cannot be written is no reason for a message."""
    cache.write_text("a file")
    describe(NAMES)
    assert capfd.readouterr().err == ""
    assert offers(LINE) == []


def test_names_of_standard_input_are_not_saved(cache: Path) -> None:
    """What came through a pipe is at no location that could be named again."""
    row = b'{"timestamp":"2026-05-01","event_name":"a"}\n'
    subprocess.run([sys.executable, "-m", "mmstats", "describe", "--data", "-"], input=row, check=True)
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"{" * 5000], ids=["nothing", "not SQLite"])
def test_a_broken_file(cache: Path, content: bytes) -> None:
    """A file that cannot be understood gives no names and no error."""
    describe(NAMES)
    next(cache.iterdir()).write_bytes(content)
    assert offers(LINE) == []


def test_clearing_the_cache_drops_names(cache: Path) -> None:
    """The names are in the cache, and go with it."""
    describe(NAMES)
    assert run(["cache", "clear"]) == 0
    assert list(cache.iterdir()) == []
    assert offers(LINE) == []


def test_a_wrong_size_of_the_cache_ends_no_describe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A description is shown although the names cannot be saved."""
    monkeypatch.setenv("MMSTATS_CACHE_SIZE", "large")
    describe(NAMES)


def test_events_in_bash() -> None:
    """Bash gets names with everything escaped that it would act on, as the open quote at the cursor needs it."""
    describe(NAMES)
    assert offers(LINE) == ["\\$pageview", "Sign\\ Up", "checkout\\:done", "signup", "a\\*b", "é"]
    for typed, offered in (
        *[("$p", "\\$pageview"), ("'$p", "$pageview"), ('"$p', "\\$pageview"), ("= s", "signup")],
        *[("'x' --event $p", "\\$pageview"), ("\\'x --event $p", "\\$pageview"), ("x\\", None)],
    ):
        assert offers(LINE + typed) == ([offered] if offered else [])


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs Bash")
@pytest.mark.parametrize("name", ["$pageview", "Sign Up", "checkout:done", "a*b;c", "~", "#x", "(é) & | < > {a,b} !"])
def test_bash_reads_what_was_meant(name: str) -> None:
    """What Bash makes of an offer, inside a quote or not, is the name."""
    describe([name])
    for quote in ("", "'", '"'):
        (offer,) = offers(LINE + quote)
        line = f"printf %s {quote}{offer}{quote}"
        ran = subprocess.run(["/bin/bash", "-c", line], capture_output=True, encoding="utf-8", check=True)
        assert ran.stdout == name


def test_events_in_other_shells() -> None:
    """Fish and Zsh quote by themselves, PowerShell gets quotes."""
    describe(NAMES)
    assert offers(LINE, "fish") == NAMES
    assert offers(LINE + "s", "zsh") == ["_arguments '*: :((\"signup\"))'"]
    assert offers(LINE + "'$p", "zsh") == ["_arguments '*: :((\"\\$pageview\"))'"]
    assert [offer.split(":::")[0] for offer in offers(LINE, "powershell")][:2] == ["'$pageview'", "'Sign Up'"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_names_that_a_shell_may_run(shell: str) -> None:
    """A name that some shell's script would lose or run is not offered."""
    describe(["it's", 'a"b', "`id`", "\\$(id)", "a\nb", "\x1b[2J", "a\u202eb", "fine"])
    (offer,) = offers(LINE, shell)
    assert "fine" in offer


def test_whose_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are those of the data that the command would read: named, set, or the sample."""
    describe(["named"])
    describe(["set"], "set.ndjson")
    assert run(["describe", "--sample"]) == 0
    assert "signup" in offers("mmstats query --event ")
    (tmp_path / "mmstats.toml").write_text('data = "set.ndjson"')
    assert offers("mmstats query --event ") == ["set"]
    assert offers(LINE) == offers("mmstats query e.ndjson --event ") == ["named"]
    assert "signup" in offers("mmstats query --sample --event ")
    monkeypatch.setenv("MMSTATS_DATA", "e.ndjson")
    assert offers("mmstats query --event ") == ["named"]


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    """With settings that cannot be read there are no offers, and no error."""
    (tmp_path / "mmstats.toml").write_text("broken")
    assert offers("mmstats query --event ") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mmstats desc", ["describe"]),
        ("mmstats query --map ", [f"{column}=" for column in EVENT_COLUMNS]),
        ("mmstats describe --map event_n", ["event_name="]),
        ("mmstats query --group-by source,m", ["source,medium"]),
        ("mmstats query --metric count,u", ["count,uniques", "count,users"]),
        ("mmstats describe --format ", ["table", "json"]),
        ("mmstats query --format m", ["markdown"]),
        ("mmstats describe --color a", ["auto", "always"]),
        ("mmstats describe --input-format p", ["parquet"]),
        ("mmstats query --interval = d", ["day"]),
        ("mmstats query -g source,m", ["source,medium"]),
        ("mmstats query e.csv --js", ["--json"]),
        ("mmstats help ke", ["keys"]),
        ("mmstats help keys ", ["create", "list", "revoke"]),
        *((f"mmstats {command} ", []) for command in ("query", "describe", "import", "serve", "query e.csv")),
    ],
)
def test_values(line: str, expected: list[str]) -> None:
    """Options that take one of a few values, and columns, are completed; for a file the shell offers its own names."""
    assert offers(line) == expected


def test_completion_loads_no_engine() -> None:
    """Completion answers between two key strokes: nothing that reads or prints is loaded for it."""
    describe(NAMES)
    code = (
        "import os, sys; os.environ |= {'_MMSTATS_COMPLETE': 'complete_bash', 'COMP_CWORD': '5',"
        f"'COMP_WORDS': {LINE!r}}}\n"
        "from mmstats.cli import run\n"
        "try: run([])\n"
        "finally: print({'polars', 'pyarrow', 'rich'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert ran.stdout.splitlines() == [*offers(LINE), "set()"]


def test_keys_are_offered_by_their_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`keys revoke` is completed with the prefixes of the keys that are known here, and with no secret."""
    monkeypatch.setenv("MMSTATS_KEYS_FILE", str(tmp_path / "keys.json"))
    assert offers("mmstats keys revoke ", "fish") == []
    for name in ("one", "two"):
        assert run(["keys", "create", "--name", name]) == 0
    prefixes = [key["prefix"] for key in json.loads((tmp_path / "keys.json").read_text())["keys"]]
    assert offers("mmstats keys revoke ", "fish") == prefixes
    assert offers(f"mmstats keys revoke {prefixes[1][:4]}", "fish") == prefixes[1:]
    (tmp_path / "keys.json").write_text("{")
    assert offers("mmstats keys revoke ", "fish") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_a_named_shell(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell that is named gets its script, whatever shell this is; one that is unknown is refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["--show-completion", shell]) == 0
    assert f"complete_{shell}" in capsys.readouterr().out
    assert run(["--install-completion", shell]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{shell} completion installed in {tmp_path}")
    assert f"complete_{shell}" in Path(said.splitlines()[0].rpartition(" in ")[2]).read_text()
    assert run(["--install-completion", f"{shell}x"]) == 2
    assert capsys.readouterr().err.startswith("error: --install-completion must be bash or ")
