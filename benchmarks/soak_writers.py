"""What changes the data under the servers of `soak.py`: files that come, are replaced, grow and go, and imports."""

import gzip
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from benchmarks.soak_oracle import Batch, Content, Slot
from tests.drawn import write
from tests.serving import environment

_FORMATS = ("parquet", "ndjson", "csv", "arrow", "ndjson.gz")
_FILES = 12
_SOURCES = 8
_ROWS = (1, 50, 300)
_APPENDED = 8  # batches in one file at most
_PAGE = 4096


def _write(path: Path, batch: Batch) -> None:
    """Write events under a name that no server reads, and move them to where it does."""
    hidden = (
        path.with_name(f".{path.name}").with_suffix("") if path.suffix == ".gz" else path.with_name(f".{path.name}")
    )
    write(hidden, batch.events)
    if path.suffix == ".gz":
        hidden.write_bytes(gzip.compress(hidden.read_bytes()))
    hidden.replace(path)


class FolderWriter:
    """Adds, replaces, appends to and removes the files of a folder of every format."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.changes: Counter[str] = Counter()
        self._rng = rng
        kinds = [_FORMATS[number % len(_FORMATS)] for number in range(_FILES)]
        self._files = {folder / f"{number:02}.{kind}": Slot() for number, kind in enumerate(kinds)}
        folder.mkdir(parents=True)
        for path in self._files:
            self._replace(path)

    @property
    def slots(self) -> list[Slot]:
        """What the files held."""
        return [*self._files.values()]

    def change(self) -> None:
        """Change one file; the first one is never removed, so that there are always events."""
        path = self._rng.choice([*self._files])
        changes: Mapping[str, Callable[[Path], None]] = {"replaced": self._replace}
        if not self._files[path].content:
            changes = {"added": self._replace}
        elif path != next(iter(self._files)):
            changes = {**changes, "removed": self._remove}
        if path.suffix in {".ndjson", ".csv"} and 0 < len(self._files[path].content) < _APPENDED:
            changes = {**changes, "appended to": self._append}
        kind = self._rng.choice([*changes])
        changes[kind](path)
        self.changes[kind] += 1

    def _replace(self, path: Path) -> None:
        batch = Batch(self._rng, self._rng.choice(_ROWS))
        with self._files[path].changing((batch,)):
            _write(path, batch)

    def _remove(self, path: Path) -> None:
        with self._files[path].changing(()):
            path.unlink()

    def _append(self, path: Path) -> None:
        """Append what fits in the file's last page, or replace it: a reader sees all of a page or nothing."""
        batch, beside = Batch(self._rng, self._rng.randrange(1, 6)), path.with_name(f".appended{path.suffix}")
        write(beside, batch.events)
        lines = beside.read_bytes()
        added = lines.partition(b"\n")[2] if path.suffix == ".csv" else lines
        if path.stat().st_size % _PAGE + len(added) > _PAGE:
            self._replace(path)
            return
        slot = self._files[path]
        with slot.changing((*slot.content, batch)), path.open("ab", buffering=0) as file:
            file.write(added)


class StoreWriter:
    """Imports sources into a store, new ones and such as have changed, with the command that users have."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.changes: Counter[str] = Counter()
        self.slots = [Slot()]
        self.store = folder / "store"
        self._rng, self._folder = rng, folder
        self._sources: dict[Path, Content] = {}
        folder.mkdir(parents=True)
        self.change()

    def change(self) -> None:
        """Import one source: a new one, or one whose events have changed."""
        number = self._rng.randrange(_SOURCES)
        path = self._folder / f"{number}.{_FORMATS[number % len(_FORMATS)]}"
        kind = "imported again" if path in self._sources else "imported"
        batch = Batch(self._rng, self._rng.choice(_ROWS))
        _write(path, batch)
        self._sources[path] = (batch,)
        command = [sys.executable, "-m", "mmstats", "import", str(path), "--to", str(self.store)]
        with self.slots[0].changing(tuple(one for content in self._sources.values() for one in content)):
            ran = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment(str(self._folder / ".home"))
            )
            if ran.returncode:
                raise RuntimeError(f"import ended with {ran.returncode}: {ran.stderr}")
        self.changes[kind] += 1


def keep_changing(
    writer: FolderWriter | StoreWriter, rng: Random, pauses: tuple[float, ...], end: threading.Event
) -> None:
    """Change the data, with pauses of any of these lengths, until the end."""
    while not end.is_set():
        writer.change()
        end.wait(rng.choice(pauses))
