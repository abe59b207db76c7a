"""The questions of `versus.py`, each declared once, as mmstats' arguments and as the same question in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

ALL_COLUMNS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
LIMIT = 100


@dataclass(frozen=True)
class Question:
    """One question; `start` and `end` are instants in UTC, such as `2026-05-10 00:00:00`."""

    name: str
    group_by: tuple[str, ...] = ()
    metric: str = "count"
    interval: str | None = None
    event: str | None = None
    start: str | None = None
    end: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of the answer but its value."""
        return (("bucket",) if self.interval else ()) + self.group_by

    @property
    def columns(self) -> tuple[str, ...]:
        """What of the data the question needs."""
        needed = {
            "timestamp": self.interval or self.start,
            "event_name": self.event,
            "anonymous_id": self.metric == "uniques",
        }
        return tuple(dict.fromkeys((*self.group_by, *(name for name, is_needed in needed.items() if is_needed))))

    @property
    def arguments(self) -> list[str]:
        """How mmstats is asked, or anything that understands its flags."""
        given = {
            "--metric": self.metric if self.metric != "count" else None,
            "--event": self.event,
            "--group-by": ",".join(self.group_by),
            "--interval": self.interval,
            "--from": self.start,
            "--to": self.end,
        }
        return [part for flag, value in given.items() if value for part in (flag, value)]


QUESTIONS = (
    Question("total"),
    Question("by source, medium", ("source", "medium")),
    Question("signups by day, source, medium", ("source", "medium"), interval="day", event="signup"),
    Question("by path", ("path",)),
    Question("by all eight columns", ALL_COLUMNS),
    Question("one hour, by country", ("country",), start="2026-05-10 14:00:00", end="2026-05-10 15:00:00"),
    Question(
        "one day, by source, medium", ("source", "medium"), start="2026-05-10 00:00:00", end="2026-05-11 00:00:00"
    ),
    Question("weekly by country", ("country",), interval="week"),
    Question("uniques", metric="uniques"),
    Question("uniques by country", ("country",), metric="uniques"),
    Question("uniques by path", ("path",), metric="uniques"),
    Question("uniques by day", metric="uniques", interval="day"),
    Question("uniques by day, path", ("path",), metric="uniques", interval="day"),
)

# Nothing is asked: what each takes to start. mmstats is asked of an empty file.
START = Question("start-up")


@dataclass(frozen=True)
class Dialect:
    """How one engine says what engines say differently; each in the form that is fastest there.

    `events` is what to select from, `moment` a literal instant, `text` the label of the bucket from `instant` on.
    """

    events: str
    moment: str
    buckets: dict[str, str]
    text: str
    uniques: str
    exact: str = "count(DISTINCT anonymous_id)"


def _truncated(timestamp: str) -> dict[str, str]:
    return {interval: f"date_trunc('{interval}', {timestamp})" for interval in ("hour", "day", "week")}


_TEXT = "%Y-%m-%d %H:%M:%S"


def duckdb_files(pattern: str) -> Dialect:
    """DuckDB on Parquet files.

    Its instants with a zone are truncated by way of the ICU library, which takes eight times as long as this.
    """
    return Dialect(
        events=f"read_parquet('{pattern}')",
        moment="TIMESTAMPTZ '{}+00'",
        buckets=_truncated("make_timestamp(epoch_us(timestamp))"),
        text=f"strftime(instant, '{_TEXT}')",
        uniques="approx_count_distinct(anonymous_id)",
    )


DUCKDB_TABLE = Dialect(
    events="events",
    moment="TIMESTAMP '{}'",
    buckets=_truncated("timestamp"),
    text=f"strftime(instant, '{_TEXT}')",
    uniques="approx_count_distinct(anonymous_id)",
)
DATAFUSION = Dialect(
    events="events",
    moment="TIMESTAMP '{}Z'",
    buckets=_truncated("timestamp"),
    text=f"to_char(instant, '{_TEXT}')",
    uniques="approx_distinct(anonymous_id)",
)


def clickhouse(pattern: str) -> Dialect:
    """ClickHouse on Parquet files."""
    return Dialect(
        events=f"file('{pattern}', 'Parquet')",
        moment="toDateTime64('{}', 6, 'UTC')",
        buckets={
            "hour": "toStartOfHour(timestamp, 'UTC')",
            "day": "toStartOfDay(timestamp, 'UTC')",
            "week": "toStartOfWeek(timestamp, 1, 'UTC')",
        },
        text="formatDateTime(instant, '%Y-%m-%d %H:%i:%S')",
        uniques="uniq(anonymous_id)",
    )


def sql(question: Question, dialect: Dialect, *, exact: bool = False) -> str:
    """The question in SQL: UTC buckets, mmstats' order and limit; with `exact`, visitors counted and no limit."""
    if question == START:
        return "SELECT 1 AS value"
    uniques = dialect.exact if exact else dialect.uniques
    values = [f"{uniques if question.metric == 'uniques' else 'count(*)'} AS value"]
    keys = [f"{dialect.buckets[question.interval]} AS instant"] if question.interval else []
    inner = f"SELECT {', '.join([*keys, *question.group_by, *values])} FROM {dialect.events}{_where(question, dialect)}"
    if not question.labels:
        return inner
    inner += f" GROUP BY {', '.join(str(place + 1) for place in range(len(question.labels)))}"
    shown = ([f"{dialect.text} AS bucket"] if question.interval else []) + [*question.group_by, "value"]
    return f"SELECT {', '.join(shown)} FROM ({inner}) AS answer{'' if exact else _order(question)}"


def _where(question: Question, dialect: Dialect) -> str:
    conditions = [f"event_name = '{question.event}'"] if question.event else []
    if question.start:
        conditions.append(f"timestamp >= {dialect.moment.format(question.start)}")
    if question.end:
        conditions.append(f"timestamp < {dialect.moment.format(question.end)}")
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _order(question: Question) -> str:
    keys: Sequence[str] = [f"{column} ASC NULLS LAST" for column in question.group_by]
    bucket = ["instant ASC"] if question.interval else []
    return f" ORDER BY {', '.join([*bucket, 'value DESC', *keys])} LIMIT {LIMIT}"
