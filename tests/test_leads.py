"""What `mmstats describe` shows of data that is not flat, or not yet events: what is there, and how to go on."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.cells import cell_len

from mmstats.cli import run

from .conftest import Ran
from .test_describe import describe  # noqa: F401 - a fixture

EXPORTS = Path(__file__).parent / "exports"
Describe = Callable[..., Ran]
ROWS: list[dict[str, Any]] = [
    {"ts": "2026-05-01T10:00:00Z", "kind": "signup", "who": {"visitor_id": "a"}, "props": {"utm_source": "x", "n": 1}},
    {"ts": "2026-05-02T10:00:00Z", "kind": "view", "who": {"visitor_id": "b"}, "props": {"utm_source": None, "n": 2}},
]


def _as_text(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows with their objects as JSON text."""
    return pl.DataFrame([{k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()} for row in rows])


def _write(kind: str, rows: list[dict[str, Any]], folder: Path) -> str:
    """Write rows as one of KINDS; returns the file's name."""
    name = f"e.{kind.partition(' ')[0]}"
    match kind:
        case "ndjson":
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        case "json":
            (folder / name).write_text(json.dumps(rows, indent=1))
        case "parquet":
            pl.DataFrame(rows).write_parquet(folder / name)
        case "parquet of JSON text":
            _as_text(rows).write_parquet(folder / name)
        case "arrow":
            pl.DataFrame(rows).write_ipc(folder / name)
        case "csv":
            _as_text(rows).write_csv(folder / name)
    return name


KINDS = ("ndjson", "json", "parquet", "parquet of JSON text", "arrow", "csv")


@pytest.mark.parametrize("kind", KINDS)
def test_what_lacks_columns_is_shown(describe: Describe, tmp_path: Path, kind: str) -> None:  # noqa: F811
    """Where a column is missing, exit code and error are those of a query, and what is there is described."""
    name = _write(kind, ROWS, tmp_path)
    told = describe(name)
    assert told.code == 3
    assert told.err.startswith(f"error: {name}: no column 'timestamp' and no column 'event_name'\nhint: ")
    answer = json.loads(told.out)
    assert (answer["rows"], answer["columns"], answer["missing"]) == (None, [], ["timestamp", "event_name"])
    paths = {path["path"]: path for path in answer["paths"]}
    assert [*paths] == ["ts", "kind", "who", "who.visitor_id", "props", "props.utm_source", "props.n"]
    assert paths["props.utm_source"] == {
        "path": "props.utm_source",
        "kinds": ["text"],
        "null_share": 0.5,
        "samples": ["x"],
    }
    assert paths["who"]["kinds"] == (["JSON text"] if kind in ("csv", "parquet of JSON text") else ["object"])
    assert paths["props.n"]["samples"] == ["1", "2"]
    assert paths["props.n"]["kinds"] == ["integer"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_to_copy_answers(
    describe: Describe,  # noqa: F811
    tmp_path: Path,
    kind: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command that the description ends with reads the events."""
    command = json.loads(describe(_write(kind, ROWS, tmp_path)).out)["next"]
    words = shlex.split(command)
    assert words[:2] == ["mmstats", "query"]
    assert run([*words[1:], "--group-by", "event_name,source", "--metric", "uniques"]) == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert rows == [
        {"event_name": "signup", "source": "x", "value": 1},
        {"event_name": "view", "source": None, "value": 1},
    ]


def test_events_with_objects_lead_on(describe: Describe, tmp_path: Path) -> None:  # noqa: F811
    """Events that lack columns and have paths are described as ever, and the paths that may serve are offered."""
    rows = [{"timestamp": row["ts"], "event": row["kind"], "properties": row["props"]} for row in ROWS]
    told = describe(_write("ndjson", rows, tmp_path))
    assert (told.code, told.err) == (0, "")
    assert told.answer["rows"] == 2
    assert told.answer["next"] == "mmstats query e.ndjson --map source=properties.utm_source"


@pytest.mark.parametrize("form", ["json", "table"])
def test_flat_events_lead_nowhere(describe: Describe, tmp_path: Path, form: str) -> None:  # noqa: F811
    """Flat events are described as they were, whatever columns they lack."""
    (tmp_path / "e.csv").write_text("timestamp,event_name,other\n2026-05-01,a,x\n")
    told = describe("e.csv", "--format", form)
    assert told.code == 0
    assert "such as" not in told.out
    if form == "json":
        assert (told.answer["paths"], told.answer["fits"], told.answer["next"]) == ([], [], None)


FITS = {
    "ga4": "ga4/events_20260501.parquet",
    "posthog": "posthog/events.csv",
    "mixpanel": "mixpanel/export.txt",
    "umami": "umami/website_event.csv",
    "amplitude": "amplitude",
    "snowplow": "snowplow/part-00000.tsv",
}


@pytest.mark.parametrize("name", FITS)
def test_known_exports_are_told(
    describe: Describe,  # noqa: F811
    name: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What is an export of a known tool is said to be, and the command to copy reads it."""
    file = EXPORTS / FITS[name]
    told = describe(file, *(["--input-format", "json"] if file.suffix == ".txt" else []))
    answer = json.loads(told.out)
    assert answer["fits"] == [name]
    assert answer["next"].endswith(f" --schema {name}")
    assert f"--schema {name}" in told.err
    assert run(shlex.split(answer["next"])[1:]) == 0
    assert json.loads(capfd.readouterr().out)["rows"][0]["value"] > 0


def test_an_array_leads_to_records(describe: Describe) -> None:  # noqa: F811
    """Of an object that holds the events in an array, the command to copy describes these."""
    told = describe(EXPORTS / "millimetric" / "query.json")
    assert told.code == 3
    assert json.loads(told.out)["next"].endswith("query.json --records rows")


def test_what_was_said_is_said_again(describe: Describe, tmp_path: Path) -> None:  # noqa: F811
    """The command to copy repeats how the data is read, but not a mapping that leads nowhere, nor keys of stores."""
    (tmp_path / "e.txt").write_text("when;what;ts\n1;a;2026-05-01\n")
    options = ["--input-format", "csv", "--delimiter", ";", "--map", "timestamp=tss", "--map", "event_name=what"]
    told = describe("e.txt", *options, "--storage-option", "secret_access_key=abc")
    assert told.code == 3
    read = "--map event_name=what --input-format csv --delimiter ';' --map timestamp=ts"
    assert json.loads(told.out)["next"] == f"mmstats query e.txt {read}"


def test_what_cannot_be_guessed_is_left_to_fill_in(describe: Describe, tmp_path: Path) -> None:  # noqa: F811
    """A column that must be there and that nothing looks like has a word to replace."""
    (tmp_path / "e.csv").write_text("when,what\n2026-05-01,a\n")
    command = json.loads(describe("e.csv").out)["next"]
    assert command == "mmstats query e.csv --map event_name=COLUMN --map timestamp=when"


def test_the_sample_is_bounded(describe: Describe, tmp_path: Path) -> None:  # noqa: F811
    """Of many files and rows a few are looked at, the one at fault among them; of many keys some are told."""
    for day in range(20):
        rows = [{"timestamp": "2026-05-01", "event": "a", "o": {f"k{day} {row}": 1}} for row in range(300)]
        (tmp_path / f"{day:02}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "07.ndjson").write_text('{"lost":{"and":"found"}}\n' * 300)
    told = describe(".")
    assert told.code == 3
    paths = [path["path"] for path in json.loads(told.out)["paths"]]
    assert "lost.and" in paths
    assert 500 <= len(paths) < 520


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_fits(describe: Describe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:  # noqa: F811
    """The table fits the terminal, and nothing of the data acts on it; the command alone is whole on one line."""
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [{**ROWS[0], "a": {"\x1b[2J": "\x1b]0;x\x07", "日本語" * 9: "語" * 200, "[b]": "[red]no"}}]
    told = describe(_write("ndjson", rows, tmp_path), "--format", "table")
    assert told.code == 3
    *lines, command = told.out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert command == "mmstats query e.ndjson " + " ".join(
        f"--map {one}"
        for one in (
            "timestamp=ts",
            "event_name=kind",
            "anonymous_id=who.visitor_id",
            "source=props.utm_source",
            "properties=props",
        )
    )
    assert "\x1b" not in told.out
    assert "\\x1b" in told.out


def test_an_exotic_column_does_no_harm(describe: Describe, tmp_path: Path) -> None:  # noqa: F811
    """Types that have no text, and bytes that are none, are named without samples; the others have theirs."""
    frame = pl.DataFrame({"b": [b"\xff"], "t": ["2026-05-01"], "n": [None], "d": [1.5]})
    frame.with_columns(pl.col("n").cast(pl.Duration)).write_parquet(tmp_path / "e.parquet")
    paths = {path["path"]: path for path in json.loads(describe("e.parquet").out)["paths"]}
    assert paths["b"]["samples"] == []
    assert paths["n"]["kinds"] == ["duration"]
    assert paths["d"]["samples"] == ["1.5"]
