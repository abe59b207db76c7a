"""Which engine answers: named by flag, environment or the user's own file, with no secret ever shown."""

import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmstats import InvalidParams, stats
from mmstats.engine_address import LOCAL, read_engine
from mmstats.extras import install_hint
from mmstats.settings import load_settings
from tests.conftest import Ask
from tests.test_imports import ROOT

SECRET = "hush-hush-hush"


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("local", "local"),
        ("sc://host", "sc://host:15002"),
        ("sc://host:1/", "sc://host:1"),
        (f"sc://host:1/;use_ssl=true;token={SECRET}", "sc://host:1"),
        ("sc://[::1]:99", "sc://[::1]:99"),
        (f"sc://host:1/;token=a/b?{SECRET}#=", "sc://host:1"),
        (f"sc://{'h' * 63}.a-b_c.example.:1", f"sc://{'h' * 63}.a-b_c.example.:1"),
    ],
)
def test_an_address_shows_no_parameter(text: str, shown: str) -> None:
    """As text and in its representation an address is scheme, host and port."""
    address = read_engine(text)
    assert str(address) == shown
    assert SECRET not in repr(address)
    assert pickle.loads(pickle.dumps(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "spark",
            "sc:/host",
            "sc://",
            "sc://h:0",
            "sc://h:70000",
            "sc://h;x",
            f"sc://h:1/?token={SECRET}",
            "SC://h",
        ),
        *(f"sc://h/;{given}" for given in (f"token=a;token={SECRET}", f"token=a;authorization={SECRET}", "use_ssl=1")),
        *(f"sc://h/;{given}{SECRET}" for given in ("token=a%0A", "token=%20", "token=é", "A=", "a b=", "x-bin=")),
        *("sc://h..x:1", "sc://.h", f"sc://{'h' * 64}.org"),
    ],
)
def test_what_is_no_address_is_refused(text: str, ask: Ask, data: Path) -> None:
    """Anything else is refused with exit 2, and a secret in it is not repeated."""
    ran = ask(data, f"--engine={text}")
    assert ran.code == 2
    assert ran.error.startswith("--engine must be local or sc://HOST:PORT")
    assert SECRET not in ran.err


def test_the_environment_names_the_engine(ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`MMSTATS_ENGINE` names the engine unless a flag does; a wrong one is refused by name."""
    monkeypatch.setenv("MMSTATS_ENGINE", f"sc://127.0.0.1:{closed_port()}")
    assert ask(data).code == 4
    assert ask(data, "--engine", "local").value == 1
    monkeypatch.setenv("MMSTATS_ENGINE", f"sc:{SECRET}")
    ran = ask(data)
    assert (ran.code, ran.error[:20]) == (2, "MMSTATS_ENGINE must ")
    assert SECRET not in ran.err


def test_only_the_users_own_file_names_an_engine(tmp_path: Path) -> None:
    """`engine` in the user's own configuration is taken, whatever stands in a project's file."""
    own = tmp_path / "own.toml"
    own.write_text('engine = "sc://host:7"\n')
    assert str(load_settings(tmp_path, {"MMSTATS_CONFIG": str(own)}).engine) == "sc://host:7"
    assert load_settings(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path)}).engine == LOCAL


def test_a_found_file_names_no_engine(ask: Ask, data: Path, tmp_path: Path) -> None:
    """An `mmstats.toml` that is merely found may not send questions, or a token, anywhere."""
    (tmp_path / "mmstats.toml").write_text('engine = "sc://host:7"\n')
    ran = ask(data)
    assert ran.code == 2
    assert "engine may not be set in a file that is merely found" in ran.error


def test_a_refused_connection_is_said_at_once(ask: Ask, data: Path) -> None:
    """Where nobody listens the question ends with exit 4 and a hint at once, and not after minutes of retries."""
    port = closed_port()
    ran = ask(data, "--engine", f"sc://127.0.0.1:{port}")
    assert ran.code == 4
    assert ran.error == f"sc://127.0.0.1:{port}: Connection refused"
    assert "does a Spark Connect server run there?" in ran.err


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", "a token"),
        (f";token={SECRET}", "a token"),
        (f";use_ssl=false;token={SECRET}", "a token"),
        (f";authorization=Bearer%20{SECRET}", "headers"),
        (f";x-api-key={SECRET}", "headers"),
    ],
)
def test_a_secret_is_not_sent_in_the_clear(
    given: str, sent: str, ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token or a header for another machine without TLS is refused before anything is sent, and is not shown."""
    if not given:
        monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", SECRET)
    ran = ask(data, "--engine", f"sc://example.invalid:15002/{given}")
    assert ran.code == 2
    assert ran.error.endswith(f"would be sent {sent} that anybody between can read")
    assert "use_ssl=true" in ran.err
    assert SECRET not in ran.err


@pytest.mark.parametrize("token", [f"{SECRET}\n", f" {SECRET}", f"é{SECRET}"])
def test_a_token_that_no_header_can_hold_is_refused(
    token: str, ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that the client would change or drop ends with exit 2 and the variable's name."""
    monkeypatch.setenv("MMSTATS_ENGINE_TOKEN", token)
    ran = ask(data, "--engine", "sc://127.0.0.1:1")
    assert (ran.code, ran.error[:30]) == (2, "MMSTATS_ENGINE_TOKEN must be o")
    assert SECRET not in ran.err


def test_parameters_are_read_as_a_url_is() -> None:
    """A parameter is decoded once; what a URL need not escape stands for itself, `=` included."""
    address = read_engine("sc://h:1/;token=kX9/abc?d=e#==%3B%2541+;x-a=b=c")
    assert address.parameters == (("token", "kX9/abc?d=e#==;%41+"), ("x-a", "b=c"))
    assert address.with_token("other") == address
    assert address.redacted("no kX9/abc?d=e#==;%41+, no b=c") == "no ***, no ***"


def test_a_token_of_the_environment_is_taken_as_it_is() -> None:
    """`MMSTATS_ENGINE_TOKEN` holds no escapes, and is not sent beside an `authorization` of the URL."""
    for token in ("S3CR#ET", "S3CR%41ET", "S3CR;ET=1", "abc=="):
        assert read_engine("sc://h").with_token(token).token == token
    opened = read_engine(f"sc://h/;authorization=Bearer%20{SECRET}")
    assert opened.with_token("other").token == ""
    assert opened.redacted(f"who is {SECRET}?") == "who is ***?"


def test_python_names_the_engine_too(data: Path) -> None:
    """`stats(engine=…)` is the same address, and a wrong one a wrong parameter."""
    assert stats(data, engine="local").rows == [{"value": 1}]
    with pytest.raises(InvalidParams, match="engine must be local"):
        stats(data, engine="elsewhere")
    with pytest.raises(InvalidParams, match="engine must be a str, not int"):
        stats(data, engine=1)  # type: ignore[arg-type]


def test_without_its_client_what_installs_it_is_named(data: Path, tmp_path: Path) -> None:
    """Where the client is not installed, exit 2 and the packages that have it; the local engine needs none."""
    (tmp_path / "absent" / "pyspark").mkdir(parents=True)
    (tmp_path / "absent" / "pyspark" / "__init__.py").write_text("raise ModuleNotFoundError(name='pyspark')")
    command = [sys.executable, "-m", "mmstats", "query", "--data", str(data), "--no-cache"]
    environment = {"PYTHONPATH": f"{tmp_path / 'absent'}:{ROOT}", "PATH": "", "HOME": str(tmp_path)}
    ran = subprocess.run(
        [*command, "--engine", "sc://127.0.0.1:1"], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "error: the engine sc://127.0.0.1:1 needs a client that is not installed (pyspark)",
        f"hint: {install_hint('spark')}",
    ]
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0


def test_the_client_is_imported_only_when_needed(data: Path) -> None:
    """The local engine loads neither the client nor what that brings along."""
    from tests.test_imports import run

    code, modules = run("query", "--data", str(data), "--no-cache")
    assert code == 0
    assert not modules & {"pyspark", "grpc", "pandas", "google"}


def test_only_the_engine_here_explains(ask: Ask, tmp_path: Path) -> None:
    """A cluster cannot be asked to explain: exit 2, and the flag is named."""
    refused = ask(tmp_path, "--engine", "sc://127.0.0.1:1", "--explain")
    assert (refused.code, "--explain" in refused.error) == (2, True)
