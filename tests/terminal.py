"""A terminal for the commands of the docs, in a folder that holds the sample as a user's own events."""

import fcntl
import gzip
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import polars as pl

from mmstats.dataset import sample_folder

_LINES = 40


def open_terminal(lines: int, columns: int) -> tuple[int, int]:
    """A terminal of a size: our end, and that of whoever writes to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    return ours, theirs


def all_shown(ours: int) -> bytes:
    """What a terminal shows until nobody writes any more; our end is closed then."""
    shown = bytearray()
    with suppress(OSError):  # how Linux says that nobody writes any more
        while block := os.read(ours, 1 << 16):
            shown += block
    os.close(ours)
    return bytes(shown)


class Terminal:
    """A terminal in `home/work`, where the events are, and with nothing of its user.

    `events/` has the sample's 28 days, a Parquet file each; the files beside it have the first of them.
    `exports/` has a small export of each known tool.
    """

    def __init__(self, home: Path, columns: int = 80, **environment: str) -> None:
        self._columns = columns
        self.folder = home / "work"
        events = self.folder / "events"
        events.mkdir(parents=True)
        for file in Path(sample_folder()).glob("*/*.parquet"):
            (events / f"{file.parent.name.removeprefix('day=')}.parquet").write_bytes(file.read_bytes())
        day = pl.read_parquet(min(events.iterdir()))
        for name in ("may.csv.gz", "more.csv.gz"):
            (self.folder / name).write_bytes(gzip.compress(day.write_csv().encode()))
        (self.folder / "events.ndjson.gz").write_bytes(gzip.compress(day.write_ndjson().encode()))
        shutil.copytree(Path(__file__).parent / "exports", self.folder / "exports")
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "MMSTATS_CACHE_DIR": str(home / "cache"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",  # no colours, no progress
            **environment,
        }

    def run(self, script: str) -> tuple[int, str]:
        """The exit code of a script of the shell, and all that the terminal shows of it."""
        ours, theirs = open_terminal(_LINES, self._columns)
        process = subprocess.Popen(
            ["sh", "-e", "-c", script],
            cwd=self.folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown = all_shown(ours)
        return process.wait(), shown.decode().replace("\r\n", "\n")
