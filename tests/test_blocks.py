"""Text files read in small blocks give the same rows, errors and notices as in large ones."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import BadRow
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

PAIRS = StatsQuery(group_by=("source", "path"), limit=None)
Row = tuple[str | None, str | None]
Read = tuple[Counter[Row], tuple[str, ...]]


def blocks(size: int) -> Limits:
    """Blocks of a text file of about so many bytes."""
    sizes = dict.fromkeys(("text_block_bytes", "csv_header_bytes", "array_elements", "single_line_bytes"), size)
    return Limits(csv_block_bytes=max(size, 200), **sizes)


def read(path: Path, size: int, *, skip: bool = False) -> Read:
    """How often each source and path come together, and the notices, read in blocks of about so many bytes."""
    dataset = Dataset((str(path),), {"event_name": "timestamp"}, skip_bad_rows=skip, limits=blocks(size))
    found = answer(PAIRS, dataset)
    told = ("the data has no events", "a row by itself")  # the latter of texts that happen to be such lines
    notices = tuple(one for one in found.notices if not any(text in one for text in told))
    return Counter({(row["source"], row["path"]): row["value"] for row in found.rows}), notices


def outcomes(path: Path, size: int) -> tuple[Read | str, Read]:
    """What comes of reading a file: its rows or its error, and what is left when bad rows are left out."""
    try:
        strict: Read | str = read(path, size)
    except BadRow as error:
        strict = error.message
    return strict, read(path, size, skip=True)


texts = st.text(st.sampled_from('ab,"\n\r\tü🎈 ;'), max_size=6)
fields = st.none() | texts


def written(value: str | None) -> str:
    """A field, quoted where it has to be, or is empty."""
    if value is None:
        return ""
    needs = not value or any(char in value for char in ',"\n\r')
    return '"' + value.replace('"', '""') + '"' if needs else value


@given(
    st.lists(st.tuples(fields, fields), max_size=40),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.integers(1, 300),
)
@settings(max_examples=60)
def test_good_csv_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], newline: str, ends: bool, size: int
) -> None:
    """CSV of any texts and line ends gives its rows in blocks of any size, null apart from empty."""
    path = tmp_path_factory.getbasetemp() / "good.csv"
    lines = ["source,timestamp,path"] + [f"{written(a)},2026-05-01,{written(b)}" for a, b in rows]
    path.write_bytes((newline.join(lines) + newline * ends).encode())
    whole = (Counter(rows), ())
    assert outcomes(path, size) == (whole, whole)


MARKS = [b"a", b",", b",", b'"', b'"', b"\n", b"\n", b"\r\n", b"\r", b" ", b'""', b"\xff", b"\xc3\xbc"]
csv_bytes = st.lists(st.sampled_from([*MARKS, b"soon", b"2026-05-01", b"2026-05-01,a,b\n"]), max_size=40).map(b"".join)


def line_end(text: str, at: int) -> tuple[int, int]:
    """Where the line that a place is in ends, and where the next one begins."""
    while at < len(text) and text[at] not in "\r\n":
        at += 1
    return at, at + 2 if text[at : at + 2] == "\r\n" else min(at + 1, len(text))


def one_record(text: str, at: int) -> tuple[list[str] | None, int]:
    """The fields of the record at a place and where the next one begins, letter by letter; None for wrong quotes."""
    fields_, value, start, quoted = [], "", at, False
    while True:
        if text[at : at + 1] == '"' and not value and not quoted:
            quoted, at = True, at + 1
            while text[at : at + 1] != '"' or text[at : at + 2] == '""':
                if at >= len(text):
                    return None, line_end(text, start)[1]
                step = 2 if text[at] == '"' else 1
                value, at = value + text[at], at + step
            at += 1
        sign = text[at : at + 1]
        if sign in ("", ",", "\r", "\n"):
            fields_.append(value)
            value, quoted = "", False
            if sign != ",":
                return fields_, line_end(text, at)[1]
        elif quoted:
            return None, line_end(text, start)[1]
        else:
            value += sign
        at += 1


def plain_reading(data: bytes) -> tuple[list[Row], int]:
    """The good rows below the header and the number of bad ones, letter by letter; an empty text counts as null."""
    text, rows, bad = data.decode("latin-1"), list[Row](), 0
    _, at = line_end(text, 0)
    while at < len(text):
        blank = line_end(text, at)[0] == at
        found, at = one_record(text, at)
        if blank:
            continue
        try:
            good = found is not None and len(found) == 3 and found[0] == "2026-05-01"
            a, b = (one.encode("latin-1").decode() or None for one in (found or [])[1:3]) if good else (None, None)
        except UnicodeDecodeError:
            good = False
        bad += not good
        rows += [(a, b)] if good else []
    return rows, bad


@given(csv_bytes, st.integers(1, 300))
@settings(max_examples=200)
def test_any_bytes_below_a_csv_header(tmp_path_factory: pytest.TempPathFactory, body: bytes, size: int) -> None:
    """Any bytes below a CSV header are read as a plain reading finds, or are bad rows, in blocks of any size."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    data = b"timestamp,source,path\n" + body
    path.write_bytes(data)
    rows, bad = plain_reading(data)
    strict, (left, notices) = outcomes(path, size)
    assert (strict, (left, notices)) == outcomes(path, 1 << 20)
    assert Counter((a or None, b or None) for a, b in left.elements()) == Counter(rows)
    assert len(notices) == (bad > 0)
    if bad:
        assert f"left out {bad} row" in notices[0]
        assert isinstance(strict, str)
        assert strict.startswith(f"{path}: line ")
    else:
        assert strict == (left, ())


values = st.one_of(
    st.none(), st.text(max_size=5), st.integers(), st.booleans(), st.lists(st.integers(0, 9), max_size=2)
)
objects = st.fixed_dictionaries(
    {"timestamp": st.just("2026-05-01"), "event_name": st.just("a")},
    optional={"source": values, "path": values, "note": values, "nested": st.just({"source": "x"})},
)


def as_text(value: Any) -> str | None:
    """A JSON value as the text of a column."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(
    st.lists(objects, max_size=20), st.integers(1, 200), st.sampled_from(["ndjson", "json", "indented"]), st.booleans()
)
@settings(max_examples=80)
def test_good_json_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], size: int, form: str, ascii_only: bool
) -> None:
    """JSON of any values, as lines or as one array, gives its rows in blocks of any size."""
    path = tmp_path_factory.getbasetemp() / ("good.ndjson" if form == "ndjson" else "good.json")
    if form == "ndjson":
        text = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows)
    else:
        text = json.dumps(rows, ensure_ascii=ascii_only, indent=1 if form == "indented" else None)
    path.write_bytes(text.encode())
    expected = Counter((as_text(row.get("source")), as_text(row.get("path"))) for row in rows)
    assert read(path, size) == (expected, ())


LINES = [
    b'{"timestamp":"2026-05-01","event_name":"a","source":"x"}', b'{"timestamp":"2026-05-01","event":"a","path":"y"}',
    b'{"timestamp":"soon","event_name":"a"}', b'{"event_name":"a"}', b"", b" ", b"x", b"[1]", b"{", b"\xff", b"null",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(LINES), max_size=25),
    st.integers(1, 300),
    st.booleans(),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.sampled_from([b"", b"\n"]),
)
@settings(max_examples=80)
def test_any_lines_of_json(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int, compressed: bool, mark: bytes, last: bytes
) -> None:
    """Of good and bad lines in any order the first bad one is named, or all are counted, in blocks of any size."""
    path = tmp_path_factory.getbasetemp() / ("any.ndjson.gz" if compressed else "any.ndjson")
    data = mark + b"\n".join([LINES[0], *lines]) + last
    path.write_bytes(gzip.compress(data) if compressed else data)
    good = [line in LINES[:2] for line in lines]
    bad = [number for number, line in enumerate(lines, 2) if line.strip() and line not in LINES[:2]]
    strict, (left, notices) = outcomes(path, size)
    assert left.total() == 1 + sum(good)
    assert [notice.split(" ")[2] for notice in notices] == [str(len(bad))] * bool(bad)
    if bad:
        assert isinstance(strict, str)
        assert strict.startswith(f"{path}: line {bad[0]}: ")
    else:
        assert strict == (left, ())
