"""Rows that cannot be read are named by file and line, and left out only when the user says so."""

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import polars
import pytest

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import BadRow, Unreadable
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

from .conftest import Ask

GOOD = '{"timestamp":"2026-05-01T00:00:00Z","event_name":"a","source":"x"}'
HEADER = "timestamp,event_name,source,note"
UNCLOSED = 'timestamp,event_name,"source'  # a header, which is no row to leave out
ROW = "2026-05-01,a,x,n"


class Case(NamedTuple):
    """A file of bad rows: the place that the error names, what it says, the good rows, and how many bad ones."""

    form: str
    lines: list[str]
    place: str
    says: str
    good: int
    bad: int


NDJSON = {
    "the last line is cut off": ([GOOD, GOOD, GOOD[:40]], "line 3", "broken JSON", 2, 1),
    "a line in the middle is broken": ([GOOD, '{"timestamp":', GOOD], "line 2", "broken JSON", 2, 1),
    "text after the object": ([GOOD, GOOD + " x"], "line 2", "broken JSON", 1, 1),
    "two objects on one line": ([GOOD, GOOD + GOOD, GOOD], "line 2", "broken JSON", 2, 1),
    "two objects on one line, a blank between": ([GOOD, GOOD + " " + GOOD], "line 2", "broken JSON", 1, 1),
    "a comma after the object": ([GOOD + ",", GOOD], "line 1", "broken JSON", 1, 1),
    "an array": ([GOOD, "[1]"], "line 2", "not a JSON object", 1, 1),
    "an array of an object": ([GOOD, f"[{GOOD}]"], "line 2", "not a JSON object", 1, 1),
    "an empty array": ([GOOD, "[]"], "line 2", "not a JSON object", 1, 1),
    "null": ([GOOD, "null"], "line 2", "not a JSON object", 1, 1),
    "a number": ([GOOD, "5", GOOD], "line 2", "not a JSON object", 2, 1),
    "a text": ([GOOD, '"a"'], "line 2", "not a JSON object", 1, 1),
    "true": (["true", GOOD], "line 1", "not a JSON object", 1, 1),
    "NaN": ([GOOD, GOOD[:-1] + ',"x":NaN}'], "line 2", "broken JSON", 1, 1),
    "a leading zero": ([GOOD, GOOD[:-1] + ',"x":007}'], "line 2", "broken JSON", 1, 1),
    "single quotes": ([GOOD.replace('"', "'"), GOOD], "line 1", "broken JSON", 1, 1),
    "a comma before the brace": ([GOOD, GOOD[:-1] + ",}"], "line 2", "broken JSON", 1, 1),
    "a raw control character": ([GOOD, GOOD[:-1] + ',"x":"\x01"}'], "line 2", "broken JSON", 1, 1),
    "nested without end": ([GOOD, "[" * 100_000], "line 2", "nested deeper", 1, 1),
    "blank lines count as lines": (["", GOOD, " \t", "\r", "5"], "line 5", "not a JSON object", 1, 1),
    "a timestamp that is a word": ([GOOD, GOOD.replace("2026-05-01T00:00:00Z", "soon")], "line 2", '"soon"', 1, 1),
    "an empty timestamp": ([GOOD, GOOD.replace("2026-05-01T00:00:00Z", "")], "line 2", '""', 1, 1),
    "a null timestamp": ([GOOD, GOOD.replace('"2026-05-01T00:00:00Z"', "null")], "line 2", "timestamp is null", 1, 1),
    "a timestamp that is true": ([GOOD, GOOD.replace('"2026-05-01T00:00:00Z"', "true")], "line 2", '"true"', 1, 1),
    "a timestamp in a list": ([GOOD, GOOD.replace('"2026-05-01T00:00:00Z"', "[1]")], "line 2", '"[1]"', 1, 1),
    "no timestamp": (["", GOOD, '{"event_name":"a"}'], "line 3", "timestamp is null", 1, 1),
    "an empty object": ([GOOD, "{}", GOOD, "{}"], "line 2", "timestamp is null", 2, 2),
    "a day that is none": ([GOOD, GOOD.replace("05-01", "02-30")], "line 2", "2026-02-30", 1, 1),
    "two faults, the first is named": ([GOOD, GOOD, "x", GOOD.replace("05-01", "13-01")], "line 3", "broken", 2, 2),
    "two faults, the other first": ([GOOD, GOOD.replace("05-01", "13-01"), "x"], "line 2", "2026-13-01", 1, 2),
}
CSV = {
    "a short row": ([HEADER, ROW, "2026-05-01,a,x", ROW], "line 3", "3 fields where the header has 4", 2, 1),
    "a long row": ([HEADER, ROW + ",more", ROW], "line 2", "5 fields where the header has 4", 1, 1),
    "a long and a short row": ([HEADER, ROW + ",more", ROW, "x"], "line 2", "5 fields", 1, 2),
    "a line of blanks": ([HEADER, ROW, "  ", ROW], "line 3", "1 field ", 2, 1),
    "blank lines count as lines": ([HEADER, "", ROW, "", "x"], "line 5", "1 field ", 1, 1),
    "lines end in CRLF": ([HEADER + "\r", ROW + "\r", "\r", "x\r"], "line 4", "1 field ", 1, 1),
    "a quoted line break": ([HEADER, '2026-05-01,a,x,"1\n2\n3"', "x"], "line 5", "1 field ", 1, 1),
    "a quoted CRLF": ([HEADER, '2026-05-01,a,x,"1\r\n2"\r', "x"], "line 4", "1 field ", 1, 1),
    "a header with a line break": (['timestamp,event_name,source,"no\nte"', ROW, "x"], "line 4", "1 field ", 1, 1),
    "a word for a timestamp": ([HEADER, ROW, "soon,a,x,n"], "line 3", '"soon"', 1, 1),
    "a null timestamp": ([HEADER, ROW, ",a,x,n"], "line 3", "timestamp is null", 1, 1),
    "an empty timestamp": ([HEADER, ROW, '"",a,x,n'], "line 3", "timestamp", 1, 1),
    "an unclosed quote at the end": ([HEADER, ROW, '2026-05-01,a,x,"n'], "line 3", "quote", 1, 1),
    "an unclosed quote in the middle": ([HEADER, ROW, '2026-05-01,a,"x,n', ROW, ROW], "line 3", "quote", 3, 1),
    "an unclosed quote after a stray one": (
        [HEADER, '2026-05-01,a,5" x,n', '2026-05-01,a,x,"n'],
        "line 3",
        "quote",
        1,
        1,
    ),
    "an unclosed quote that looks closed": ([HEADER, ROW, '2026-05-01,a,x,"n""', ROW], "line 3", "quote", 2, 1),
    "text behind a quote": ([HEADER, ROW, '2026-05-01,a,"x"y,n', ROW], "line 3", "text follows", 2, 1),
    "two stray quotes": ([HEADER, '2026-05-01,a,"x,n', ROW, '2026-05-01,a,"y,n', ROW], "line 2", "quote", 2, 2),
    "quotes escaped by a backslash": ([HEADER, ROW, '2026-05-01,a,"x \\"y\\"",n'], "line 3", "text follows", 1, 1),
    "a stray quote before a quoted line break": (
        [HEADER, '"2026-05-01,a,x,n', '2026-05-01,a,x,"1\n2"', ROW],
        "line 2",
        "text follows",
        2,
        1,
    ),
    "an unclosed quote in the first row": ([HEADER, '"2026-05-01,a,x,n', ROW], "line 2", "quote", 1, 1),
    "an unclosed quote in the header": ([UNCLOSED, ROW], "line 1", "quote", 0, 0),
    "two faults, the first is named": ([HEADER, "soon,a,x,n", "x", ROW], "line 2", '"soon"', 1, 2),
    "two faults, the other first": ([HEADER, "x", "soon,a,x,n", ROW], "line 2", "1 field ", 1, 2),
}
CASES = [pytest.param(Case("ndjson", *case), id=f"ndjson-{name}") for name, case in NDJSON.items()]
CASES += [pytest.param(Case("csv", *case), id=f"csv-{name}") for name, case in CSV.items()]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", CASES)
def test_a_bad_row_is_named(ask: Ask, tmp_path: Path, case: Case, compressed: bool) -> None:
    """A row that cannot be read ends the query with exit 4 and one line naming file and line; nothing is answered."""
    name, text = f"events.{case.form}" + ".gz" * compressed, "\n".join(case.lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if compressed else text)
    ran = ask(name, "--group-by", "source")
    assert ran.code == 4
    assert ran.error.startswith(f"{name}: {case.place}: ")
    assert case.says in ran.error
    assert len(ran.error) < 300


@pytest.mark.parametrize("last", ["", "\n", "\r\n"], ids=["no newline at the end", "newline", "CRLF"])
@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].lines[0] != UNCLOSED])
def test_bad_rows_are_left_out_when_the_user_says_so(ask: Ask, tmp_path: Path, case: Case, last: str) -> None:
    """With --skip-bad-rows the other rows are answered, and stderr says how many of which file were left out."""
    name = f"events.{case.form}"
    (tmp_path / name).write_bytes(("\n".join(case.lines) + last).encode())
    ran = ask(name, "--skip-bad-rows")
    assert ran.value == case.good
    rows = f"{case.bad} row" if case.bad == 1 else f"{case.bad} rows"
    assert ran.err == f"warning: left out {rows} that could not be read: {name} ({rows})\n"


def test_left_out_rows_are_counted_per_file(ask: Ask, tmp_path: Path) -> None:
    """The notice has the total and the number of each file, in the order of the files."""
    (tmp_path / "b.ndjson").write_text(f"{GOOD}\nx\ny\n")
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{ROW}\nx\n")
    (tmp_path / "c.jsonl").write_text(GOOD)
    ran = ask(tmp_path, "--skip-bad-rows")
    assert ran.value == 3
    assert ran.err == (
        f"warning: left out 3 rows that could not be read: {tmp_path}/a.csv (1 row), {tmp_path}/b.ndjson (2 rows)\n"
    )


def test_a_row_is_judged_on_what_the_question_reads(ask: Ask, tmp_path: Path) -> None:
    """Invalid UTF-8 in a CSV column fails the questions that read it, and no other."""
    text = f"{HEADER}\n{ROW}\n2026-05-01,a,x\xff,n\xff\n{ROW}\n"
    (tmp_path / "events.csv").write_bytes(text.encode("latin-1"))
    assert ask("events.csv").value == 3
    assert ask("events.csv", "--group-by", "country").rows == [{"country": None, "value": 3}]
    assert ask("events.csv", "--group-by", "source", "--skip-bad-rows").rows == [{"source": "x", "value": 2}]
    ran = ask("events.csv", "--group-by", "source")
    assert ran.code == 4
    assert ran.error.startswith("events.csv: line 3: invalid UTF-8 in source")


def test_invalid_utf8_breaks_a_json_line_wherever_it_stands(ask: Ask, tmp_path: Path) -> None:
    """A JSON line with a byte that is not UTF-8 is no JSON, even if the question does not read that column."""
    text = f'{GOOD}\n{GOOD[:-1]},"note":"\xff"}}\n{GOOD}'
    (tmp_path / "events.ndjson").write_bytes(text.encode("latin-1"))
    ran = ask("events.ndjson")
    assert ran.code == 4
    assert ran.error.startswith("events.ndjson: line 2: invalid UTF-8")
    assert ask("events.ndjson", "--skip-bad-rows").value == 2


def test_a_wrong_row_with_invalid_utf8_is_still_only_a_wrong_row(ask: Ask, tmp_path: Path) -> None:
    """A CSV row that is both too short and not UTF-8 is named, or left out, as any other."""
    (tmp_path / "events.csv").write_bytes(f"{HEADER}\n{ROW}\nx\xff\n{ROW}\n".encode("latin-1"))
    assert ask("events.csv").error.startswith("events.csv: line 3: 1 field")
    assert ask("events.csv", "--skip-bad-rows").value == 2


def test_bad_rows_outside_of_the_range_are_bad_in_text(ask: Ask, tmp_path: Path) -> None:
    """A text file is read whole: a row without a timestamp lies in no range, so it is never passed over in silence."""
    (tmp_path / "events.ndjson").write_text(f'{GOOD}\n{{"event_name":"a"}}\n')
    ran = ask("events.ndjson", "--from", "2030-01-01", "--event", "other")
    assert ran.code == 4
    assert "line 2: the timestamp is null" in ran.error


SMALL = Limits(text_block_bytes=1 << 13, csv_block_bytes=1 << 13)


def told(path: Path, *, skip: bool = False) -> tuple[int, tuple[str, ...]]:
    """How many events a file has, read in small blocks, and the notices."""
    found = answer(StatsQuery(), Dataset((str(path),), skip_bad_rows=skip, limits=SMALL))
    return found.rows[0]["value"], found.notices


@pytest.mark.parametrize("blocks", [0.5, 3], ids=["within a block", "over several"])
@pytest.mark.parametrize("quoted", ['2026-05-01,a,x,"n', '"2026-05-01,a,x,n'], ids=["last field", "first field"])
def test_an_unclosed_quote_in_a_large_file_is_named(tmp_path: Path, blocks: float, quoted: str) -> None:
    """A quote that would swallow the rest of a large file is found, and all other rows are there to be answered."""
    path, before, after = tmp_path / "events.csv", 1000, int(blocks * SMALL.csv_block_bytes) // len(ROW)
    path.write_text("\n".join([HEADER, *[ROW] * before, quoted, *[ROW] * after, ""]))
    with pytest.raises(BadRow) as bad:
        told(path)
    assert bad.value.message == f"{path}: line {before + 2:,}: a quote is opened and never closed"
    assert told(path, skip=True) == (before + after, (f"left out 1 row that could not be read: {path} (1 row)",))


@pytest.mark.parametrize(("form", "good", "says"), [("ndjson", GOOD, "broken JSON"), ("csv", ROW, "1 field ")])
def test_a_bad_line_deep_in_a_large_file_is_named(tmp_path: Path, form: str, good: str, says: str) -> None:
    """The line that is named is the line in the file, not in the block that was read."""
    path, head = tmp_path / f"events.{form}", [HEADER] * (form == "csv")
    path.write_text("\n".join([*head, *[good] * 2000, "", "", "x", *[good] * 10, ""]))
    with pytest.raises(BadRow) as bad:
        told(path)
    assert bad.value.message.startswith(f"{path}: line {len(head) + 2003:,}: {says}")


def test_the_fault_is_shown_escaped(ask: Ask, tmp_path: Path) -> None:
    """What a bad row holds is data: control and escape characters in it are shown as escapes, and cut short."""
    stamp = json.dumps("\x1b[31m\u202e\n" + "x" * 500)
    (tmp_path / "events.ndjson").write_text(f'{{"timestamp":{stamp},"event_name":"a"}}')
    error = ask("events.ndjson").error
    assert '"\\x1b[31m\\u202e\\nxxx' in error
    assert re.fullmatch(r"[ -~]{1,200}", error)


@pytest.mark.parametrize("beyond", [-1, 0, 1, len(ROW) - 1])
def test_the_last_row_of_a_large_file_needs_no_newline(tmp_path: Path, beyond: int) -> None:
    """Wherever a block ends, the last record is read."""
    size = SMALL.csv_block_bytes
    rows = (size - len(HEADER) - 1) // (len(ROW) + 1)
    text = f"{HEADER}\n" + f"{ROW}\n" * (rows - 1)
    last = "2026-05-01,a,x," + "n" * (size + beyond - len(text) - 15)
    (tmp_path / "events.csv").write_text(text + last)
    assert told(tmp_path / "events.csv") == (rows, ())


@pytest.mark.parametrize("skip", [False, True], ids=["", "skip"])
def test_a_row_too_long_to_read_is_said(tmp_path: Path, skip: bool) -> None:
    """A CSV row of many megabytes is no row to leave out: the file is named as one that cannot be read."""
    path, limits = tmp_path / "events.csv", Limits(csv_block_bytes=1 << 20)
    path.write_text(f"{HEADER}\n{ROW}\n2026-05-01,a,x,{'n' * (17 << 17)}\n{ROW}\n")
    with pytest.raises(Unreadable) as long:
        answer(StatsQuery(), Dataset((str(path),), skip_bad_rows=skip, limits=limits))
    assert long.value.message.startswith(f"{path}: a row is longer than 1 MiB")
    assert Limits().csv_block_bytes == 8 << 20


def test_a_line_of_json_may_be_longer_than_a_block(tmp_path: Path) -> None:
    """However long a line is, it is an event."""
    long = GOOD[:-1] + f',"note":"{"n" * (SMALL.text_block_bytes * 4)}"}}'
    (tmp_path / "events.ndjson").write_text(f"{GOOD}\n{long}\n{GOOD}\n")
    assert told(tmp_path / "events.ndjson") == (3, ())


def test_a_noncharacter_is_text(ask: Ask, tmp_path: Path) -> None:
    """A code point that stands for no character is valid UTF-8, also beside bytes that are not."""
    (tmp_path / "a.csv").write_bytes(b"timestamp,event,path\n1,a,\xef\xb7\x90x\n2,a,\xff\n")
    ran = ask("a.csv", "--group-by", "path", "--skip-bad-rows")
    assert ran.rows == [{"path": "\ufdd0x", "value": 1}]
    assert ran.err == "warning: left out 1 row that could not be read: a.csv (1 row)\n"


@pytest.mark.parametrize("name", ["a.ndjson", "a.csv"])
def test_compressed_text_under_a_plain_name_is_refused(ask: Ask, tmp_path: Path, name: str) -> None:
    """What is compressed and does not say so is not guessed at, whatever the question."""
    (tmp_path / name).write_bytes(gzip.compress(b'{"timestamp":"2026-05-01","event":"a"}\n'))
    for question in ([], ["--group-by", "event_name"]):
        ran = ask(name, *question)
        assert (ran.code, ran.error) == (4, f"{name}: is gzip, not text")


def test_reading_leaves_the_csv_module_as_it_is(ask: Ask, tmp_path: Path) -> None:
    """A program that asks from Python keeps its own bound on the fields of CSV."""
    before = csv.field_size_limit()
    (tmp_path / "a.csv").write_text("timestamp,event_name\n2026-05-01,a\n" + "x" * 200_000 + ",b\n")
    assert ask("a.csv").error.startswith("a.csv: line 3: the timestamp")
    assert csv.field_size_limit() == before


MENDED = {
    "ndjson": (f"{GOOD}\n{GOOD[:30]}", f"{GOOD}\n{GOOD}", "read_ndjson"),
    "csv": (f"{HEADER}\n{ROW}\nsoon,a,x,n", f"{HEADER}\n{ROW}\n{ROW}", "from_arrow"),
}


@pytest.mark.parametrize("form", MENDED)
def test_a_row_mended_while_it_is_asked_for(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A row that is bad when it is read and good when it is to be named is told as a file that changed."""
    before, after, engine = MENDED[form]
    path, read = tmp_path / f"events.{form}", getattr(polars, engine)
    path.write_text(before)

    def read_and_mend(*arguments: Any, **options: Any) -> Any:
        try:
            return read(*arguments, **options)
        finally:
            path.write_text(after)

    monkeypatch.setattr(polars, engine, read_and_mend)
    ran = ask(path)
    assert ran.code == 4
    assert ran.error == f"{path}: changed while it was read"
    monkeypatch.undo()
    assert ask(path).value == 2
