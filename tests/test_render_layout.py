"""What a table is made of, as print_table shows it: caption, measured and cut text, widths, percentages, bars."""

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mmstats.answer import Row, Stats
from mmstats.question.filters import Filter, Operator
from mmstats.render.pages import print_description
from mmstats.render.table import Caption
from mmstats.render.text import cells
from mmstats.reports import Description, FormatUse
from tests.test_render_formats import quoted, texts
from tests.test_render_table import printed

START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, 0, 0, 0, 500_000, tzinfo=UTC)
VALUE = 7  # cells: the gap before the column of values, and that column where they are small


def named(event: str | None) -> tuple[Filter, ...]:
    """The filter of events of a name, none for None."""
    return () if event is None else (Filter("event_name", Operator.IN, (event,)),)


def by_path(*rows: tuple[str, int], groups: int | None = None, rest: int = 0) -> Stats:
    """A count by path, of which the limit cut rows with the value `rest` together."""
    shown: list[Row] = [{"path": path, "value": value} for path, value in rows]
    total = sum(value for _, value in rows) + rest
    return Stats("count", ("path",), shown, len(rows) if groups is None else groups, total=total)


@pytest.mark.parametrize(
    ("caption", "rows", "groups", "expected"),
    [
        (Caption(), 3, 3, "count · all events · 3 rows · total 3"),
        (Caption(START), 1, 1, "count · since 2026-05-01 00:00:00 UTC · 1 row"),
        (Caption(None, END), 0, 0, "count · before 2026-06-01 00:00:00.500000 UTC · no rows"),
        (
            Caption(START, START + timedelta(1)),
            2,
            2,
            "count · 2026-05-01 00:00:00 to 2026-05-02 00:00:00 UTC · 2 rows · total 2",
        ),
        (
            Caption(START.astimezone(timezone(timedelta(hours=2)))),
            2,
            2,
            "count · since 2026-05-01 00:00:00 UTC · 2 rows · total 2",
        ),
        (Caption(filters=named("signup")), 12, 12, 'count · event "signup" · 12 rows · total 12'),
        (Caption(filters=named("")), 1, 1, 'count · event "" · 1 row'),
        (Caption(filters=named("[red]\x1b[2J")), 1, 1, 'count · event "[red]\\x1b[2J" · 1 row'),
    ],
)
def test_caption(caption: Caption, rows: int, groups: int, expected: str) -> None:
    """A caption names metric, event, range, rows and, of several, their total, in UTC."""
    assert printed(by_path(*[("/", 1)] * rows, groups=groups), 100, caption)[-1] == expected


@pytest.mark.parametrize(
    ("metric", "groups", "rest", "expected"),
    [
        ("count", 3000, 123_456, "2 of 3,000 rows; total 123,463, the other 2,998 rows together 123,456; --all"),
        ("count", 3, 1, "2 of 3 rows; total 8, the other row 1; --all"),
        ("uniques", 3000, 0, "2 of 3,000 rows; --all"),
    ],
)
def test_what_the_limit_cut_is_told_once(metric: str, groups: int, rest: int, expected: str) -> None:
    """Below the caption stands what the limit cut off: how many rows, and of counts what they have together."""
    stats = by_path(("/a", 5), ("/b", 2), groups=groups, rest=rest)
    if metric == "uniques":
        stats = Stats("uniques", stats.labels, stats.rows, groups)
    *_, caption, cut = printed(stats, 100, Caption(more="--all"))
    assert (caption, cut) == (f"{metric} · all events", expected)


@given(texts, st.integers(20, 60))
def test_wrapped_lines_fit_and_lose_nothing_that_fits(event: str, width: int) -> None:
    """The caption breaks at blanks; where every word fits, joining its lines gives it back."""
    stats, caption = by_path(("/", 1)), Caption(filters=named(event))
    (whole,) = printed(stats, 5000, caption)[4:]
    lines = printed(stats, width, caption)[4:]
    assert all(cells(line) <= width for line in lines)
    if all(cells(word) <= width for word in whole.split(" ")):
        assert " ".join(lines) == whole


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
def test_texts_are_measured(text: str, expected: int) -> None:
    """Text is measured as on the terminal that shows it widest, joining neither emoji nor vowel signs."""
    column, _ = printed(by_path((f"path{text}", 1)), 100)[1].split()
    assert len(column) == len("path") + expected
    assert cells(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("/pricing", 8, "/pricing"),
        ("/blog/2026/index.html", 13, "/blog/…x.html"),
        ("日本語日本語", 7, "日…本語"),
        ("日本語日本語", 8, "日本…語"),
        ("cafe\u0301 cafe\u0301", 8, "cafe\u0301…afe\u0301"),
    ],
)
def test_long_text_loses_its_middle(text: str, width: int, expected: str) -> None:
    """What is longer than its column loses its middle; wide characters and accents are never split."""
    assert printed(by_path((text, 1)), width + VALUE)[2].split("  ")[0] == expected


def test_one_cell_holds_an_ellipsis() -> None:
    """A terminal of a single cell shows that there is something."""
    assert printed(by_path(("👍🏽👍🏽👍🏽", 1)), 1)[0] == "…"


@pytest.mark.parametrize(("encoding", "ellipsis"), [("utf-8", "…"), ("ascii", "..")])
@given(text=texts, width=st.integers(6, 40))
def test_shortened_text_fits_and_keeps_its_ends(encoding: str, ellipsis: str, text: str, width: int) -> None:
    """Whatever the text, it fits, and what is left are its beginning and its end."""
    whole = str(quoted(text)).encode(encoding, "backslashreplace").decode(encoding)
    short = printed(by_path((text, 1)), width + VALUE, encoding=encoding)[2][:-VALUE].rstrip(" ")
    assert cells(short) <= width
    if cells(whole) <= width:
        assert short == whole
    else:
        assert any(
            whole.startswith(short[:cut]) and whole.endswith(short[cut + len(ellipsis) :])
            for cut in range(len(short))
            if short[cut:].startswith(ellipsis)
        )


@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(0, 400))
def test_width_is_shared_fairly(wanted: list[int], spare: int) -> None:
    """All room is used or every wish met; who got less than wished got no less than anyone, but for one cell."""
    row: Row = {f"{place}": "x" * wish for place, wish in enumerate(wanted)}
    labels, gaps = tuple(row), 2 * (len(wanted) - 1)
    room = sum(min(wish, 6) for wish in wanted) + spare
    rule = printed(Stats("count", labels, [{**row, "value": 1}], 1, total=1), room + gaps + VALUE)[1]
    *given_, _ = map(len, rule.split())
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
    lines = printed(by_path(*(("/", value) for value in values)), 100)
    assert [line.split()[2] for line in lines[2:-2]] == expected


@pytest.mark.parametrize(
    ("values", "length", "encoding", "expected"),
    [
        ([8, 4, 1, 0], 8, "utf-8", ["████████", "████", "█", ""]),
        ([64, 33, 2, 1], 8, "utf-8", ["████████", "████▏", "▎", "▏"]),
        ([1000, 1], 24, "utf-8", ["█" * 24, "▏"]),
        ([8, 4, 1, 0], 8, "ascii", ["########", "####", "#", ""]),
        ([1000, 1], 9, "ascii", ["#########", "#"]),
    ],
)
def test_bars(values: list[int], length: int, encoding: str, expected: list[str]) -> None:
    """The largest value fills the bar, the others their part of it, and only zero leaves it empty."""
    other = len("path  value  share  ")
    lines = printed(by_path(*(("/", value) for value in values)), other + length, encoding=encoding)
    assert [line[other:] for line in lines[2 : 2 + len(values)]] == expected


def test_zeroes_have_no_bar() -> None:
    """Where there is nothing to compare, there are neither bars nor shares."""
    assert printed(by_path(("/a", 0), ("/b", 0)), 100)[:4] == [
        "path  value",
        "────  ─────",
        "/a        0",
        "/b        0",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12.3 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
     (5 * 10**18, "5,000.0 PB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    """Bytes are told in the unit that keeps them short."""
    about = Description(("e.csv",), (FormatUse("csv", "", 1, count),), 0, None, None, (), (), (), 0)
    page = io.StringIO()
    print_description(about, (), Console(file=page, width=100))
    assert page.getvalue().startswith(f"1 file · {text} · 0 rows\n")
