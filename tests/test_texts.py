"""Text files read by several threads: every row once, the first fault in order, and little read ahead."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from mmstats.answer import Stats
from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.engines.local.explain import explain
from mmstats.errors import BadRow, NotEvents, OutputError
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile, Use
from mmstats.store.importing import import_events

from .test_blocks import blocks

BY_PATH = StatsQuery(group_by=("path",), limit=None)
FORMATS = ["ndjson", "ndjson.gz", "ndjson.zst", "csv", "csv.gz", "tsv"]
HEADERS = {"csv": "timestamp,event_name,path\n", "tsv": "timestamp\tevent_name\tpath\n"}
BAD = ("soon", "/bad")
Row = tuple[str, str]


def encoded(rows: list[Row], form: str) -> bytes:
    """Timestamps and paths as a file of a format has them."""
    name, _, compression = form.partition(".")
    if name == "ndjson":
        lines = [json.dumps({"timestamp": at, "event_name": "a", "path": path}) + "\n" for at, path in rows]
    else:
        mark = "\t" if name == "tsv" else ","
        lines = [HEADERS[name], *(f"{at}{mark}a{mark}{path}\n" for at, path in rows)]
    data = "".join(lines).encode()
    if compression == "zst":
        return pa.compress(data, codec="zstd", asbytes=True)
    return gzip.compress(data) if compression else data


def numbered(count: int, file: int = 0) -> list[Row]:
    """So many good rows, each with a path of its own."""
    return [(f"2026-05-{1 + row % 28:02}T00:00:00.{row % 1000:03}Z", f"/{file}/{row}") for row in range(count)]


def files_of(folder: Path, form: str, *contents: list[Row]) -> list[Path]:
    """A file for each content, named in order."""
    paths = [folder / f"{index:02}.{form}" for index in range(len(contents))]
    for path, rows in zip(paths, contents, strict=True):
        path.write_bytes(encoded(rows, form))
    return paths


def ask(folder: Path, profile: Profile | None = None, *, skip: bool = False, size: int = 2000) -> Stats:
    """How many events each path has, the files of a folder read in blocks of about so many bytes."""
    return answer(BY_PATH, Dataset((str(folder),), skip_bad_rows=skip, limits=blocks(size)), profile)


def threads() -> set[threading.Thread]:
    """Python's own threads; the engine's, which now and then call Python, stay."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Dummy")}


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """However reading ends, it leaves no thread behind."""
    before = threads()
    yield
    assert threads() <= before


@pytest.mark.parametrize("form", FORMATS)
def test_several_files_at_once_give_every_row_once(tmp_path: Path, form: str) -> None:
    """Large and small files, in many blocks, lose no row and give none twice."""
    contents = [numbered(count, file) for file, count in enumerate((700, 3, 0, 400, 1, 900))]
    files_of(tmp_path, form, *contents)
    found = ask(tmp_path)
    assert sorted((row["path"], row["value"]) for row in found.rows) == sorted(
        (path, 1) for rows in contents for _, path in rows
    )


@pytest.mark.parametrize("form", FORMATS)
def test_the_first_fault_in_the_order_of_the_files_is_named(tmp_path: Path, form: str) -> None:
    """A fault at the end of a long file goes before one at the beginning of the next."""
    late, early = [*numbered(900), ("soon", "/late")], [("never", "/early"), *numbered(3)]
    first = files_of(tmp_path, form, late, early, early)[0]
    with pytest.raises(BadRow) as raised:
        ask(tmp_path)
    line = 901 + (not form.startswith("ndjson"))
    assert raised.value.message == f'{first}: line {line}: the timestamp "soon" is no instant'


@pytest.mark.parametrize("form", FORMATS)
def test_bad_rows_of_several_files_are_left_out_and_counted(tmp_path: Path, form: str) -> None:
    """Bad rows are counted by file, whichever thread meets them."""
    contents = [[BAD, *numbered(500), BAD], numbered(2), [*numbered(300), BAD, *numbered(300)]]
    first, _, last = files_of(tmp_path, form, *contents)
    found = ask(tmp_path, skip=True)
    assert sum(row["value"] for row in found.rows) == 1102
    assert found.notices == (f"left out 3 rows that could not be read: {first} (2 rows), {last} (1 row)",)


@pytest.mark.parametrize("form", FORMATS)
def test_the_span_of_a_file_is_that_of_all_its_readable_rows(tmp_path: Path, form: str) -> None:
    """Once a file has been read, ranges before its first row or after its last one leave it out."""
    rows = [*numbered(500), ("1969-12-31T23:59:59.5Z", "/first"), BAD, ("2026-06-01", "/last")]
    (tmp_path / "events").mkdir()
    files_of(tmp_path / "events", form, rows, numbered(1))
    cache, limits = Cache(tmp_path / "cache"), replace(blocks(2000), settle_ns=-(10**9))
    dataset = Dataset((str(tmp_path / "events"),), skip_bad_rows=True, limits=limits)
    day = datetime(2026, 5, 3, tzinfo=UTC)
    answer(replace(BY_PATH, start=day, end=day + timedelta(days=1)), dataset, cache=cache)
    first, last = datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), datetime(2026, 6, 1, tzinfo=UTC)
    step = timedelta(microseconds=1)
    ranges = [{"end": first}, {"end": first + step}, {"start": last}, {"start": last + step}]
    uses = [explain(replace(BY_PATH, **bounds), dataset, cache).files[0].use for bounds in ranges]
    assert uses == [Use.PRUNED, Use.READ, Use.READ, Use.PRUNED]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_cached_of_a_file_with_a_fault(tmp_path: Path, form: str) -> None:
    """A file with a fault is read again and its fault is named again, in any range."""
    (tmp_path / "events").mkdir()
    files_of(tmp_path / "events", form, numbered(3), [*numbered(3), BAD])
    dataset = Dataset((str(tmp_path / "events"),), limits=Limits(settle_ns=-(10**9)))
    for query in (BY_PATH, BY_PATH, replace(BY_PATH, start=datetime(2030, 1, 1, tzinfo=UTC))):
        with pytest.raises(BadRow):
            answer(query, dataset, cache=Cache(tmp_path / "cache"))


def test_a_file_without_a_column_is_named_after_the_faults_before_it(tmp_path: Path) -> None:
    """A missing column is reported in the order of the files, too."""
    bad, lacking = files_of(tmp_path, "csv", [*numbered(900), BAD], [])
    lacking.write_text("when,path\n1,/\n")
    with pytest.raises(BadRow):
        ask(tmp_path)
    bad.unlink()
    with pytest.raises(NotEvents):
        ask(tmp_path)


@pytest.mark.parametrize("form", ["ndjson", "csv", "ndjson.gz"])
def test_bytes_read_are_told_once(tmp_path: Path, form: str) -> None:
    """Progress adds up to the size of the files."""
    told: list[int] = []
    paths = files_of(tmp_path, form, numbered(9000), numbered(20))
    ask(tmp_path, Profile(advance=told.append), size=70_000)
    assert sum(told) == sum(path.stat().st_size for path in paths)


def test_no_more_is_read_than_is_soon_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one file keeps a question waiting, little is read of the files behind it."""
    size, told, ahead = 1 << 16, [0], []
    first, *_ = files_of(tmp_path, "ndjson", *[numbered(1000) * 30] * 4)
    open_ = Path.open

    def slow(path: Path, *mode: str) -> object:
        if path == first:
            time.sleep(0.3)
            ahead.append(sum(told))
        return open_(path, *mode)

    monkeypatch.setattr(Path, "open", slow)
    ask(tmp_path, Profile(advance=told.append), size=size)
    assert ahead[-1] <= 8 * size * pl.thread_pool_size()
    assert sum(told) > 100 * size


@pytest.mark.parametrize("form", ["ndjson", "ndjson.gz"])
def test_whoever_stops_taking_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """An import that fails leaves no thread that still reads its source."""

    def full(*_: object, **__: object) -> None:
        raise OSError("no room")

    (source,) = files_of(tmp_path, form, numbered(20_000))
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write", full)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_batch", full)
    with pytest.raises(OutputError):
        import_events(Dataset((str(source),), limits=replace(blocks(500), held_bytes=1)), tmp_path / "store")


def test_a_bug_in_a_thread_is_raised_where_the_rows_are_taken(tmp_path: Path) -> None:
    """An unexpected exception in a reading thread reaches the caller."""
    files_of(tmp_path, "ndjson", numbered(50))

    def failing(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(tmp_path, Profile(advance=failing))
