"""Files that an import supersedes: readers of an older manifest find them for an hour, other tools never."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb
import pytest

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.engines.local.describe import check, describe
from mmstats.engines.local.engine import answer
from mmstats.engines.local.explain import explain
from mmstats.errors import Unreadable
from mmstats.files.fingerprint import fingerprint
from mmstats.question.query import StatsQuery
from tests.clusters import Cluster
from tests.conftest import WRITERS
from tests.importing import BY_PATH, answered, events, files_of, holds_only_its_state, manifest, put, take, total

Read = TypeVar("Read")
DAYS = range(1, 29)
HOUR = 3600
GROUPED = StatsQuery(group_by=("path",))
ROWS = [{"path": "a", "value": 2 * len(DAYS)}, {"path": "piped", "value": 1}]  # of the source and the pipe


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source of events on many days."""
    return put(tmp_path / "in" / "a.ndjson", events("a", *DAYS))


@pytest.fixture
def store(tmp_path: Path, source: Path) -> Path:
    """A store of the source."""
    take(tmp_path / "store", source)
    return tmp_path / "store"


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time pass."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)


def superseded_in(store: Path) -> list[Path]:
    """The files that the manifest says are superseded, where they were."""
    return [store / path for path in manifest(store).get("superseded", {})]


def seen_by(glob: str) -> int:
    """How many events another tool finds by a glob."""
    return int(duckdb.connect().execute(f"SELECT count(*) FROM read_parquet('{glob}')").fetchall()[0][0])


def read_while(store: Path, read: Callable[[Dataset], Read], change: Callable[[], object]) -> Read:
    """What a reader makes of a store that is changed after the reader has read its manifest, before its files.

    It reads a pipe besides, from which an event comes when the store has been changed.
    """
    pipe = store.parent / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        reader = threads.submit(read, Dataset((str(store), str(pipe)), input_format="parquet"))
        with pipe.open("wb") as stream:  # which waits until the reader opens it too, and has read the manifest
            change()
            stream.write(WRITERS["parquet"]([{"timestamp": "2026-05-01", "event_name": "e", "path": "piped"}]))
        return reader.result()


@pytest.mark.parametrize("times", [1, 3])
def test_a_question_answers_from_the_manifest_that_it_read(source: Path, store: Path, times: int) -> None:
    """Imports that replace every file between the manifest and the files change nothing for the question."""

    def replace() -> None:
        for number in range(times):
            put(source, events(f"b{number}", *DAYS))
            take(store, source)

    assert read_while(store, lambda dataset: answer(GROUPED, dataset).rows, replace) == ROWS
    assert answered(store) == answered(source)


def test_a_cluster_does_too(source: Path, store: Path, cluster: Cluster) -> None:
    """A cluster that reads the same folder finds superseded files as well."""
    ask = engine_for(read_engine(cluster.address))
    put(source, events("b", *DAYS))
    assert read_while(store, lambda dataset: ask(GROUPED, dataset).rows, lambda: take(store, source)) == ROWS


def counted(dataset: Dataset) -> object:
    """How many events an answer has."""
    return answer(StatsQuery(), dataset).rows[0]["value"]


def described(dataset: Dataset) -> object:
    """How many events a description has."""
    return describe(dataset).rows


def checked(dataset: Dataset) -> object:
    """How many events are there by a check, if it names no file as broken."""
    description = check(dataset)
    return description.rows if description.holds else description.check


@pytest.mark.parametrize("read", [counted, described, checked])
def test_every_reader_does(source: Path, store: Path, read: Callable[[Dataset], object]) -> None:
    """However files are read, by footers or by their rows, all or one by one, superseded ones are found."""
    put(source, events("b", *DAYS, rows=9))
    assert read_while(store, read, lambda: take(store, source)) == 2 * len(DAYS) + 1


def test_questions_answer_while_imports_go_on(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While imports replace all files again and again, every answer is of the one content or of the other."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    other = put(source.parent.parent / "other.ndjson", events("b", *DAYS))
    contents = [other.read_bytes(), source.read_bytes()]
    states = {answered(source), answered(other)}

    def import_often() -> None:
        for number in range(15):
            source.write_bytes(contents[number % 2])
            take(store, source)

    with ThreadPoolExecutor(1) as threads:
        importing = threads.submit(import_often)
        while not importing.done():
            assert answered(store) in states
            assert fingerprint(Dataset((str(store),))).files == len(DAYS)
        importing.result()
    assert holds_only_its_state(store)


def test_other_tools_do_not_see_superseded_files(source: Path, store: Path) -> None:
    """By glob, in the days and below the whole folder, there are the events of the manifest and no others."""
    put(source, events("b", *DAYS, rows=3))
    take(store, source)
    assert superseded_in(store)
    assert seen_by(f"{store}/day=*/*.parquet") == seen_by(f"{store}/**/*.parquet") == total(store) == 3 * len(DAYS)
    assert {path.name for path in store.glob("day=*/*")} == {path.name for path in files_of(store)}


def test_superseded_files_go_after_an_hour(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next import removes them then, also one that has nothing to import, and the folder that they were in."""
    before = [path.read_bytes() for path in files_of(store)]
    put(source, events("b", *DAYS))
    take(store, source)
    there = [path for path in store.rglob("*") if path.is_file() and path.read_bytes() in before]
    assert len(there) == len(before)
    later(monkeypatch, 0.9 * HOUR)
    take(store, source)
    assert all(path.exists() for path in there)
    later(monkeypatch, 0.2 * HOUR)
    text = (store / "_mmstats.json").read_text()
    assert take(store, source).unchanged == 1
    assert not any(path.exists() for path in there)
    assert (store / "_mmstats.json").read_text() == text
    assert {path.name[:4] for path in store.iterdir()} == {"_mms", "day="}
    put(source, events("c", 1))
    take(store, source)
    assert not {path.relative_to(store).as_posix() for path in superseded_in(store)} & {*json.loads(text)["superseded"]}


def test_an_hour_begins_when_the_file_is_superseded(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often something else is imported meanwhile, the manifest says since when each file is."""
    put(source, events("b", *DAYS))
    take(store, source)
    first = superseded_in(store)
    assert set(manifest(store)["superseded"].values()) == {None}
    written = (store / "_mmstats.json").stat().st_mtime
    take(store, put(source.parent / "other.ndjson", events("c", 30)))
    assert set(manifest(store)["superseded"].values()) == {int(written)}
    later(monkeypatch, 1.1 * HOUR)
    put(source, events("d", *DAYS))
    take(store, source)
    second = superseded_in(store)
    assert set(first).isdisjoint(second)
    assert len(second) == len(DAYS)
    assert holds_only_its_state(store)


def test_an_unchanged_source_writes_nothing(source: Path, store: Path) -> None:
    """While superseded files are kept, the same import again leaves the store as it is."""
    put(source, events("b", *DAYS))
    take(store, source)
    state = {path: path.stat().st_mtime_ns for path in store.rglob("*.*")}
    before = fingerprint(Dataset((str(store),))).digest
    take(store, source)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.*")} == state
    assert fingerprint(Dataset((str(store),))).digest == before


def test_a_file_that_is_neither_here_nor_there_is_lost(source: Path, store: Path) -> None:
    """A question ends with the name that the manifest has for it, be it the one that was read or the one after it."""
    (lost, *_) = files_of(store)
    with pytest.raises(Unreadable) as unreadable:
        read_while(store, described, lost.unlink)
    assert unreadable.value.message == f"{lost}: the store has lost this file"
    put(source, events("b", *DAYS))

    def lose() -> None:
        take(store, source)
        for file in files_of(store):
            file.unlink()

    (store.parent / "pipe").unlink()
    with pytest.raises(Unreadable) as unreadable:
        read_while(store, described, lose)
    assert unreadable.value.message == f"{files_of(store)[0]}: the store has lost this file"


@pytest.mark.parametrize("read", [counted, described, checked])
def test_a_question_is_asked_once_more_when_its_files_are_gone(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Dataset], object]
) -> None:
    """One so slow that an import has removed what was superseded answers from the manifest that is there by then.

    What came through a pipe, which nobody can read again, is part of the answer as well.
    """

    def replace_and_remove() -> None:
        put(source, events("b", *DAYS, rows=5))
        take(store, source)
        later(monkeypatch, 1.1 * HOUR)
        take(store, source)
        assert {path.name[:4] for path in store.iterdir()} == {"_mms", "day="}

    assert read_while(store, read, replace_and_remove) == 5 * len(DAYS) + 1


def test_a_question_is_not_asked_again_for_a_bad_row(source: Path, store: Path) -> None:
    """It is none of the store's, whatever is imported meanwhile: the file that has it is named."""
    bad = store.parent / "bad.ndjson"
    bad.write_text("{}\n")

    def read(dataset: Dataset) -> object:
        return counted(Dataset((*dataset.locations, str(bad)), input_format=dataset.input_format))

    put(source, events("b", *DAYS))
    with pytest.raises(Unreadable, match=r"bad\.ndjson"):
        read_while(store, read, lambda: take(store, source))


def test_superseded_files_are_explained_by_their_names(source: Path, store: Path) -> None:
    """`--explain` names them as the manifest that was read does."""
    names = {str(path) for path in files_of(store)}
    put(source, events("b", *DAYS))

    def explained(dataset: Dataset) -> set[str]:
        return {use.file for use in explain(BY_PATH, dataset).files}

    assert read_while(store, explained, lambda: take(store, source)) > names
