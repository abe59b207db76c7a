"""The line under a table: what was counted, over which range, and how many rows there are."""

from dataclasses import dataclass
from datetime import UTC, datetime

from mmstats.answer import Stats
from mmstats.wording import visible


@dataclass(frozen=True, slots=True)
class Caption:
    """What the table says of its question.

    `start` is inclusive and `end` exclusive, both aware, None for no bound; `event` is None for all events.
    """

    start: datetime | None = None
    end: datetime | None = None
    event: str | None = None

    def sentence(self, stats: Stats, dot: str = "·") -> str:
        """The caption of `stats`, its parts set apart by `dot`; the event's name has its controls escaped."""
        named = "" if self.event is None else f'event "{visible(self.event)}"'
        parts = (stats.metric, named, self._range(), _extent(stats))
        return f" {dot} ".join(part for part in parts if part)

    def _range(self) -> str:
        if self.start and self.end:
            return f"{_instant(self.start)} to {_instant(self.end)} UTC"
        if self.start:
            return f"since {_instant(self.start)} UTC"
        if self.end:
            return f"before {_instant(self.end)} UTC"
        return "all events" if self.event is None else ""


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _extent(stats: Stats) -> str:
    rows = len(stats.rows)
    if stats.truncated:
        return f"{rows:,} of {stats.groups:,} rows"
    return {0: "no rows", 1: "1 row"}.get(rows, f"{rows:,} rows")
