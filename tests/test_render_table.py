"""The table for terminals: what it shows, how it fits, and that data stays data on its way to the screen."""

import csv
import io
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mmstats.answer import Row, Stats
from mmstats.question.buckets import Buckets
from mmstats.question.filters import Filter, Operator
from mmstats.render import WRITERS
from mmstats.render.table import Caption, print_table
from mmstats.render.text import cells
from tests.test_render_formats import EVERYTHING, NOTHING, TOTAL, answers, quoted

MAY = Caption(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), (), Buckets("hour"))
SOURCES = [("google", "cpc", 1234), ("facebook", None, 812), ("", "email", 77), ("hn", "referral", 1)]


def named(event: str | None) -> tuple[Filter, ...]:
    """The filter of events of a name, none for None."""
    return () if event is None else (Filter("event_name", Operator.IN, (event,)),)


def by_source(metric: str = "count", groups: int = 4) -> Stats:
    """A small answer by source and medium."""
    rows: list[Row] = [{"source": source, "medium": medium, "value": value} for source, medium, value in SOURCES]
    return Stats(metric, ("source", "medium"), rows, groups, total=2124 if metric == "count" else None)


def printed(
    stats: Stats, width: int, caption: Caption = MAY, encoding: str = "utf-8", screen: int | None = None
) -> list[str]:
    """The lines of the table on a terminal `width` cells wide, without color."""
    written = io.BytesIO()
    console = Console(file=io.TextIOWrapper(written, encoding=encoding), width=width, color_system=None)
    print_table(stats, caption, console, screen)
    console.file.flush()
    return written.getvalue().decode(encoding).split("\n")[:-1]


def golden(text: str) -> list[str]:
    """The lines of a table as it stands in this file."""
    return text.strip("\n").split("\n")


EVERYTHING_SHOWN = """
bucket            path                                              value  share
────────────────  ────────────────────────────  ─────────────────────────  ─────
2026-05-01 00:00  google                        9,223,372,036,854,775,807  90.0%
                  null                            922,337,203,685,477,580   9.0%
                  ""                               92,233,720,368,547,758   0.9%
                  "null"                            9,223,372,036,854,775   0.1%
                  /blog/[slug]                        922,337,203,685,477  <0.1%
                  /a[/b]                               92,233,720,368,547  <0.1%
                  \\x1b[31mred                           9,223,372,036,854  <0.1%
                  a|b\\                                    922,337,203,685  <0.1%
                  <img src=x>                              92,233,720,368  <0.1%
                  :smile:                                   9,223,372,036  <0.1%
                  日本語                                      922,337,203  <0.1%
                  👍🏽 ok                                      92,233,720  <0.1%
                  abc\\u202edef                                  9,223,372  <0.1%
                  a\\nb                                            922,337  <0.1%
                  " say "hi", "                                    92,233  <0.1%
                  ""quoted""                                        9,223  <0.1%
                  *bold* _it_ si… ~y~ $z$ &lt;                        922  <0.1%
                  https://www.ex…le.com #1 @me                         92  <0.1%

count · 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC · 18 rows · total
10,248,191,152,060,861,989
"""
WITH_SHARE = """
source    medium    value  share
────────  ────────  ─────  ─────
google    cpc       1,234  58.1%  ████████████████████████
facebook  null        812  38.2%  ███████████████▊
""        email        77   3.6%  █▍
hn        referral      1  <0.1%  ▏

count · 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC · 4 rows · total 2,124
"""
WITHOUT_BAR = """
source    medium    value  share
────────  ────────  ─────  ─────
google    cpc       1,234  58.1%
facebook  null        812  38.2%
""        email        77   3.6%
hn        referral      1  <0.1%

count · 2026-05-01 00:00:00 to
2026-06-01 00:00:00 UTC · 4 rows · total
2,124
"""
BARE = """
source    medium    value
────────  ────────  ─────
google    cpc       1,234
facebook  null        812
""        email        77
hn        referral      1

count · 2026-05-01
00:00:00 to 2026-06-01
00:00:00 UTC · 4 rows ·
total 2,124
"""
RECORDS = """
source google
medium cpc
value  1,234

source facebook
medium null
value  812

source ""
medium email
value  77

source hn
medium referral
value  1

count · 2026-05-01
00:00:00 to
2026-06-01 00:00:00
UTC · 4 rows · total
2,124
"""
TOTAL_SHOWN = """
value
─────
    0

count · all events · 1 row
"""
NOTHING_SHOWN = """
source  device_type  value
──────  ───────────  ─────

uniques · all events · no rows
"""


@pytest.mark.parametrize(
    ("stats", "width", "caption", "expected"),
    [
        pytest.param(EVERYTHING, 80, MAY, EVERYTHING_SHOWN, id="every kind of text"),
        pytest.param(by_source(), 80, MAY, WITH_SHARE, id="share and bar"),
        pytest.param(by_source(), 40, MAY, WITHOUT_BAR, id="no room for a bar"),
        pytest.param(by_source(), 26, MAY, BARE, id="no room for a share"),
        pytest.param(by_source(), 20, MAY, RECORDS, id="no room for a table"),
        pytest.param(TOTAL, 80, Caption(), TOTAL_SHOWN, id="a lone total"),
        pytest.param(NOTHING, 80, Caption(), NOTHING_SHOWN, id="no rows"),
    ],
)
def test_golden(stats: Stats, width: int, caption: Caption, expected: str) -> None:
    """What a reader sees, at the widths where the table changes its form."""
    assert printed(stats, width, caption) == golden(expected)


def by_hour(*buckets: str) -> Stats:
    """A count by bucket and path, one event each."""
    rows: list[Row] = [{"bucket": bucket, "path": f"/{place}", "value": 1} for place, bucket in enumerate(buckets)]
    return Stats("count", ("bucket", "path"), rows, len(rows), total=len(rows))


def test_distinct_visitors_have_no_share() -> None:
    """One visitor may be in many rows: there is a bar to compare these, and neither a percentage nor a total."""
    shown = "\n".join(printed(by_source("uniques"), 140))
    assert "share" not in shown
    assert "%" not in shown
    assert "total" not in shown
    assert "█" in shown


def test_shares_are_of_the_total_whatever_the_limit_cut() -> None:
    """A row's share is that of the total of all rows, those that the limit cut included, even of a single row."""
    rows: list[Row] = [{"path": "/a", "value": 30}, {"path": "/b", "value": 10}]
    cut = printed(Stats("count", ("path",), rows, 7, total=80), 100)
    assert [line.split()[2] for line in cut[:4:2]] == ["share", "37.5%"]
    assert cut[3].split()[2] == "12.5%"
    one = printed(Stats("count", ("path",), rows[:1], 7, total=80), 100)
    assert one[2].split() == ["/a", "30", "37.5%"]


def test_the_largest_group_alone_has_its_share() -> None:
    """One row that is not all events, as `top` leaves it, has its share and the total; one that is has neither."""
    top = printed(Stats("count", ("path",), [{"path": "/a", "value": 30}], 1, total=80), 100)
    assert top[2].split() == ["/a", "30", "37.5%"]
    assert top[-1].endswith("· 1 row · total 80")
    alone = "\n".join(printed(Stats("count", (), [{"value": 80}], 1, total=80), 100))
    assert "%" not in alone
    assert "total" not in alone


def test_shares_of_buckets_are_of_the_total_of_all_buckets() -> None:
    """With an interval the whole is the whole range, not the bucket."""
    shown = printed(by_hour("2026-05-01 05:00:00", "2026-05-01 06:00:00"), 100)
    assert [line.split()[-2] for line in shown[2:4]] == ["50.0%", "50.0%"]
    assert shown[-1].endswith("· 2 rows · total 2")


@pytest.mark.parametrize(
    ("interval", "label", "expected"),
    [
        ("hour", "2026-05-04 13:00:00", "2026-05-04 13:00"),
        ("day", "2026-05-04 00:00:00", "2026-05-04"),
        ("week", "2026-05-04 00:00:00", "2026-05-04"),
    ],
)
def test_buckets_are_as_short_as_their_interval_allows(interval: str, label: str, expected: str) -> None:
    """Days and weeks are dates, hours have hour and minute; a narrow terminal shows them so too."""
    stats, caption = by_hour(label), Caption(buckets=Buckets(interval))
    assert re.split("  +", printed(stats, 80, caption)[2])[0] == expected
    assert printed(stats, 20, caption)[0].endswith(expected.split(maxsplit=1)[0])


@pytest.mark.parametrize(
    ("interval", "start", "end", "marked", "line"),
    [
        ("day", "2026-05-04T12:00", "2026-05-06T12:00", [0, 2], "* only part of each of these days lies in the range"),
        ("day", "2026-05-04T00:00", "2026-05-06T12:00", [2], "* only part of this day lies in the range"),
        ("day", "2026-05-04T00:00:00.000001", None, [0], "* only part of this day lies in the range"),
        ("day", "2026-05-04T00:00", "2026-05-07T00:00", [], ""),
        ("day", None, None, [], ""),
        ("week", "2026-05-03T23:59", None, [], ""),
        ("hour", None, "2026-05-06T00:59:59.999999", [2], "* only part of this hour lies in the range"),
    ],
)
def test_buckets_that_the_range_cuts_are_marked(
    interval: str, start: str | None, end: str | None, marked: list[int], line: str
) -> None:
    """A first or last bucket of which the range has only a part is marked, and a line below says what that means."""
    bounds = [bound and datetime.fromisoformat(bound).replace(tzinfo=UTC) for bound in (start, end)]
    stats = by_hour(*(f"2026-05-{day:02d} 00:00:00" for day in (4, 5, 6)))
    if interval == "week":
        stats = by_hour("2026-05-04 00:00:00", "2026-05-11 00:00:00")
    shown = printed(stats, 100, Caption(*bounds, buckets=Buckets(interval)))
    rows, caption = shown[2 : 2 + len(stats.rows)], shown[3 + len(stats.rows) :]
    assert [number for number, row in enumerate(rows) if " *  " in row] == marked
    assert caption[:-1] == ([line] if line else [])


def test_the_last_bucket_of_all_may_be_cut() -> None:
    """A bucket that would end beyond the last year is marked as any other."""
    end = datetime.max.replace(tzinfo=UTC)
    assert " *  " in printed(by_hour("9999-12-27 00:00:00"), 100, Caption(None, end, buckets=Buckets("week")))[2]


def test_a_bucket_is_printed_once_for_its_rows() -> None:
    """The label of a bucket stands beside its first row, whole, since what tells two apart may be at either end."""
    rows: list[Row] = [
        {"bucket": f"2026-05-01 {hour:02d}:00:00", "path": "/long" * 9, "value": 1} for hour in (5, 5, 6)
    ]
    lines = printed(Stats("count", ("bucket", "path"), rows, 3, total=3), 40)
    assert lines[2] == "2026-05-01 05:00  /long/l…ng/long      1"
    assert [line[:16] for line in lines[2:5]] == ["2026-05-01 05:00", " " * 16, "2026-05-01 06:00"]


def test_every_screenful_has_its_header() -> None:
    """A table longer than the screen has its header, and the bucket that it is in, above every screenful."""
    stats = by_hour(*["2026-05-01 05:00:00"] * 30)
    shown = printed(stats, 100, screen=20)
    starts = [number for number, line in enumerate(shown) if line.startswith("bucket")]
    assert starts == [0, 19]
    assert [number for number, line in enumerate(shown) if line.startswith("2026-05-01")] == [2, 21]
    assert shown[18] == ""
    whole = printed(stats, 100)
    assert [line for line in whole if line.startswith(("bucket", "2026-05-01"))] == [whole[0], whole[2]]


@given(answers())
def test_table_and_csv_agree(stats: Stats) -> None:
    """With room for everything, table and CSV show the same cells, but that hours in the table have no seconds."""
    _, rule, *lines = printed(stats, 5000)
    found = [_cells_below(rule, line)[: len(stats.labels) + 1] for line in lines[: len(stats.rows)]]
    _, *rows = csv.reader(io.StringIO(WRITERS["csv"](stats), newline=""))
    nulls = [[cell is None for cell in row.values()] for row in stats.rows]
    expected = [
        ["null" if null else quoted(cell) for cell, null in zip(row, gone, strict=True)]
        for row, gone in zip(rows, nulls, strict=True)
    ]
    for row in expected if "bucket" in stats.labels else ():
        row[0] = row[0] and row[0].removesuffix(":00")
    assert [[*labels, value.replace(",", "")] for *labels, value in found] == expected


def _cells_below(rule: str, line: str) -> list[str]:
    """The texts of `line` under each run of `rule`, without the blanks that pad them."""
    found = []
    for column in re.finditer("─+", rule):
        # A mark that takes no cell belongs to what stands before it.
        start = next((at for at in range(len(line)) if cells(line[:at]) >= column.start()), len(line))
        end = next(at for at in range(len(line), -1, -1) if cells(line[:at]) <= column.end())
        found.append(line[start:end].strip(" "))
    return found


@settings(max_examples=300)
@given(answers(), st.integers(20, 200), st.text(max_size=80) | st.none())
def test_no_line_is_wider_than_the_terminal(stats: Stats, width: int, event: str | None) -> None:
    """No line wraps, whatever the texts, on terminals that join emoji and on those that do not."""
    for line in printed(stats, width, Caption(filters=named(event), buckets=Buckets("hour"))):
        assert cells(line) <= width
        assert cell_len(line) <= width


@given(answers(), st.integers(20, 200))
def test_values_are_never_cut(stats: Stats, width: int) -> None:
    """All digits of all values are shown at every width."""
    digits = [line.replace(",", "") for line in printed(stats, width)]
    for row in stats.rows:
        assert any(re.search(rf"(?<!\d){row['value']}(?!\d)", line) for line in digits)


@given(answers(), st.integers(20, 200), st.text() | st.none())
def test_nothing_but_text_and_color_reaches_the_terminal(stats: Stats, width: int, event: str | None) -> None:
    """Apart from line ends and the color codes of the table itself, no character acts on the terminal."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    print_table(stats, Caption(filters=named(event), buckets=Buckets("hour")), console)
    assert isinstance(console.file, io.StringIO)
    text = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
    acting = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert acting <= {"\n", "\u200c", "\u200d"}


@given(answers(), st.integers(20, 200))
def test_color_adds_nothing_but_color(stats: Stats, width: int) -> None:
    """Without color codes, the colored table is the plain one."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="standard")
    print_table(stats, MAY, console)
    assert isinstance(console.file, io.StringIO)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
    assert plain.split("\n")[:-1] == printed(stats, width)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "shift_jis"])
@given(stats=answers(), width=st.integers(20, 200))
def test_other_encodings_can_show_every_answer(encoding: str, stats: Stats, width: int) -> None:
    """Where the terminal's encoding lacks a character its escape is shown, and lines still fit."""
    assert all(cells(line) <= width for line in printed(stats, width, encoding=encoding))


def test_ascii_golden() -> None:
    """A terminal without Unicode gets the same table, drawn with dashes and hashes."""
    rows: list[Row] = [{"path": "/caf\u00e9", "value": 30}, {"path": "/blog/2026/05/an-old-title", "value": 10}]
    assert printed(Stats("count", ("path",), rows, 2, total=40), 56, encoding="ascii") == golden("""
path                        value  share
--------------------------  -----  -----
/caf\\xe9                       30  75.0%  ##############
/blog/2026/05/an-old-title     10  25.0%  ####

count - 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC -
2 rows - total 40
""")


def test_long_labels_lose_their_middle_and_short_ones_nothing() -> None:
    """Columns share the width: short ones keep theirs, long ones are cut and keep both ends."""
    path = "/blog/2026/05/" + "very-long-" * 20 + "title/index.html"
    stats = Stats("count", ("country", "path"), [{"country": "DE", "path": path, "value": 7}], 1)
    assert printed(stats, 50)[2] == "DE       /blog/2026/05/ver…title/index.html      7"


def test_many_labels_become_records_with_their_names() -> None:
    """Nine labels on a narrow terminal stand below each other, none left out."""
    names = ("bucket", "event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
    row: Row = {**dict.fromkeys(names, "x"), "bucket": "2026-05-01 00:00:00", "value": 1234}
    assert printed(Stats("count", names, [row], 1), 40)[:10] == [
        "bucket      2026-05-01 00:00",
        *(f"{name:11} x" for name in names[1:]),
        "value       1,234",
    ]
    assert printed(Stats("count", names, [], 0), 40, Caption())[-1] == "count · all events · no rows"
