"""The question, as plain data."""

from dataclasses import dataclass
from datetime import datetime

from mmstats.question.parameters import DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """One stats question.

    `start` is inclusive and `end` exclusive, both aware and in UTC, None for no bound; a `limit` of None lifts it;
    `exact` counts distinct visitors instead of estimating them; `fill` gives buckets without events a row of 0.
    """

    metric: str = "count"
    start: datetime | None = None
    end: datetime | None = None
    event: str | None = None
    group_by: tuple[str, ...] = ()
    interval: str | None = None
    limit: int | None = DEFAULT_LIMIT
    exact: bool = False
    fill: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The keys of a row except its value, in their order."""
        return (("bucket",) if self.interval else ()) + self.group_by
