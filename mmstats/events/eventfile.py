"""One file of events: where it is, how its bytes are read, what its folders say."""

from dataclasses import dataclass, field
from datetime import datetime

from mmstats.events.formats import Format
from mmstats.events.hive import Partition
from mmstats.events.storage import Storage
from mmstats.events.storage.disk import DISK
from mmstats.wording import visible


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store's manifest proves of a file: how many rows it has, its first and its last instant (naive, UTC).

    `columns` are the event columns that some source of the store had; the others are null throughout.
    """

    rows: int
    first: datetime
    last: datetime
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventFile:
    """One file of events; as text it is called what messages call it.

    One that is `stored` has been judged, and has the event columns under their own names, whatever is mapped.
    """

    path: str
    format: Format
    partition: Partition = field(default_factory=dict)
    name: str = ""  # what to call it in messages, where that is not its path
    stored: Stored | None = None
    storage: Storage = DISK

    def __str__(self) -> str:
        return visible(self.name or self.path)

    @property
    def size(self) -> int:
        """Its bytes; raises Unreadable for one that may not be looked at."""
        return self.storage.status(self.path).size
