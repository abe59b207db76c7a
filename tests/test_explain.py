"""What `--explain` says would be read, what `--stats` says was read, and that neither changes an answer."""

import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.engines.local.explain import explain
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile, Use, count_files, read_rows
from tests.conftest import Ask
from tests.drawn import NEAR, Drawn, datasets, questions

DAYS = 5
ROWS = 1000  # a day
START = datetime(2026, 5, 1)  # noqa: DTZ001 - naive means UTC here


# Files that were written this very moment count as settled, and small ones as worth a look at their footers.
LIMITS = Limits(settle_ns=-(10**9), footer_bytes=0)

pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture
def daily(tmp_path: Path) -> Path:
    """A folder of daily Parquet files, each of ten row groups."""
    folder = tmp_path / "daily"
    folder.mkdir()
    for day in range(DAYS):
        instants = [START + timedelta(days=day, seconds=80 * row) for row in range(ROWS)]
        columns = {"timestamp": instants, "event_name": ["e"] * ROWS, "path": [f"/{row % 7}" for row in range(ROWS)]}
        pl.DataFrame(columns).write_parquet(folder / f"{day}.parquet", row_group_size=ROWS // 10)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from other tests."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))


def told(ask: Ask, location: Path, *words: str) -> dict[str, Any]:
    """What `--explain` says."""
    return ask(location, *words, "--explain", "--format", "json").answer


def uses(explained: dict[str, Any]) -> dict[str, str]:
    """What is done with each file, by its name."""
    return {Path(one["file"]).name: one["use"] for one in explained["uses"]}


@given(datasets(when=NEAR), st.lists(questions(when=NEAR), min_size=1, max_size=3))
@settings(max_examples=80)
def test_what_is_explained_is_what_is_done(drawn: Drawn, asking: list[StatsQuery]) -> None:
    """Every file is read, cached or pruned, the same in the explanation before and in the profile after."""
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "events"), Cache(Path(folder, "cache"))
        data.mkdir()
        drawn.write(data)
        dataset = Dataset((str(data),), limits=LIMITS)
        for query in asking:
            before = explain(query, dataset, cache)
            profile = Profile(with_files=True)
            answer(query, dataset, profile, cache)
            assert [replace(one, rows=None) for one in before.files] == [
                replace(one, rows=None) for one in profile.files
            ]
            assert sum(count_files(before.files, use) for use in Use) == len(before.files)
            assert all(one.bytes <= one.size for one in before.files)
            assert bool(before.plan) == bool(count_files(before.files, Use.READ))


def test_a_range_leaves_out_files_and_row_groups(ask: Ask, daily: Path) -> None:
    """Only files and row groups that overlap a range are to be read, as their footers show."""
    explained = told(ask, daily, "--from", "2026-05-02T00:00:00Z", "--to", "2026-05-03T02:00:00Z")
    query = StatsQuery(start=datetime(2026, 5, 2, tzinfo=UTC), end=datetime(2026, 5, 3, 2, tzinfo=UTC))
    by_footers = explain(query, Dataset((str(daily),), limits=LIMITS), Cache(daily.parent / "footers"))
    assert uses(json.loads(by_footers.to_json())) == uses(explained)
    assert uses(explained) == {
        "0.parquet": "pruned",
        "1.parquet": "read",
        "2.parquet": "read",
        "3.parquet": "pruned",
        "4.parquet": "pruned",
    }
    assert explained["files"] == {"found": 5, "read": 2, "cached": 0, "pruned": 3}
    grouped = told(ask, daily, "--group-by", "path", "--to", "2026-05-01T02:00:00Z", "--no-cache")
    assert grouped["rows"] == ROWS // 10
    assert grouped["columns"] == ["path", "timestamp"]


def test_the_bytes_are_those_of_the_column_chunks_needed(ask: Ask, daily: Path) -> None:
    """The bytes to read are the compressed sizes of the column chunks that the question needs, as DuckDB tells them."""
    explained = told(ask, daily, "--group-by", "path")
    found = duckdb.sql(
        f"SELECT sum(total_compressed_size) FROM parquet_metadata('{daily}/*.parquet') WHERE path_in_schema = 'path'"
    ).fetchall()
    assert explained["columns"] == ["path"]
    assert found == [(explained["bytes"]["read"],)]
    assert explained["bytes"]["stored"] == sum(file.stat().st_size for file in daily.iterdir())


def test_explaining_reads_no_events(ask: Ask, tmp_path: Path) -> None:
    """Files whose events are destroyed but whose footers are whole can be explained, and not be asked."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"timestamp": [START] * 500, "event_name": [str(n) for n in range(500)]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:600] = b"\xff" * 596
    path.write_bytes(content)
    words = (path, "--group-by", "event_name", "--no-cache")
    assert told(ask, *words)["rows"] == 500
    assert ask(*words).code == 4


def test_what_is_cached_is_not_read_again(ask: Ask, daily: Path) -> None:
    """Asked once, a question's answer is cached; with one file changed, only that one is read."""
    words = (daily, "--group-by", "path")
    assert told(ask, *words)["files"] == {"found": 5, "read": 5, "cached": 0, "pruned": 0}
    ask(*words)
    again = told(ask, *words)
    assert (again["answer_cached"], again["bytes"]["read"], again["plan"]) == (True, 0, [])
    pl.read_parquet(daily / "3.parquet").head(10).write_parquet(daily / "3.parquet")
    changed = told(ask, *words)
    assert not changed["answer_cached"]
    assert uses(changed) == {f"{day}.parquet": "read" if day == 3 else "cached" for day in range(DAYS)}
    assert changed["rows"] == 10
    assert told(ask, *words, "--no-cache")["files"]["read"] == DAYS


def test_statistics_spare_reading_rows(ask: Ask, daily: Path) -> None:
    """A count that footers prove reads no rows."""
    assert told(ask, daily)["rows"] == 0
    assert ask(daily).value == DAYS * ROWS


def test_text_is_explained_by_its_size(ask: Ask, tmp_path: Path) -> None:
    """The whole of a text file has to be read; how many rows it has is not known before, and told after."""
    path = tmp_path / "a.csv"
    path.write_text("timestamp,event_name\n" + "2026-05-01,a\n" * 30)
    explained = told(ask, path)
    assert (explained["bytes"]["read"], explained["rows"]) == (path.stat().st_size, None)
    ran = ask(path, "--stats")
    assert ran.value == 30
    assert f"read 1 of 1 file, {path.stat().st_size} B of {path.stat().st_size} B, 30 rows" in ran.err


def page(ask: Ask, location: Path, *words: str) -> str:
    """What `--explain` says to a person."""
    ran = ask(location, "--explain", "--format", "table", *words)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_an_explanation_is_a_page_for_a_person(ask: Ask, daily: Path) -> None:
    """As a table it says what is read of which files, and what is left out and why, without the engine's own words."""
    shown = page(ask, daily, "--to", "2026-05-02", "--metric", "uniques")
    assert shown.startswith("reads 1 of 5 files, at most ")
    assert ", 1,000 rows\ncolumns: timestamp, anonymous_id\n" in shown
    assert "\npruned: no match by statistics       4 " in shown
    assert "SCAN" not in shown
    assert shown.endswith("\n--explain=full adds the plan of the engine\n")


def test_the_plan_is_told_when_it_is_asked_for(ask: Ask, daily: Path) -> None:
    """`--explain=full` adds the engine's plan to the page; JSON always has it; no other value is taken."""
    full = ask(daily, "--explain=full", "--group-by", "path", "--format", "table").out
    assert "\nthe plan of the engine\n" in full
    assert "Parquet SCAN" in full
    assert told(ask, daily, "--group-by", "path") == ask(daily, "--group-by", "path", "--explain=full").answer
    assert "must be summary or full" in ask(daily, "--explain=all").error


def test_the_flag_takes_no_word_behind_it(ask: Ask, daily: Path) -> None:
    """What stands behind `--explain` without `=` is a file of events, and the flag is given once."""
    files = [daily / f"{day}.parquet" for day in range(2)]
    assert [*uses(ask(files[0], "--explain", str(files[1])).answer)] == [file.name for file in files]
    assert "only once" in ask(daily, "--explain", "--explain=full").error


def test_every_reason_for_not_reading_is_told(ask: Ask, daily: Path, tmp_path: Path) -> None:
    """Files that are pruned say why: by folder, by range, by statistics; cached ones that they were counted before."""

    def whys(location: Path, *words: str) -> dict[str, str | None]:
        return {Path(one["file"]).name: one["why"] for one in told(ask, location, *words)["uses"]}

    nothing = whys(daily, "--event", "none", "--group-by", "path")
    assert set(nothing.values()) == {"no match by statistics"}
    assert set(whys(daily).values()) == {"counted by its footer"}
    assert set(whys(daily, "--group-by", "path").values()) == {None}
    ask(daily, "--group-by", "path")
    (daily / "4.parquet").unlink()
    assert set(whys(daily, "--group-by", "path").values()) == {"counted before"}
    folders = tmp_path / "folders"
    for day in range(2):
        (folders / f"day=2026-05-0{day + 1}").mkdir(parents=True)
        (daily / f"{day}.parquet").rename(folders / f"day=2026-05-0{day + 1}" / f"{day}.parquet")
    trusted = whys(folders, "--trust-partitions", "--from", "2026-05-02", "--group-by", "path")
    assert trusted == {"0.parquet": "folder outside the range", "1.parquet": None}


def test_files_outside_the_range_say_so(daily: Path) -> None:
    """A file whose footer tells that all outside the range is pruned for that."""
    query = StatsQuery(start=datetime(2026, 5, 2, tzinfo=UTC), group_by=("path",))
    told_of = explain(query, Dataset((str(daily),), limits=LIMITS), Cache(daily.parent / "footers"))
    assert [one.why for one in told_of.files] == ["outside the range", *[""] * (DAYS - 1)]


def test_the_page_of_a_cached_answer_is_one_line(ask: Ask, daily: Path) -> None:
    """Where the answer itself is cached there is nothing else to say."""
    ask(daily, "--group-by", "path")
    assert page(ask, daily, "--group-by", "path") == "the answer is cached: no file is read\n"


def test_the_page_says_when_no_event_is_read(ask: Ask, daily: Path) -> None:
    """A count that footers tell reads no events, and the page says so."""
    assert page(ask, daily).startswith("reads no events of 5 files, ")


def test_stats_leave_stdout_as_it_is(ask: Ask, daily: Path) -> None:
    """The answer is the same with `--stats`, which speaks on stderr: of reading, of the cache and of time."""
    words = (daily, "--group-by", "path")
    plain = ask(*words, "--no-cache")
    first, second, bare = ask(*words, "--stats"), ask(*words, "--stats"), ask(*words, "--stats", "--no-cache")
    assert plain.out == first.out == second.out == bare.out
    assert all(line.startswith("stats: ") for ran in (first, second, bare) for line in ran.err.splitlines())
    assert "read 5 of 5 files" in first.err
    assert "5,000 rows; 0 files pruned" in first.err
    assert "cache: 0 files reused, 5 stored" in first.err
    assert "read nothing: the answer was cached" in second.err
    assert "cache: not used" in bare.err
    for phase in ("find files", "read and group", "order", "in all"):
        assert phase in first.err


def test_explain_and_stats_exclude_each_other(ask: Ask, daily: Path) -> None:
    """--explain answers nothing: it excludes --stats, and takes no format of an answer."""
    assert "--stats" in ask(daily, "--explain", "--stats").error
    wrong = ask(daily, "--explain", "--format", "csv")
    assert (wrong.code, "json" in wrong.error) == (2, True)


def test_explaining_what_is_not_there_is_an_error(ask: Ask, tmp_path: Path) -> None:
    """A dataset that is not there is the same error to --explain as to a question."""
    assert ask(tmp_path / "none", "--explain").code == 3


def test_rows_read_hold_the_events_counted(daily: Path) -> None:
    """There are at least as many rows read as events answered."""
    query = StatsQuery(group_by=("path",), start=None, end=None)
    profile = Profile(with_files=True)
    stats = answer(query, Dataset((str(daily),)), profile)
    assert sum(row["value"] for row in stats.rows) == read_rows(profile.files) == DAYS * ROWS


def test_what_cannot_be_kept_is_not_said_to_be(ask: Ask, daily: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing fits or can be written into the cache, `--stats` says that nothing is kept."""
    for variable, value in (("MMSTATS_CACHE_SIZE", "1k"), ("MMSTATS_CACHE_DIR", "/dev/null")):
        monkeypatch.setenv(variable, value)
        assert "0 stored" in ask(daily, "--group-by", "path", "--stats").err


def test_an_empty_file_is_read(ask: Ask, tmp_path: Path) -> None:
    """A file without rows is not pruned."""
    pl.DataFrame(schema={"timestamp": pl.Datetime("us"), "event_name": pl.String}).write_parquet(tmp_path / "a.parquet")
    assert told(ask, tmp_path / "a.parquet", "--group-by", "event_name")["files"]["read"] == 1


def test_an_explanation_is_bounded_in_memory(ask: Ask, daily: Path) -> None:
    """A bound on memory holds for explaining as well."""
    assert "memory" in ask(daily, "--explain", "--max-memory", "1MiB").error
