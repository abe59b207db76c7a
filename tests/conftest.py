"""What tests share: a command line to ask in the same process, and one writer per format."""

import gzip
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings
from xdist.remote import Producer

from mmstats.cli import run
from tests import clusters
from tests.clusters import Cluster
from tests.seaweed import Seaweed, seaweed
from tests.serving import Serving, serving
from tests.sharing import Sharing

settings.register_profile("untimed", deadline=None)  # no test depends on how fast the machine is
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """The cluster's client ends a program that has no file, as the processes of `pytest -n` have none."""
    if hasattr(config, "workerinput"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
            import pyspark.sql.connect.session  # noqa: F401


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Processes that share the tests do so by the servers that these need."""
    return Sharing(config, log)


@dataclass(frozen=True)
class Ran:
    """How one command line ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON answer of a command that succeeded."""
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the answer."""
        rows: list[dict[str, Any]] = self.answer["rows"]
        return rows

    @property
    def value(self) -> int:
        """The value of the only row."""
        (row,) = self.rows
        value: int = row["value"]
        return value

    @property
    def error(self) -> str:
        """What the only `error:` line says, once it is sure that nothing else but a hint was written."""
        error, *hints = self.err.splitlines()
        assert self.out == ""
        assert error.startswith("error: ")
        assert len(hints) <= 1
        assert all(hint.startswith("hint: ") for hint in hints)
        return error.removeprefix("error: ")


Ask = Callable[..., Ran]


@pytest.fixture(scope="session", autouse=True)
def no_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is kept from one test for another, and nobody's own cache is touched: a file is where it would be."""
    file = tmp_path_factory.mktemp("no cache") / "file"
    file.write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMSTATS_CACHE_DIR", str(file))
        yield


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Run `mmstats query --data LOCATION …` in the test's own folder, beyond the reach of anybody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))

    def query(location: str | Path, *options: str) -> Ran:
        capfd.readouterr()
        code = run(["query", "--data", str(location), *options])
        written = capfd.readouterr()
        return Ran(code, written.out, written.err)

    return query


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is ten seconds ahead, so that files written just now count as settled on the command line."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of one event."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"timestamp": ["2026-05-04"], "event_name": ["a"]}).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server of the sample as anybody starts it, shared by all tests that leave it as it is."""
    with serving("--sample") as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[Seaweed]:
    """An S3 server, shared by all tests, each of which has prefixes of its own."""
    with seaweed() as running:
        yield running


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Apache Spark with two executors, opened by a token that a URL cannot hold as it is, for all tests."""
    if not (clusters.has_java() or os.environ.get("CI")):
        pytest.skip("Apache Spark needs Java 17: install it, such as openjdk-17-jre-headless, to have these tests")
    token = {"spark.connect.authenticate.token": "a/b?c=#%41;=="}
    with clusters.spark(tmp_path_factory.mktemp("spark"), **token) as running:
        yield replace(running, address=f"{running.address}/;token=a/b?c=#%2541%3B==")


@pytest.fixture(scope="session")
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Sail, for all tests."""
    with clusters.sail(tmp_path_factory.mktemp("sail")) as running:
        yield running


@pytest.fixture(params=("spark", "sail"))
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each cluster, by turns."""
    running: Cluster = request.getfixturevalue(request.param)
    return running


Rows = Sequence[Mapping[str, Any]]


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def ndjson(rows: Rows) -> bytes:
    """The rows as an object a line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def json_array(rows: Rows) -> bytes:
    """The rows as one pretty-printed array."""
    return json.dumps(list(rows), indent=2).encode()


def delimited(rows: Rows, delimiter: str = ",") -> bytes:
    """The rows as CSV with every text quoted, so that an empty one is not null."""
    names = _columns(rows)
    lines = [names] + [[_field(row.get(name)) for name in names] for row in rows]
    return "".join(delimiter.join(line) + "\n" for line in lines).encode()


def _field(value: object) -> str:
    return "" if value is None else '"' + str(value).replace('"', '""') + '"'


def frame(rows: Rows) -> pl.DataFrame:
    """The rows as a frame."""
    return pl.DataFrame(list(rows), schema=_columns(rows) or ["timestamp", "event_name"], infer_schema_length=None)


def _written(write: Callable[[pl.DataFrame, io.BytesIO], object], rows: Rows) -> bytes:
    buffer = io.BytesIO()
    write(frame(rows), buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "ndjson": ndjson,
    "jsonl": ndjson,
    "json": json_array,
    "csv": delimited,
    "tsv": lambda rows: delimited(rows, "\t"),
    "csv.gz": lambda rows: gzip.compress(delimited(rows)),
    "ndjson.gz": lambda rows: gzip.compress(ndjson(rows)),
    "parquet": lambda rows: _written(pl.DataFrame.write_parquet, rows),
    "pq": lambda rows: _written(pl.DataFrame.write_parquet, rows),
    "arrow": lambda rows: _written(pl.DataFrame.write_ipc, rows),
    "feather": lambda rows: _written(pl.DataFrame.write_ipc_stream, rows),
}
