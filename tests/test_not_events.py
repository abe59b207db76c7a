"""What is no events at all is never answered with 0: exit 3 says what it is instead."""

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmstats.cli import run
from tests.conftest import Ask

PAGES = {
    "doctype": b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    "lines": b"\r\n<html>\n<head><title>404, not found</title></head>\n<body>a,b</body>\n</html>\n",
    "mark": b"\xef\xbb\xbf<HTML>\n",
    "xml": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
}
HEADERS = {
    "no timestamp": (b"event_name,country\n", "no column 'timestamp'"),
    "no event": (b"timestamp,country\n", "no column 'event_name'"),
    "neither, and no line end": (b"id,country", "no column 'timestamp' and no column 'event_name'"),
    "with rows": (b"id,country\n1,DE\n", "no column 'timestamp' and no column 'event_name'"),
    "plain text": (b"upstream connect error or disconnect", "no column 'timestamp' and no column 'event_name'"),
}
COMMANDS = {
    "query": ["query", "--data"],
    "describe": ["describe", "--data"],
    "import": ["import", "--to", "store"],
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.ndjson", "a.json", "a.csv.gz"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_web_page_is_no_events(
    command: list[str],
    name: str,
    page: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A web page under the name of any text format is said to be one, even where bad rows are left out."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(gzip.compress(page) if name.endswith("gz") else page)
    for more in ([], ["--skip-bad-rows"] if command[0] != "describe" else []):
        assert run([*command, name, *more]) == 3
        out, err = capsys.readouterr()
        kind = "XML" if b"xml" in page else "HTML"
        form = name.split(".")[1].upper()
        assert (out, err) == ("", f"error: {name}: is {kind}, not {form}\nhint: did a server send an error page?\n")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_web_page_through_a_pipe_is_no_events(
    page: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What curl prints where a server fails is told from events."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(page)))
    assert run(["query", "--data", "-"]) == 3
    assert capsys.readouterr().err.startswith(f"error: stdin: is {'XML' if b'xml' in page else 'HTML'}, not CSV\n")


@pytest.mark.parametrize(("content", "fault"), HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("skip", [[], ["--skip-bad-rows"]], ids=["", "skip"])
def test_a_header_without_what_events_need_is_none_of_events(
    ask: Ask, tmp_path: Path, content: bytes, fault: str, skip: list[str]
) -> None:
    """A CSV whose header lacks a column that must be there is no events, with rows or without."""
    (tmp_path / "a.csv").write_bytes(content)
    ran = ask("a.csv", *skip)
    assert (ran.code, ran.error) == (3, f"a.csv: {fault}")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n \n", b"timestamp,event_name\n", b"event,timestamp,x"],
    ids=["nothing", "blank", "both", "event"],
)
def test_a_header_of_events_is_zero_events(ask: Ask, tmp_path: Path, content: bytes) -> None:
    """Nothing at all, or a header with the columns that must be there, is zero events and answered."""
    (tmp_path / "a.csv").write_bytes(content)
    assert ask("a.csv").value == 0


def test_folders_and_maps_complete_a_header(ask: Ask, tmp_path: Path) -> None:
    """A column that must be there may come from a folder's name, or by another name."""
    (tmp_path / "event_name=a").mkdir()
    (tmp_path / "event_name=a" / "a.csv").write_bytes(b"ts\n")
    assert ask("event_name=a", "--map", "timestamp=ts").value == 0
    assert ask("event_name=a").error == "event_name=a/a.csv: no column 'timestamp'"


@pytest.mark.parametrize("content", [b'{"error":"no \\u001b key","status":403}', b'[{"error":1,"status":2}]'])
def test_json_of_something_else_says_what_it_has(ask: Ask, tmp_path: Path, content: bytes) -> None:
    """JSON objects that are no events are refused, and the hint says which keys they have."""
    (tmp_path / "a.json").write_bytes(content)
    ran = ask("a.json")
    assert (ran.code, ran.error) == (3, "a.json: no column 'timestamp' and no column 'event_name'")
    flags = "--map timestamp=COLUMN --map event_name=COLUMN"
    assert ran.err.splitlines()[1] == f"hint: it has error, status; {flags} names what serves"
