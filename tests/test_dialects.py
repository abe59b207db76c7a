"""How files are written: delimiters, quotes, comments, names, nulls, records, logs, and names that say no format."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mmstats
from mmstats.answer import Stats
from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.dialect import Dialect
from mmstats.engine_address import LOCAL
from mmstats.engines import engine_for
from mmstats.errors import BadRow, MmstatsError, NotEvents, Unreadable
from mmstats.limits import Limits
from mmstats.question.read import read_question
from tests.conftest import WRITERS, Ask
from tests.serving import serving

SMALL = Limits(text_block_bytes=300, csv_block_bytes=4096, csv_header_bytes=16)


def answer(path: Path, dialect: Dialect, group_by: str = "", **options: Any) -> Stats:
    """What is asked of a file that is written in a dialect, which a schema names."""
    query = read_question({"group_by": [group_by]} if group_by else {})
    return engine_for(LOCAL)(query, Dataset((str(path),), dialect=dialect, **options))


def counts(stats: Stats, column: str) -> dict[str | None, int]:
    """The rows of an answer by the value of a column."""
    return {row[column]: row["value"] for row in stats.rows}


# Delimiters and quotes


@pytest.mark.parametrize(
    ("sign", "flag"), [(";", ";"), ("\t", "tab"), ("|", "|"), (":", ":"), ("\x01", "\x01"), (" ", " ")]
)
def test_the_delimiter_is_told_or_shown(ask: Ask, tmp_path: Path, sign: str, flag: str) -> None:
    """Of a header without a comma the delimiter is what it has; another one is said, and may be any character."""
    rows = [["timestamp", "event_name", "source"], ["2026-05-01", "a, b", "x"], ["2026-05-01", f"{sign}c", "y"]]
    text = io.StringIO()
    csv.writer(text, delimiter=sign).writerows(rows)
    (tmp_path / "a.csv").write_text(text.getvalue())
    expected = [{"event_name": name, "value": 1} for name in sorted((f"{sign}c", "a, b"))]
    assert ask("a.csv", "--group-by", "event_name", "--delimiter", flag).rows == expected
    if sign in ";\t|":
        assert ask("a.csv", "--group-by", "event_name").rows == expected


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_may_say_the_delimiter(ask: Ask, tmp_path: Path, line: str, end: str) -> None:
    """A line sep= says the delimiter and is skipped; --delimiter wins over it, and a bad row is named by its line."""
    (tmp_path / "a.csv").write_text(end.join([line, "timestamp;event_name", "2026-05-01;a,b"]), newline="")
    assert ask("a.csv", "--group-by", "event_name").rows == [{"event_name": "a,b", "value": 1}]
    (tmp_path / "a.csv").write_text(end.join([line, "timestamp,event_name", "2026-05-01,a;b", "x,y,z"]), newline="")
    assert "line 4: 3 fields" in ask("a.csv", "--delimiter", ",").error


def test_several_delimiters_are_ambiguous(ask: Ask, tmp_path: Path) -> None:
    """A header that has two delimiters and no comma is refused; what stands in quotes is no delimiter."""
    (tmp_path / "a.csv").write_text("timestamp;event_name|source\n2026-05-01;a|b\n")
    ran = ask("a.csv")
    assert (ran.code, "';' or '|'" in ran.error, "--delimiter" in ran.err) == (3, True, True)
    (tmp_path / "a.csv").write_text('timestamp;event_name;"a|b,c\nd"\n2026-05-01;a;"b"\n')
    assert ask("a.csv").value == 1


@pytest.mark.parametrize(
    ("name", "header", "hint"),
    [
        ("a.tsv", "timestamp,event_name", "--delimiter ,?"),
        ("a.csv --delimiter ,", "timestamp;event_name", "--delimiter ';'?"),
        ("a.csv --delimiter |", "timestamp\tevent_name", "--delimiter tab?"),
    ],
)
def test_a_wrong_delimiter_is_told_by_the_header(ask: Ask, tmp_path: Path, name: str, header: str, hint: str) -> None:
    """Where a header of one name has another delimiter, that one is offered, and reads the file."""
    file, *flags = name.split()
    (tmp_path / file).write_text(f"{header}\n{header.replace('timestamp', '2026-05-01').replace('event_name', 'a')}\n")
    ran = ask(file, *flags)
    assert (ran.code, ran.err.strip().endswith(hint)) == (3, True)
    assert ask(file, "--delimiter", hint.split()[1].strip("'?")).value == 1


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "é"])
def test_what_is_no_delimiter_is_refused(ask: Ask, delimiter: str) -> None:
    """The delimiter is one ASCII character that is no quote and no line break."""
    ran = ask("a.csv", "--delimiter", delimiter)
    assert ran.code == 2
    assert "--delimiter" in ran.error


_ROW = "2026-05-01,a,{}\n".format
SWALLOWING = {
    "two rows": ("a.csv", _ROW("w") + _ROW('"x') + _ROW('y"'), 3),
    "several rows": ("a.tsv", _ROW('"x') + _ROW("y") * 3 + _ROW('z"'), 2),
    "without a break at the end": ("a.csv.gz", (_ROW('"x') + _ROW('y"'))[:-1], 2),
    "breaks of two signs": ("a.csv", (_ROW('"x') + _ROW('y"')).replace("\n", "\r\n"), 2),
    "other quotes": ("a.csv", _ROW('5" x') + _ROW('"x') + _ROW('y"') + _ROW('5" y'), 3),
    "a large file": ("a.csv", _ROW("w") * 40_000 + _ROW('"x') + _ROW('y"') + _ROW("w") * 40_000, 40_002),
}


@pytest.mark.parametrize(("name", "text", "line"), SWALLOWING.values(), ids=SWALLOWING)
def test_rows_in_a_quoted_field_are_told(
    ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, text: str, line: int
) -> None:
    """Where each line in a quoted field would be a row, which two stray quotes make, every command warns."""
    content = ("timestamp,event,source\n" + text).replace(",", "\t" if name == "a.tsv" else ",").encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    hint = "--quote none reads quotes as themselves"
    told = f"warning: {name}: line {line:,}: each line in a quoted field would be a row by itself: {hint}\n"
    ran = ask(name, "--group-by", "source", "--all")
    assert (ran.code, ran.err) == (0, told)
    assert ask(name, "--quote", "none").err == ""
    for command in (["describe", name], ["import", name, "--to", "store"]):
        assert run(command) == 0
        assert told in capfd.readouterr().err


@pytest.mark.parametrize("field", ['"x\ny"', '"x\n1,2,3\ny"', '"x\ny\n1,2,3"', '","', '"x,\n"', '"a ""b""\n"'])
def test_text_of_several_lines_is_no_reason_to_warn(ask: Ask, tmp_path: Path, field: str) -> None:
    """A quoted field some lines of which would be no rows is a text like any other."""
    (tmp_path / "a.csv").write_text("timestamp,event,source\n" + _ROW(field) * 3 + _ROW("z"))
    (tmp_path / "b.csv").write_text("source,timestamp,event\n" + f"{field},2026-05-01,a\n" * 3)
    for name, rows in (("a.csv", 4), ("b.csv", 3)):
        ran = ask(name)
        assert (ran.value, ran.err) == (rows, "")


def test_quotes_may_be_themselves(ask: Ask, tmp_path: Path) -> None:
    """With --quote none every line is a row, and the hint for a stray quote leads there."""
    (tmp_path / "a.csv").write_text('timestamp,event_name\n2026-05-01,"a\n2026-05-01,""\n2026-05-01,\n')
    ran = ask("a.csv")
    assert ran.code == 4
    assert "hint: --quote none reads quotes as themselves" in ran.err
    rows = ask("a.csv", "--quote", "none", "--group-by", "event_name").rows
    assert rows == [{"event_name": name, "value": 1} for name in ('""', '"a', None)]


texts = st.text(st.sampled_from('ab ,;|\t"#-\r\nä'), max_size=5)
signs = st.sampled_from(",;\t|:#")


@st.composite
def csv_files(draw: st.DrawFn) -> tuple[bytes, Dialect, Counter[str | None]]:
    """A file as Python's writer writes it in some dialect, and how often each name of an event is in it."""
    sign, quotes = draw(signs), draw(st.booleans())
    comment = draw(st.sampled_from(["", "", "//", "%"]))
    null, empty = draw(st.sampled_from([None, "-", "ab"])), draw(st.booleans())
    kind = draw(st.sampled_from(["first line", "list", "mark"]))
    forbidden = "\r\n" + (sign if not quotes else "")
    plain = texts.map(lambda text: text if quotes else "".join(one for one in text if one not in forbidden))
    names = draw(st.lists(plain, max_size=12))
    fields = ("event_name", "timestamp", "note")
    text, end = io.StringIO(newline=""), "\r\n"  # Python quotes neither alone where that ends a line
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])) if quotes else csv.QUOTE_NONE
    writer = csv.writer(text, delimiter=sign, lineterminator=end, quoting=quoting, quotechar='"' if quotes else None)
    if comment:
        text.write(f'{comment} "a{sign}{end}')
    if kind == "first line":
        writer.writerow(fields)
    order = list(fields)
    if kind == "mark":
        text.write(f"#Fields: {' '.join(order)}{end}")
    for number, name in enumerate(names):
        if kind == "mark" and number % 3 == 2:
            order = draw(st.permutations(fields))
            text.write(f"#Fields: {' '.join(order)}{end}")
        if comment and number % 4 == 1:
            text.write(f'{comment}{sign}"{end}')
        values = {"event_name": name, "timestamp": "2026-05-01", "note": "x"}
        writer.writerow([values[field] for field in order])
    nulls = {null} if quoting == csv.QUOTE_ALL and not empty else {null, ""}
    expected = Counter(None if name in nulls else name for name in names)
    dialect = Dialect(sign, quotes, {"list": fields, "mark": "#Fields:"}.get(kind, ""), comment, null, empty)
    return text.getvalue().encode(), dialect, expected


@given(csv_files(), st.sampled_from([Limits(), SMALL]), st.booleans())
@settings(max_examples=150)
def test_csv_of_any_dialect_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    written: tuple[bytes, Dialect, Counter[str | None]],
    limits: Limits,
    several: bool,
) -> None:
    """Whatever separates and encloses fields and stands between the records, the events are those that there are."""
    data, dialect, expected = written
    folder = tmp_path_factory.mktemp("csv")
    for number in range(1 + several):
        (folder / f"{number}.csv").write_bytes(data)
    found = counts(answer(folder, dialect, "event_name", limits=limits), "event_name")
    assert found == {name: count * (1 + several) for name, count in expected.items()}


LINES = {
    "comment": (
        Dialect(comment="#"),
        b"# a\n\ntimestamp,event_name\n2026-05-01,a\n#\n2026-05-01,b\n2026-05-01,c,d\n",
        7,
    ),
    "mark": (
        Dialect(names="#F:", comment="#", quotes=False),
        b"#V\n#F: timestamp,event_name\n2026-05-01,a\n#F: event_name timestamp x\nb,2026-05-01,1\n\nc,2026-05-01\n",
        7,
    ),
    "list": (Dialect(names=("timestamp", "event_name")), b"2026-05-01,a\n2026-05-01,b\nsoon,c\n", 3),
    "no quotes": (Dialect(quotes=False), b'timestamp,event_name\n2026-05-01,"a\n2026-05-01,b\nsoon,c\n', 4),
    "sep": (Dialect(), b"sep=|\ntimestamp|event_name\n2026-05-01|a\n2026-05-01|b\n|c\n", 5),
    "quote in a comment": (Dialect(comment="#"), b'timestamp,event_name\n#"\n2026-05-01,a\n2026-05-01,b\nx,"\n', 5),
}


@pytest.mark.parametrize("limits", [Limits(), SMALL])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("case", LINES)
def test_a_bad_row_of_any_dialect_is_named_by_its_line(
    tmp_path: Path, case: str, several: bool, limits: Limits
) -> None:
    """The line that a bad row begins on is counted with those above it that are none, and it alone is left out."""
    dialect, data, line = LINES[case]
    (tmp_path / "b.csv").write_bytes(data)
    if several:
        (tmp_path / "a.csv").write_bytes(data[: data.rfind(b"\n", 0, -1) + 1])
    with pytest.raises(BadRow, match=rf"b\.csv: line {line}: "):
        answer(tmp_path, dialect, limits=limits)
    left = answer(tmp_path, dialect, skip_bad_rows=True, limits=limits)
    assert (left.rows, "1 row" in left.notices[0]) == ([{"value": 4 if several else 2}], True)


def test_names_that_a_mark_says_must_come_first(tmp_path: Path) -> None:
    """Records above the first line of names are refused, and so are names among which none serves."""
    (tmp_path / "a.tsv").write_text("2026-05-01\ta\n#Fields: timestamp event_name\n")
    with pytest.raises(NotEvents, match="line 1: a line that begins with '#Fields:' must name"):
        answer(tmp_path, Dialect(names="#Fields:"))
    (tmp_path / "a.tsv").write_text("#Fields: timestamp event_name\n2026-05-01\ta\n#Fields: x y\n1\t2\n")
    with pytest.raises(NotEvents, match="no column 'timestamp'"):
        answer(tmp_path, Dialect(names="#Fields:"))


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
def test_texts_that_say_null_are_null(tmp_path: Path, form: str) -> None:
    """A field of the text that is null, and an empty one where that is said, are null in every format."""
    names = ["-", "", "a", None, "-"]
    rows = [{"timestamp": "2026-05-01", "event_name": "x", "source": name} for name in names]
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form](rows))
    assert counts(answer(tmp_path, Dialect(null="-"), "source"), "source") == {None: 3, "": 1, "a": 1}
    both = Dialect(null="-", empty_is_null=True)
    assert counts(answer(tmp_path, both, "source"), "source") == {None: 4, "a": 1}
    assert answer(tmp_path, both, columns={"event_name": "source"}).rows == [{"value": 5}]
    query = read_question({"event": ["-"]})
    mapped = Dataset((str(tmp_path),), dialect=both, columns={"event_name": "source"})
    assert engine_for(LOCAL)(query, mapped).rows == [{"value": 0}]


# JSON


@pytest.mark.parametrize("block", [16, 1 << 20])
def test_records_are_read_under_their_key(tmp_path: Path, block: int) -> None:
    """The elements of the array under the key are rows, wherever it stands, of each of several objects."""
    events = [{"timestamp": "2026-05-01", "event_name": name, "x": {"r": []}} for name in ("a", "b", "ü")]
    wrapped = [
        {"n": 1, "o": {"r": [1]}, "r": events, "z": [None, "]"]},
        {"r": []},
        {"r": events[:1], "r2": events},
    ]
    limits = Limits(text_block_bytes=block)
    for indent in (None, 2):
        (tmp_path / "a.json").write_text("\n".join(json.dumps(one, indent=indent) for one in wrapped))
        found = answer(tmp_path / "a.json", Dialect(records="r"), "event_name", limits=limits)
        assert counts(found, "event_name") == {"a": 2, "b": 1, "ü": 1}
    for number in range(3):
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(wrapped[0]))
    assert answer(tmp_path, Dialect(records="r"), limits=limits).rows == [{"value": 13}]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ('{"rows":[]}', NotEvents, "no array under the key 'r'"),
        ('{"r":{}}', NotEvents, "no array under the key 'r'"),
        ("[1]", NotEvents, "no array under the key 'r'"),
        ('{"r":[{"timestamp":"2026-05-01","event_name":"a"}', Unreadable, "row 1"),
        ('{"r":[{"timestamp":"2026-05-01","event_name":"a"}]', Unreadable, "broken JSON"),
        ('{"r":[{"timestamp":"2026-05-01","event_name":"a"}] x}', Unreadable, "broken JSON"),
        ('{"r":[{"timestamp":"2026-05-01","event_name":"a"},{"timestamp":"soon","event_name":"a"}]}', BadRow, "row 2"),
    ],
)
def test_what_holds_no_records_is_refused(tmp_path: Path, text: str, kind: type[MmstatsError], message: str) -> None:
    """An object without such an array, or one that is cut or broken, is named, and nothing of it is counted."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(kind, match=message):
        answer(tmp_path, Dialect(records="r"))


def test_the_hint_for_records_leads_to_them(ask: Ask, tmp_path: Path) -> None:
    """Of an object that holds an array of objects the hint names its key, and the nearest one of a misspelt key."""
    event = {"timestamp": "2026-05-01", "event_name": "a"}
    (tmp_path / "a.json").write_text(json.dumps({"meta": [1], "Records": [event]}))
    ran = ask("a.json")
    assert (ran.code, ran.err.splitlines()[1]) == (3, "hint: --records Records reads the array that it holds")
    assert ask("a.json", "--records", "Records").value == 1
    assert "did you mean --records Records?" in ask("a.json", "--records", "records").err
    assert "did you mean ndjson?" in ask("a.json", "--input-format", "jsonl").err


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(ask: Ask, tmp_path: Path, form: str, encoding: str) -> None:
    """Text in UTF-16 is refused as such, also with --skip-bad-rows, and told how it is converted."""
    text = WRITERS[form]([{"timestamp": "2026-05-01", "event_name": "a"}]).decode()
    (tmp_path / f"a.{form}").write_bytes(text.encode(encoding))
    ran = ask(f"a.{form}", "--skip-bad-rows")
    assert (ran.code, "UTF-16" in ran.error, "iconv" in ran.err) == (4, True, True)


# Timestamps


FORMATS = [
    *("%Y%m%d", "%d.%m.%Y", "%d/%b/%Y:%H:%M:%S %z", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %H:%M", "%Y-%m-%d %H:%M:%S.%f"),
    *(
        "%Y%m%d%H%M%S",
        "%A, %d %B %Y",
        "%Y-%m-%dT%H:%M:%S,%f%z",
        "%d%m%Y",
        "%F %T",
        "%Y-%j",
        "%Y %m",
        "%H:%M %d.%m.%Y%%",
    ),
]
# The engine knows the rules of zones until 2099.
moments = st.datetimes(datetime(1902, 1, 1), datetime(2099, 1, 1))  # noqa: DTZ001


@st.composite
def written_moments(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A format, and texts that are written in it, or nearly so."""
    form = draw(st.sampled_from(FORMATS))
    zoned = moments.map(lambda at: at.replace(tzinfo=UTC)) if "%z" in form else moments
    written = zoned.map(lambda at: at.strftime(form))
    shorter = written.map(lambda text: text.replace("/0", "/").replace(".0", "."))
    odd = st.sampled_from(["", "x", "2026", "20260231", "31.2.2026", " 2026 05", "05/01/26 7:5", "2026-366"])
    cut = st.builds(lambda text, at: text[:at] + text[at + 1 :], written, st.integers(0, 20))
    return form, draw(st.lists(st.one_of(written, written, shorter, cut, odd), min_size=1, max_size=8))


def by_python(text: str, form: str, zone: str) -> datetime | None:
    """The instant that Python reads in a zone, naive in UTC."""
    try:
        found = datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return None
    if not found.tzinfo:
        found = found.replace(tzinfo=ZoneInfo(zone))
        if found.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != found.replace(tzinfo=None):
            return None  # an hour that does not exist
    return found.astimezone(UTC).replace(tzinfo=None)


@given(written_moments(), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
@settings(max_examples=150)
@example(("%d.%m.%y", ["31.12.68", "01.01.69", "01.01.70"]), "UTC")
def test_a_format_means_what_strptime_reads(
    tmp_path_factory: pytest.TempPathFactory, written: tuple[str, list[str]], zone: str
) -> None:
    """Timestamps in a format are what Python's strptime makes of them; other rows are bad."""
    form, texts = written
    path = tmp_path_factory.mktemp("format") / "a.ndjson"
    path.write_bytes(WRITERS["ndjson"]([{"timestamp": text, "event_name": "a"} for text in texts]))
    instants = [by_python(text, form, zone) for text in texts]
    dataset = Dataset((str(path),), dialect=Dialect(timestamp_format=form), skip_bad_rows=True)
    query = read_question({"interval": ["hour"], "timezone": [zone]})
    local = [at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for at in instants if at]
    expected = Counter(at.replace(minute=0, second=0, microsecond=0) for at in local)
    answered = {row["bucket"]: row["value"] for row in engine_for(LOCAL)(query, dataset).rows}
    assert answered == {str(at).removesuffix("+00:00"): count for at, count in expected.items()}


def test_a_format_that_names_no_zone_is_read_in_that_of_the_question(ask: Ask, tmp_path: Path) -> None:
    """Each door reads such timestamps in the zone that a flag or a setting says, else in UTC, and so does an import."""
    (tmp_path / "a.csv").write_text("timestamp,event\n01.05.2026 10:30,a\n25.10.2026 02:30,a\n")
    form, zone = "%d.%m.%Y %H:%M", "Europe/Berlin"
    told = ("a.csv", "--timestamp-format", form)
    in_utc = [{"bucket": "2026-05-01 10:00:00", "value": 1}, {"bucket": "2026-10-25 02:00:00", "value": 1}]
    expected = [
        {"bucket": "2026-05-01 10:00:00+02:00", "value": 1},
        {"bucket": "2026-10-25 02:00:00+02:00", "value": 1},
    ]
    here = ("--interval", "hour", "--timezone", zone)
    assert ask(*told, "--interval", "hour").rows == in_utc
    assert ask(*told, *here).rows == expected
    assert mmstats.stats("a.csv", timestamp_format=form, timezone=zone, interval="hour").rows == expected
    with serving(str(tmp_path / "a.csv"), *told[1:], "--no-auth", "--extensions") as server:
        reply = server.stats(interval="hour", timezone=zone)
    assert reply.json["rows"] == expected
    assert run(["import", *told, "--timezone", zone, "--to", "flag"]) == 0
    assert ask("flag", *here).rows == expected
    (tmp_path / "mmstats.toml").write_text(f'timezone = "{zone}"')
    assert ask(*told, "--interval", "hour").rows == expected
    assert run(["import", *told, "--to", "setting"]) == 0
    assert ask("setting", *here).rows == expected


def test_an_hour_that_a_zone_skips_is_a_bad_row(ask: Ask, tmp_path: Path) -> None:
    """A timestamp of a format that no clock of the zone shows is named by its line."""
    (tmp_path / "a.csv").write_text("timestamp,event\n29.03.2026 02:30,a\n")
    ran = ask("a.csv", "--timestamp-format", "%d.%m.%Y %H:%M", "--timezone", "Europe/Berlin")
    assert ran.code == 4
    assert "line 2" in ran.error


DIGITS: dict[str, Callable[[list[int]], bytes]] = {
    "csv": lambda values: "\n".join(["timestamp,event_name", *(f"{value},a" for value in values)]).encode(),
    "ndjson": lambda values: "\n".join(f'{{"timestamp":{value},"event_name":"a"}}' for value in values).encode(),
    "json": lambda values: json.dumps([{"timestamp": f"{value}.0", "event_name": "a"} for value in values]).encode(),
    "parquet": lambda values: columnar(pl.Series(values)),
    "pq": lambda values: columnar(pl.Series(values, dtype=pl.Float64)),
    "arrow": lambda values: columnar(pl.Series(values).cast(pl.String), arrow=True),
}


def columnar(timestamps: pl.Series, *, arrow: bool = False) -> bytes:
    """A Parquet or Arrow file of events at these timestamps."""
    file, frame = io.BytesIO(), pl.DataFrame({"timestamp": timestamps, "event_name": "a"})
    frame.write_ipc(file) if arrow else frame.write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("skip", [(), ("--skip-bad-rows",)])
@pytest.mark.parametrize("range_", [(), ("--from", "2026-05-01"), ("--to", "1970-01-02")])
@pytest.mark.parametrize(("value", "form"), [(20260501, "%Y%m%d"), (20260501235959, "%Y%m%d%H%M%S")])
@pytest.mark.parametrize("kind", DIGITS)
def test_digits_of_a_date_are_no_epoch(
    ask: Ask, tmp_path: Path, kind: str, value: int, form: str, range_: tuple[str, ...], skip: tuple[str, ...]
) -> None:
    """Digits that read as a date are refused in every format, in any range, and read as a flag says what they are."""
    (tmp_path / f"a.{kind}").write_bytes(DIGITS[kind]([1777600000, value]))
    place = "line 3" if kind == "csv" else "line 2" if kind == "ndjson" else "row 2"
    ran = ask(f"a.{kind}", *range_, *skip)
    assert ran.code == 4
    assert f"a.{kind}: {place}: " in ran.error
    assert f"--timestamp-format {form}" in ran.err
    (tmp_path / f"a.{kind}").write_bytes(DIGITS[kind]([value, value]))
    (row,) = ask(f"a.{kind}", "--timestamp-format", form, "--interval", "day").rows
    assert row == {"bucket": "2026-05-01 00:00:00", "value": 2}
    assert ask(f"a.{kind}", "--timestamp-unit", "ms").value == 2


@pytest.mark.parametrize("kind", DIGITS)
def test_other_digits_are_epochs_still(ask: Ask, tmp_path: Path, kind: str) -> None:
    """Eight or fourteen digits that no calendar has are epochs, as they were."""
    values = [20260230, 20261301, 18991231, 22000101, 20260501240000, 2026050123595]
    (tmp_path / f"a.{kind}").write_bytes(DIGITS[kind](values))
    assert ask(f"a.{kind}").value == len(values)
    assert ask(f"a.{kind}", "--to", "1971-01-01").value == 4


@pytest.mark.parametrize(
    ("form", "said"),
    [("%s", "--timestamp-unit"), ("%H:%M", "must name the year"), ("%Q", "must be a format of strptime")],
)
def test_what_is_no_format_is_refused(ask: Ask, form: str, said: str) -> None:
    """A format that strptime does not know, or that names no year, is a wrong question."""
    ran = ask("a.csv", "--timestamp-format", form)
    assert (ran.code, said in ran.err) == (2, True)


# Logs


LOG = Dialect(lines="combined")
MAP = {"timestamp": "time", "event_name": "method", "path": "target", "browser": "agent", "source": "user"}
AGENT = r"Mozilla/5.0 \"x\" (é)"


def test_lines_of_logs_are_read(tmp_path: Path) -> None:
    """Common and combined lines are read in one file, in their own zone, and what is not there is null."""
    when = "01/May/2026:01:30:00 +0200"
    lines = [
        f'203.0.113.9 - - [{when}] "GET /a?b=c HTTP/1.1" 200 2326 "https://x.example/" "{AGENT}"',
        f'2001:db8::1 - frank [{when}] "POST /a b HTTP/2.0" 404 - "-" "-" "203.0.113.1, 10.0.0.1"',
        f'203.0.113.9 - - [{when}] "GET /old" 200 12',
        f'203.0.113.9 - - [{when}] "-" 400 0 "-" ""',
        f'203.0.113.9 - - [{when}] "" 400 0 "-" "-"',
        f'203.0.113.9 - - [{when}] "\\x16\\x03\\x01" 400 150 "-" "-" 0.003',
    ]
    (tmp_path / "access.log").write_text("\r\n".join(lines) + "\n\n")
    (tmp_path / "access.log.1").write_text(lines[0])
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(lines[0].encode()))
    (tmp_path / "README.md").write_text("no log")

    def by(column: str) -> dict[str | None, int]:
        return counts(answer(tmp_path, LOG, column, columns=MAP), column)

    assert by("event_name") == {"GET": 4, "POST": 1, None: 3}
    assert by("path") == {"/a?b=c": 3, "/a b": 1, "/old": 1, None: 3}
    assert by("browser") == {AGENT: 3, None: 5}
    assert by("source") == {"frank": 1, None: 7}
    assert by("country") == {None: 8}
    query = read_question({"interval": ["day"]})
    dataset = Dataset((str(tmp_path),), dialect=LOG, columns=MAP)
    assert engine_for(LOCAL)(query, dataset).rows == [{"bucket": "2026-04-30 00:00:00", "value": 8}]


@pytest.mark.parametrize("limits", [Limits(), SMALL])
@pytest.mark.parametrize(
    "bad",
    [
        b'example.com:80 203.0.113.9 - - [01/May/2026:01:30:00 +0200] "GET / HTTP/1.1" 200 1',
        b'203.0.113.9 - - [01/May/2026:01:30:00 +0200] "GET / HTTP/1.1 200 1',
        b'203.0.113.9 - - [01/Mai/2026:01:30:00 +0200] "GET / HTTP/1.1" 200 1',
        b'203.0.113.9 - - [01/May/2026:01:30:00 +0200] "GET /\xff HTTP/1.1" 200 1',
        b"x",
    ],
)
def test_other_lines_of_logs_are_bad(tmp_path: Path, bad: bytes, limits: Limits) -> None:
    """A line of another form, of no instant or of bytes that are no text is named, or left out."""
    good = b'203.0.113.9 - - [01/May/2026:01:30:00 +0200] "GET / HTTP/1.1" 200 1\n'
    (tmp_path / "a.log").write_bytes(good * 5 + b"\n" + bad + b"\n" + good)
    with pytest.raises(BadRow, match=r"a\.log: line 7: "):
        answer(tmp_path, LOG, columns=MAP, limits=limits)
    left = answer(tmp_path, LOG, "path", columns=MAP, skip_bad_rows=True, limits=limits)
    assert left.rows == [{"path": "/", "value": 6}]


parts = st.text(st.sampled_from('a -"[]é'), max_size=4)


@given(st.lists(st.tuples(parts, parts, parts, st.booleans()), min_size=1, max_size=6), st.booleans())
@settings(max_examples=150)
def test_lines_of_logs_are_read_alike_in_any_company(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str, bool]], combined: bool
) -> None:
    """A line among regular ones, which are read as fields, is what it is beside one that is read by its pattern."""
    when = "[01/May/2026:01:30:00 +0000]"
    texts = [
        f'h{user} - - {when} "GET /{target} HTTP/1.1" 200 1' + (f' "{referer}" "x"' if combined ^ odd else "")
        for user, target, referer, odd in lines
    ]
    escaped = f'h - - {when} "ESCAPED \\\\ HTTP/1.1" 200 1'
    folder = tmp_path_factory.mktemp("log")
    found = []
    for name, some in (("alone", texts), ("beside", [*texts, escaped])):
        (folder / f"{name}.log").write_text("\n".join(some))
        of = answer(folder / f"{name}.log", LOG, "path", columns=MAP | {"event_name": "referer"}, skip_bad_rows=True)
        rows = counts(of, "path")
        rows.pop("\\\\", None)
        found.append(rows)
    assert found[0] == found[1]


# Names of files


@pytest.mark.parametrize("pack", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        *((name, True) for name in ("part-00000", "a.txt", "a.log", "A.LOG", "E.2019-12-04-21.a103fd5a", "a.raw")),
        *((name, False) for name in ("README.md", "x.png", "a_manifest.json")),
    ],
)
def test_names_that_say_no_format(tmp_path: Path, name: str, is_read: bool, pack: str) -> None:
    """Where the dialect says a format, names without an extension, and .txt, .log and .gz, are read in it."""
    dialect = Dialect(format="ndjson", extensions=(".raw",), ignore=("*_manifest.json*",))
    row = b'{"timestamp":"2026-05-01","event_name":"a"}'
    (tmp_path / f"{name}{pack}").write_bytes(gzip.compress(row) if pack else row)
    (tmp_path / "b.csv").write_bytes(WRITERS["csv"]([{"timestamp": "2026-05-01", "event_name": "a"}]))
    found = answer(tmp_path, dialect)
    assert found.rows == [{"value": 1 + (is_read or (bool(pack) and "manifest" not in name))}]
    assert bool(found.notices) == (not is_read and not pack and "manifest" not in name)


def test_the_format_of_an_answer_is_none_of_the_data(ask: Ask, tmp_path: Path) -> None:
    """--format says how an answer is shown, and makes no file of an unknown extension one of events."""
    (tmp_path / "a.csv").write_text("timestamp,event_name\n2026-05-01,a\n")
    (tmp_path / "notes.txt").write_text("none")
    assert ask(tmp_path, "--format", "json").value == 1
    assert ask("notes.txt", "--format", "json").code == 3


def test_brotli_is_unpacked(ask: Ask, tmp_path: Path) -> None:
    """Text whose name ends in .br is unpacked, and named where it is cut off."""
    row = b'{"timestamp":"2026-05-01","event_name":"a"}\n' * 1000
    packed = pa.compress(row, codec="brotli", asbytes=True)
    (tmp_path / "a.jsonl.br").write_bytes(packed)
    assert ask("a.jsonl.br").value == 1000
    (tmp_path / "a.jsonl.br").write_bytes(packed[:-10])
    assert ask("a.jsonl.br").code == 4


# Every door


def test_every_door_takes_the_dialect(tmp_path: Path, ask: Ask) -> None:
    """Flags, Python, settings and imports say how files are written, and mean the same."""
    (tmp_path / "a.csv").write_text('timestamp:event_name\n01.05.2026:"x\n')
    flags = ["--delimiter", ":", "--quote", "none", "--timestamp-format", "%d.%m.%Y"]
    expected = [{"event_name": '"x', "value": 1}]
    assert ask("a.csv", *flags, "--group-by", "event_name").rows == expected
    found = mmstats.stats("a.csv", delimiter=":", quote="none", timestamp_format="%d.%m.%Y", group_by=["event_name"])
    assert found.rows == expected
    assert run(["import", "a.csv", "--to", "store", *flags]) == 0
    assert ask("store", "--group-by", "event_name").rows == expected
    assert run(["describe", "--check", "a.csv", *flags]) == 0
    (tmp_path / "mmstats.toml").write_text(
        'delimiter = ":"\nquote = "none"\ntimestamp_format = "%d.%m.%Y"\nrecords = "r"\n'
    )
    assert ask("a.csv", "--group-by", "event_name").rows == expected


def test_what_is_kept_knows_the_dialect(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Ask,
    later: None,  # noqa: ARG001
) -> None:
    """An answer and the partial aggregates of one dialect are none of another, and an import reads anew."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a.csv").write_text("timestamp,event_name,x;y\n2026-05-01,a,1;2\n" * 1)
    (tmp_path / "b.csv").write_text("timestamp;event_name;x,y\n2026-05-01;a;1,2\n2026-05-01;b;1,2\n")
    for _ in range(2):
        assert ask("a.csv").value == 1
        assert ask("a.csv", "--delimiter", ";").code == 3
        assert ask("b.csv").code == 3
        assert ask("b.csv", "--delimiter", ";").value == 2
        assert ask("b.csv", "--delimiter", ";", "--interval", "day").rows[0]["value"] == 2
    (tmp_path / "c.parquet").write_bytes(DIGITS["parquet"]([20260501, 20260502]))
    for _ in range(2):
        assert ask("c.parquet", "--from", "2026-05-02").code == 4
        assert ask("c.parquet", "--from", "2026-05-02", "--timestamp-format", "%Y%m%d").value == 1
        assert ask("c.parquet", "--from", "2026-05-02", "--timestamp-unit", "s").value == 0


def test_no_cluster_is_asked_of_a_dialect(tmp_path: Path) -> None:
    """What no cluster reads as we do is refused before one is asked: a format of timestamps, texts that are null."""
    pytest.importorskip("pyspark")
    (tmp_path / "a.parquet").write_bytes(DIGITS["parquet"]([20260501]))
    from mmstats.engine_address import read_engine

    engine = engine_for(read_engine("sc://127.0.0.1:9"))
    for dialect in (Dialect(timestamp_format="%Y%m%d"), Dialect(null="-"), Dialect(empty_is_null=True)):
        with pytest.raises(Unreadable, match="which no cluster is asked of") as refused:
            engine(read_question({}), Dataset((str(tmp_path),), dialect=dialect))
        assert "import first" in refused.value.hint
