"""Who asks an object store: found as the AWS command line finds it, and the same for the engine as for the listing."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest

import mmstats
from mmstats.storage import ObjectStores
from mmstats.storage.url import read_url
from tests.conftest import WRITERS, Ask
from tests.seaweed import ACCESS, SECRET, Seaweed, known

ROWS = [{"timestamp": "2026-05-01T12:00:00Z", "event_name": "e", "path": f"/{number % 7}"} for number in range(50)]
WRONG = "[{0}]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = topsecret\n"
RIGHT = f"[{{0}}]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n"


@pytest.fixture
def location(s3: Seaweed) -> str:
    """A prefix with events that the engine scans by itself, and such that it does not."""
    for name in ("parquet", "ndjson"):
        s3.put(f"keys/x.{name}", WRITERS[name](ROWS))
    return f"s3://{s3.bucket}/keys/"


@pytest.fixture
def nobody(s3: Seaweed, location: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An environment that names neither keys nor an endpoint, and the folder of its AWS files."""
    del location
    folder = tmp_path / "aws"
    folder.mkdir()
    files = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    with known(s3, **files):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name)
        yield folder


def answers(location: str, **options: str) -> bool:
    """Whether a question of a location, read here and by the engine, is answered."""
    return mmstats.stats(location, group_by="path", storage_options=options).rows[0] == {"path": "/0", "value": 16}


def test_a_profile_names_keys_and_endpoint(
    nobody: Path, s3: Seaweed, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_PROFILE and the option choose a profile of the shared files, its region and its endpoint."""
    (nobody / "credentials").write_text(WRONG.format("default") + RIGHT.format("right") + RIGHT.format("service"))
    (nobody / "config").write_text(
        f"[default]\nendpoint_url = {s3.endpoint}\n"
        f"[profile right]\nregion = eu-central-1\nendpoint_url = {s3.endpoint}\n"
        f"[profile service]\nservices = here\n[services here]\ns3 =\n  endpoint_url = {s3.endpoint}\n"
    )
    with pytest.raises(mmstats.MmstatsError, match="does not know the access key"):
        answers(location)
    assert answers(location, profile="right")
    for name in ("right", "service"):
        monkeypatch.setenv("AWS_PROFILE", name)
        assert answers(location)
    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(mmstats.InvalidSettings, match="does not exist"):
        answers(location)


def test_a_process_may_give_the_keys(nobody: Path, s3: Seaweed, location: str) -> None:
    """As `credential_process` says, with keys that expire."""
    given = (
        f'{{"Version": 1, "AccessKeyId": "{ACCESS}", "SecretAccessKey": "{SECRET}", '
        '"Expiration": "2099-01-01T00:00:00Z"}'
    )
    (nobody / "given.json").write_text(given)
    config = nobody / "config"
    config.write_text(f"[default]\nendpoint_url = {s3.endpoint}\ncredential_process = cat {nobody}/given.json\n")
    assert answers(location)


@pytest.mark.parametrize("given", ["/no/such/program", "echo topsecret", "sh -c 'echo topsecret >&2; exit 1'"])
def test_a_process_that_gives_no_keys_is_told_of(
    nobody: Path, s3: Seaweed, location: str, ask: Ask, given: str
) -> None:
    """Whatever goes wrong with it, and nothing of what it says."""
    (nobody / "config").write_text(f"[default]\nendpoint_url = {s3.endpoint}\ncredential_process = {given}\n")
    ran = ask(location)
    assert (ran.code, "topsecret" in ran.err) == (4, False)
    assert ran.error.startswith(f"{location}: ")


def test_a_service_that_gives_no_keys_is_told_of(
    nobody: Path, s3: Seaweed, location: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses to let somebody be somebody else, and a token that is not there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{s3.endpoint}/no/service")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/somebody")
    for token in (nobody / "none", nobody / "token"):
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        ran = ask(location)
        assert (ran.code, ran.error.partition(" (")[0]) == (4, f"{location}: AWS credentials cannot be had")
        (nobody / "token").write_text("topsecret")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_the_environment_names_the_endpoint(
    nobody: Path, s3: Seaweed, location: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Both names of it; plain http where it says so, and a region is not needed."""
    (nobody / "credentials").write_text(RIGHT.format("default"))
    monkeypatch.setenv(name, s3.endpoint)
    assert answers(location)


@pytest.fixture
def gate() -> Iterator[tuple[str, list[str]]]:
    """A proxy that lets nobody through, and where they wanted to go."""
    wanted: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as client:
                        wanted.append(client.recv(1 << 16).decode().partition(" HTTP/")[0])
                        client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", wanted
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("by", ["environment", "profile"])
def test_an_endpoint_that_is_to_be_ignored_is_ignored(
    nobody: Path, s3: Seaweed, gate: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, name: str, by: str
) -> None:
    """By AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or the profile: then it is AWS itself, for the engine as well."""
    (nobody / "credentials").write_text(RIGHT.format("default"))
    (nobody / "config").write_text(
        f"[default]\nregion = eu-west-1\nendpoint_url = {s3.endpoint}\n"
        + ("ignore_configured_endpoint_urls = true\n" if by == "profile" else "")
    )
    monkeypatch.setenv(name, s3.endpoint)
    if by == "environment":
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")
    proxy, wanted = gate
    there, options = "s3://events/x.parquet", {"proxy_url": proxy, "max_retries": "0"}
    with pytest.raises(mmstats.MmstatsError):
        mmstats.stats(there, storage_options=options)
    here = len(wanted)
    scan_options = ObjectStores(options).of(read_url(there)).scan_options
    with pytest.raises(OSError, match="object-store error"):
        pl.scan_parquet(there, glob=False, **scan_options).collect_schema()
    assert set(wanted) == {"CONNECT s3.eu-west-1.amazonaws.com:443"}
    assert 0 < here < len(wanted)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")
    assert answers(f"s3://{s3.bucket}/keys/")


def test_options_come_before_the_environment(
    nobody: Path, s3: Seaweed, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, region and keys, under the names that others have for them as well."""
    del nobody
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://no-such-host.invalid")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    assert answers(
        location, AWS_ENDPOINT_URL=s3.endpoint, aws_region="eu-west-1", access_key_id=ACCESS, secret_access_key=SECRET
    )


def test_questions_at_once_are_asked_of_their_own_endpoints(
    nobody: Path, s3: Seaweed, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that names another than the environment does not take it from those that name none."""
    (nobody / "credentials").write_text(RIGHT.format("default"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    other = s3.endpoint.replace("127.0.0.1", "localhost")
    from_url = obstore.store.from_url

    def slowly(*given: Any, **how: Any) -> Any:
        time.sleep(0.02)  # in which the environment names no other endpoint than the option
        return from_url(*given, **how)

    monkeypatch.setattr(obstore.store, "from_url", slowly)

    def ask_often(endpoint: str) -> bool:
        named = {"endpoint": endpoint} if endpoint else {}
        return all(answers(location, **named, region=f"r{turn}") for turn in range(5))

    with ThreadPoolExecutor() as threads:
        assert all(threads.map(ask_often, [other, "", other, ""]))


def test_ones_own_configuration_may_hold_options_and_a_found_file_may_not(
    nobody: Path, s3: Seaweed, location: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is merely found might send one's signature to somebody else's server."""
    (nobody / "credentials").write_text(RIGHT.format("default"))
    own = tmp_path / "own.toml"
    own.write_text(f'[storage_options]\nendpoint = "{s3.endpoint}"\n')
    monkeypatch.setenv("MMSTATS_CONFIG", str(own))
    assert ask(location).value == 100
    (tmp_path / "mmstats.toml").write_text(f'[storage_options]\nendpoint = "{s3.endpoint}"\n')
    ran = ask(location)
    assert ran.code == 2
    assert "storage_options may not be set in a file that is merely found" in ran.err


def test_keys_do_not_reach_the_cache(
    nobody: Path, s3: Seaweed, location: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is kept holds a key or an endpoint's password."""
    (nobody / "credentials").write_text(RIGHT.format("default"))
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    options = ("--storage-option", f"endpoint={s3.endpoint}", "--group-by", "path")
    assert ask(location, *options) == ask(location, *options)
    kept = [file.read_bytes() + file.name.encode() for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert kept
    assert not any(secret.encode() in content for content in kept for secret in (ACCESS, SECRET))
