"""Who is let in: keys of the file, of the environment and of one run, and how all others are refused."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serving import KEY, SECRET, Serving, environment, question, serving, until

OTHER = KEY.replace("abcdefgh", "zyxwvuts")
MALFORMED = {
    "word": "key",
    "kind": f"xk{KEY[2:]}",
    "capital kind": f"RK{KEY[2:]}",
    "env in capitals": KEY.replace("test", "Test"),
    "no env": KEY.replace("test", ""),
    "prefix too short": KEY.replace("abcdefgh", "abcdefg"),
    "prefix too long": KEY.replace("abcdefgh", "abcdefghi"),
    "secret of 31": f"rk_test_abcdefgh_{'a' * 31}",
    "secret with a dash": f"{KEY}-",
    "fifth part": f"{KEY}_x",
    "two keys": f"{KEY} {KEY}",
    "comma": f"{KEY},",
    "quotes": f'"{KEY}"',
    "not ASCII": f"{KEY}é",
}
UNBEARING = {
    "Basic": "Basic cms6cms=",
    "the key alone": KEY,
    "no key": "Bearer",
    "blank key": "Bearer  ",
    "no blank": f"Bearer{KEY}",
    "empty": "",
    "Token": f"Token {KEY}",
}


def ask(server: Serving, *authorization: str) -> tuple[int, str]:
    """The status and code of the reply to a question sent with these Authorization headers; no code for an answer."""
    reply = server.raw(
        f"GET {question()} HTTP/1.1", "Host: localhost", *(f"Authorization: {value}" for value in authorization)
    )
    if reply.status != 200:
        challenge = reply.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="mmstats"')
        assert ("error=" in challenge) == (reply.error[1] != "missing_bearer_token")
        assert SECRET not in reply.body.decode() + str(reply.headers)
        return reply.error
    return 200, ""


@pytest.mark.parametrize("given", UNBEARING.values(), ids=UNBEARING)
def test_without_a_bearer_token_there_is_none(server: Serving, given: str) -> None:
    """Anything but `Authorization: Bearer …` is no token."""
    assert ask(server, given) == (401, "missing_bearer_token")
    assert ask(server) == (401, "missing_bearer_token")


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_key_is_malformed(server: Serving, given: str) -> None:
    """A token that is not of a key's shape is refused for that, whatever keys are known."""
    assert ask(server, f"Bearer {given}") == (401, "malformed_api_key")


@pytest.mark.parametrize("kind", ["pk", "sk", "ak"])
@pytest.mark.parametrize("key", [KEY, OTHER], ids=["known but for its kind", "unknown"])
def test_keys_of_other_kinds_lack_the_scope(server: Serving, kind: str, key: str) -> None:
    """A well-formed key of another kind lacks the scope, known or not."""
    assert ask(server, f"Bearer {kind}{key[2:]}") == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "key",
    [OTHER, KEY + "3", KEY[:-1] + "3", KEY.replace("test", "live"), KEY.swapcase().replace("RK_TEST", "rk_test")],
    ids=["prefix", "longer", "last letter", "env", "case"],
)
def test_a_key_that_is_not_known_is_refused(server: Serving, key: str) -> None:
    """A key for reading that differs from the known one in anything at all is not known."""
    assert ask(server, f"Bearer {key}") == (401, "invalid_api_key")


def test_only_one_key_may_be_sent(server: Serving) -> None:
    """Two Authorization headers are refused, also when both are the known key."""
    assert ask(server, f"Bearer {KEY}", f"Bearer {KEY}") == (401, "malformed_api_key")
    assert ask(server, f"Bearer {KEY}", f"Bearer {OTHER}") == (401, "malformed_api_key")
    assert ask(server, f"Bearer {KEY}", "Basic cms6cms=")[0] == 401
    assert ask(server, "Basic cms6cms=", f"Bearer {KEY}")[0] == 401


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_is_read_without_case(server: Serving, scheme: str) -> None:
    """The known key is let in, however the scheme's name is written."""
    assert ask(server, scheme + KEY) == (200, "")


def test_a_key_in_the_url_is_no_key(server: Serving) -> None:
    """A key in the URL opens nothing, and does not come to the log, wherever in the URL it stands."""
    key = f"rk_test_abcdefgh_{'url' * 12}"
    assert server.request(question(access_token=key), key=False).error == (401, "missing_bearer_token")
    assert server.request(f"/v1/stats/{key}", key=False).error == (404, "not_found")
    assert until(lambda: [line for line in server.requests() if line["path"].startswith("/v1/stats/")])
    assert "urlurl" not in server.log()


def mmstats(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """How a command ends that nobody watches, where nothing but the folder's keys is configured."""
    environ = environment(str(folder), **{"MMSTATS_SERVE_KEY": "", **more})
    command = [sys.executable, "-m", "mmstats", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, env=environ)


@dataclass(frozen=True)
class KeyFileServer:
    """A running server and the folder that its key file is in."""

    server: Serving
    folder: Path

    @property
    def file(self) -> Path:
        """The key file."""
        return self.folder / "mmstats" / "keys.json"

    def create(self) -> str:
        """A key that the command line has made."""
        return mmstats(self.folder, "keys", "create").stdout.strip()

    def ask(self, key: str) -> tuple[int, str]:
        """The status and code of the reply to a question with a key."""
        return ask(self.server, f"Bearer {key}")

    def reaches(self, key: str, status: int) -> bool:
        """Whether the key is answered with a status, now or soon."""
        return until(lambda: self.ask(key)[0] == status)


@pytest.fixture(scope="module")
def key_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyFileServer]:
    """A server with a key file, in which one key is."""
    folder = tmp_path_factory.mktemp("keys")
    key = mmstats(folder, "keys", "create").stdout.strip()
    with serving("--sample", environment={"XDG_CONFIG_HOME": str(folder), "MMSTATS_SERVE_KEY": ""}) as running:
        yield KeyFileServer(running, folder)
        assert key.rpartition("_")[2] not in running.log()


def test_keys_come_and_go_while_the_server_runs(key_server: KeyFileServer) -> None:
    """A key made later opens a running server, and one that is revoked does not any more; others stay."""
    stays, goes = key_server.create(), key_server.create()
    assert key_server.reaches(stays, 200)
    assert key_server.reaches(goes, 200)
    assert mmstats(key_server.folder, "keys", "revoke", goes).returncode == 0
    assert key_server.reaches(goes, 401)
    assert key_server.ask(goes) == (401, "invalid_api_key")
    assert key_server.ask(stays) == (200, "")


def damage(file: Path, text: str | None) -> None:
    """Put something else in the place of a file, or nothing."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


@pytest.mark.parametrize(
    "text",
    [None, "", "{", '{"version":99,"keys":[]}', '{"version":1,"keys":[{"prefix":"abcdefgh"}]}', "[]", "\0" * 9],
    ids=["gone", "empty", "broken", "of the future", "lacking fields", "list", "zeros"],
)
def test_a_damaged_key_file_lets_nobody_in(key_server: KeyFileServer, text: str | None) -> None:
    """While the key file cannot be read, no key of it is known; the server goes on and reads it when it is whole."""
    key = key_server.create()
    assert key_server.reaches(key, 200)
    whole = key_server.file.read_bytes()
    damage(key_server.file, text)
    assert key_server.reaches(key, 401)
    assert key_server.ask(key) == (401, "invalid_api_key")
    assert key_server.server.request("/healthz").status == 200
    key_server.file.write_bytes(whole)
    assert key_server.reaches(key, 200)


def test_both_the_file_and_the_environment_have_keys(tmp_path: Path) -> None:
    """The environment's key opens the server beside those of the file, and when the file is damaged it still does."""
    key = mmstats(tmp_path, "keys", "create").stdout.strip()
    with serving("--sample", environment={"XDG_CONFIG_HOME": str(tmp_path)}) as running:
        both = KeyFileServer(running, tmp_path)
        assert (both.ask(key), both.ask(KEY)) == ((200, ""), (200, ""))
        damage(both.file, "{")
        assert both.reaches(key, 401)
        assert both.ask(KEY) == (200, "")


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        ([], {}, "error: no key is configured, and nobody is there to be shown one\nhint: mmstats keys create\n"),
        ([], {"MMSTATS_SERVE_KEY": "hunter2" * 9}, "error: MMSTATS_SERVE_KEY must be an API key"),
        ([], {"MMSTATS_SERVE_KEY": f"pk{KEY[2:]}"}, "error: MMSTATS_SERVE_KEY must be a key that reads"),
        (["--no-auth", "--host", "0.0.0.0"], {}, "error: --no-auth is only for a loopback address, not 0.0.0.0"),
        (["--no-auth", "--host", "::"], {}, "error: --no-auth is only for a loopback address, not ::"),
    ],
    ids=["no key", "no key's shape", "another kind", "no key for all", "no key for all of IPv6"],
)
def test_a_server_without_a_way_in_or_open_to_all_does_not_start(
    tmp_path: Path, arguments: list[str], environ: Mapping[str, str], message: str
) -> None:
    """Without any key, with a wrong one, or open to others, the server does not start, and repeats no secret."""
    ran = mmstats(tmp_path, "serve", "--sample", "--port", "0", *arguments, **environ)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(message)
    assert ran.stderr.count("\n") <= 2
    assert "hunter2" not in ran.stderr
    assert SECRET not in ran.stderr


def test_a_damaged_key_file_is_said_at_the_start(tmp_path: Path) -> None:
    """A server whose only key file cannot be read does not start."""
    (tmp_path / "mmstats").mkdir()
    (tmp_path / "mmstats" / "keys.json").write_text("{")
    ran = mmstats(tmp_path, "serve", "--sample", "--port", "0")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")


def test_no_auth_needs_no_key() -> None:
    """With --no-auth a question is answered without a key or with any, and so are the metrics."""
    with serving("--sample", "--no-auth") as running:
        for headers in ({}, {"Authorization": "Basic cms6cms="}, {"Authorization": f"Bearer {OTHER}"}):
            assert running.request(question(), headers, key=False).status == 200
        assert running.request("/metrics", key=False).status == 200


def test_a_person_is_shown_a_key_and_a_request_that_works(tmp_path: Path) -> None:
    """On a terminal, a server without keys makes one for this run and prints a curl line that is answered as it is."""
    primary, terminal = pty.openpty()
    command = [sys.executable, "-m", "mmstats", "serve", "--sample", "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=terminal, stderr=log, env=environment(str(tmp_path), MMSTATS_SERVE_KEY="")
        )
    os.close(terminal)
    shown = ""
    while "Ctrl-C" not in shown:
        shown += os.read(primary, 1 << 16).decode()
    try:
        (line,) = [line for line in shown.splitlines() if line.strip().startswith("curl ")]
        curl = subprocess.run([*shlex.split(line), "--silent", "--fail"], capture_output=True, check=True, text=True)
        assert curl.stdout.startswith('{"metric":"count","rows":[{"event_name":')
        (key,) = set(re.findall(r"rk_local_[A-Za-z0-9_]+", shown))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        os.close(primary)
    assert key not in (tmp_path / "log").read_text()
    assert not (tmp_path / "mmstats" / "keys.json").exists()
