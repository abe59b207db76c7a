"""What `mmstats schemas init` writes for data of no known export: a schema to edit, that reads it as it is."""

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

from mmstats.cli import run

from .conftest import Ask
from .test_leads import KINDS, ROWS, _write

EXPORTS = Path(__file__).parent / "exports"


@pytest.mark.parametrize("kind", KINDS)
def test_a_draft_reads_the_data(ask: Ask, tmp_path: Path, kind: str) -> None:
    """What is written reads the data at once, in every format, as the mappings by hand do."""
    name = _write(kind, ROWS, tmp_path)
    assert run(["schemas", "init", name, "-o", "mine.toml"]) == 0
    by_hand = ["timestamp=ts", "event_name=kind", "source=props.utm_source", "anonymous_id=who.visitor_id"]
    question = [name, "--metric", "uniques", "--group-by", "event_name,source", "--interval", "day"]
    answer = ask(*question, "--schema", "mine.toml")
    assert answer.out == ask(*question, *(word for one in by_hand for word in ("--map", one))).out
    assert len(json.loads(answer.out)["rows"]) == 2


@pytest.mark.parametrize("name", ["posthog/events.csv", "umami/website_event.csv", "ga4/events_20260501.parquet"])
def test_known_exports_are_told(name: str, ask: Ask) -> None:
    """Of a known export the draft says so, and reads it too."""
    assert run(["schemas", "init", str(EXPORTS / name), "-o", "mine.toml"]) == 0
    assert f"--schema {name.partition('/')[0]}\n" in Path("mine.toml").read_text("utf-8")
    assert ask(str(EXPORTS / name), "--schema", "mine.toml").rows == [{"value": 3}]


def test_what_is_not_sure_is_said(ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Doubts, other paths and what is to be filled in are comments; what nothing looks like is named."""
    rows = {"when": ["2026-05-01"], "user_id": ["u"], "a": [{"country": "DE"}], "b": [{"country": "FR"}]}
    pl.DataFrame(rows).write_parquet(tmp_path / "e.parquet")
    assert run(["schemas", "init", "e.parquet"]) == 0
    written = capfd.readouterr()
    assert written.err == "note: fill in event_name: nothing looks like it\n"
    lines = written.out.splitlines()
    assert 'timestamp = "when"  # not sure: by its values, not by its name; 2026-05-01' in lines
    assert any(line.startswith('# event_name = "COLUMN"  # fill in') for line in lines)
    assert any(line.startswith('# anonymous_id = "user_id"  # not sure') for line in lines)
    assert 'country = "a.country"  # DE; or "b.country"?' in lines
    assert "# nothing looks like: event_id, session_id, source, medium, campaign, device_type, browser" in written.out
    (tmp_path / "mine.toml").write_text(
        written.out.replace('# event_name = "COLUMN"', 'event_name = { constant = "x" }')
    )
    answer = ask("e.parquet", "--schema", "mine.toml", "--group-by", "event_name,country")
    assert answer.rows == [{"event_name": "x", "country": "DE", "value": 1}]


def test_urls_tell_more(ask: Ask, tmp_path: Path) -> None:
    """Where there are URLs only, path and campaign are read out of them; agents need an extra, and are a comment."""
    url = "https://x.y/z?utm_source=news"
    (tmp_path / "e.csv").write_text(f"time,event,page_url,user_agent\n2026-05-01,a,{url},Mozilla/5.0\n")
    assert run(["schemas", "init", "e.csv", "-o", "mine.toml"]) == 0
    assert '# browser = { from = "user_agent", agent = "browser" }' in (tmp_path / "mine.toml").read_text()
    answer = ask("e.csv", "--schema", "mine.toml", "--group-by", "path,source")
    assert answer.rows == [{"path": "/z", "source": "news", "value": 1}]


def test_how_files_are_written_goes_along(ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What a schema says of files it says; what it cannot say is a comment."""
    (tmp_path / "e.txt").write_text('{"rows":[{"time":"2026-05-01","event":"a"}]}')
    flags = ["--input-format", "json", "--records", "rows"]
    assert run(["schemas", "init", "e.txt", *flags, "-o", "mine.toml"]) == 0
    assert tomllib.loads((tmp_path / "mine.toml").read_text())["file"] == {"format": "json", "records": "rows"}
    assert ask("e.txt", "--schema", "mine.toml").rows == [{"value": 1}]
    assert run(["schemas", "init", "e.txt", "--input-format", "json"]) == 0
    assert "mmstats schemas init e.txt --records rows\n" in capfd.readouterr().out
    (tmp_path / "f.csv").write_text("time;event\n2026-05-01;a\n")
    assert run(["schemas", "init", "f.csv", "--delimiter", ";"]) == 0
    assert "go with each question: --delimiter ';'\n" in capfd.readouterr().out


def test_names_may_be_anything(ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Quotes, controls, line breaks and half characters in names and values break no line, and act on no terminal."""
    row = '{"time":"2026-05-01","event":"a\\nb","o\\n\\"\\\\\\u001b[2J":{"country":"\\u202e#"},"\\ud800":{"os":"x"}}\n'
    (tmp_path / "e.ndjson").write_text(row)
    assert run(["schemas", "init", "e.ndjson"]) == 0
    draft = capfd.readouterr().out
    assert "\x1b" not in draft
    assert "\u202e" not in draft
    (tmp_path / "mine.toml").write_text(draft, "utf-8")
    (tmp_path / "f.ndjson").write_text(row.replace(',"\\ud800":{"os":"x"}', ""))
    answer = ask("f.ndjson", "--schema", "mine.toml", "--group-by", "country")
    assert answer.rows == [{"country": "\u202e#", "value": 1}]


REFUSED = {
    "no data": ([], 2, "--data is required"),
    "nothing there": (["nowhere.csv"], 3, "nowhere.csv"),
    "an option of a question": (["a.csv", "--map", "source=x"], 2, "no such option: --map"),
    "over the data": (["a.csv", "-o", "a.csv"], 2, "--output is a file to read"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.usefixtures("ask")
def test_what_is_refused(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Wrong options and data that is not there are refused as by any command."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    arguments, code, said = REFUSED[case]
    assert run(["schemas", "init", *arguments]) == code
    written = capfd.readouterr()
    assert written.out == ""
    assert said in written.err.splitlines()[0]
