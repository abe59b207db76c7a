"""What goes wrong with object stores: one line that names the location asked for, what to do, and never a secret."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import mmstats
from mmstats.cache import CACHE_VARIABLE
from mmstats.cli import run
from mmstats.storage.errors import is_store_error
from tests.conftest import WRITERS, Ask, Ran, ndjson
from tests.objectserver import serving_objects
from tests.proxy import Proxy, proxied
from tests.seaweed import ACCESS, SECRET, Seaweed, known
from tests.serving import PATIENCE, ROOT, until

ROWS = [{"timestamp": "2026-05-01T12:00:00Z", "event_name": "e", "path": f"/{number % 7}"} for number in range(50)]
_numbers = count()
FORMATS = ("ndjson", "csv.gz", "parquet", "arrow")
# A name that a library's error quotes, and that reads like the error itself.
MISLEADING = "NoSuchKey AccessDenied: tls Body; Connection refused, timed out (path: 404) <Code>NoSuchBucket<"


@pytest.fixture(autouse=True)
def environment(s3: Seaweed) -> Iterator[None]:
    """The environment names the server and its keys."""
    with known(s3):
        yield


@pytest.fixture
def proxy(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy between here and the server, named by the environment."""
    with proxied(s3.port) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.endpoint)
        yield running


@pytest.fixture(params=("faults", MISLEADING), ids=("plain", "misleading"))
def name(request: pytest.FixtureRequest) -> str:
    """What a prefix or an object is called."""
    called: str = request.param
    return called


@pytest.fixture
def location(s3: Seaweed, name: str) -> str:
    """A prefix with some events."""
    s3.put(f"{name}/a.ndjson", ndjson(ROWS))
    s3.put(f"{name}/b.parquet", _parquet(1000))
    return f"s3://{s3.bucket}/{name}/"


def _parquet(rows: int) -> bytes:
    buffer = io.BytesIO()
    texts = [f"/{number * 7919 % 100_003}-{os.urandom(24).hex()}" for number in range(rows)]
    pl.DataFrame({"timestamp": ["2026-05-01"] * rows, "event_name": ["e"] * rows, "path": texts}).write_parquet(buffer)
    return buffer.getvalue()


def refused(ran: Ran, code: int, error: str) -> None:
    """The command ended with a code and a line, gave a hint, and told no secret."""
    assert ran.code == code, ran.err
    assert ran.error == error
    assert "hint: " in ran.err
    assert SECRET not in ran.err
    assert "127.0.0.1" not in ran.err


def test_a_bucket_that_is_not_there(ask: Ask) -> None:
    """Exit code 3, whatever is below it."""
    for key in ("", "x/", "x.parquet", "*.parquet", "AccessDenied", "tls.parquet"):
        for bucket in ("nowhere", "dns-error.tls", "accessdenied"):
            refused(ask(f"s3://{bucket}/{key}"), 3, f"s3://{bucket}/{key}: there is no such bucket")


def test_keys_and_prefixes_that_are_not_there(ask: Ask, location: str) -> None:
    """Exit code 3, by what was asked for."""
    refused(ask(f"{location}x.parquet"), 3, f"{location}x.parquet: there is no such object, and none below it")
    refused(ask(f"{location}none/"), 3, f"{location}none/: there is no such object, and none below it")
    refused(ask(f"{location}*.csv"), 3, f"{location}*.csv: nothing matches")


def test_a_prefix_without_events(ask: Ask, s3: Seaweed) -> None:
    """Objects of other kinds are no events: exit code 3."""
    there = s3.put("others/readme.txt", b"text").removesuffix("readme.txt")
    refused(ask(there), 3, f"{there}: no event files, only 1 file of another kind")


@pytest.mark.parametrize("key", ["", "a.ndjson", "b.parquet", "*.parquet", "none.parquet"])
def test_a_wrong_secret(ask: Ask, location: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4: the store does not accept the signature."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong" * 8)
    error = f"{location}{key}: the store does not accept the signature: the secret key is wrong"
    refused(ask(f"{location}{key}"), 4, error)


def test_an_unknown_key(ask: Ask, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4: the store does not know it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    refused(ask(location), 4, f"{location}: the store does not know the access key")


def test_no_credentials(ask: Ask, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, naming what may give them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    ran = ask(location)
    refused(ran, 4, f"{location}: no credentials")
    assert "AWS_PROFILE" in ran.err


def test_a_connection_that_is_refused_ends_soon(ask: Ask, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    refused(ask(location), 4, f"{location}: connection refused")
    assert time.monotonic() - started < 15  # it waits about a second, and the machine may be busy


@pytest.mark.parametrize("by", ["option", "environment"])
def test_another_store_may_be_reached_without_tls(ask: Ask, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Where its endpoint says so, with nothing else to be said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}/me"
    options = ["account_name=me", "account_key=c2VjcmV0", *([f"endpoint={endpoint}"] if by == "option" else [])]
    if by == "environment":
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", endpoint)
    ran = ask("az://bucket/x/", *(word for one in options for word in ("--storage-option", one)))
    assert (ran.code, ran.error) == (4, "az://bucket/x/: connection refused")


def test_plain_http_that_only_a_file_of_keys_names_is_to_be_allowed(ask: Ask, tmp_path: Path) -> None:
    """The library refuses it; what to do is told."""
    keys = {"gcs_base_url": "http://127.0.0.1:1", "disable_oauth": True}
    (tmp_path / "keys.json").write_text(
        json.dumps({**keys, "client_email": "", "private_key": "", "private_key_id": ""})
    )
    for name in ("x.parquet", "x/"):
        ran = ask(f"gs://bucket/{name}", "--storage-option", f"service_account={tmp_path}/keys.json")
        assert (ran.code, ran.error) == (4, f"gs://bucket/{name}: the endpoint speaks plain http, which is not allowed")
        assert "allow_http=true" in ran.err


def test_a_host_that_is_not_known(ask: Ask, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4: the endpoint's name leads nowhere."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://no-such-host.invalid")
    refused(ask(location), 4, f"{location}: the name of the endpoint's host is not known")


def test_no_tls_at_the_endpoint(ask: Ask, location: str, s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4 where https meets a server that speaks none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint.replace("http:", "https:"))
    refused(ask(location), 4, f"{location}: no secure connection: TLS or the certificate fails")


IMPATIENT = ("--storage-option", "read_timeout=300ms", "--storage-option", "max_retries=1")


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("how", ["stall_after", "cut_after"])
def test_a_transfer_that_stalls_or_breaks(
    ask: Ask, s3: Seaweed, proxy: Proxy, tmp_path: Path, name: str, extension: str, how: str
) -> None:
    """It is tried again so many times, and then refused with exit code 4."""
    rows = [{**row, "path": os.urandom(60).hex()} for row in ROWS * 80]
    frame = pl.DataFrame(rows)
    file = tmp_path / f"x.{extension}"
    if extension == "parquet":
        frame.write_parquet(file)
    elif extension == "arrow":
        frame.write_ipc(file)
    else:
        file.write_bytes(WRITERS[extension](rows))
    there = s3.put(f"broken/{name}/{how}.{extension}", file.read_bytes())
    proxy_limit = 100_000
    setattr(proxy, how, proxy_limit)
    ran = ask(there, "--group-by", "path", "--limit", "1", *IMPATIENT)
    what = {
        "stall_after": "the store does not answer, or too slowly",
        "cut_after": "the transfer broke off, and broke off again when tried again",
    }
    refused(ran, 4, f"{there}: {what[how]}")
    assert 2 <= len([one for one in proxy.requests if one.startswith("GET")]) <= 12


def test_a_transfer_that_breaks_once_is_tried_again(ask: Ask, s3: Seaweed, proxy: Proxy) -> None:
    """A break that does not last is not noticed."""
    there = s3.put("broken/once.parquet", _parquet(20_000))
    proxy.cut_after = 300_000

    def heal() -> None:
        while proxy.sent < 100_000:
            time.sleep(0.001)
        proxy.cut_after = None

    import threading

    threading.Thread(target=heal, daemon=True).start()
    assert ask(there, "--group-by", "path", "--limit", "1").rows[0]["value"] == 1


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["nonsense"], "--storage-option must be KEY=VALUE"),
        (["region=a", "REGION=b"], "--storage-option names region twice"),
        (["frobnicate=topsecret"], "the storage option 'frobnicate' is not understood"),
        (["max_retries=topsecret"], "the storage option max_retries must be a whole number"),
        (["endpoint=topsecret"], "the endpoint of S3 is no URL"),
        (["access_key_id=topsecret"], "the storage options lack secret_access_key"),
        (["profile=topsecret"], "the profile that AWS_PROFILE or --storage-option profile names does not exist"),
    ],
)
def test_wrong_options_end_with_2(ask: Ask, location: str, options: list[str], fault: str) -> None:
    """They are named, their values are not: these may be keys."""
    ran = ask(location, *(word for option in options for word in ("--storage-option", option)))
    assert (ran.code, ran.error) == (2, fault)
    assert "topsecret" not in ran.err


def test_keys_among_the_options_are_never_shown(location: str) -> None:
    """Neither an error nor the description of a dataset shows them."""
    from mmstats.dataset import Dataset

    options = {"access_key_id": ACCESS, "secret_access_key": "topsecret"}
    with pytest.raises(mmstats.MmstatsError) as refusal:
        mmstats.stats(location, storage_options=options)
    assert "topsecret" not in str(refusal.value)
    assert "topsecret" not in repr(Dataset((location,), storage_options=options))
    assert mmstats.stats(location, storage_options=options | {"secret_access_key": SECRET}).rows == [{"value": 1050}]


def test_a_store_that_goes_when_all_is_read_spoils_no_answer(
    ask: Ask, location: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked at again is not kept, and that is all."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    looked_at = []

    def cut_off(line: str) -> None:
        if line.startswith("HEAD") and "a.ndjson" in line:  # which was listed and read
            looked_at.append(line)
            proxy.close()

    proxy.before = cut_off
    assert ask(location, "--group-by", "event_name").rows == [{"event_name": "e", "value": 1050}]
    assert looked_at


def test_a_password_in_a_location_is_refused(ask: Ask, s3: Seaweed) -> None:
    """It would be passed over, and shown wherever the location is."""
    for host in (f"me:topsecret@{s3.bucket}", f"topsecret@{s3.bucket}", f"{s3.bucket}:443"):
        ran = ask(f"s3://{host}/faults/")
        assert (ran.code, ran.error) == (
            3, f"s3://{s3.bucket}/faults/: a location names no user, password or port",
        )  # fmt: skip
        assert "topsecret" not in ran.err


@pytest.mark.parametrize("extension", FORMATS)
def test_an_object_that_goes_while_it_is_read(ask: Ask, s3: Seaweed, proxy: Proxy, name: str, extension: str) -> None:
    """Exit code 4, as it was there, be it asked for by its name or its folder and whichever request it goes before."""
    key = f"broken/{name}/{extension}/gone.{extension}"  # alone in its folder: others there would be answered
    for turn in count(1):
        there = s3.put(key, WRITERS[extension](ROWS))
        left = turn

        def gone(line: str) -> None:
            nonlocal left
            left -= line.startswith("GET") and f"gone.{extension}" in line
            if left == 0:
                s3.client.delete_object(Bucket=s3.bucket, Key=key)

        proxy.before = gone
        ran = ask(there if turn % 2 else there.rpartition("/")[0], "--group-by", "path")
        if left > 0:
            assert turn > 1
            break
        assert ran.code == 4
        assert ran.error in (f"{there}: there is no such object any more", f"{there}: changed while it was read")


def _version(path: str, rows: int) -> bytes:
    """Events of four days, one path and as many visitors, in row groups that lie where those of any path do."""
    buffer = io.BytesIO()
    instants = [datetime(2026, 5, 1) + timedelta(days=4) / rows * number for number in range(rows)]  # noqa: DTZ001
    who = [f"{path}{number:060}" for number in range(rows)]
    columns = {"timestamp": instants, "event_name": ["e"] * rows, "path": [path] * rows, "anonymous_id": who}
    pl.DataFrame(columns).write_parquet(buffer, row_group_size=rows // 4, compression="uncompressed")
    return buffer.getvalue()


@pytest.mark.parametrize("longer", [False, True], ids=("same layout", "other layout"))
@pytest.mark.parametrize(
    "asked",
    [
        ("query", "--group-by", "path"),
        ("query", "--from", "2026-05-01T12:00", "--to", "2026-05-04T12:00"),
        ("query", "--metric", "uniques"),
        ("describe", "--format", "json"),
    ],
    ids=("count", "by statistics", "uniques", "describe"),
)
def test_no_answer_is_of_two_versions_of_an_object(
    s3: Seaweed, proxy: Proxy, capfd: pytest.CaptureFixture[str], asked: tuple[str, ...], longer: bool
) -> None:
    """One that is replaced before any request is found again: the answer is of what it was or of what it is."""
    key = f"replaced/{next(_numbers)}.parquet"
    command, *options = asked

    def ran() -> Ran:
        capfd.readouterr()
        code = run([command, "--data", there, *options])
        return Ran(code, *capfd.readouterr())

    old, new = _version("a", 20_000), _version("b", 30_000 if longer else 20_000)
    there = s3.put(key, new)
    after, _ = ran().answer, s3.put(key, old)
    before, left = ran().answer, 0

    def replaced(line: str) -> None:
        nonlocal left
        left -= key in line
        if left == 0:
            left -= 1
            s3.put(key, new)

    proxy.before = replaced
    for turn in count(1):
        s3.put(key, old)
        left = turn
        found = ran()
        assert found.answer in (before, after)
        if left > 0:
            break
    assert found.answer == before


@pytest.mark.parametrize("folder", ["object-store error", "Generic S3 error: HTTP", "Error performing GET"])
def test_a_file_on_disk_is_not_taken_for_an_object(
    ask: Ask, tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its path, an error that quotes it is one of the file."""
    file = tmp_path / folder / "NoSuchKey.parquet"
    file.parent.mkdir()
    scan = pl.scan_parquet
    for turn in (1, 2):  # for the schema, then for the events
        file.write_bytes(_parquet(10))
        left = turn

        def late(*paths: Any, **how: Any) -> pl.LazyFrame:
            nonlocal left
            left -= 1
            if left == 0:
                file.unlink()
            return scan(*paths, **how)

        monkeypatch.setattr(pl, "scan_parquet", late)
        ran = ask(file, "--group-by", "path")
        assert (ran.code, ran.error) == (4, f"{file}: No such file or directory")
        assert left <= 0
    assert not is_store_error(pl.exceptions.SchemaError(f"data type mismatch for column {folder}: incoming: Int64"))


def test_schemes_that_nobody_speaks(ask: Ask) -> None:
    """They are refused with exit code 3, and the known ones named."""
    ran = ask("ftp://host/x.parquet")
    assert (ran.code, ran.error) == (3, "ftp://host/x.parquet: unknown scheme 'ftp'")
    assert "s3://" in ran.err


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    """Without boto3 AWS_PROFILE would be passed over in silence: refused, with what to install."""
    for library in ("obstore", "botocore"):
        program = f"import sys; sys.modules[{library!r}] = None; import mmstats; mmstats.stats('s3://events/x/')"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert re.search(r"InvalidSettings: s3:// needs (obstore|boto3)", done.stderr)


# Threads of the library take their time to hand over a result, and the interpreter takes longer than that to end.
ENDING = """
import asyncio, sys, threading, time
import mmstats

wake = asyncio.SelectorEventLoop.call_soon_threadsafe

def slowly(*given, **how):
    handle = wake(*given, **how)
    if threading.current_thread().name.startswith("Dummy"):
        time.sleep(0.3)
    return handle

class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.6)

asyncio.SelectorEventLoop.call_soon_threadsafe = slowly
sys.modules["last"] = Last()
mmstats.stats(sys.argv[1])
"""


def test_a_process_may_end_right_after_its_last_request(s3: Seaweed, tmp_path: Path) -> None:
    """Threads of the library that are still at handing over a result are waited for: they would abort the process."""
    there = s3.put("there/a.ndjson", ndjson(ROWS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ENDING, there], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("extension", ["ndjson", "csv.gz", "arrow"])
def test_an_interrupt_ends_a_transfer_that_stalls(s3: Seaweed, proxy: Proxy, tmp_path: Path, extension: str) -> None:
    """Nobody has to wait for a silent server until it is given up."""
    rows = pl.read_parquet(io.BytesIO(_parquet(20_000))).to_dicts()
    there = s3.put(f"broken/interrupted.{extension}", WRITERS[extension](rows))
    proxy.stall_after = 300_000
    command = [sys.executable, "-m", "mmstats", "query", "--data", there, "--group-by", "path", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
        until(lambda: proxy.sent > 200_000)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert time.monotonic() - started < 8  # before the first try is given up


@pytest.mark.parametrize(
    ("handler", "code"), [("lambda *_: None", 0), ("signal.SIG_IGN", 0), ("signal.default_int_handler", -signal.SIGINT)]
)
def test_an_interrupt_that_somebody_else_handles_gives_nothing_up(
    s3: Seaweed, proxy: Proxy, tmp_path: Path, handler: str, code: int
) -> None:
    """A server that is told to end lets its questions finish."""
    there = s3.put("there/a.ndjson", ndjson(ROWS))
    program = (
        "import signal, sys, mmstats\n"
        f"signal.signal(signal.SIGINT, {handler})\n"
        "print(mmstats.stats(sys.argv[1]).rows[0]['value'])\n"
    )
    proxy.delay = 0.5
    command, environment = [sys.executable, "-c", program, there], {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes) as process:
        until(lambda: proxy.requests)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == ("" if code else f"{len(ROWS)}\n")
        assert process.returncode == code


@pytest.mark.parametrize("asked_by", ["library", "engine"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, "Bad Request", ""), "the store cannot be read"),
        ((400, "Bad Request", "<Error><Code>ExpiredToken</Code></Error>"), "the credentials have expired"),
        ((418, "I'm a teapot", "Connection refused"), "the store cannot be read"),
        ((403, "Forbidden", "<html>NoSuchBucket</html>"), "access denied"),
        ((429, "Too Many Requests", ""), "the store is overloaded, and stayed so when asked again"),
        ((501, "Not Implemented", ""), "the store failed, and failed again when asked again"),
    ],
)
def test_an_answer_is_told_by_its_word_and_status(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, str], error: str, asked_by: str
) -> None:
    """And by nothing else that is in it, be it given to a request for the footer or to the engine's own."""
    there, left = "s3://bucket/tls/NoSuchKey.parquet", {"library": 0, "engine": 1}[asked_by]

    def fault(method: str, path: str) -> tuple[int, str, str] | None:
        nonlocal left
        left -= method == "GET" and path.endswith("NoSuchKey.parquet")
        return answer if left < 0 else None

    with serving_objects("bucket", {"tls/NoSuchKey.parquet": _parquet(1000)}) as server:
        server.fault = fault
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        ran = ask(there, "--group-by", "path", "--storage-option", "max_retries=0")
    assert (ran.code, ran.error) == (4, f"{there}: {error}")


def test_what_all_of_a_scan_share_is_named_where_no_object_is(ask: Ask, s3: Seaweed, proxy: Proxy) -> None:
    """A location as the user would write it: how a transfer broke off does not say of which object."""
    for key in ("a/b/x.parquet", "a/c/y.parquet"):
        s3.put(f"shared/{key}", _parquet(20_000))
    proxy.cut_after = 100_000
    ran = ask(f"s3://{s3.bucket}/shared/", "--group-by", "path", *IMPATIENT)
    what = "the transfer broke off, and broke off again when tried again"
    refused(ran, 4, f"s3://{s3.bucket}/shared/a/: {what}")
