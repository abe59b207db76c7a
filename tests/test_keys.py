"""What API keys promise: their form, how safely they are stored, and that no secret is shown twice."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from mmstats import api_keys
from mmstats.api_keys import Key, KeyFile, StoredKey, conceal, keys_file, new_key, read_key, read_name, read_prefix
from mmstats.cli import run
from mmstats.errors import InvalidSettings, OutputError
from tests.conftest import Ran
from tests.test_cli import MMSTATS, on_terminal

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = "s" * 31 + "7"
KEY = Key("rk", "live", "1aB2cD3e", SECRET)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LIST = "hint: mmstats keys list shows the keys that are known here\n"
NO_KEY = "must be an API key, such as rk_local_8characters_secret, of a kind among pk, sk, rk, ak"
KEYS = st.builds(
    Key,
    st.sampled_from(["pk", "sk", "rk", "ak"]),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12),
    st.text(LETTERS, min_size=8, max_size=8),
    st.text(LETTERS, min_size=32, max_size=80),
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    """A file of keys that is not there yet, where the command line looks for it."""
    path = tmp_path / "own" / "mmstats" / "keys.json"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("MMSTATS_KEYS_FILE", "MMSTATS_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return KeyFile(path)


Keys = Callable[..., Ran]


@pytest.fixture
def keys(file: KeyFile, capfd: pytest.CaptureFixture[str]) -> Keys:  # noqa: ARG001 – nobody's own file is touched
    """Run `mmstats keys …`."""

    def keys(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(["keys", *arguments])
        return Ran(code, *capfd.readouterr())

    return keys


def stored(prefix: str = KEY.prefix, name: str | None = None) -> StoredKey:
    """The stored form of a key of some prefix."""
    return StoredKey.of(Key("rk", "live", prefix, SECRET), name, NOON)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(path: Path) -> list[str]:
    """The files in a key file's folder that are neither the file nor its lock."""
    return [found.name for found in path.parent.iterdir() if found.name not in (path.name, f"{path.name}.lock")]


@given(KEYS)
def test_every_key_is_read_back(key: Key) -> None:
    """A key of the contract's shape is read as its four parts, and written as it was."""
    assert read_key(key.text) == key
    assert read_key(key.text).text == f"{key.kind}_{key.env}_{key.prefix}_{key.secret}"


@given(KEYS, st.data())
def test_a_key_with_a_stranger_in_it_is_refused(key: Key, data: st.DataObject) -> None:
    """A character outside the alphabet, wherever it stands, makes a text no key; the refusal repeats none of it."""
    at = data.draw(st.integers(0, len(key.text)))
    stranger = data.draw(st.characters(exclude_characters=LETTERS + "_"))
    for text in (key.text[:at] + stranger + key.text[at:], key.text[:at] + stranger + key.text[at + 1 :]):
        with pytest.raises(ValueError) as refused:
            read_key(text)
        assert str(refused.value) == NO_KEY


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(KEY.text[:-1], id="secret of 31"),
        pytest.param(f"rk_live_1aB2cD3_{SECRET}", id="prefix of 7"),
        pytest.param(f"rk_live_1aB2cD3ef_{SECRET}", id="prefix of 9"),
        pytest.param(f"rk__1aB2cD3e_{SECRET}", id="no env"),
        pytest.param(f"rk_Live_1aB2cD3e_{SECRET}", id="env in capitals"),
        pytest.param(f"xk_live_1aB2cD3e_{SECRET}", id="kind"),
        pytest.param(f"rk_live_1aB2cD3e_{SECRET}_", id="fifth part"),
        pytest.param(KEY.text + "\n", id="line break"),
        pytest.param(" " + KEY.text, id="blank"),
        pytest.param(KEY.text.replace("7", "٧"), id="digit of another script"),
    ],
)
def test_what_is_no_key(text: str) -> None:
    """A key is a whole text, and in ASCII."""
    with pytest.raises(ValueError, match=r"^must be an API key"):
        read_key(text)


def test_a_new_key() -> None:
    """A new key is of the kind that may read, has the shape that it is read in, and is never made twice."""
    made = [new_key() for _ in range(200)]
    assert len({key.secret for key in made}) == len({key.prefix for key in made}) == 200
    assert {(key.kind, key.env, len(key.prefix), len(key.secret)) for key in made} == {("rk", "local", 8, 32)}
    assert set("".join(key.prefix + key.secret for key in made)) == set(LETTERS)
    assert new_key("staging").env == "staging"
    with pytest.raises(ValueError, match=r"^must be an API key"):
        new_key("My Env")


def test_no_repr_shows_a_secret() -> None:
    """The representation of a key, or of its stored form, holds no secret, so that no log does."""
    kept = stored(name="laptop")
    assert repr(KEY) == "Key(kind='rk', env='live', prefix='1aB2cD3e')"
    assert repr(kept) == "StoredKey(prefix='1aB2cD3e', name='laptop', created='2026-05-01T12:00:00Z')"


@given(KEYS, KEYS)
def test_only_the_key_itself_matches(key: Key, other: Key) -> None:
    """The stored form of a key matches that key and no other, and holds nothing of its secret."""
    kept = StoredKey.of(key, None, NOON)
    assert kept.matches(key)
    assert kept.matches(other) == (other == key)
    assert key.secret not in json.dumps([kept.salt, kept.digest])
    assert (len(bytes.fromhex(kept.salt)), len(bytes.fromhex(kept.digest))) == (16, 32)


@pytest.mark.parametrize("part", ["kind", "env", "prefix", "secret"])
def test_every_part_of_a_key_counts(part: str) -> None:
    """A key that differs in one part alone is another key."""
    changed = {"kind": "sk", "env": "test", "prefix": "1aB2cD3f", "secret": SECRET[:-1] + "8"}
    parts = {name: getattr(KEY, name) for name in changed}
    assert not stored().matches(Key(**{**parts, part: changed[part]}))


def test_the_same_key_is_stored_differently_each_time() -> None:
    """Each stored key has a salt of its own, so that its digest is in no table."""
    assert stored().salt != stored().salt
    assert stored().digest != stored().digest


def test_the_time_of_a_key_is_in_utc() -> None:
    """The time of a key is stored in UTC, to the second, whatever the zone of the clock."""
    summer = datetime(2026, 5, 1, 1, 30, 15, 999, tzinfo=timezone(timedelta(hours=2)))
    assert StoredKey.of(KEY, None, summer).created == "2026-04-30T23:30:15Z"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", "short"),
        ("prefix", 12345678),
        ("name", 3),
        ("created", "yesterday"),
        ("created", "2026-05-01T12:00:00Z\n"),
        ("salt", "0" * 31),
        ("digest", "g" * 64),
        ("digest", None),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: Any) -> None:
    """A field of another shape is refused by its name, without its value."""
    kept = stored()
    fields = {name: getattr(kept, name) for name in ("prefix", "name", "created", "salt", "digest")}
    with pytest.raises(ValueError, match=f"^has no valid {field}$"):
        StoredKey(**{**fields, field: value})


@pytest.mark.parametrize("name", ["laptop", "dashboard, staging", "x" * 100, "é 日本 👩‍👩‍👧", " padded "])
def test_names(name: str) -> None:
    """A name is any text that can be shown, up to 100 characters."""
    assert read_name(name) == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param("", "must not be empty", id="empty"),
        pytest.param("  ", "must not be empty", id="blank"),
        pytest.param("x" * 101, "must be at most 100 characters long, not 101", id="long"),
        pytest.param("a\x1b[31mb", "must be printable, not 'a\\x1b[31mb'", id="escape"),
        pytest.param("a\nb", "must be printable, not 'a\\nb'", id="line break"),
        pytest.param("\u202eabc", "must be printable, not '\\u202eabc'", id="reversed"),
        pytest.param("a\udcff", "must be printable, not 'a\\udcff'", id="no UTF-8"),
    ],
)
def test_refused_names(name: str, fault: str, keys: Keys, file: KeyFile) -> None:
    """A name that cannot be shown as it is is refused, with code 2 and before a key is made."""
    with pytest.raises(ValueError) as refused:
        read_name(name)
    assert str(refused.value) == fault
    assert keys("create", "--name", name) == Ran(2, "", f"error: --name {fault}\n")
    assert not file.path.exists()


def test_prefixes() -> None:
    """A prefix is eight letters and digits; what is not is not repeated."""
    assert read_prefix("1aB2cD3e") == "1aB2cD3e"
    for text in ("1aB2cD3", "1aB2cD3e\n", "1aB2-D3e", KEY.text):
        with pytest.raises(ValueError, match=r"^must be the 8 letters and digits before a key's secret$"):
            read_prefix(text)


@given(KEYS, st.text(), st.text())
def test_concealed(key: Key, before: str, after: str) -> None:
    """Of a key in a sentence nothing is left but its kind."""
    assert key.text not in conceal(before + key.text + after)
    assert conceal(f"no such option: --{key.text} here") == f"no such option: --{key.kind}_… here"


def test_where_keys_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names the file, relative to the working directory; else it is in the user's configuration folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/own")
    assert keys_file({"MMSTATS_KEYS_FILE": "/etc/keys.json"}) == Path("/etc/keys.json")
    assert keys_file({"MMSTATS_KEYS_FILE": "k.json"}) == tmp_path / "k.json"
    if sys.platform == "linux":
        assert keys_file({}) == keys_file({"MMSTATS_KEYS_FILE": ""}) == Path("/own/mmstats/keys.json")


def test_no_place_for_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative configuration folder, or a working directory that is gone, is no place for keys."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda _: "own/mmstats")
    with pytest.raises(InvalidSettings, match="no configuration folder"):
        keys_file({})
    gone.rmdir()
    with pytest.raises(InvalidSettings, match="the working directory does not exist any more"):
        keys_file({"MMSTATS_KEYS_FILE": "k.json"})


def test_keys_are_stored_in_order(file: KeyFile) -> None:
    """Keys are read as they were added; one that is removed leaves the others as they were."""
    assert file.read() == ()
    added = [stored(prefix, name) for prefix, name in (("bbbbbbbb", None), ("aaaaaaaa", "a"), ("cccccccc", "é\ud800"))]
    for one in added:
        file.add(one)
    assert file.read() == tuple(added)
    assert file.remove("aaaaaaaa") == added[1]
    assert file.read() == (added[0], added[2])
    assert json.loads(file.path.read_bytes())["version"] == 1
    assert leftovers(file.path) == []


def test_a_prefix_is_stored_once(file: KeyFile) -> None:
    """A second key of a prefix is refused, and a prefix that is not there cannot be removed."""
    file.add(stored())
    before = file.path.read_bytes()
    with pytest.raises(ValueError, match="1aB2cD3e exists already"):
        file.add(stored())
    with pytest.raises(KeyError):
        file.remove("zzzzzzzz")
    assert file.path.read_bytes() == before


def test_only_the_owner_may_read(file: KeyFile) -> None:
    """The file and the folders made for it are the owner's alone, whatever the umask, and however they were before."""
    before = os.umask(0)
    try:
        file.add(stored("aaaaaaaa"))
        assert mode(file.path) == mode(file.path.with_name("keys.json.lock")) == 0o600
        assert [mode(folder) for folder in list(file.path.parents)[:2]] == [0o700, 0o700]
        file.path.chmod(0o666)
        file.path.parent.chmod(0o755)
        file.add(stored("bbbbbbbb"))
        assert mode(file.path) == 0o600
        assert mode(file.path.parent) == 0o755  # not made by us
        os.umask(0o777)
        file.remove("aaaaaaaa")
        assert mode(file.path) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_stays_its_owners(file: KeyFile) -> None:
    """A key that root adds to the file of a server's user leaves it readable by that user."""
    file.add(stored("aaaaaaaa"))
    os.chown(file.path, 12345, 54321)
    file.add(stored("bbbbbbbb"))
    assert (file.path.stat().st_uid, file.path.stat().st_gid, mode(file.path)) == (12345, 54321, 0o600)


@pytest.mark.parametrize("there", [True, False], ids=["file", "nothing yet"])
def test_a_link_stays_a_link(file: KeyFile, tmp_path: Path, there: bool) -> None:
    """Where the file is a link, also one to nothing yet, what it leads to is replaced, under a lock beside that."""
    target = KeyFile(tmp_path / "shared" / "keys.json")
    if there:
        target.add(stored("aaaaaaaa"))
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(target.path)
    file.add(stored("bbbbbbbb"))
    assert file.path.is_symlink()
    assert not target.path.is_symlink()
    assert [key.prefix for key in target.read()] == ["aaaaaaaa"] * there + ["bbbbbbbb"]
    assert target.path.with_name("keys.json.lock").exists()


def test_nothing_is_lost_between_processes(file: KeyFile, tmp_path: Path) -> None:
    """Eight processes that add keys to a file that is not there yet lose none."""
    program = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from mmstats.api_keys import KeyFile, StoredKey, new_key\n"
        "sys.stdin.read()\n"
        "for number in range(5):\n"
        "    key = new_key()\n"
        "    KeyFile(Path(sys.argv[1])).add(StoredKey.of(key, None, datetime.now(UTC)))\n"
        "    print(key.text)\n"
    )
    command = [sys.executable, "-c", program, str(file.path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for _ in range(8)
    ]
    for process in started:  # they begin together, once all are there
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    added = {read_key(line) for process in started for line in process.communicate(timeout=120)[0].split()}
    assert [process.returncode for process in started] == [0] * 8
    kept = {key.prefix: key for key in file.read()}
    assert len(added) == len(kept) == 40
    assert all(kept[key.prefix].matches(key) for key in added)
    assert leftovers(file.path) == []


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.chmod"])
def test_a_write_that_fails_changes_nothing(file: KeyFile, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A write that breaks off, at whichever step, leaves the file as it was, nothing beside it, and says so."""
    file.add(stored("aaaaaaaa"))
    before = file.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(OutputError) as refused:
        broken.setattr(step, full)
        file.add(stored("bbbbbbbb"))
    assert refused.value.message == f"{file.path}: cannot be written: No space left on device"
    assert file.path.read_bytes() == before
    assert leftovers(file.path) == []
    file.add(stored("bbbbbbbb"))
    assert len(file.read()) == 2


def test_a_lock_that_is_never_released(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits too long for another gives up and names the lock."""
    file.add(stored("aaaaaaaa"))
    lock = file.path.with_name("keys.json.lock")
    monkeypatch.setattr(api_keys, "LOCK_SECONDS", 0)
    with FileLock(lock), pytest.raises(OutputError) as refused:
        file.add(stored("bbbbbbbb"))
    assert f"another process has held {lock}" in refused.value.message


def damaged(**changes: object) -> bytes:
    """A file of two keys, one field of the second changed."""
    entries = [{name: getattr(stored(prefix), name) for name in FIELDS} for prefix in ("aaaaaaaa", "bbbbbbbb")]
    entries[1].update(changes)
    return json.dumps({"version": 1, "keys": entries}).encode()


FIELDS = ("prefix", "name", "created", "salt", "digest")
DAMAGED = {
    "empty": (b"", "Expecting value: line 1 column 1 (char 0)"),
    "cut": (damaged()[:-3], None),
    "no UTF-8": (b'{"version":1,"keys":["\xff"]}', "it is not UTF-8"),
    "list": (b"[]", "it holds no list of keys"),
    "no keys": (b'{"version":1}', "it holds no list of keys"),
    "version": (b'{"version":2,"keys":[]}', "its version is not 1"),
    "no version": (b'{"keys":[]}', "its version is not 1"),
    "no object": (b'{"version":1,"keys":["a"]}', "key 1 has not the fields of a key"),
    "missing": (b'{"version":1,"keys":[{"prefix":"aaaaaaaa"}]}', "key 1 has not the fields of a key"),
    "unknown": (damaged(scope="all"), "key 2 has not the fields of a key"),
    "field": (damaged(digest=SECRET), "key 2 has no valid digest"),
    "twice": (damaged(prefix="aaaaaaaa"), "two keys have the same prefix"),
    "deep": (b"[" * 100_000, None),
}


@pytest.mark.parametrize(("content", "fault"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(content: bytes, fault: str | None, file: KeyFile, keys: Keys) -> None:
    """A file that is not of keys is refused with code 2 by its name, with advice, and never overwritten."""
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(content)
    for command in (["list"], ["create"], ["revoke", "aaaaaaaa"]):
        done = keys(*command)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"error: {file.path}: not a file of keys: {fault or ''}")
        assert done.err.endswith("\nhint: restore it, or move it away and make new keys with mmstats keys create\n")
        assert SECRET not in done.err
        assert len(done.err.splitlines()) == 2
    assert file.path.read_bytes() == content


@given(st.binary(max_size=60) | st.text('{}[]":,1versionkys').map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a file holds, it is keys or it is refused in one printable line."""
    path = tmp_path_factory.mktemp("bytes") / "keys.json"
    path.write_bytes(content)
    try:
        KeyFile(path).read()
    except InvalidSettings as refused:
        assert refused.message.startswith(f"{path}: not a file of keys: ")
        assert refused.message.isprintable()


def make_pipe(path: Path) -> None:
    """Put a pipe that nobody writes at a path."""
    os.mkfifo(path)


def make_device(path: Path) -> None:
    """Put a link to a device that never ends at a path."""
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_pipe, make_device, Path.mkdir])
def test_what_is_no_file_is_refused(make: Callable[[Path], None], file: KeyFile, keys: Keys) -> None:
    """A pipe, a device or a folder in the file's place is refused at once and left alone."""
    file.path.parent.mkdir(parents=True)
    make(file.path)
    before = file.path.lstat()
    for command, code in ((["list"], 2), (["create"], 5), (["revoke", "aaaaaaaa"], 2)):
        done = keys(*command)
        assert (done.code, done.out) == (code, "")
        assert re.match(f"error: {re.escape(str(file.path))}: (cannot be written: )?not a file\n", done.err)
    assert file.path.lstat() == before
    assert not list(Path("/dev").glob("zero.lock"))


def test_what_cannot_be_read_is_refused(file: KeyFile, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that leads to itself, or a file that may not be read, is refused with the system's reason."""
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(file.path)
    assert f"{file.path}: cannot be read: Too many levels of symbolic links\n" in keys("list").err

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    done = keys("list")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {file.path}: cannot be read: Permission denied\n"
        "hint: MMSTATS_KEYS_FILE may name another file to keep keys in\n"
    )


@pytest.mark.parametrize("below", ["keys.json", "deep/keys.json"])
def test_no_folder_is_code_5(below: str, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder cannot be made, no key is shown, and the code is 5."""
    (tmp_path / "taken").write_text("")
    path = tmp_path / "taken" / below
    monkeypatch.setenv("MMSTATS_KEYS_FILE", str(path))
    done = keys("create")
    assert (done.code, done.out) == (5, "")
    assert done.err == (
        f"error: {path}: cannot be written: a file stands where its folder should be\n"
        "hint: MMSTATS_KEYS_FILE may name another file to keep keys in\n"
    )


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such folders")
def test_a_folder_that_may_not_be_written_is_code_5(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder may not be written to, no key is shown, and the code is 5."""
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "closed"  # root may write anywhere but there
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    elif not folder.is_dir():
        pytest.skip("this system has no folder that root may not write to")
    monkeypatch.setattr(api_keys, "LOCK_SECONDS", 0)  # /proc does not say no, it says not yet
    monkeypatch.setenv("MMSTATS_KEYS_FILE", str(folder / "keys.json"))
    done = keys("create")
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith(f"error: {folder}/keys.json: cannot be written: ")
    assert "Traceback" not in done.err


def test_a_key_is_shown_once_and_alone(file: KeyFile) -> None:
    """`KEY=$(mmstats keys create)` is the key; stderr says where its digest is, and neither is shown again."""
    done = subprocess.run([*MMSTATS, "keys", "create", "--name", "laptop"], capture_output=True, text=True, check=True)
    key = read_key(done.stdout.removesuffix("\n"))
    assert done.stderr == f"note: this key is shown only this once; a digest of it is kept in {file.path}\n"
    (kept,) = file.read()
    assert (kept.name, kept.matches(key), mode(file.path)) == ("laptop", True, 0o600)
    assert key.secret not in file.path.read_text()
    for form in ("table", "json"):
        listed = subprocess.run(
            [*MMSTATS, "keys", "list", "--format", form], capture_output=True, text=True, check=True
        )
        assert kept.prefix in listed.stdout
        assert not [text for text in (key.secret, kept.salt, kept.digest) if text in listed.stdout + listed.stderr]


def test_a_taken_prefix_is_not_used_again(keys: Keys, file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key with the prefix of another one is discarded, and the next one taken."""
    file.add(stored())
    made = iter([KEY, Key("rk", "local", "2aB2cD3e", SECRET)])
    monkeypatch.setattr("mmstats.cli.keys.new_key", lambda: next(made))
    assert keys("create").out == f"rk_local_2aB2cD3e_{SECRET}\n"
    assert [key.prefix for key in file.read()] == ["1aB2cD3e", "2aB2cD3e"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_key_that_nobody_saw_is_not_stored(file: KeyFile) -> None:
    """A key that could not be written to stdout, full or closed, does not stay behind."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*MMSTATS, "keys", "create"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (5, b"error: cannot write to stdout: No space left on device\n")
    assert file.read() == ()
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*MMSTATS, "keys", "create"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert file.read() == ()


def test_a_list_for_a_pipe(keys: Keys, file: KeyFile) -> None:
    """A pipe gets JSON, with null for no name, and neither salt nor digest."""
    assert keys("list") == Ran(0, '{"keys":[]}\n', "")
    file.add(stored("aaaaaaaa", "é \U0001f511"))
    file.add(stored("bbbbbbbb"))
    assert keys("list") == Ran(
        0,
        '{"keys":[{"prefix":"aaaaaaaa","name":"é \U0001f511","created":"2026-05-01T12:00:00Z"},'
        '{"prefix":"bbbbbbbb","name":null,"created":"2026-05-01T12:00:00Z"}]}\n',
        "",
    )


def test_a_list_for_a_terminal(file: KeyFile) -> None:
    """A terminal gets a table, as wide as it is; a name is data, never markup or a command to the terminal."""
    assert on_terminal(["keys", "list"]) == "no keys; mmstats keys create makes one\n"
    file.add(stored("aaaaaaaa", "[bold]x[/bold]\x1b[2J"))
    file.add(stored("bbbbbbbb", "x" * 20 + "y" * 20))
    file.add(stored("cccccccc"))
    assert on_terminal(["keys", "list", "--color", "never"], 60) == (
        "prefix    created (UTC)        name\n"
        "────────  ───────────────────  ─────────────────────────────\n"
        "aaaaaaaa  2026-05-01 12:00:00  [bold]x[/bold]\\x1b[2J\n"
        "bbbbbbbb  2026-05-01 12:00:00  xxxxxxxxxxxxxx…yyyyyyyyyyyyyy\n"
        "cccccccc  2026-05-01 12:00:00\n"
    )
    assert "\x1b[1m" in on_terminal(["keys", "list"])


@pytest.mark.parametrize("whole", [False, True], ids=["prefix", "whole key"])
def test_revoke(keys: Keys, file: KeyFile, whole: bool) -> None:
    """A key is revoked by its prefix or as a whole; the message holds no secret, and the others stay."""
    file.add(stored("aaaaaaaa"))
    file.add(stored(name="laptop"))
    assert keys("revoke", KEY.text if whole else KEY.prefix) == Ran(0, "", "note: revoked the key 1aB2cD3e (laptop)\n")
    assert [key.prefix for key in file.read()] == ["aaaaaaaa"]
    assert keys("revoke", "aaaaaaaa") == Ran(0, "", "note: revoked the key aaaaaaaa\n")
    assert file.read() == ()


def test_revoked_by_somebody_else(keys: Keys, file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that somebody else revokes at the same time is reported as one that is not there."""
    file.add(stored())
    seen = [file.read()]
    file.remove(KEY.prefix)
    read = KeyFile.read
    monkeypatch.setattr(KeyFile, "read", lambda self: seen.pop() if seen else read(self))
    assert keys("revoke", KEY.prefix) == Ran(2, "", f"error: no key of prefix 1aB2cD3e is known here\n{LIST}")


HELP = "mmstats keys{} --help shows how it is used\n"
REFUSED = {
    "unknown": (["revoke", "zzzzzzzz"], f"error: no key of prefix zzzzzzzz is known here\n{LIST}"),
    "misspelt": (
        ["revoke", "1aB2cD3f"],
        f"error: no key of prefix 1aB2cD3f is known here\nhint: did you mean 1aB2cD3e? {LIST.removeprefix('hint: ')}",
    ),
    "another secret": (["revoke", KEY.text + "x"], f"error: this key is not known here\n{LIST}"),
    "another kind": (["revoke", f"pk{KEY.text[2:]}"], f"error: this key is not known here\n{LIST}"),
    "cut": (
        ["revoke", KEY.text[:-1]],
        f"error: PREFIX must be the 8 letters and digits before a key's secret, or the whole key\n{LIST}",
    ),
    "secret alone": (
        ["revoke", SECRET],
        f"error: PREFIX must be the 8 letters and digits before a key's secret, or the whole key\n{LIST}",
    ),
    "no prefix": (["revoke"], "error: PREFIX is missing\nhint: " + HELP.format(" revoke")),
    "two": (
        ["revoke", KEY.prefix, KEY.text],
        "error: unexpected argument: rk_…\nhint: a value with blanks must be quoted; " + HELP.format(" revoke"),
    ),
    "key as a flag": (
        ["revoke", f"--{KEY.text}"],
        "error: no such option: --rk_…\nhint: " + HELP.format(" revoke"),
    ),
    "key as a command": ([KEY.text], "error: no such command: rk_…\nhint: " + HELP.format("")),
    "command": (["crate"], "error: no such command: crate\nhint: did you mean mmstats keys create?\n"),
    "flag": (["create", "--nmae", "x"], "error: no such option: --nmae\nhint: did you mean --name?\n"),
    "twice": (["create", "--name", "x", "--name", "y"], "error: --name may be given only once\n"),
    "format": (
        ["list", "--format", "jsn"],
        "error: --format must be table or json, not 'jsn'\nhint: did you mean json?\n",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_command_is_refused(arguments: list[str], message: str, keys: Keys, file: KeyFile) -> None:
    """A wrong command ends with code 2, changes nothing and repeats no secret."""
    file.add(stored(name="laptop"))
    before = file.path.read_bytes()
    assert keys(*arguments) == Ran(2, "", message)
    assert SECRET[:-1] not in message
    assert file.path.read_bytes() == before


def test_a_question_leaves_no_trace(keys: Keys, file: KeyFile) -> None:
    """Listing no keys, or revoking one where there are none, makes neither a file nor a folder."""
    keys("list")
    assert keys("revoke", KEY.prefix).code == 2
    assert not file.path.parent.exists()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["create", "-h"], ["list", "--help"], ["revoke", "--help"]])
def test_help(arguments: list[str], keys: Keys) -> None:
    """`mmstats keys` alone shows its help; every help ends with three examples."""
    done = keys(*arguments)
    assert (done.code, done.err) == (0, "")
    examples = done.out.partition("Examples:\n")[2].partition("\n\n")[0]
    assert len(re.findall(r"mmstats keys ", examples)) == 3


def test_keys_load_no_engine(file: KeyFile) -> None:
    """The commands load neither an engine nor, to a pipe, a terminal library; a key's shape loads next to nothing."""
    program = "import sys; from mmstats.cli import run; code = run({}); print(*sys.modules, file=sys.stderr)"
    for arguments in (["keys", "create"], ["keys", "list"], ["keys", "--help"]):
        command = [sys.executable, "-c", program.format(arguments)]
        loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
        assert not {"polars", "pyarrow", "rich"} & set(loaded)
    assert len(file.read()) == 1
    shape = "import sys, mmstats.api_keys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", shape], capture_output=True, text=True, check=True).stdout.split()
    assert not {"secrets", "filelock", "platformdirs", "typer"} & set(loaded)
