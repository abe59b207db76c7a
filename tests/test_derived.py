"""Metrics, top, other, compare, fill and totals: the answer's bytes against the contract in plain Python."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question import filters
from mmstats.question.order import SortKey
from mmstats.question.query import StatsQuery
from tests import derived
from tests.drawn import FORMATS, NEAR, Drawn, write
from tests.oracle import Event

NUMBERS = ("1", "-2.5", "1e3", "0", "-0", "0.1", "0.2", "7e-9", "1e-10", "999999999999999999.999999999")
ODD = ("1e18", "-999999999999999999", "1.50", "007", "x", "", "NaN", "1.", ".5", "+1", "1E+2", "12345678901234567.1")
GROUPS = (None, "", "a", "b", "\U0001f600", "\ufffd")
IDS = (None, "", "u1", "u2", "u3", "u4")
GROUPED = ("source", "country", "campaign")
WRITTEN = ("timestamp", "event_name", "anonymous_id", "user_id", "session_id", *GROUPED, "url", "referrer")
METRICS = (
    *("count", "uniques", "users", "sessions"),
    *(f"{kind}:{column}" for kind in ("sum", "avg", "min", "max") for column in ("url", "referrer", "campaign")),
)


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Up to 40 events within eight days whose groups, ids and numbers often meet."""
    numbers = st.none() | st.sampled_from(NUMBERS) | st.sampled_from((*NUMBERS, *ODD))
    columns = {
        **dict.fromkeys(("anonymous_id", "user_id", "session_id"), st.sampled_from(IDS)),
        **dict.fromkeys(("source", "country"), st.sampled_from(GROUPS)),
        "campaign": st.sampled_from((None, "1", "2", "a")),
        **dict.fromkeys(("url", "referrer"), numbers),
    }
    one = st.fixed_dictionaries({"timestamp": NEAR, "event_name": st.sampled_from(("a", "b")), **columns})
    return draw(st.lists(one, min_size=draw(st.sampled_from((0, 1, 20))), max_size=40))


@st.composite
def split(draw: st.DrawFn, formats: Sequence[str] = FORMATS) -> Drawn:
    """Events over up to three files; what a file lacks is null in its events."""
    parts = []
    for kind in draw(st.lists(st.sampled_from(formats), min_size=1, max_size=3)):
        lacking = draw(st.frozensets(st.sampled_from(WRITTEN[2:]), max_size=2))
        parts.append((kind, lacking, [{**one, **dict.fromkeys(lacking)} for one in draw(events())]))
    return Drawn([event for _, _, some in parts for event in some], parts)


@st.composite
def questions(draw: st.DrawFn) -> StatsQuery:
    """A question of any of these extensions, over a range of some hours or days."""
    start = draw(NEAR)
    end = start + draw(st.sampled_from((timedelta(hours=5), timedelta(days=1), timedelta(days=3, microseconds=1))))
    before = start - draw(st.sampled_from((end - start, timedelta(days=1), timedelta(hours=7))))
    lasts = draw(
        st.sampled_from((end - start, end - start, timedelta(days=2)))
    )  # it may be shorter, longer, and overlap
    is_compared, is_bounded = draw(st.booleans()), draw(st.booleans())
    metrics = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=1 if is_compared else 4, unique=True))
    group_by = tuple(draw(st.lists(st.sampled_from(GROUPED), max_size=2, unique=True)))
    top = draw(st.none() | st.integers(1, 4)) if group_by else None
    interval = draw(st.sampled_from((None, "hour", "day", "week")))
    query = StatsQuery(
        metric=",".join(metrics),
        start=start.replace(tzinfo=UTC) if is_compared or is_bounded else None,
        end=end.replace(tzinfo=UTC) if is_compared or is_bounded else None,
        events=draw(st.sampled_from(((), (), ("a",)))),
        group_by=group_by,
        interval=interval,
        limit=None if top else draw(st.sampled_from((1, 5, 100, None))),
        exact=draw(st.booleans()),
        fill=interval is not None and (is_compared or is_bounded) and draw(st.booleans()),
        where=draw(st.sampled_from(((), (), (filters.Filter("url", filters.Operator.ABOVE, ("0",)),)))),
        top=top,
        other=top is not None and draw(st.booleans()),
        previous=(before.replace(tzinfo=UTC), (before + lasts).replace(tzinfo=UTC)) if is_compared else None,
        totals=draw(st.booleans()),
    )
    keys = draw(st.lists(st.sampled_from((*query.keys, *query.values, *query.compared)), max_size=2, unique=True))
    return replace(query, order=tuple(SortKey(key, draw(st.booleans())) for key in keys))


def agree(drawn: Drawn, query: StatsQuery, limits: Limits) -> None:
    """Compare the product's bytes with the oracle's."""
    with tempfile.TemporaryDirectory() as folder:
        for index, (kind, lacking, some) in enumerate(drawn.parts):
            write(Path(folder) / f"{index}.{kind}", some, [name for name in WRITTEN if name not in lacking])
        stats = answer(query, Dataset((folder,), limits=limits))
    assert stats.to_json() == derived.answer(query, drawn.events)


@pytest.mark.parametrize("kind", [*FORMATS, "all"])
def test_derived_answers_are_the_contracts(kind: str) -> None:
    """Any question of metrics, top, other, compare, fill and totals has the oracle's bytes, however files are split."""

    @given(
        split(FORMATS if kind == "all" else (kind,)),
        questions(),
        st.sampled_from((Limits(), Limits(batch_rows=3, merge_rows=4))),
    )
    @settings(max_examples=40, deadline=None)
    def check(drawn: Drawn, query: StatsQuery, limits: Limits) -> None:
        agree(drawn, query, limits)

    check()
