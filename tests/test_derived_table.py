"""The table of several metrics, of the largest groups and all others, of comparisons, and totals."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from mmstats.answer import Row, Stats
from mmstats.render import WRITERS
from mmstats.render.table import Caption, print_table

GROUPS: list[Row] = [
    {"source": "google", "other": False, "value": 1381, "previous": 1829, "change": Decimal("-0.2449")},
    {"source": "(other)", "other": False, "value": 90, "previous": 0, "change": None},
    {"source": None, "other": False, "value": 30, "previous": 30, "change": Decimal(0)},
    {"source": None, "other": True, "value": 344, "previous": 34, "change": Decimal("9.1176")},
]
COMPARED = Stats(
    *("count", ("source",), GROUPS, 4),
    total=1845,
    values=("value", "previous", "change"),
    decimals=("change",),
    has_other=True,
    totals={"value": 1845, "previous": 1893, "change": Decimal("-0.0254")},
)
FIGURES: list[Row] = [
    {"bucket": "2026-05-16 00:00:00", "plan": "team", "count": 12, "sum:amount": Decimal("1234567.5")},
    {"bucket": "2026-05-16 00:00:00", "plan": "free", "count": 3, "sum:amount": None},
    {"bucket": "2026-05-17 00:00:00", "plan": "team", "count": 9, "sum:amount": Decimal("-0.000000001")},
]
SEVERAL = Stats(
    *(("count", "sum:amount"), ("bucket", "plan"), FIGURES, 3),
    total=24,
    values=("count", "sum:amount"),
    decimals=("sum:amount",),
    totals={"count": 24, "sum:amount": Decimal("1234567.499999999")},
)


def printed(stats: Stats, width: int = 80, *, color: bool = False) -> str:
    """The table on a terminal `width` cells wide."""
    file = io.StringIO()
    system = "standard" if color else None
    print_table(stats, Caption(), Console(file=file, width=width, color_system=system, force_terminal=color))
    return file.getvalue()


def test_comparisons_are_shown_with_sign_share_and_totals() -> None:
    """The other row is told apart from a label of that name, and totals stand below a rule."""
    assert (
        printed(COMPARED)
        == """\
source     value   share  previous    change
─────────  ─────  ──────  ────────  ────────
google     1,381   74.9%     1,829   -24.49%  ████████████████████████
"(other)"     90    4.9%         0      null  █▌
null          30    1.6%        30     0.00%  ▌
(other)      344   18.6%        34  +911.76%  █████▉
─────────  ─────  ──────  ────────  ────────
total      1,845  100.0%     1,893    -2.54%

count · all events · 4 rows · total 1,845
"""
    )


def test_several_metrics_have_a_column_each() -> None:
    """Points stand below each other, and the share is that of the count."""
    assert (
        printed(SEVERAL)
        == """\
bucket      plan  count   share           sum:amount
──────────  ────  ─────  ──────  ───────────────────
2026-05-16  team     12   50.0%  1,234,567.5
            free      3   12.5%       null
2026-05-17  team      9   37.5%         -0.000000001
──────────  ────  ─────  ──────  ───────────────────
total                24  100.0%  1,234,567.499999999

count, sum:amount · all events · 3 rows · total 24
"""
    )


def test_changes_have_the_colour_of_their_sign() -> None:
    """Up is green, down is red; the signs say the same."""
    colored = printed(COMPARED, color=True)
    assert "\x1b[32m+911.76%\x1b[0m" in colored
    assert "\x1b[31m-24.49%\x1b[0m" in colored


def test_a_narrow_terminal_gets_a_line_for_each_value() -> None:
    """Every label and value of every row, then the totals."""
    sections = printed(COMPARED, 20).split("\n\n")
    assert [section.split()[1::2] for section in sections[:5:4]] == [
        ["google", "1,381", "1,829", "-24.49%"],
        ["total", "1,845", "1,893", "-2.54%"],
    ]


CSV = """\
source,other,value,previous,change
google,false,1381,1829,-0.2449
(other),false,90,0,
,false,30,30,0
,true,344,34,9.1176
"""
MARKDOWN = """\
| bucket | plan | count | sum:amount |
| --- | --- | ---: | ---: |
| 2026-05-16 00:00:00 | team | 12 | 1234567.5 |
| 2026-05-16 00:00:00 | free | 3 | *null* |
| 2026-05-17 00:00:00 | team | 9 | -0.000000001 |
"""
NDJSON = """\
{"bucket":"2026-05-16 00:00:00","plan":"team","count":12,"sum:amount":1234567.5}
{"bucket":"2026-05-16 00:00:00","plan":"free","count":3,"sum:amount":null}
{"bucket":"2026-05-17 00:00:00","plan":"team","count":9,"sum:amount":-0.000000001}
"""


@pytest.mark.parametrize(
    ("form", "stats", "text"),
    [("csv", COMPARED, CSV), ("markdown", SEVERAL, MARKDOWN), ("ndjson", SEVERAL, NDJSON)],
    ids=["csv", "markdown", "ndjson"],
)
def test_other_formats_have_the_rows_alone(form: str, stats: Stats, text: str) -> None:
    """With all their columns, decimals in plain notation and without the totals."""
    assert WRITERS[form](stats).replace("\\:", ":") == text
