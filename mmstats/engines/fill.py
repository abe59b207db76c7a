"""Rows of 0 for the buckets in which there are no events."""

from datetime import datetime, timedelta

import polars as pl

from mmstats.errors import InvalidParams
from mmstats.question.query import StatsQuery

_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


def filled(query: StatsQuery, rows: pl.DataFrame, max_rows: int) -> pl.DataFrame:
    """The rows, and one of 0 for every group that is in the answer and every bucket of the range that it lacks.

    Where the range has no bound, the first or last bucket with events is the end. With no grouping there is one
    group, even when nothing matched.

    Raises InvalidParams when that would be more than `max_rows`.
    """
    assert query.interval is not None
    step = _STEPS[query.interval]
    ends = _ends(query, rows)
    groups = rows.select(query.group_by).unique() if query.group_by else pl.DataFrame({"": [None]})
    if ends is None or groups.is_empty():
        return rows
    count = (ends[1] - ends[0]) // step + 1
    if count * groups.height > max_rows:
        fault = f"would make {count * groups.height:,} rows, more than {max_rows:,}"
        raise InvalidParams({"fill": [fault]}, hint="ask a shorter range, or a longer interval")
    buckets = pl.DataFrame({"bucket": pl.datetime_range(*ends, step, time_unit="us", eager=True)})
    grid = groups.join(buckets, how="cross")
    whole = grid.join(rows, on=list(query.labels), how="left", nulls_equal=True)
    return whole.select(*query.labels, pl.col("value").fill_null(0))


def _ends(query: StatsQuery, rows: pl.DataFrame) -> tuple[datetime, datetime] | None:
    """The starts of the first and the last bucket."""
    seen = rows["bucket"]
    first = _start(query, query.start) if query.start else seen.min()
    if not isinstance(first, datetime):
        return None
    # Something lies before the end now, so that an end at the first instant there is cannot come here.
    last = _start(query, query.end - timedelta(microseconds=1)) if query.end else seen.max()
    return (first, last) if isinstance(last, datetime) else None


def _start(query: StatsQuery, instant: datetime) -> datetime:
    """The start of the bucket that an instant lies in, naive."""
    hour = instant.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if query.interval == "hour":
        return hour
    day = hour.replace(hour=0)
    return day - timedelta(days=day.weekday()) if query.interval == "week" else day
