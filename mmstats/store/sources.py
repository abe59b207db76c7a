"""The sources of an import: files known by where they lie and what they hold."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mmstats.dataset import Dataset
from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.manifest import StoreSource
from mmstats.storage.url import scheme_of
from mmstats.wording import visible

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A file to import, and what is known of it before its events are read.

    `moment` changes with the file, so that one that is written to while it is imported is noticed.
    """

    file: EventFile
    location: str
    digest: str
    read_as: str
    moment: str

    def is_known_as(self, known: StoreSource | None, *, skip_bad_rows: bool) -> bool:
        """Whether a store has the very rows that this source would give, and nobody shall be told of others."""
        if known is None or (known.digest, known.read_as) != (self.digest, self.read_as):
            return False
        return skip_bad_rows or not known.left_out

    def check_unchanged(self) -> None:
        """Raise Unreadable when the file has been written to since it was found."""
        now = self.file.storage.current_status([self.file.path]).get(self.file.path)
        if now is None or now.identity != self.moment:
            raise Unreadable(f"{self.file}: changed while it was imported", hint="import it when it is complete")


def outside(files: Iterable[EventFile], store: str) -> list[EventFile]:
    """The files that do not lie in the store itself.

    Raises NotEvents for files of another store, which are rewritten and renamed there as it grows.
    """
    within = os.path.realpath(store) + os.sep if scheme_of(store) is None else f"{store.rstrip('/')}/"
    found = [file for file in files if not file.storage.canonical(file.path).startswith(within)]
    for file in found:
        if file.stored:
            folder = visible(file.path.rsplit("/", 2)[0])
            raise NotEvents(f"{folder}: is a store", hint="import what it was imported from")
    if not found:
        raise NotEvents(f"{visible(store)}: no event files but those of the store itself")
    return found


def found_source(file: EventFile, dataset: Dataset, advance: Callable[[int], None]) -> FoundSource:
    """A file with its location and digest; `advance` is told of bytes read.

    What came through a pipe lies nowhere: it is known by its digest alone. Raises Unreadable for a file that cannot be
    read.
    """
    moment = file.storage.status(file.path).identity
    digest = _digest(file, advance)
    location = f"-#{digest}" if file.name else file.storage.canonical(file.path)
    read_as = {"map": dict(sorted(dataset.columns.items())), "timestamp_unit": dataset.timestamp_unit}
    read_as["input_format"] = file.format.name
    return FoundSource(file, location, digest, json.dumps(read_as, separators=(",", ":")), moment)


def _digest(file: EventFile, advance: Callable[[int], None]) -> str:
    """What stands for the content of a file: what its storage says of it, else a digest of its bytes."""
    known = file.storage.content_id(file.path)
    if known:
        advance(file.size)
        return known
    digest = blake2b(digest_size=20)
    try:
        with file.storage.open(file.path) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                advance(len(block))
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None
    return f"blake2b:{digest.hexdigest()}"
