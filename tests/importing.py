"""What tests of imports share: importing in this process, and what a store and its folder hold."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from mmstats.store.importing import Imported, import_events
from tests.conftest import Ran
from tests.drawn import write
from tests.oracle import Event

Take = Callable[..., Ran]
BY_PATH = read_question({"group_by": ["path"], "interval": ["day"]})


def event(day: int, path: str, **columns: str) -> Event:
    """An event of a day in May."""
    return {"timestamp": datetime(2026, 5, day, 12), "event_name": "e", "path": path, **columns}  # noqa: DTZ001


def events(path: str, *days: int, rows: int = 2) -> list[Event]:
    """So many events of a path on each of some days, apart by a second."""
    made = [event(day, path, anonymous_id=f"{path} {index}") for day in days for index in range(rows)]
    return [{**one, "timestamp": one["timestamp"] + timedelta(seconds=index)} for index, one in enumerate(made)]


def put(path: Path, rows: list[Event]) -> Path:
    """A file of events, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, rows)
    return path


def take(store: Path, *sources: Path, **options: object) -> Imported:
    """Import sources into a store."""
    return import_events(Dataset(tuple(map(str, sources)), **options), store)  # type: ignore[arg-type]


def answered(location: Path, query: StatsQuery = BY_PATH) -> str:
    """The bytes of an answer of a location."""
    return answer(query, Dataset((str(location),))).to_json()


def total(location: Path) -> int:
    """How many events a location has."""
    rows = answer(StatsQuery(), Dataset((str(location),))).rows
    return int(rows[0]["value"])


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    """All events of a dataset with every column, in no order: those that any Parquet reader finds in a store of it."""
    with TemporaryDirectory() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        import_events(dataset, store)
        frames = [pl.read_parquet(file, hive_partitioning=False) for file in Path(store).glob("*/*.parquet")]
    naive = pl.col("timestamp").dt.replace_time_zone(None)
    return [row for frame in frames for row in frame.with_columns(naive).iter_rows(named=True)]


def manifest(store: Path) -> dict[str, Any]:
    """The manifest of a store, as it is written."""
    written: dict[str, Any] = json.loads((store / "_mmstats.json").read_text())
    return written


def signed(fields: dict[str, Any]) -> bytes:
    """A manifest of these fields whose digest holds."""
    body = json.dumps({name: value for name, value in fields.items() if name != "blake2b"}).encode()[:-1] + b","
    return body + b'"blake2b":"%s"}\n' % blake2b(body, digest_size=16).hexdigest().encode()


def files_of(store: Path) -> list[Path]:
    """The files that are in a store, as its manifest lists them."""
    return [store / f"day={file['day']}" / file["name"] for file in manifest(store)["files"]]


def holds_only_its_state(store: Path) -> bool:
    """Whether a store's folder has the files of its manifest, superseded ones apart, and nothing else."""
    files, apart = files_of(store), store / "_mmstats_superseded"
    superseded = {apart / Path(path).stem for path in manifest(store).get("superseded", {})}
    there = {path for path in store.rglob("*") if path.is_file()} - superseded
    folders = {path for path in store.iterdir() if path.is_dir()} - {path.parent for path in superseded}
    own = {store / name for name in ("_mmstats.json", "_mmstats.lock")}
    return there == {*files, *own} and folders == {file.parent for file in files}
