"""A schema is a file of a closed vocabulary, named on the command line, in settings and in Python."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import mmstats
from mmstats.cli import run
from mmstats.errors import InvalidSettings
from mmstats.schemas import bundled
from tests.conftest import Ask
from tests.serving import serving

HEAD = '[columns]\ntimestamp = "t"\n'
MINE = """\
title = "Mine"

[columns]
timestamp = "at"
event_name = { constant = "visit" }
path = { from = "link", url = "path" }
"""
VISITS = "at,link,kind\n2026-05-01T10:00:00Z,https://example.com/a?b=1,x\n2026-05-02T10:00:00Z,https://example.com,y\n"


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """A file of visits, and `mine.toml`, which says how it is read."""
    (tmp_path / "mine.toml").write_text(MINE)
    file = tmp_path / "visits.csv"
    file.write_text(VISITS)
    return file


BY_PATH = [{"path": "/", "value": 1}, {"path": "/a", "value": 1}]


def test_a_source_is_added_by_a_file(visits: Path, ask: Ask) -> None:
    """An export that nobody knows is read by a TOML file and nothing else, with a constant for the event's name."""
    assert ask(visits, "--schema", "mine.toml", "--group-by", "path").rows == BY_PATH
    assert ask(visits, "--schema", "mine.toml", "--event", "visit", "--from", "2026-05-02").value == 1
    assert ask(visits, "--schema", "./mine.toml", "--event", "visits").value == 0


def test_a_mapping_comes_before_a_schema(visits: Path, ask: Ask) -> None:
    """What `--map` says of a column is taken, whatever a schema says of it."""
    rows = ask(visits, "--schema", "mine.toml", "--map", "path=kind", "--group-by", "path").rows
    assert [row["path"] for row in rows] == ["x", "y"]


@pytest.mark.parametrize("name", ["part-0", "visits.txt", "visits.log", "2026.05.01"])
def test_names_that_say_no_format(ask: Ask, visits: Path, name: str) -> None:
    """With a schema, files are read whose names say no format: as JSON, or as the schema says."""
    visits.unlink()
    (visits.parent / name).write_text('{"at":"2026-05-01","link":"/a"}\n')
    assert ask(".", "--schema", "mine.toml").value == 1
    assert ask(name, "--schema", "mine.toml").value == 1
    (visits.parent / name).write_text(VISITS)
    (visits.parent / "mine.toml").write_text(f'{MINE}[file]\nformat = "csv"\n')
    assert ask(".", "--schema", "mine.toml").value == 2


def test_names_that_a_file_repeats(ask: Ask, visits: Path) -> None:
    """Where a schema names the fields, a first line of just these names is a header and no event."""
    given = f'{MINE}[file]\nformat = "csv"\nnames = ["at", "link", "kind"]\n'
    (visits.parent / "mine.toml").write_text(given)
    assert ask(visits, "--schema", "mine.toml", "--group-by", "path").rows == BY_PATH
    visits.write_text(VISITS.partition("\n")[2])
    assert ask(visits, "--schema", "mine.toml", "--group-by", "path").rows == BY_PATH


def test_python_takes_a_schema(visits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python reads an export by a schema's name, or by a path."""
    monkeypatch.chdir(tmp_path)
    assert mmstats.stats(visits, schema=tmp_path / "mine.toml", group_by="path").rows == BY_PATH
    assert mmstats.stats(visits, schema="mine.toml").rows == [{"value": 2}]
    with pytest.raises(InvalidSettings, match=r"none\.toml"):
        mmstats.stats(visits, schema="none.toml")


def test_settings_name_a_schema(visits: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project's settings name a schema, by name or by a path that begins at their folder."""
    (tmp_path / "mmstats.toml").write_text('schema = "mine.toml"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert ask(visits, "--group-by", "path").rows == BY_PATH
    (tmp_path / "mmstats.toml").write_text('schema = "umami"\n')
    refused = ask(visits)
    assert refused.code == 3
    assert "'created_at'" in refused.error
    (tmp_path / "mmstats.toml").write_text('schema = "umani"\n')
    refused = ask(visits)
    assert refused.code == 2
    assert refused.error.endswith("mmstats.toml: schema must be a known export, not 'umani'; did you mean umami?")


def test_a_server_takes_a_schema(visits: Path, tmp_path: Path) -> None:
    """A server answers over an export as the command line does."""
    with serving(str(visits), "--schema", str(tmp_path / "mine.toml")) as server:
        found = server.request("/v1/stats?from=2026-05-01&to=2026-06-01&group_by=path")
    assert json.loads(found.body)["rows"] == BY_PATH


def test_a_server_refuses_what_it_cannot_look_up(visits: Path, tmp_path: Path) -> None:
    """Over HTTP a question that needs a database of addresses is a wrong one, and others are answered."""
    (tmp_path / "mine.toml").write_text(f'{MINE}country = {{ from = "kind", geo = "country" }}\n')
    with serving(str(visits), "--schema", str(tmp_path / "mine.toml")) as server:
        refused, found = (
            server.request(f"/v1/stats?from=2026-05-01&to=2026-06-01&group_by={column}")
            for column in ("country", "path")
        )
    assert refused.status == 400
    details = {"fieldErrors": {"schema": ["needs a database of addresses for country"]}}
    assert json.loads(refused.body) == {"error": "invalid_params", "details": details}
    assert json.loads(found.body)["rows"] == BY_PATH


def test_describe_says_what_columns_are_made_of(visits: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A description names the columns of the export that each event column is made of."""
    assert run(["describe", str(visits), "--schema", str(visits.parent / "mine.toml"), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert {use["column"]: use["from"] for use in found["columns"]} == {
        "timestamp": ["at"],
        "event_name": [],
        "path": ["link"],
    }


@pytest.mark.parametrize(
    ("text", "line", "fault", "hint"),
    [
        ("[columns]\n", 1, "no [columns], so there is nothing to read", ""),
        ("titel = 'a'\n", 1, "unknown key 'titel'", "did you mean title?"),
        (f"{HEAD}pth = 'a'\n", 3, "unknown key 'pth' in [columns]", "did you mean path?"),
        (f"{HEAD}\n# one\npath = 1\n", 5, "path must be a column or path", ""),
        (f"{HEAD}path = ''\n", 3, "path must be a column or path", ""),
        (f"{HEAD}path = []\n", 3, "path must be a column or path", ""),
        (f"{HEAD}path = [\n  'a',\n  2,\n]\n", 3, "path must be a column or path", ""),
        (f"{HEAD}path = {{ from = 'a', eval = '1' }}\n", 3, "unknown key 'eval' of path", "allowed: from, join"),
        (f"{HEAD}path = {{ url = 'path' }}\n", 3, "path needs one of from, join, constant, and has none", ""),
        (f"{HEAD}path = {{ from = 'a', constant = 'b' }}\n", 3, "and has from and constant", ""),
        (f"{HEAD}path = {{ constant = 'b', lower = true }}\n", 3, "a constant stands alone", ""),
        (f"{HEAD}path = {{ from = 'a', url = 'pth' }}\n", 3, 'url must be "path" or "host"', "did you mean path?"),
        (f"{HEAD}path = {{ from = 'a', agent = 'device' }}\n", 3, 'agent must be "browser" or "os"', ""),
        (f"{HEAD}path = {{ from = 'a', query = '' }}\n", 3, "query must be a text", ""),
        (f"{HEAD}path = {{ from = 'a', lower = false }}\n", 3, "lower must be true, not false", ""),
        (f"{HEAD}path = {{ from = 'a', lower = true, upper = true }}\n", 3, "cannot have upper and lower", ""),
        (f"{HEAD}path = {{ from = 'a', url = 'path', query = 'b' }}\n", 3, "cannot have url and query", ""),
        (f"{HEAD}path = {{ from = 'a', values = {{ b = 1 }} }}\n", 3, "values must be a table of texts", ""),
        (f"{HEAD}path = {{ join = ['a'] }}\n", 3, "join must be a list of two or more columns", ""),
        (f"{HEAD}columns.path = 1\n", 3, "unknown key 'columns' in [columns]", ""),
        (f"{HEAD}[only]\ntype = 'track'\n", 4, "type must be a list of texts, not 'track'", ""),
        (f"{HEAD}[file]\nquote = false\n", 4, "unknown key 'quote' in [file]", "did you mean quotes?"),
        (f"{HEAD}[file]\nformat = 'xml'\n", 4, 'format must be "parquet" or', ""),
        (f"{HEAD}[file]\nempty = ''\n", 4, "empty must be a text", ""),
        (f"file = 1\n{HEAD}", 1, "file must be a table, not 1", ""),
        (f"{HEAD}path = {{ from = {{ from = 'a', x = 1 }} }}\n", 3, "unknown key 'x' of from", ""),
        (f"{HEAD}path = 'a\n", 3, "not valid TOML", ""),
        (f"{HEAD}path = 'a'\npath = 'b'\n", 4, "not valid TOML", ""),
    ],
)
def test_a_wrong_schema(visits: Path, ask: Ask, text: str, line: int, fault: str, hint: str) -> None:
    """What a schema says that is not in its vocabulary is refused by file and line, and with what is allowed."""
    (visits.parent / "wrong.toml").write_text(text)
    refused = ask(visits, "--schema", "wrong.toml")
    assert refused.code == 2
    assert refused.error.startswith("wrong.toml: ")
    assert f"line {line}" in refused.error
    assert fault in refused.error
    assert hint in refused.err


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        ("goatcouter", "--schema must be a known export, not 'goatcouter'", "did you mean goatcounter?"),
        ("none", "--schema must be a known export, not 'none'", f"known exports: {', '.join(bundled())}; or a file"),
        ("", "--schema must not be empty", ""),
        ("none.toml", "none.toml: no such schema file", "known exports: amplitude"),
        ("folder.toml", "folder.toml: no such schema file", "known exports: amplitude"),
        ("latin.toml", "latin.toml: line 2: not UTF-8", ""),
        ("plausible", "plausible: its exports are daily sums, not events", ""),
    ],
)
def test_a_schema_that_is_none(visits: Path, ask: Ask, name: str, error: str, hint: str) -> None:
    """A schema that nobody knows, or that cannot be read, is refused, and so is an export that holds no events."""
    (visits.parent / "folder.toml").mkdir()
    (visits.parent / "latin.toml").write_bytes(b"title = 'a'\n# \xe9\n")
    refused = ask(visits, "--schema", name)
    assert (refused.code, refused.error) == (2, error)
    assert hint in refused.err


def test_deep_nesting_is_refused(visits: Path, ask: Ask) -> None:
    """A schema nested too deep is refused, and ends nothing."""
    (visits.parent / "deep.toml").write_text(f"{HEAD}path = {'[' * 10_000}{']' * 10_000}\n")
    assert ask(visits, "--schema", "deep.toml").error.startswith("deep.toml: not valid TOML")


def test_what_is_no_event_is_passed_over(ask: Ask, tmp_path: Path) -> None:
    """Rows that `only` leaves out are counted on stderr and not judged, alike in every format that has the column."""
    rows = [
        {"t": "2026-05-01", "n": "a", "type": "track", "path": "/a"},
        {"t": "2026-05-02", "n": "b", "type": "page", "path": "/b"},
        {"t": None, "n": "c", "type": "identify", "path": "/c"},
        {"t": "2026-05-03", "n": "d", "type": None, "path": "/d"},
    ]
    (tmp_path / "only.toml").write_text(f'{HEAD}event_name = "n"\n[only]\ntype = ["track", "page"]\n')
    write_all(tmp_path, rows)
    for file in ("a.ndjson", "a.csv", "a.parquet", "a.arrow"):
        found = ask(file, "--schema", "only.toml", "--group-by", "path")
        assert [row["path"] for row in found.rows] == ["/a", "/b"], file
        assert found.err == "warning: passed over 2 rows that the schema says are no events\n", file
        assert ask(file, "--schema", "only.toml").value == 2
        assert ask(file, "--schema", "only.toml", "--from", "2026-05-02").value == 1
    together = ask(".", "--schema", "only.toml")
    assert together.value == 8
    assert together.err.endswith("warning: passed over 8 rows that the schema says are no events\n")


def write_all(folder: Path, rows: list[dict[str, str | None]]) -> None:
    """Write rows in every kind of format."""
    frame = pl.DataFrame(rows)
    frame.write_parquet(folder / "a.parquet")
    frame.write_ipc(folder / "a.arrow")
    frame.write_csv(folder / "a.csv")
    frame.write_ndjson(folder / "a.ndjson")


@pytest.mark.parametrize("lines", [1, 200])
def test_only_holds_where_the_data_has_it(visits: Path, ask: Ask, lines: int) -> None:
    """A file without the column is read as a whole, beside one that has it."""
    (visits.parent / "only.toml").write_text(f'{MINE}[only]\ntype = ["track"]\n')
    found = ask(visits, "--schema", "only.toml")
    assert (found.value, found.err) == (2, "")
    (visits.parent / "a.ndjson").write_text('{"at":"2026-05-01","held":{"type":"page"}}\n' * lines)
    (visits.parent / "b.ndjson").write_text('{"at":"2026-05-01","type":"page"}\n' * lines)
    found = ask("*.ndjson", "--schema", "only.toml")
    assert found.value == lines
    assert found.err.startswith(f"warning: passed over {lines} row")


def test_typed_timestamps_keep_their_instant(ask: Ask, tmp_path: Path) -> None:
    """Of several columns that may be the timestamp the first that is not null counts, each read as its type says."""
    schema = '[columns]\ntimestamp = ["sent", "made", "told"]\nevent_name = { constant = "a" }\n'
    (tmp_path / "mine.toml").write_text(schema)
    first = datetime(2026, 5, 1, 10, 0, 0, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "sent": pl.Series([first, None, None], dtype=pl.Datetime("ns", "Europe/Berlin")),
            "made": pl.Series([1, 1_777_719_600, None], dtype=pl.Int64),
            "told": ["no instant", "no instant", "2026-05-03T12:00:00+02:00"],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    rows = ask("a.parquet", "--schema", "mine.toml", "--interval", "hour").rows
    hours = ["2026-05-01 10:00:00", "2026-05-02 11:00:00", "2026-05-03 10:00:00"]
    assert [row["bucket"] for row in rows] == hours
    assert ask("a.parquet", "--schema", "mine.toml", "--from", "2026-05-01T10:00:00.000001Z").value == 3
    assert ask("a.parquet", "--schema", "mine.toml", "--from", "2026-05-01T10:00:00.000002Z").value == 2
    frame.with_columns(told=pl.lit("x")).write_parquet(tmp_path / "b.parquet")
    refused = ask("b.parquet", "--schema", "mine.toml")
    assert (refused.code, refused.error) == (4, 'b.parquet: row 3: the timestamp "x" is no instant')
    assert ask("b.parquet", "--schema", "mine.toml", "--skip-bad-rows").value == 2


@pytest.mark.usefixtures("later")
def test_a_schema_that_changes_is_read_anew(
    visits: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is given again only while the schema is what it was."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    question = ("--schema", "mine.toml", "--group-by", "path")
    assert [ask(visits, *question).rows for _ in range(2)] == [BY_PATH] * 2
    (tmp_path / "mine.toml").write_text(MINE.replace('url = "path"', 'url = "host"'))
    assert ask(visits, *question).rows == [{"path": "example.com", "value": 2}]


def test_an_import_knows_its_schema(visits: Path, ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """What was imported by a schema that has changed since is imported anew; by the same one it is not."""
    store = visits.parent / "store"
    words = ["import", str(visits), "--schema", str(visits.parent / "mine.toml"), "--to", str(store)]
    told = []
    for text in (MINE, MINE, MINE.replace('url = "path"', 'url = "host"')):
        (visits.parent / "mine.toml").write_text(text)
        assert run(words) == 0
        told.append(capfd.readouterr().err.splitlines()[0].partition(";")[0])
    assert told == [
        "note: sources: 1 added, 0 replaced, 0 unchanged",
        "note: sources: 0 added, 0 replaced, 1 unchanged",
        "note: sources: 0 added, 1 replaced, 0 unchanged",
    ]
    assert ask(store, "--group-by", "path").rows == [{"path": "example.com", "value": 2}]
    assert ask(store, "--schema", str(visits.parent / "mine.toml")).value == 2


def test_a_cluster_is_asked_of_a_store(visits: Path, ask: Ask) -> None:
    """A cluster is not asked of an export whose schema says more than names; the hint is to import it."""
    refused = ask(visits, "--schema", "mine.toml", "--engine", "sc://127.0.0.1:1")
    assert (refused.code, refused.error) == (
        4,
        "Mine: a schema that says more than names, which no cluster is asked of",
    )
    assert "hint: import first: 'mmstats import DATA --to STORE'" in refused.err


@pytest.mark.parametrize("required", ["absent", "held.absent"])
def test_names_that_nothing_has(ask: Ask, tmp_path: Path, required: str) -> None:
    """Where no file has what a schema makes the event's name of, the question says so, and an import refuses."""
    (tmp_path / "mine.toml").write_text(f'[columns]\ntimestamp = "t"\nevent_name = "{required}"\n')
    (tmp_path / "a.ndjson").write_text('{"t":"2026-05-01","held":{"name":"a"}}\n')
    refused = ask("a.ndjson", "--schema", "mine.toml")
    assert refused.code == 3
    assert f"no column '{required}' to serve as event_name" in refused.error
    assert run(["import", "a.ndjson", "--schema", "mine.toml", "--to", "store"]) == 3


def test_the_known_exports_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    """`mmstats schemas` lists the exports that are known, a line each, and prints one as an example."""
    assert run(["schemas"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(bundled())
    assert len(listed) == 16
    assert run(["schemas", "goatcounter"]) == 0
    printed = capfd.readouterr().out
    assert printed.startswith('title = "GoatCounter')
    assert run(["schemas", "goat"]) == 2
    assert "must be a known export" in capfd.readouterr().err


@pytest.mark.parametrize("name", [name for name in bundled() if name != "plausible"])
def test_a_known_export_is_an_example(name: str, ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What `mmstats schemas NAME` prints is a schema that reads what the name reads."""
    run(["schemas", name])
    (tmp_path / "mine.toml").write_text(capfd.readouterr().out)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    refused = [ask("a.csv", "--schema", schema) for schema in (name, "mine.toml")]
    assert refused[0] == refused[1]
    assert os.sep not in refused[0].error
