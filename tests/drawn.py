"""Events and questions drawn at the edges of the contract, and events written in every format, split over files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from hypothesis import strategies as st

from mmstats.question import buckets
from mmstats.question.columns import COLUMNS as ASKABLE
from mmstats.question.columns import DIMENSIONS
from mmstats.question.filters import Filter, Operator
from mmstats.question.order import SortKey
from mmstats.question.parameters import INTERVALS, METRICS
from mmstats.question.query import StatsQuery
from tests.oracle import Event

# The code points U+E000 and U+FFFD come before U+10000 and U+1F600, whose UTF-16 units come before theirs.
TEXTS = (None, "", "a", "A", "b", "\ue000", "\ufffd", "\U00010000", "\U0001f600", "e\u0301", "\u00e9", "007", "7")
AWKWARD = (" ", "null", "NULL", "true", "1.50", "a,b", 'say "x"', "two\nlines", "tab\t", "'", "\\", "\u2028", "-0")
NUMERIC = ("7", "07", "1.50", "7e0", "15e-1", "1e18", "999999999999999999", "0.0000000001", "1e-9", "+7", "7.", "0e999")
OPTIONAL = tuple(name for name in ("anonymous_id", *DIMENSIONS, "campaign", "url") if name != "event_name")
_ENDS = tuple(map(datetime.fromisoformat, ("0001-01-01", "9999-12-31T23:59:59.999999")))
FORMATS = ("parquet", "ndjson", "csv", "arrow", "words.parquet")  # the last with Categoricals for texts
COLUMNS = ("timestamp", "event_name", *OPTIONAL)
_THEN = ("0001-01-08", "1969-12-29", "1970-01-01", "2024-02-29", "9999-12-27")
_NOW = ("2026-05-03", "2026-05-04", "2026-05-10")


@st.composite
def edges(draw: st.DrawFn, days: Sequence[str] = _NOW) -> datetime:
    """An instant, naive, at or a microsecond beside the edge of an hour, day or week."""
    hours, beside = draw(st.sampled_from((0, 0, 0, 1, 23, 24))), draw(st.sampled_from((0, 0, 1, -1, 3_599_999_999)))
    return datetime.fromisoformat(draw(st.sampled_from(days))) + timedelta(hours=hours, microseconds=beside)


NEAR = edges()  # within eight days, so that events often meet in a bucket
ANY = NEAR | NEAR | edges(_THEN) | st.datetimes() | st.sampled_from(_ENDS)


@dataclass(frozen=True)
class Drawn:
    """Events and how they are split: for each file its format, the columns that it lacks and its events."""

    events: list[Event]
    parts: list[tuple[str, frozenset[str], list[Event]]]

    def write(self, folder: Path) -> None:
        """Write the files."""
        for index, (kind, lacking, events) in enumerate(self.parts):
            write(folder / f"{index}.{kind}", events, [name for name in COLUMNS if name not in lacking])


@st.composite
def datasets(draw: st.DrawFn, formats: Sequence[str] = FORMATS, when: st.SearchStrategy[datetime] = ANY) -> Drawn:
    """Up to 48 events over up to 4 files, some of which lack columns that are null in them throughout."""
    odd = draw(st.sampled_from((AWKWARD, NUMERIC)))
    texts = st.sampled_from((*TEXTS[: draw(st.integers(2, len(TEXTS)))], draw(st.sampled_from(odd))))
    parts = []
    for kind in draw(st.lists(st.sampled_from(formats), min_size=1, max_size=4)):
        lacking = draw(st.frozensets(st.sampled_from(OPTIONAL), max_size=3))
        has = [name for name in OPTIONAL if name not in lacking]
        whole = dict.fromkeys(has, texts) | dict.fromkeys(lacking, st.none())
        events = st.fixed_dictionaries({"timestamp": when, "event_name": texts, **whole})
        parts.append((kind, lacking, draw(st.lists(events, min_size=draw(st.sampled_from((0, 1, 5, 9))), max_size=12))))
    return Drawn([event for _, _, events in parts for event in events], parts)


@st.composite
def questions(draw: st.DrawFn, fill: bool = False, when: st.SearchStrategy[datetime] = ANY) -> StatsQuery:
    """A question of any parameters; exact or not, visitors as few as those drawn are counted exactly."""
    bounds = [draw(st.none() | when) for _ in range(2)]
    start, end = (bound and bound.replace(tzinfo=UTC) for bound in bounds)
    if start and end and start > end:
        start, end = end, start
    return StatsQuery(
        metric=draw(st.sampled_from(METRICS)),
        start=start,
        end=end if end != start else None,
        events=draw(st.just(()) | st.just(()) | st.sampled_from([(text,) for text in TEXTS[1:4] if text])),
        group_by=tuple(draw(st.permutations(DIMENSIONS))[: draw(st.integers(0, 3) | st.just(len(DIMENSIONS)))]),
        interval=draw(st.sampled_from(INTERVALS if fill else (None, *INTERVALS))),
        limit=draw(st.sampled_from((1, 3, 7, 100, 1000, None))),
        exact=draw(st.booleans()),
        fill=fill,
    )


ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns")
# Days beside which one of these zones changes its clock: at midnight and at two, by an hour and by half of one.
CHANGES = ("2010-11-07", "2026-03-08", "2026-03-29", "2026-04-05", "2026-10-25", "2026-11-01")
NUMBERS = ("-1", "0", "1.5", "7", "999999999999999999", "0.000000001")


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """A filter of any column and test."""
    test = draw(st.sampled_from(Operator))
    texts = [text for text in (*TEXTS, *AWKWARD) if text is not None]
    values: tuple[str, ...] = ()
    if test is Operator.IN:
        values = tuple(draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3, unique=True)))
    elif test is Operator.MATCHES:
        values = (draw(st.sampled_from(("", "a", "^a", "[aA]$", "^$", r"\d", "b|7"))),)
    elif test is not Operator.IS_NULL:
        values = (draw(st.sampled_from(NUMBERS)),)
    negated = draw(st.booleans()) if test in (Operator.IN, Operator.MATCHES, Operator.IS_NULL) else False
    return Filter(draw(st.sampled_from(ASKABLE)), test, values, negated)


@st.composite
def extended(draw: st.DrawFn, when: st.SearchStrategy[datetime] = ANY, zones: Sequence[str] = ZONES) -> StatsQuery:
    """A question with any of the extensions."""
    plain = draw(questions(when=when))
    group_by = tuple(draw(st.lists(st.sampled_from(ASKABLE), max_size=3, unique=True)))
    asked = replace(
        plain,
        events=tuple(draw(st.lists(st.sampled_from(("", "a", "A")), max_size=2, unique=True))),
        group_by=group_by,
        interval=draw(st.sampled_from((None, *buckets.INTERVALS))),
        where=tuple(draw(st.lists(filters(), max_size=2))),
        timezone=draw(st.sampled_from(zones)),
        week_start=draw(st.sampled_from(buckets.WEEK_STARTS)),
    )
    keys = draw(st.lists(st.sampled_from((*asked.labels, "value")), max_size=2, unique=True))
    fill = asked.interval in ("month", "quarter", "year") and draw(st.booleans())
    return replace(asked, fill=fill, order=tuple(SortKey(key, draw(st.booleans())) for key in keys))


def write(path: Path, events: Sequence[Event], columns: Sequence[str] = COLUMNS) -> None:
    """Write events in the format that the path's extension says."""
    kind = path.suffix.removeprefix(".")
    if kind in {"parquet", "arrow"}:
        frame = frame_of(events, columns)
        frame = frame.cast({pl.String: pl.Categorical}) if ".words" in path.suffixes else frame
        frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
    else:
        lines = _lines(events, columns) if kind == "ndjson" else _records(events, columns)
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def frame_of(events: Sequence[Event], columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """Events as a frame: timestamps in microseconds, the rest text."""
    types = {name: pl.Datetime("us") if name == "timestamp" else pl.String for name in columns}
    return pl.DataFrame({name: [event.get(name) for event in events] for name in columns}, schema=types)


def _lines(events: Sequence[Event], columns: Sequence[str]) -> list[str]:
    texts = [{name: _text(event.get(name)) for name in columns} for event in events]
    return [json.dumps(event, ensure_ascii=index % 2 == 0) for index, event in enumerate(texts)]


def _records(events: Sequence[Event], columns: Sequence[str]) -> list[str]:
    fields = [[_text(event.get(name)) for name in columns] for event in events]
    return [",".join(columns)] + [",".join(map(_quoted, record)) for record in fields]


def _quoted(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def _text(value: datetime | str | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value
