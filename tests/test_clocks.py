"""Timestamps of one form are read at once, and as the reader of all forms reads them."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.readers.timestamps import parse_alike, parse_text

two = st.integers(0, 61).map("{:02}".format)
dates = st.one_of(
    st.dates().map(str),
    st.sampled_from(["2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-13-01", "1969-12-31"]),
)


@st.composite
def alike(draw: st.DrawFn) -> list[str | None]:
    """Texts of one form, some of which name no instant; now and then one of another form, or none."""
    sep, places = draw(st.sampled_from("T ")), draw(st.integers(0, 9))
    zone = draw(st.sampled_from(["", "Z", "+00:00", "-05:30", "+0530", "-2359", "+24:00"]))
    texts: list[str | None] = []
    for _ in range(draw(st.integers(1, 6))):
        fraction = "." + draw(st.text("0123456789", min_size=places, max_size=places)) if places else ""
        texts.append(f"{draw(dates)}{sep}{draw(two)}:{draw(two)}:{draw(two)}{fraction}{zone}")
    return [*texts, *draw(st.lists(st.sampled_from([None, "2026-05-01", "1777600000", "soon"]), max_size=1))]


@given(alike())
@settings(max_examples=300)
def test_texts_of_one_form_name_the_instants_that_any_reader_finds(texts: list[str | None]) -> None:
    """Where texts are read at once, each gives the same instant, or none, as by itself."""
    found = parse_alike(pl.Series(texts, dtype=pl.String))
    if found is not None:
        assert found.dtype == pl.Datetime("us")
        assert found.to_list() == parse_text(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-01T10:20:30Z", "2026-05-01T10:20:30"),
        ("2026-05-01 10:20:30", "2026-05-01T10:20:30"),
        ("2026-05-01T10:20:30.123Z", "2026-05-01T10:20:30.123000"),
        ("2026-05-01T10:20:30.123456789+02:00", "2026-05-01T08:20:30.123456"),
        ("2026-05-01T10:20:30.5-0530", "2026-05-01T15:50:30.500000"),
        ("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001"),
    ],
)
def test_usual_forms_are_read_at_once(text: str, instant: str) -> None:
    """Blank or T, any fraction, any zone; null stays null."""
    found = parse_alike(pl.Series([None, text, text], dtype=pl.String))
    assert found is not None
    assert found.to_list() == [None, *[datetime.fromisoformat(instant)] * 2]


@pytest.mark.parametrize("texts", [[], [None], ["soon"], ["1777600000"], ["2026-05-01T10:20:30Z", "2026-05-01"]])
def test_what_is_not_of_one_form_is_left_to_the_reader_of_all(texts: list[str | None]) -> None:
    """Nothing is said of texts that have no form, or two."""
    assert parse_alike(pl.Series(texts, dtype=pl.String)) is None
