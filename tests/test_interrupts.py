"""Ctrl-C at any moment of a run: exit code 130, and nothing on stderr."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import delimited
from tests.serving import ROOT

SCRIPT = [str(Path(sys.executable).with_name("mmstats"))]
MODULE = [sys.executable, "-m", "mmstats"]
QUERY = ["query", "--no-cache", "--group-by", "country"]

# Python runs this before the program. It loads no module itself: one that is loaded cannot be interrupted any more.
FINDER = """
import sys, _signal, posix

def interrupt():
    _signal.raise_signal(_signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        begin(name)

sys.meta_path.insert(0, Finder())
"""
# At each import of the program a copy of the process is interrupted, and its end noted.
EACH_IMPORT = """
started = False
err = posix.dup(2)

def begin(name):
    global started
    started = started or name == "mmstats.interrupts"
    if not started:
        return
    copy = posix.fork()
    if not copy:
        _signal.alarm(60)
        interrupt()
        return
    code = posix.waitstatus_to_exitcode(posix.waitpid(copy, 0)[1])
    posix.write(err, f"{name} {code}\\n".encode())
"""
ONE_IMPORT = """
def begin(name):
    if name == {name!r}:
        interrupt()
"""
# The engine's plan of a scan asks Python for the schema's types: there an exception is a panic.
CALLBACK = """
def begin(name):
    pass

def watch(frame, event, argument):
    if event == "call" and frame.f_back and frame.f_back.f_code.co_name == "collect_schema":
        sys.setprofile(None)
        interrupt()

sys.setprofile(watch)
"""
# Called in the order opposite to that of their registration: one before the program's own, the other after it.
AT_EXIT = """
def begin(name):
    if name == "mmstats.cli" and {early}:
        atexit.register(interrupt)

import atexit
if not {early}:
    atexit.register(interrupt)
"""

Interrupted = Callable[..., tuple[int, str, str]]


@pytest.fixture
def interrupted(tmp_path: Path) -> Interrupted:
    """Run a command line with a program before it; its exit code, stdout and stderr."""

    def run(program: str, *command: str) -> tuple[int, str, str]:
        folder = tmp_path / "before"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(FINDER + program)
        paths = os.pathsep.join(map(str, (folder, ROOT)))
        environment = {**os.environ, "PYTHONPATH": paths, "XDG_CONFIG_HOME": str(tmp_path)}
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout, ran.stderr

    return run


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["mmstats", "python -m mmstats"])
def test_an_interrupt_of_any_import_ends_it_at_once(interrupted: Interrupted, command: list[str]) -> None:
    """Whatever is being imported, from the first line of the program on: code 130, and no traceback."""
    code, out, err = interrupted(EACH_IMPORT, *command, *QUERY, "--sample")
    ended = dict(line.split(" ") for line in err.splitlines())
    assert {"signal", "mmstats.cli", "typer", "polars", "polars._plr", "mmstats.engines.local.engine"} <= {*ended}
    assert set(ended.values()) == {"130"}
    assert (code, out[:10]) == (0, '{"metric":')


@pytest.mark.parametrize("name", ["asyncio", "starlette", "uvicorn", "mmstats.serve.app"])
def test_an_interrupt_ends_a_server_that_is_loaded(interrupted: Interrupted, name: str) -> None:
    """Before it listens a server ends at once, too."""
    command = [*MODULE, "serve", "--sample", "--no-auth", "--port", "0"]
    assert interrupted(ONE_IMPORT.format(name=name), *command) == (130, "", "")


@pytest.mark.parametrize("name", ["pyarrow", "pyarrow.lib", "pyarrow.csv"])
def test_an_interrupt_of_an_import_while_it_reads_is_no_error(
    interrupted: Interrupted, tmp_path: Path, name: str
) -> None:
    """A library that is loaded only once the files are read may make another error of it: it stays an interrupt."""
    (tmp_path / "a.csv").write_bytes(delimited([{"timestamp": "2026-05-04", "event_name": "a"}]))
    assert interrupted(ONE_IMPORT.format(name=name), *MODULE, *QUERY, "--data", "a.csv") == (130, "", "")


def test_an_interrupt_in_a_callback_of_the_engine_is_no_panic(interrupted: Interrupted) -> None:
    """Nothing is blamed on a file for it, and the panic that the engine prints is not shown."""
    assert interrupted(CALLBACK, *MODULE, *QUERY, "--sample") == (130, "", "")


@pytest.mark.parametrize(("early", "code"), [(True, 130), (False, 0)])
def test_an_interrupt_after_the_answer_is_quiet(interrupted: Interrupted, early: bool, code: int) -> None:
    """While the process ends, after the whole answer, it ends it at once or comes too late."""
    ended, out, err = interrupted(AT_EXIT.format(early=early), *MODULE, *QUERY, "--sample", "--format", "csv")
    assert (ended, err) == (code, "")
    assert out.startswith("country,value\n")
    assert out.endswith("\n")


def test_a_job_that_ignores_interrupts_goes_on(interrupted: Interrupted) -> None:
    """Where the shell has it ignore interrupts, as a job in the background, they stay ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert interrupted(ONE_IMPORT.format(name="polars"), *MODULE, *QUERY, "--sample")[0] == 0
    finally:
        signal.signal(signal.SIGINT, before)
