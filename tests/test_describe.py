"""What `mmstats describe` tells of a dataset, and what `--check` finds in a damaged one."""

import gzip
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from rich.cells import cell_len

from mmstats.cli import run
from mmstats.dataset import EVENT_COLUMNS, sample_folder

from .conftest import WRITERS, Ran

Describe = Callable[..., Ran]
KEYS = ["version", "locations", "files", "bytes", "formats", "tables", "passed_over", "rows", "first", "last"]
KEYS += ["columns", "missing", "events", "bad_rows", "check", "paths", "fits", "next"]
GOOD = '{"timestamp":"2026-05-01T00:00:00Z","event_name":"a","source":"x"}\n'
HEADER = "timestamp,event_name,source\n"


@pytest.fixture
def describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Describe:
    """Run `mmstats describe …` in the test's own folder, with a cache and settings of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / ".cache"))

    def described(*options: str | Path) -> Ran:
        capfd.readouterr()
        code = run(["describe", *map(str, options)])
        written = capfd.readouterr()
        return Ran(code, written.out, written.err)

    return described


def events(count: int = 300) -> list[dict[str, Any]]:
    """Events with nulls, drawn with a fixed seed."""
    draw = random.Random(7)
    return [
        {
            "timestamp": f"2026-05-{draw.randint(1, 28):02}T{draw.randint(0, 23):02}:00:{draw.randint(0, 59):02}Z",
            "event_name": draw.choice(["$pageview", "$pageview", "signup", "log in", "a\nb", None]),
            "source": draw.choice(["google", "", None]),
            "path": draw.choice(["/", "/ü", None, None]),
            "ignored": "x",
        }
        for _ in range(count)
    ]


def nulls(description: dict[str, Any]) -> dict[str, int]:
    """The nulls of each column found."""
    return {column["column"]: column["nulls"] for column in description["columns"]}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("check", [(), ("--check",)], ids=["described", "checked"])
def test_same_in_every_format(describe: Describe, tmp_path: Path, kind: str, check: tuple[str, ...]) -> None:
    """Rows, range, nulls and event names are counted right, whatever the format."""
    rows = events()
    (tmp_path / f"e.{kind}").write_bytes(WRITERS[kind](rows))
    told = describe("--data", f"e.{kind}", *check).answer
    names = Counter(row["event_name"] for row in rows)
    assert told["rows"] == len(rows)
    assert (told["first"], told["last"]) == (min(r["timestamp"] for r in rows), max(r["timestamp"] for r in rows))
    assert nulls(told) == {name: sum(row[name] is None for row in rows) for name in EVENT_COLUMNS if name in rows[0]}
    assert {top["event_name"]: top["count"] for top in told["events"]["top"]} == names
    assert told["events"]["distinct"] == len(names) - 1
    assert told["missing"] == [name for name in EVENT_COLUMNS if name not in rows[0]]
    assert told["bad_rows"] == {"total": 0, "files": []}
    assert told["check"] == ({"holds": True, "total": 0, "faults": []} if check else None)


def test_sample_agrees_with_duckdb(describe: Describe) -> None:
    """The bundled sample is described as an independent engine counts it."""
    told = describe("--sample").answer
    table = f"read_parquet('{sample_folder()}/*/*.parquet', hive_partitioning=false)"
    columns = ", ".join(f"count(*) - count({name})" for name in EVENT_COLUMNS)
    (counted,) = duckdb.sql(f"SELECT count(*), {columns} FROM {table}").fetchall()
    assert [told["rows"], *nulls(told).values()] == list(counted)
    tops = duckdb.sql(f"SELECT event_name, count(*) n FROM {table} GROUP BY 1 ORDER BY n DESC, 1").fetchall()
    assert [(top["event_name"], top["count"]) for top in told["events"]["top"]] == tops
    assert told["files"] == len(list(Path(sample_folder()).rglob("*.parquet")))
    assert told["bytes"] == sum(file.stat().st_size for file in Path(sample_folder()).rglob("*.parquet"))


MOMENTS = [datetime(2026, 5, 1, 12, 0, 0, 250_000), datetime(2025, 1, 1), datetime(2026, 12, 31, 23, 59, 59)]  # noqa: DTZ001
TIMESTAMPS: dict[str, pl.Series] = {
    "milliseconds": pl.Series(MOMENTS, dtype=pl.Datetime("ms")),
    "nanoseconds": pl.Series(MOMENTS, dtype=pl.Datetime("ns")),
    "microseconds in UTC": pl.Series(MOMENTS, dtype=pl.Datetime("us", "UTC")),
    "elsewhere": pl.Series(MOMENTS, dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone("Asia/Tokyo"),
    "epochs of two units": pl.Series([int(m.timestamp()) for m in MOMENTS[:2]] + [1_798_761_599_000]),
    "text": pl.Series([f"{moment.isoformat()}Z" for moment in MOMENTS]),
}


@pytest.mark.parametrize("kind", TIMESTAMPS)
@pytest.mark.parametrize("statistics", [True, False], ids=["statistics", "no statistics"])
def test_parquet_by_footer_or_by_reading(describe: Describe, tmp_path: Path, kind: str, statistics: bool) -> None:
    """Parquet is described the same from its footer, from what has to be read, and when every row is judged."""
    frame = pl.DataFrame({"timestamp": TIMESTAMPS[kind], "event_name": ["a", None, "a"], "path": [None, None, "/"]})
    frame.write_parquet(tmp_path / "e.parquet", row_group_size=1, statistics="full" if statistics else False)
    told = describe("--data", "e.parquet").answer
    assert (told["first"], told["last"]) == ("2025-01-01T00:00:00Z", "2026-12-31T23:59:59Z")
    assert nulls(told) == {"timestamp": 0, "event_name": 1, "path": 2}
    assert told["events"] == {
        "distinct": 1,
        "top": [{"event_name": "a", "count": 2}, {"event_name": None, "count": 1}],
    }
    assert {**describe("--data", "e.parquet", "--check").answer, "check": None} == told


def test_footers_spare_reading(describe: Describe, tmp_path: Path) -> None:
    """Without --check no column of a Parquet file is read but the event's name; with it, all of them."""
    file = tmp_path / "e.parquet"
    frame = pl.DataFrame({"timestamp": MOMENTS, "event_name": ["a", "b", "c"], "path": ["/here"] * 3})
    frame.write_parquet(file, compression="uncompressed", statistics={"min": False, "max": False, "null_count": True})
    file.write_bytes(file.read_bytes().replace(b"/here", b"/\xff\xff\xff\xff"))
    assert describe("--data", "e.parquet", "--check").code == 1
    frame.write_parquet(file, compression="uncompressed")
    file.write_bytes(file.read_bytes().replace(b"/here", b"/\xff\xff\xff\xff"))
    assert describe("--data", "e.parquet").answer["rows"] == 3


def test_several_files(describe: Describe, tmp_path: Path) -> None:
    """Formats are counted apart, folders fill columns, a column that a file lacks is null, the rest is passed over."""
    folder = tmp_path / "d" / "source=google"
    folder.mkdir(parents=True)
    rows = [{"timestamp": "2026-05-01T00:00:00Z", "event_name": "a"}]
    for name in ("1.parquet", "2.parquet", "3.csv.gz"):
        (folder / name).write_bytes(WRITERS[name.partition(".")[2]](rows))
    (tmp_path / "d" / "4.ndjson").write_bytes(WRITERS["ndjson"]([{**rows[0], "path": "/"}]))
    (tmp_path / "d" / "notes.md").write_text("x")
    os.mkfifo(tmp_path / "d" / "5.ndjson")
    told = describe("--data", "d").answer
    kinds = [(use["format"], use["compression"], use["files"]) for use in told["formats"]]
    assert kinds == [("parquet", None, 2), ("csv", "gzip", 1), ("ndjson", None, 1)]
    assert nulls(told) == {"timestamp": 0, "event_name": 0, "source": 1, "path": 3}
    assert (told["files"], told["rows"], told["passed_over"]) == (4, 4, 2)
    assert list(told) == KEYS
    assert told["version"] == 1


SERVING: dict[str, tuple[list[str], tuple[str, ...], list[str]]] = {
    "its own name": (["event_name"], (), ["event_name"]),
    "event": (["event"], (), ["event"]),
    "both": (["event_name", "event"], (), ["event_name", "event"]),
    "mapped": (["type", "event"], ("--map", "event_name=type"), ["type"]),
}


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
@pytest.mark.parametrize("case", SERVING)
def test_serving_columns(describe: Describe, tmp_path: Path, kind: str, case: str) -> None:
    """It says which of the data's columns serve as an event column."""
    names, options, serving = SERVING[case]
    row = {"timestamp": "2026-05-01", **dict.fromkeys(names, "a")}
    (tmp_path / f"e.{kind}").write_bytes(WRITERS[kind]([row]))
    told = describe("--data", f"e.{kind}", *options).answer
    assert {column["column"]: column["from"] for column in told["columns"]}["event_name"] == serving


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1_000, "1969-12-31T23:59:59.999Z"),
        (250_010, "1970-01-01T00:00:00.250010Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (2**62, None),
    ],
)
def test_instants(describe: Describe, tmp_path: Path, micros: int, text: str | None) -> None:
    """Instants are told in seconds, milliseconds or microseconds, and not at all where no calendar has them."""
    frame = pl.DataFrame({"timestamp": pl.Series([micros], dtype=pl.Datetime("us")), "event_name": ["a"]})
    frame.write_parquet(tmp_path / "e.parquet")
    told = describe("--data", "e.parquet")
    first = json.loads(told.out)["first"] if told.code == 0 else None
    assert first == text


def test_no_events(describe: Describe, tmp_path: Path) -> None:
    """A dataset of no events is described too."""
    (tmp_path / "e.csv").write_text(HEADER)
    told = describe("--data", "e.csv").answer
    assert (told["rows"], told["first"], told["last"]) == (0, None, None)
    assert describe("--data", "e.csv", "--format", "table").code == 0


# name: the file's name and bytes, and where and what each fault is.
DAMAGED: dict[str, tuple[str, bytes, list[tuple[str | None, str]]]] = {
    "broken JSON": ("e.ndjson", f'{GOOD}{{"x\n{GOOD}[1]\n'.encode(), [("line 2", "JSON"), ("line 4", "not a JSON")]),
    "no instants": (
        "e.ndjson",
        (GOOD.replace("2026", "soon") + GOOD + GOOD.replace('"2026-05-01T00:00:00Z"', "null")).encode(),
        [("line 1", "soon"), ("line 3", "timestamp is null")],
    ),
    "invalid UTF-8 in JSON": (
        "e.ndjson",
        GOOD.encode() + GOOD.encode().replace(b'"a"', b'"\xff"'),
        [("line 2", "UTF-8")],
    ),
    "a JSON array with a bad row": ("e.json", f'[{GOOD},{{"event_name":"b"}}]'.encode(), [("row 2", "is null")]),
    "a JSON array cut off": ("e.json", f"[{GOOD},{GOOD[:20]}".encode(), [(None, "broken JSON array")]),
    "wrong field counts": (
        "e.csv",
        f"{HEADER}2026-05-01,a\n2026-05-01,a,b\n1,2,3,4\n".encode(),
        [("line 2", "2 fields"), ("line 4", "4 fields")],
    ),
    "invalid UTF-8 in CSV": (
        "e.csv",
        HEADER.encode() + b"2026-05-01,a,x\n2026-05-01,a,\xff\n",
        [("line 3", "invalid UTF-8 in source")],
    ),
    "invalid UTF-8 in the header of CSV": (
        "e.csv",
        b"timest\xffamp,event_name\n2026-05-01,a\n",
        [(None, "UTF-8")],
    ),
    "a quoted line break before": ("e.csv", f'{HEADER}2026-05-01,"a\nb",x\nsoon,a,x\n'.encode(), [("line 4", "soon")]),
    "a quote never closed": ("e.csv", f'{HEADER}2026-05-01,a,x\n2026-05-01,"a,x\n'.encode(), [("line 3", "quote")]),
    "cut gzip": ("e.csv.gz", gzip.compress(HEADER.encode() * 99)[:-9], [(None, "cut off")]),
    "cut gzip with a bad row before": (
        "e.ndjson.gz",
        gzip.compress(b"[1]\n" + b"".join(b'{"timestamp":%d,"event_name":"a"}\n' % at for at in range(9**6)))[:-9],
        [(None, "cut off"), ("line 1", "not a JSON object")],
    ),
    "not gzip": ("e.csv.gz", HEADER.encode(), [(None, "not valid gzip")]),
    "not Parquet": ("e.parquet", b"PAR1 it is not", [(None, "cannot be read as Parquet")]),
    "Parquet cut in half": ("e.parquet", WRITERS["parquet"](events())[:999], [(None, "cannot be read as Parquet")]),
    "nothing in Parquet": ("e.parquet", b"", [(None, "an empty file is not Parquet")]),
    "not Arrow": ("e.arrow", b"ARROW1 it is not", [(None, "cannot be read as Arrow")]),
    "Parquet with bad rows": (
        "e.parquet",
        WRITERS["parquet"]([{"timestamp": t, "event_name": n} for t, n in (("2026-05-01", b"\xff"), (None, b"a"))]),
        [("row 1", "invalid UTF-8 in event_name"), ("row 2", "timestamp is null")],
    ),
    "Arrow with bad rows": (
        "e.arrow",
        WRITERS["arrow"]([{"timestamp": t, "event_name": "a"} for t in ("2026-05-01", "soon")]),
        [("row 2", "soon")],
    ),
    "no timestamp column": ("e.csv", b"when,event_name\n2026-05-01,a\n", [(None, "no column 'timestamp'")]),
    "no event_name key": ("e.ndjson", b'{"timestamp":"2026-05-01"}\n[1]\n', [(None, "no column 'event_name'")]),
    "the same column twice": ("e.csv", b"timestamp,event_name,source,source\n", []),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_check_names_what_is_damaged(describe: Describe, tmp_path: Path, case: str) -> None:
    """--check names every fault by file, line or row and reason, ends with 1, and describes the rest."""
    name, content, faults = DAMAGED[case]
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / "z.ndjson").write_text(GOOD * 3)
    checked = describe("--data", "d", "--check")
    told = json.loads(checked.out)
    assert checked.code == (1 if faults else 0)
    assert told["check"]["holds"] is not bool(faults)
    assert told["check"]["total"] == len(faults)
    assert [fault["where"] for fault in told["check"]["faults"]] == [where for where, _ in faults]
    for found, (_, what) in zip(told["check"]["faults"], faults, strict=True):
        assert found["file"] == f"d/{name}"
        assert what in found["what"]
    assert told["rows"] >= 3
    assert told["bad_rows"]["total"] == sum(where is not None for where, _ in faults)


@pytest.mark.parametrize("case", [case for case in DAMAGED if DAMAGED[case][2]])
def test_without_check_bad_rows_are_counted(describe: Describe, tmp_path: Path, case: str) -> None:
    """Without --check bad rows are counted by file, and a file that cannot be read is the error it is to a query."""
    name, content, faults = DAMAGED[case]
    (tmp_path / name).write_bytes(content)
    whole = [what for where, what in faults if where is None]
    told = describe("--data", name)
    if whole:
        assert told.code == (3 if "no column" in whole[0] else 4)
        # Of what lacks a column it is shown what is there, too.
        assert whole[0] in (told.err if told.code == 3 else told.error)
    else:
        assert told.answer["bad_rows"] == {"total": len(faults), "files": [{"file": name, "rows": len(faults)}]}


def test_check_names_the_first_and_counts_the_rest(describe: Describe, tmp_path: Path) -> None:
    """Of many faults 20 are named, files that cannot be read before rows, and all are counted."""
    (tmp_path / "a.csv").write_text(HEADER + "x\n" * 30_000)
    (tmp_path / "b.parquet").write_bytes(b"x")
    checked = describe("--data", ".", "--check")
    told = json.loads(checked.out)["check"]
    assert (checked.code, told["total"], len(told["faults"])) == (1, 30_001, 20)
    assert [fault["where"] for fault in told["faults"]] == [None, *(f"line {line}" for line in range(2, 21))]
    assert "and 29,981 more" in describe("--data", ".", "--check", "--format", "table").out


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["described", "checked"])
def test_nothing_there(describe: Describe, check: tuple[str, ...]) -> None:
    """Where there is no dataset there is nothing to check either."""
    assert describe("--data", "nowhere", *check).code == 3


@pytest.mark.parametrize("width", [40, 60, 120])
def test_table_fits(describe: Describe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """The table fits terminals down to 40 columns, and data in it is neither markup nor control."""
    monkeypatch.setenv("COLUMNS", str(width))
    folder = tmp_path / ("long " * 12) / ("deep" * 20)
    folder.mkdir(parents=True)
    names = ["[red]no[/red]", "\x1b[2Jclear", "日本語" * 30, None, "", "x" * 200]
    rows = [{"timestamp": "2026-05-01", "event_name": name} for name in names]
    (folder / "e.ndjson").write_bytes(WRITERS["ndjson"](rows) + b"broken\n")
    (folder / "f.parquet").write_bytes(b"")
    shown = describe("--data", ".", "--check", "--format", "table", "--map", f"source={'s' * 90}")
    assert shown.code == 1
    assert max(map(cell_len, shown.out.splitlines())) <= width
    for part in ("[red]no[/red]", "\\x1b[2Jclear", "null", '""', "2 faults", "line 7", "6 rows"):
        assert part in shown.out
    assert "\x1b" not in shown.out


def test_table_says_what_json_says(describe: Describe) -> None:
    """The table has every number of the JSON object in words."""
    told, shown = describe("--sample").answer, describe("--sample", "--format", "table").out
    assert f"{told['rows']:,} rows" in shown
    assert f"{told['first']} to {told['last']}".replace("T", " ").replace("Z", "") in shown
    for column in told["columns"]:
        assert f"\n{column['column']} " in shown
    for top in told["events"]["top"]:
        assert any(line.split()[:2] == [top["event_name"], f"{top['count']:,}"] for line in shown.splitlines())


REFUSED = {
    "another format": (("--format", "csv"), "error: --format must be table or json, not 'csv'\n"),
    "a typo": (("--format", "jsn"), "\nhint: did you mean json?\n"),
    "several": (("--format", "jsn", "--color", "yes", "--map", "x"), "--map must be column=name"),
    "a question's option": (("--event", "a"), "no such option: --event"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_options(describe: Describe, case: str) -> None:
    """Wrong options are refused, all at once, before any data is looked at."""
    options, said = REFUSED[case]
    refused = describe("--data", "nowhere", *options)
    assert refused.code == 2
    assert said in refused.err


def test_sample_is_announced(describe: Describe) -> None:
    """With no data named the sample is described, and stderr says so."""
    told = describe()
    assert told.answer["locations"] == [sample_folder()]
    assert "bundled sample" in told.err


@pytest.mark.usefixtures("describe")
def test_through_a_pipe(tmp_path: Path) -> None:
    """Events from standard input are checked; the answer is on stdout alone, the verdict in the exit code."""
    command = [sys.executable, "-m", "mmstats", "describe", "--data", "-", "--check"]
    ran = subprocess.run(command, input=f"{GOOD}broken\n".encode(), capture_output=True, cwd=tmp_path, check=False)
    (fault,) = json.loads(ran.stdout)["check"]["faults"]
    assert (ran.returncode, ran.stderr, fault["where"]) == (1, b"", "line 2")
