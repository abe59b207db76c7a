"""The parts of a table: the caption, measured text, shared width, percentages and bars."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmstats.answer import Stats
from mmstats.render.caption import Caption
from mmstats.render.shares import bars, percentages
from mmstats.render.widths import cells, share_out, shorten, wrap
from tests.test_render_formats import texts

START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, 0, 0, 0, 500_000, tzinfo=UTC)
MARKS = "▏▎▍▌▋▊▉█"


@pytest.mark.parametrize(
    ("caption", "rows", "groups", "expected"),
    [
        (Caption(), 3, 3, "count · all events · 3 rows"),
        (Caption(START), 1, 1, "count · since 2026-05-01 00:00:00 UTC · 1 row"),
        (Caption(None, END), 0, 0, "count · before 2026-06-01 00:00:00.500000 UTC · no rows"),
        (Caption(START, START + timedelta(1)), 2, 2, "count · 2026-05-01 00:00:00 to 2026-05-02 00:00:00 UTC · 2 rows"),
        (
            Caption(START.astimezone(timezone(timedelta(hours=2)))),
            2,
            2,
            "count · since 2026-05-01 00:00:00 UTC · 2 rows",
        ),
        (Caption(event="signup"), 12, 12340, 'count · event "signup" · 12 of 12,340 rows'),
        (Caption(event=""), 1, 1, 'count · event "" · 1 row'),
        (Caption(event="[red]\x1b[2J"), 1, 1, 'count · event "[red]\\x1b[2J" · 1 row'),
    ],
)
def test_caption(caption: Caption, rows: int, groups: int, expected: str) -> None:
    """A caption names metric, event, range and rows, in UTC, and says when the limit cut rows off."""
    assert caption.sentence(Stats("count", ("path",), [{"path": "/", "value": 1}] * rows, groups)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/pricing", 8),
        ("日本語", 6),
        ("cafe\u0301", 4),
        ("हिन्दी", 5),
        ("👍🏽", 4),
        ("👨\u200d👩\u200d👧", 6),
        ("❤\ufe0f", 2),
        ("🇩🇪", 2),
        ("a\u200db", 2),
        ("\u3164", 2),
        ("", 0),
    ],
)
def test_cells(text: str, expected: int) -> None:
    """Text is measured as on the terminal that shows it widest, joining neither emoji nor vowel signs."""
    assert cells(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("/pricing", 8, "/pricing"),
        ("/blog/2026/index.html", 13, "/blog/…x.html"),
        ("日本語日本語", 7, "日…本語"),
        ("日本語日本語", 8, "日本…語"),
        ("cafe\u0301 cafe\u0301", 8, "cafe\u0301…afe\u0301"),
        ("👍🏽👍🏽👍🏽", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_shorten(text: str, width: int, expected: str) -> None:
    """A long text loses its middle; wide characters and accents are never split."""
    assert shorten(text, width) == expected


@given(texts, st.integers(0, 40), st.sampled_from(["…", ".."]))
def test_shortened_text_fits_and_keeps_its_ends(text: str, width: int, ellipsis: str) -> None:
    """Whatever the text, it fits, and what is left are its beginning and its end."""
    short = shorten(text, width, ellipsis)
    assert cells(short) <= width
    if cells(text) <= width:
        assert short == text
    elif width >= len(ellipsis):
        assert any(
            text.startswith(short[:cut]) and text.endswith(short[cut + len(ellipsis) :])
            for cut in range(len(short))
            if short[cut:].startswith(ellipsis)
        )


@given(texts, st.integers(1, 40))
def test_wrapped_lines_fit_and_lose_nothing_that_fits(text: str, width: int) -> None:
    """Lines break at blanks; where every word fits, joining the lines gives the text back."""
    lines = wrap(text, width)
    assert all(cells(line) <= width for line in lines)
    if all(cells(word) <= width for word in text.split(" ")):
        assert " ".join(lines) == text


@given(st.lists(st.integers(0, 300), max_size=9), st.integers(0, 400))
def test_width_is_shared_fairly(wanted: list[int], room: int) -> None:
    """All room is used or every wish met; who got less than wished got no less than anyone, but for one cell."""
    given_ = share_out(wanted, room)
    assert sum(given_) == min(room, sum(wanted))
    assert all(got == wish or got >= max(given_) - 1 for got, wish in zip(given_, wanted, strict=True))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1], ["50.0%", "50.0%"]),
        ([2, 1], ["66.7%", "33.3%"]),
        ([10_000, 1, 0], [">99.9%", "<0.1%", "0.0%"]),
        ([2**63 - 1, 2**63 - 1], ["50.0%", "50.0%"]),
        ([5, 0], ["100.0%", "0.0%"]),
        ([1999, 1], [">99.9%", "0.1%"]),
    ],
)
def test_percentages(values: list[int], expected: list[str]) -> None:
    """A tenth of a percent is the finest step, and something is never shown as nothing, nor a part as all."""
    assert percentages(values) == expected


@pytest.mark.parametrize(
    ("values", "width", "marks", "expected"),
    [
        ([8, 4, 1, 0], 2, MARKS, ["██", "█", "▎", ""]),
        ([1000, 1], 4, MARKS, ["████", "▏"]),
        ([8, 4, 1, 0], 8, "#", ["########", "####", "#", ""]),
        ([0, 0], 8, MARKS, ["", ""]),
    ],
)
def test_bars(values: list[int], width: int, marks: str, expected: list[str]) -> None:
    """The largest value fills the bar, the others their part of it, and only zero leaves it empty."""
    assert bars(values, width, marks) == expected
