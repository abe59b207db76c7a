"""Bits that are not what was written: a store's files, its manifest and the cache give no wrong answer for them."""

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from benchmarks import bit_flips
from benchmarks.bit_flips import Outcome
from mmstats.cli import run
from mmstats.dataset import EVENT_COLUMNS, sample_folder
from mmstats.errors import Unreadable
from mmstats.files.manifest import parse_manifest
from tests.conftest import Ask
from tests.importing import answered, events, files_of, manifest, put, signed, take

ROWS = (400, 300, 200)
HINT = "hint: restore it, or import the sources into a new store\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with and without page checksums, and a store of them."""
    folder = tmp_path_factory.mktemp("data")
    bit_flips.make_data(folder, ROWS)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three days."""
    take(tmp_path / "store", put(tmp_path / "in" / "a.ndjson", events("a", 1, 2, 3, rows=200)))
    return tmp_path / "store"


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Callable[[Path], list[str]]:
    """Run `describe --check`: what it says of each fault."""

    def checked(location: Path) -> list[str]:
        capfd.readouterr()
        code = run(["describe", "--check", "--data", str(location)])
        check = json.loads(capfd.readouterr().out)["check"]
        assert (code, check["total"]) == (int(bool(check["faults"])), len(check["faults"]))
        return [fault["what"] for fault in check["faults"]]

    return checked


def flip(path: Path, position: int, bit: int = 0) -> None:
    """Make one bit of a file another."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def page_of(path: Path, column: str, row_group: int = 0) -> int:
    """A place in a data page of a column, behind its header."""
    group = pq.read_metadata(path).row_group(row_group)
    (chunk,) = (one for at in range(group.num_columns) if (one := group.column(at)).path_in_schema == column)
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return int(start + chunk.total_compressed_size - 3)


@pytest.mark.parametrize(
    ("kind", "checked", "expected"),
    [
        ("store", False, {Outcome.RIGHT, Outcome.REFUSED}),
        ("store", True, {Outcome.REFUSED}),
        ("manifest", False, {Outcome.REFUSED}),
        ("cache", False, {Outcome.RIGHT}),
    ],
)
def test_a_bit_flipped_anywhere_gives_no_wrong_answer(
    data: Path, tmp_path: Path, kind: str, checked: bool, expected: set[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, visitors, groups, ranges and buckets are right or refused; a check finds each; a cache costs nothing."""
    monkeypatch.setattr(bit_flips, "QUESTIONS", bit_flips.QUESTIONS[::2])
    shutil.copytree(data, tmp_path / "data")
    counts: Counter[Outcome] = bit_flips.experiment(tmp_path / "data", kind, 24, 1, check=checked)
    assert counts.keys() <= expected


def test_no_bit_of_a_manifest_may_be_another(store: Path) -> None:
    """Each one of them is noticed, and the file named with what to do."""
    content = (store / "_mmstats.json").read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            with pytest.raises(Unreadable, match=r"^store/_mmstats\.json: ") as unreadable:
                parse_manifest("store/_mmstats.json", bytes(flipped))
            assert unreadable.value.hint


def test_a_damaged_file_is_named_where_it_is_read(store: Path, ask: Ask) -> None:
    """With the column and what to do; a question that reads other columns or days of it is answered."""
    (path, *_) = files_of(store)
    right = [ask(store, "--group-by", "country").out, ask(store, "--from", "2026-05-02").out]
    flip(path, page_of(path, "path"))
    ran = ask(store, "--group-by", "path")
    assert (ran.code, ran.error) == (4, f"{path}: damaged: its column path is not what was imported")
    assert ran.err.endswith(HINT)
    assert [ask(store, "--group-by", "country").out, ask(store, "--from", "2026-05-02").out] == right
    flip(path, -20)
    for options in (
        (),
        ("--group-by", "country"),
        ("--from", "2026-05-01T12:00:01"),
        ("--group-by", "os", "--explain"),
    ):
        assert ask(store, *options).error == f"{path}: damaged: its footer is not what was imported"
    path.write_bytes(path.read_bytes()[:-1])
    assert ask(store).error.startswith(f"{path}: damaged: it has ")


def test_a_row_group_outside_the_range_is_not_looked_at(tmp_path: Path, ask: Ask) -> None:
    """An hour of a day reads the row groups that it lies in, and only these need be sound."""
    bit_flips.make_data(tmp_path, (140_000,))
    (path,) = files_of(tmp_path / "store")
    flip(path, page_of(path, "os", row_group=1))
    morning = ("--to", "2026-05-01T12:00", "--group-by", "os")
    assert ask(tmp_path / "store", *morning).out == ask(tmp_path / "plain", *morning).out
    assert ask(tmp_path / "store", "--from", "2026-05-01T23:00", "--group-by", "os").code == 4


def test_damage_is_not_imported_again(store: Path, tmp_path: Path) -> None:
    """A file that an import would merge with others is named, and the store stays as it is."""
    for name in "bc":
        take(store, put(tmp_path / "in" / f"{name}.ndjson", events(name, 1)))
    (path, *_) = files_of(store)
    sound, before = path.read_bytes(), (store / "_mmstats.json").read_bytes()
    flip(path, page_of(path, "referrer"))
    fourth = put(tmp_path / "in" / "d.ndjson", events("d", 1))
    with pytest.raises(Unreadable, match=rf"{path.name}: damaged: its column referrer is not what was imported"):
        take(store, fourth)
    assert (store / "_mmstats.json").read_bytes() == before
    path.write_bytes(sound)
    take(store, fourth)
    assert answered(store) == answered(tmp_path / "in")


def of_version_1(store: Path) -> None:
    """Make a store one that an import without checksums has made."""
    written = manifest(store)
    files = [{key: file[key] for key in file if not key.startswith("tail")} for file in written["files"]]
    del written["blake2b"]
    (store / "_mmstats.json").write_text(json.dumps({**written, "version": 1, "files": files}))


def test_a_store_without_checksums_is_read_as_before(store: Path, tmp_path: Path, ask: Ask) -> None:
    """Also beside what is imported into it, which has some; a file of another size than it should have is refused."""
    of_version_1(store)
    assert answered(store) == answered(tmp_path / "in")
    take(store, put(tmp_path / "in" / "b.ndjson", events("b", 4)))
    assert manifest(store)["version"] == 2
    assert [bool(file["tail_checksum"]) for file in manifest(store)["files"]] == [False, False, False, True]
    assert answered(store) == answered(tmp_path / "in")
    (path, *_) = files_of(store)
    path.write_bytes(path.read_bytes() + b"x")
    assert ask(store).error.startswith(f"{path}: damaged: it has ")


def test_no_manifest_passes_for_one_without_checksums(store: Path, ask: Ask) -> None:
    """One of an earlier version has neither a digest nor a field that came with it."""
    new = manifest(store)
    of_version_1(store)
    old = manifest(store)
    for fields in (
        {**new, "version": 1},
        {**old, "blakd2b": "x"},
        {**old, "files": new["files"]},
        {**old, "version": 2},
    ):
        for content in (json.dumps(fields).encode(), signed(fields)):
            (store / "_mmstats.json").write_bytes(content)
            assert ask(store).error.startswith(f"{store}/_mmstats.json: ")


def rewritten(store: Path, **fields: Any) -> None:
    """Let a sound manifest say something else of its first file."""
    written = manifest(store)
    written["files"][0] |= fields
    (store / "_mmstats.json").write_bytes(signed(written))


def test_a_check_holds_rows_against_the_manifest(store: Path, check: Callable[[Path], list[str]]) -> None:
    """Where a manifest with a right digest says another range, count or source of a file's rows."""
    assert check(store) == []
    file = manifest(store)["files"][0]
    for says, what in (
        ({"first": file["first"] + 1}, ["1 row outside the range that the manifest says"]),
        ({"last": file["last"] - 5_000_000}, ["5 rows outside the range that the manifest says"]),
        ({"first": file["first"] - 1}, ["its range is shorter than the manifest says"]),
        ({"rows": 199}, ["it has 200 rows, where the manifest says 199"]),
        ({"sources": {"1": 199, "2": 1}}, ["its rows are of other sources than the manifest says"]),
    ):
        rewritten(store, **(file | says))
        assert check(store) == what
    rewritten(store, **file)
    written = manifest(store)
    written["columns"].remove("path")
    (store / "_mmstats.json").write_bytes(signed(written))
    assert check(store) == ["it has values of path, which the manifest says no source had"] * 3


def replaced(store: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Write the first file anew, as a mmstats with a fault might have: of that there is no checksum."""
    (path, *_) = files_of(store)
    rows = pl.read_parquet(path, hive_partitioning=False)
    change(rows).write_parquet(path)
    rewritten(store, bytes=path.stat().st_size, tail_bytes=0, tail_checksum="")


def test_a_check_judges_the_rows_of_a_store(store: Path, check: Callable[[Path], list[str]]) -> None:
    """Their order, the hashes of visitors, and whether each has a timestamp."""
    replaced(store, lambda rows: rows)
    assert check(store) == []
    replaced(store, lambda rows: rows.reverse())
    assert check(store) == ["its rows are not sorted by time"]
    replaced(
        store, lambda rows: rows.sort("timestamp").with_columns(pl.col("anonymous_id_xxh64") + (pl.row_index() == 7))
    )
    assert check(store) == ["1 row with a hash that is not that of the visitor"]
    replaced(store, lambda rows: rows.head(0))
    assert "it has 0 rows, where the manifest says 200" in check(store)


@pytest.mark.parametrize("column", EVENT_COLUMNS)
def test_a_check_finds_damage_in_any_column(store: Path, check: Callable[[Path], list[str]], column: str) -> None:
    """Also of columns that no question reads, and of a part that no reader of Parquet looks at."""
    (path, *_) = files_of(store)
    flip(path, page_of(path, column))
    assert check(store) == [f"damaged: its column {column} is not what was imported"]
    flip(path, page_of(path, column))
    flip(path, 0)
    assert check(store) == ["damaged: its column timestamp is not what was imported"]


def test_a_check_verifies_page_checksums(data: Path, tmp_path: Path, check: Callable[[Path], list[str]]) -> None:
    """Of any Parquet whose writer has added them, in the columns that a question may read."""
    shutil.copytree(data / "checksummed", tmp_path / "in")
    assert check(tmp_path / "in") == []
    for column in ("timestamp", "path", "anonymous_id"):
        flip(tmp_path / "in" / "2.parquet", place := page_of(tmp_path / "in" / "2.parquet", column))
        assert check(tmp_path / "in") == [f"damaged: a page of its column {column} is not what was written"]
        flip(tmp_path / "in" / "2.parquet", place)


def test_other_tools_can_verify_a_store(store: Path) -> None:
    """Each page of a store's files has Parquet's own checksum, and readers pass over the checksums beside these."""
    (path, *_) = files_of(store)
    for column in ("timestamp", "path", "anonymous_id_xxh64"):
        flip(path, place := page_of(path, column))
        with pytest.raises(OSError, match="CRC checksum verification failed"):
            pq.ParquetFile(path, page_checksum_verification=True).read()
        flip(path, place)
    assert pq.ParquetFile(path, page_checksum_verification=True).read().num_rows == 200


def test_an_answer_copied_over_another_one_is_not_given(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of the cache that have changed places answer neither question wrong."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    asked = [(), ("--group-by", "path")]
    right = [ask(sample_folder(), *options).out for options in asked]
    (file,) = (tmp_path / "cache").glob("*.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        answers = connection.execute("SELECT key, digest, content FROM entries WHERE kind = 'answers'").fetchall()
        assert len(answers) == 2
        for (key, *_), (_, digest, content) in zip(answers, reversed(answers), strict=True):
            connection.execute("UPDATE entries SET digest = ?, content = ? WHERE key = ?", (digest, content, key))
    assert [ask(sample_folder(), *options).out for options in asked] == right


def test_random_damage_of_a_store_is_refused_whole(store: Path) -> None:
    """Bytes that are zeroed or repeated, as a failing disk leaves them, are noticed as single bits are."""
    chance, before = random.Random(1), answered(store)
    (path, *_) = files_of(store)
    sound = path.read_bytes()
    for _ in range(30):
        start = chance.randrange(len(sound))
        length = chance.choice((1, 16, 512, 4096))
        content = chance.choice((bytes(length), sound[:length]))
        path.write_bytes((sound[:start] + content + sound[start + length :])[: len(sound)])
        try:
            assert answered(store) == before
        except Unreadable as unreadable:
            assert "damaged: " in unreadable.message
