"""Events from standard input and pipes."""

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from .conftest import WRITERS, Ask

MMSTATS = [sys.executable, "-X", "dev", "-m", "mmstats"]
ROOT = str(Path(__file__).parent.parent)
EVENTS = [
    {"timestamp": "2026-05-01T00:00:00Z", "event_name": "a", "source": "x"},
    {"timestamp": "2026-05-02T00:00:00Z", "event_name": "b", "source": None},
]
ANSWER = b'{"metric":"count","rows":[{"source":"x","value":1},{"source":null,"value":1}]}\n'


def zstd(data: bytes) -> bytes:
    """Data compressed by zstd."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def piped(data: bytes, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Query the data of a pipe; temporary files that are left behind are in `tmp_path`."""
    environment = {"PYTHONPATH": ROOT, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [*MMSTATS, "query", "--data", "-", *options]
    return subprocess.run(command, input=data, capture_output=True, cwd=tmp_path, env=environment, check=False)


TEXTS = {
    "ndjson": WRITERS["ndjson"](EVENTS),
    "ndjson behind blanks": b"\n \n" + WRITERS["ndjson"](EVENTS),
    "json array": b'[{"timestamp":1,"event":"a","source":"x"},{"timestamp":2,"event":"a"}]',
    "csv": WRITERS["csv"](EVENTS),
    "ndjson.gz": gzip.compress(WRITERS["ndjson"](EVENTS)),
    "csv.gz": gzip.compress(WRITERS["csv"](EVENTS)),
    "ndjson.zst": zstd(WRITERS["ndjson"](EVENTS)),
}


@pytest.mark.parametrize("data", TEXTS.values(), ids=TEXTS)
def test_text_formats_are_known_by_their_first_bytes(data: bytes, tmp_path: Path) -> None:
    """JSON and CSV, plain or compressed, are recognized without an option, and nothing is left behind."""
    done = piped(data, tmp_path, "--group-by", "source")
    assert (done.returncode, done.stdout, done.stderr) == (0, ANSWER, b"")
    assert list(tmp_path.glob("mmstats-*")) == []


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_binary_formats_need_an_option(form: str, tmp_path: Path) -> None:
    """Parquet and Arrow are read with --input-format, and else refused with a hint to it."""
    data = WRITERS[form](EVENTS)
    done = piped(data, tmp_path, "--group-by", "source", "--input-format", form)
    assert (done.returncode, done.stdout, done.stderr) == (0, ANSWER, b"")
    unnamed = piped(data, tmp_path)
    assert (unnamed.returncode, unnamed.stdout) == (4, b"")
    assert unnamed.stderr.endswith(f"hint: say --input-format {form}\n".encode())


def test_nothing_is_no_events(tmp_path: Path) -> None:
    """An empty standard input holds zero events."""
    assert piped(b"", tmp_path).stdout == b'{"metric":"count","rows":[{"value":0}]}\n'


def test_a_bad_row_is_named_by_its_line(tmp_path: Path) -> None:
    """A bad row is named, and nothing of the pipe's data is left behind."""
    done = piped(TEXTS["ndjson"] + b'{"timestamp":"soon","event_name":"a"}\n', tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith(b'error: stdin: line 3: the timestamp "soon" is no instant\n')
    assert list(tmp_path.glob("mmstats-*")) == []


def test_a_named_pipe_is_read_like_standard_input(ask: Ask, tmp_path: Path) -> None:
    """A pipe with a name, as a shell makes for `<(…)`, needs no extension."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[TEXTS["csv"]])
    writer.start()
    ran = ask("pipe")
    writer.join()
    assert ran.value == 2
