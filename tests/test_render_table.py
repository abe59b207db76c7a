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
from mmstats.render import WRITERS
from mmstats.render.table import Caption, print_table
from mmstats.render.text import cells
from tests.test_render_formats import EVERYTHING, NOTHING, TOTAL, answers, quoted

MAY = Caption(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), None)
SOURCES = [("google", "cpc", 1234), ("facebook", None, 812), ("", "email", 77), ("hn", "referral", 1)]


def by_source(metric: str = "count", groups: int = 4) -> Stats:
    """A small answer by source and medium."""
    rows: list[Row] = [{"source": source, "medium": medium, "value": value} for source, medium, value in SOURCES]
    return Stats(metric, ("source", "medium"), rows, groups)


def printed(stats: Stats, width: int, caption: Caption = MAY, encoding: str = "utf-8") -> list[str]:
    """The lines of the table on a terminal `width` cells wide, without color."""
    screen = io.BytesIO()
    console = Console(file=io.TextIOWrapper(screen, encoding=encoding), width=width, color_system=None)
    print_table(stats, caption, console)
    console.file.flush()
    return screen.getvalue().decode(encoding).split("\n")[:-1]


def golden(text: str) -> list[str]:
    """The lines of a table as it stands in this file."""
    return text.strip("\n").split("\n")


EVERYTHING_SHOWN = """
bucket               path                                                  value
───────────────────  ────────────────────────────────  ─────────────────────────
2026-05-01 00:00:00  google                            9,223,372,036,854,775,807
2026-05-01 00:00:00  null                                922,337,203,685,477,580
2026-05-01 00:00:00  ""                                   92,233,720,368,547,758
2026-05-01 00:00:00  "null"                                9,223,372,036,854,775
2026-05-01 00:00:00  /blog/[slug]                            922,337,203,685,477
2026-05-01 00:00:00  /a[/b]                                   92,233,720,368,547
2026-05-01 00:00:00  \\x1b[31mred                               9,223,372,036,854
2026-05-01 00:00:00  a|b\\                                        922,337,203,685
2026-05-01 00:00:00  <img src=x>                                  92,233,720,368
2026-05-01 00:00:00  :smile:                                       9,223,372,036
2026-05-01 00:00:00  日本語                                          922,337,203
2026-05-01 00:00:00  👍🏽 ok                                          92,233,720
2026-05-01 00:00:00  abc\\u202edef                                      9,223,372
2026-05-01 00:00:00  a\\nb                                                922,337
2026-05-01 00:00:00  " say "hi", "                                        92,233
2026-05-01 00:00:00  ""quoted""                                            9,223
2026-05-01 00:00:00  *bold* _it_ sign…x` ~y~ $z$ &lt;                        922
2026-05-01 00:00:00  https://www.example.com #1 @me                           92

count · 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC · 18 rows
"""
WITH_SHARE = """
source    medium    value  share
────────  ────────  ─────  ─────
google    cpc       1,234  58.1%  ████████████████████████
facebook  null        812  38.2%  ███████████████▊
""        email        77   3.6%  █▍
hn        referral      1  <0.1%  ▏

count · 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC · 4 rows
"""
WITHOUT_BAR = """
source    medium    value  share
────────  ────────  ─────  ─────
google    cpc       1,234  58.1%
facebook  null        812  38.2%
""        email        77   3.6%
hn        referral      1  <0.1%

count · 2026-05-01 00:00:00 to
2026-06-01 00:00:00 UTC · 4 rows
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
00:00:00 UTC · 4 rows
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
UTC · 4 rows
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


@pytest.mark.parametrize(
    ("stats", "reason"),
    [
        pytest.param(by_source("uniques"), "one visitor may be in many groups", id="uniques"),
        pytest.param(by_source(groups=340), "the rest is of unknown size", id="truncated"),
        pytest.param(EVERYTHING, "bucket or range?", id="buckets"),
    ],
)
def test_no_percentage_that_misleads(stats: Stats, reason: str) -> None:
    """Where rows are not the parts of one whole there is a bar to compare them, and no percentage."""
    shown = "\n".join(printed(stats, 140))
    assert "share" not in shown, reason
    assert "%" not in shown
    assert "█" in shown


@given(answers())
def test_table_and_csv_agree(stats: Stats) -> None:
    """With room for everything, table and CSV show the same cells."""
    _, rule, *lines = printed(stats, 5000)
    found = [_cells_below(rule, line)[: len(stats.labels) + 1] for line in lines[: len(stats.rows)]]
    _, *rows = csv.reader(io.StringIO(WRITERS["csv"](stats), newline=""))
    nulls = [[cell is None for cell in row.values()] for row in stats.rows]
    expected = [
        ["null" if null else quoted(cell) for cell, null in zip(row, gone, strict=True)]
        for row, gone in zip(rows, nulls, strict=True)
    ]
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
    for line in printed(stats, width, Caption(event=event)):
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
    print_table(stats, Caption(event=event), console)
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
    assert printed(Stats("count", ("path",), rows, 2), 56, encoding="ascii") == golden("""
path                        value  share
--------------------------  -----  -----
/caf\\xe9                       30  75.0%  ##############
/blog/2026/05/an-old-title     10  25.0%  ####

count - 2026-05-01 00:00:00 to 2026-06-01 00:00:00 UTC -
2 rows
""")


def test_long_labels_lose_their_middle_and_short_ones_nothing() -> None:
    """Columns share the width: short ones keep theirs, long ones are cut and keep both ends."""
    path = "/blog/2026/05/" + "very-long-" * 20 + "title/index.html"
    stats = Stats("count", ("country", "path"), [{"country": "DE", "path": path, "value": 7}], 1)
    assert printed(stats, 50)[2] == "DE       /blog/2026/05/ver…title/index.html      7"


def test_buckets_stay_whole() -> None:
    """The label of a bucket is repeated and never cut: what tells two apart may be at either end."""
    rows: list[Row] = [
        {"bucket": f"2026-05-01 {hour:02d}:00:00", "path": "/long" * 9, "value": 1} for hour in (5, 5, 6)
    ]
    lines = printed(Stats("count", ("bucket", "path"), rows, 3), 40)
    assert lines[2] == "2026-05-01 05:00:00  /long/…/long      1"
    assert [line[:19] for line in lines[2:5]] == [row["bucket"] for row in rows]


def test_many_labels_become_records_with_their_names() -> None:
    """Nine labels on a narrow terminal stand below each other, none left out."""
    names = ("bucket", "event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
    row: Row = {**dict.fromkeys(names, "x"), "bucket": "2026-05-01 00:00:00", "value": 1234}
    assert printed(Stats("count", names, [row], 1), 40)[:10] == [
        "bucket      2026-05-01 00:00:00",
        *(f"{name:11} x" for name in names[1:]),
        "value       1,234",
    ]
    assert printed(Stats("count", names, [], 0), 40, Caption())[-1] == "count · all events · no rows"
