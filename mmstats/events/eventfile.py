"""One file of events: where it is, how its bytes are read, what its folders say."""

from dataclasses import dataclass, field

from mmstats.events.formats import Format
from mmstats.events.hive import Partition
from mmstats.visible import visible


@dataclass(frozen=True, slots=True)
class EventFile:
    """One file of events; as text it is called what messages call it."""

    path: str
    format: Format
    partition: Partition = field(default_factory=dict)
    name: str = ""  # what to call it in messages, where that is not its path

    def __str__(self) -> str:
        return visible(self.name or self.path)
