"""The text formats: what JSON, NDJSON, CSV and Markdown make of data that would like to be something else."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmstats.answer import Row, Stats
from mmstats.render import FORMATS, WRITERS
from mmstats.wording import visible

MAX_INT64 = 2**63 - 1
TEXTS: list[str | None] = [
    "google",
    None,
    "",
    "null",
    "/blog/[slug]",
    "/a[/b]",
    "\x1b[31mred",
    "a|b\\",
    "<img src=x>",
    ":smile:",
    "日本語",
    "👍🏽 ok",
    "abc\u202edef",
    "a\nb",
    ' say "hi", ',
    '"quoted"',
    "*bold* _it_ sign_up `x` ~y~ $z$ &lt;",
    "https://www.example.com #1 @me",
]
EVERYTHING = Stats(
    "count",
    ("bucket", "path"),
    [
        {"bucket": "2026-05-01 00:00:00", "path": text, "value": MAX_INT64 // 10**place}
        for place, text in enumerate(TEXTS)
    ],
    len(TEXTS),
    total=sum(MAX_INT64 // 10**place for place in range(len(TEXTS))),
)
TOTAL = Stats("count", (), [{"value": 0}], 1, total=0)
NOTHING = Stats("uniques", ("source", "device_type"), [], 0)

# Any text that UTF-8 can carry, and often one of those that mean something somewhere.
texts = st.one_of(
    st.sampled_from([text for text in TEXTS if text is not None]),
    st.text(
        st.sampled_from(" \t\r\n\"',|\\`*_[]<>&#~$:@wW.-/a1é日\u0301\u200d\ufe0f❤👍\x00\x1b\u202e\u2028"), max_size=60
    ),
    st.text(st.characters(codec="utf-8"), max_size=60),
)


@st.composite
def answers(draw: st.DrawFn) -> Stats:
    """Any answer that an engine may give."""
    names = draw(st.lists(st.sampled_from(("event_name", "source", "country", "path")), unique=True))
    labels = (*(("bucket",) if draw(st.booleans()) else ()), *names)
    values = draw(st.lists(st.integers(0, 10**6) | st.integers(0, MAX_INT64), max_size=8))
    rows: list[Row] = []
    for value in values if labels else [1, *values][-1:]:
        row: Row = {name: draw(st.none() | texts) for name in names}
        hour = {"bucket": f"2026-05-01 {len(rows):02d}:00:00"} if "bucket" in labels else {}
        rows.append({**hour, **row, "value": value})
    more = draw(st.integers(0, 999)) if rows and labels else 0
    if draw(st.booleans()):
        return Stats("uniques", labels, rows, len(rows) + more)
    shown = sum(row["value"] for row in rows if isinstance(row["value"], int))
    return Stats("count", labels, rows, len(rows) + more, total=shown + draw(st.integers(more, 10**9)) * bool(more))


def cells_of(stats: Stats) -> list[list[str | None]]:
    """The cells of `stats` row by row, values as their digits."""
    return [[None if cell is None else str(cell) for cell in row.values()] for row in stats.rows]


GOLDEN = {
    "csv": """\
bucket,path,value
2026-05-01 00:00:00,google,9223372036854775807
2026-05-01 00:00:00,,922337203685477580
2026-05-01 00:00:00,"",92233720368547758
2026-05-01 00:00:00,null,9223372036854775
2026-05-01 00:00:00,/blog/[slug],922337203685477
2026-05-01 00:00:00,/a[/b],92233720368547
2026-05-01 00:00:00,\x1b[31mred,9223372036854
2026-05-01 00:00:00,a|b\\,922337203685
2026-05-01 00:00:00,<img src=x>,92233720368
2026-05-01 00:00:00,:smile:,9223372036
2026-05-01 00:00:00,日本語,922337203
2026-05-01 00:00:00,👍🏽 ok,92233720
2026-05-01 00:00:00,abc\u202edef,9223372
2026-05-01 00:00:00,"a
b",922337
2026-05-01 00:00:00," say ""hi"", ",92233
2026-05-01 00:00:00,\"""quoted""\",9223
2026-05-01 00:00:00,*bold* _it_ sign_up `x` ~y~ $z$ &lt;,922
2026-05-01 00:00:00,https://www.example.com #1 @me,92
""",
    "markdown": r"""| bucket | path | value |
| --- | --- | ---: |
| 2026-05-01 00:00:00 | google | 9223372036854775807 |
| 2026-05-01 00:00:00 | *null* | 922337203685477580 |
| 2026-05-01 00:00:00 | "" | 92233720368547758 |
| 2026-05-01 00:00:00 | "null" | 9223372036854775 |
| 2026-05-01 00:00:00 | /blog/\[slug\] | 922337203685477 |
| 2026-05-01 00:00:00 | /a\[/b\] | 92233720368547 |
| 2026-05-01 00:00:00 | \\x1b\[31mred | 9223372036854 |
| 2026-05-01 00:00:00 | a\|b\\ | 922337203685 |
| 2026-05-01 00:00:00 | \<img src=x\> | 92233720368 |
| 2026-05-01 00:00:00 | \:smile\: | 9223372036 |
| 2026-05-01 00:00:00 | 日本語 | 922337203 |
| 2026-05-01 00:00:00 | 👍🏽 ok | 92233720 |
| 2026-05-01 00:00:00 | abc\\u202edef | 9223372 |
| 2026-05-01 00:00:00 | a\\nb | 922337 |
| 2026-05-01 00:00:00 | " say "hi", " | 92233 |
| 2026-05-01 00:00:00 | ""quoted"" | 9223 |
| 2026-05-01 00:00:00 | \*bold\* \_it\_ sign_up \`x\` \~y\~ \$z\$ \&lt; | 922 |
| 2026-05-01 00:00:00 | https\://www\.example.com \#1 \@me | 92 |
""",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    """The bytes of a format are its contract, over data of every kind."""
    assert WRITERS[name](EVERYTHING) == GOLDEN[name]


@pytest.mark.parametrize(
    ("name", "total", "nothing"),
    [
        ("json", '{"metric":"count","rows":[{"value":0}]}\n', '{"metric":"uniques","rows":[]}\n'),
        ("ndjson", '{"value":0}\n', ""),
        ("csv", "value\n0\n", "source,device_type,value\n"),
        ("markdown", "| value |\n| ---: |\n| 0 |\n", "| source | device_type | value |\n| --- | --- | ---: |\n"),
    ],
)
def test_total_and_nothing(name: str, total: str, nothing: str) -> None:
    """A lone total is one row without labels, and no rows leave what the format needs to be read."""
    assert (WRITERS[name](TOTAL), WRITERS[name](NOTHING)) == (total, nothing)


def test_formats_are_the_table_and_every_writer() -> None:
    """The names on offer are the table's and those of the text formats."""
    assert FORMATS == ("table", "json", "ndjson", "csv", "markdown")


@given(answers())
def test_json_is_the_answers_own_text(stats: Stats) -> None:
    """JSON is what `to_json` gives, and a newline."""
    assert WRITERS["json"](stats) == stats.to_json() + "\n"


@given(answers())
def test_ndjson_reads_back(stats: Stats) -> None:
    """NDJSON has one line per row, which reads back as that row, its keys in order."""
    lines = WRITERS["ndjson"](stats).split("\n")
    assert lines.pop() == ""
    assert [list(json.loads(line).items()) for line in lines] == [list(row.items()) for row in stats.rows]


@given(answers())
def test_csv_reads_back_with_the_standard_library(stats: Stats) -> None:
    """CSV reads back cell for cell, null as nothing."""
    header, *lines = csv.reader(io.StringIO(WRITERS["csv"](stats), newline=""), strict=True)
    assert header == [*stats.labels, "value"]
    assert lines == [["" if cell is None else cell for cell in row] for row in cells_of(stats)]


@settings(max_examples=50)
@given(answers())
def test_csv_reads_back_with_a_database(stats: Stats) -> None:
    """A reader that tells an unquoted empty field from a quoted one gets nulls and empty strings back."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "answer.csv")
        path.write_text(WRITERS["csv"](stats), encoding="utf-8", newline="")
        found = duckdb.read_csv(
            str(path),
            header=True,
            all_varchar=True,
            delimiter=",",
            quotechar='"',
            escapechar='"',
            lineterminator="\\n",
            allow_quoted_nulls=False,
        )
        assert (found.columns, [list(row) for row in found.fetchall()]) == ([*stats.labels, "value"], cells_of(stats))


def rendered_cells(markdown: str) -> list[list[str | None]]:
    """The cells of the one table in `markdown` as a page shows them, None for an italic null."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    rows: list[list[str | None]] = []
    for token in tokens:
        assert re.match(r"(table|thead|tbody|tr|t[hd])_(open|close)|inline", token.type)
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            kinds = [child.type for child in token.children or []]
            assert set(kinds) <= {"text"} or kinds == ["em_open", "text", "em_close"]
            rows[-1].append(None if "em_open" in kinds else "".join(part.content for part in token.children or []))
    return rows


def quoted(text: str | None) -> str | None:
    """What a page shows for a label: escapes for controls, quotes around what could be mistaken."""
    if text is None:
        return None
    text = visible(text)
    mistakable = text in ("", "null") or text != text.strip() or text[0] == '"'
    return f'"{text}"' if mistakable else text


@given(answers())
def test_markdown_means_itself(stats: Stats) -> None:
    """Rendered by another parser, every cell holds the characters of the data and no markup at all."""
    expected = [[quoted(cell) for cell in row] for row in cells_of(stats)]
    assert rendered_cells(WRITERS["markdown"](stats)) == [[*stats.labels, "value"], *expected]


@given(texts)
def test_markdown_offers_no_link(text: str) -> None:
    """What GitHub would link without brackets, `://` and `www.`, never stands unescaped."""
    written = WRITERS["markdown"](Stats("count", ("path",), [{"path": text, "value": 1}], 1))
    assert not re.search(r"(?<!\\)://|www\.", written, re.IGNORECASE)


def test_importing_the_formats_loads_no_terminal_library() -> None:
    """The text formats need neither the terminal library nor an engine."""
    probe = "import sys, mmstats.render; print([m for m in ('rich', 'polars', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
