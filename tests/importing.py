"""What tests of imports share: importing in this process, and what a store and its folder hold."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.files.manifest import read_manifest
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


def holds_only_its_state(store: Path) -> bool:
    """Whether a store's folder has the files of its manifest and nothing else."""
    found = {str(file.relative_to(store)) for file in store.rglob("*") if file.is_file()}
    wanted = {file.path.replace("/", os.sep) for file in read_manifest(str(store)).files}
    folders = {folder.name for folder in store.iterdir() if folder.is_dir()}
    return found == {*wanted, "_mmstats.json", "_mmstats.lock"} and folders == {path[:14] for path in wanted}
