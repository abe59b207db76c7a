"""Tables that are written to: every answer, kept or not, is that of one version, and of the latest soon."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog

import mmstats.engines.local.engine  # noqa: F401 - it sets variables, which are in the key, when it is loaded
from tests.conftest import Ask
from tests.importing import take, total
from tests.lake import events, iceberg_catalog
from tests.serving import serving, until
from tests.test_recall import ask as ask_again
from tests.test_recall import here  # noqa: F401 - a fixture

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:Delete operation did not match any records")

GROUPED = ("--group-by", "country")


def overwrite(folder: Path, count: int) -> None:
    """Write a new version of a Delta table, of so many events."""
    write_deltalake(folder, events(["DE"] * count), mode="overwrite")


def vacuum(folder: Path) -> None:
    """Remove all files of a Delta table that are not of its latest version."""
    DeltaTable(folder).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def after_the_log_is_read(patch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Call `change` once when the current files of a Delta table were found, and before they are read."""
    original, waiting = DeltaTable.get_add_actions, [change]

    def found(table: DeltaTable, *arguments: Any, **options: Any) -> Any:
        actions = original(table, *arguments, **options)
        while waiting:
            waiting.pop()()
        return actions

    patch.setattr(DeltaTable, "get_add_actions", found)


def test_files_that_are_gone_since_the_log_was_read(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is asked once more, of the new version, where a vacuum has removed the files of the old one."""
    folder = tmp_path / "table"
    overwrite(folder, 3)

    def change() -> None:
        overwrite(folder, 5)
        vacuum(folder)

    after_the_log_is_read(monkeypatch, change)
    assert ask(folder, *GROUPED).rows == [{"country": "DE", "value": 5}]


def test_a_file_that_the_log_lists_and_nobody_has(ask: Ask, tmp_path: Path) -> None:
    """A table that has lost a file of its latest version is unreadable, and the file is named."""
    folder = tmp_path / "table"
    overwrite(folder, 3)
    (lost,) = folder.glob("*.parquet")
    lost.unlink()
    refused = ask(folder, *GROUPED)
    assert (refused.code, lost.name in refused.error) == (4, True)


def test_every_answer_is_of_one_version(ask: Ask, tmp_path: Path) -> None:
    """While a table is overwritten, compacted and appended to again and again, no answer mixes its versions."""
    folder = tmp_path / "table"
    overwrite(folder, 1)
    versions = {1}
    done = threading.Event()

    def write() -> None:
        for count in range(2, 14):
            versions.update((10 * count, 10 * count + 1))
            overwrite(folder, 10 * count)
            write_deltalake(folder, events(["DE"]), mode="append")
            DeltaTable(folder).optimize.compact()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    asked = []
    while not done.is_set():
        asked.append(ask(folder, *GROUPED).value)
    writer.join()
    assert {*asked} <= versions
    assert ask(folder, *GROUPED).value == 131


def changes(folder: Path, catalog: SqlCatalog) -> dict[str, tuple[Path, list[Callable[[], object]]]]:
    """A table of each kind, and what makes versions of it with one, two and one events."""
    table = catalog.create_table("web.events", schema=events([]).schema)
    delta = [lambda count=count: overwrite(folder, count) for count in (1, 2, 1)]
    iceberg = [lambda count=count: table.overwrite(events(["DE"] * count)) for count in (1, 2, 1)]
    return {"delta": (folder, delta), "iceberg": (Path(table.location().removeprefix("file://")), iceberg)}


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_an_output_is_recalled_until_there_is_a_new_version(here: Path, kind: str) -> None:  # noqa: F811
    """An answer is given again from what is kept while the log is as it was, and never after a new version."""
    with iceberg_catalog(here / "warehouse") as catalog:
        folder, versions = changes(here / "table", catalog)[kind]
        question = ("query", "--data", str(folder), *GROUPED)
        for count, change in zip((1, 2, 1), versions, strict=True):
            change()
            ran, recalled = ask_again(*question)
            assert (ran.value, recalled) == (count, False)
            ran, recalled = ask_again(*question)
            assert (ran.value, recalled) == (count, True)
            # Files that no version has, such as those of a write that failed, change nothing.
            shutil.copy(next(folder.rglob("*.parquet")), folder / f"uncommitted{count}.parquet")
            assert ask_again(*question)[0].value == count


def test_a_server_answers_of_the_new_version(tmp_path: Path) -> None:
    """A server notices a new version by itself."""
    folder = tmp_path / "table"
    overwrite(folder, 1)
    with serving("--data", str(folder)) as server:
        for count in (1, 2, 3):
            overwrite(folder, count)
            until(lambda count=count: server.stats().json["rows"] == [{"value": count}] or None)


def test_a_table_is_imported(tmp_path: Path) -> None:
    """An import takes the events of a table's latest version, and takes out those of files that are superseded."""
    table, store = tmp_path / "table", tmp_path / "store"
    overwrite(table, 7)
    overwrite(table, 3)
    assert (take(store, table).rows, total(store)) == (3, 3)
    write_deltalake(table, events(["FR"]), mode="append")
    DeltaTable(table).optimize.compact()
    assert (take(store, table).unchanged, total(store)) == (0, 4)
    assert (take(store, table).unchanged, total(store)) == (1, 4)
    DeltaTable(table).delete()
    assert (take(store, table).notices, total(store)) == (
        ("took out the rows of 1 file that a table has superseded",),
        0,
    )


@pytest.mark.usefixtures("later", "here")
def test_what_is_kept_of_files_is_of_the_columns_that_the_table_has(tmp_path: Path) -> None:
    """Files that stay are read otherwise when the table drops a column, and what was counted of them is not reused."""
    with iceberg_catalog(tmp_path / "warehouse") as catalog:
        table = catalog.create_table("web.events", schema=events([]).schema)
        table.append(events(["DE"] * 3))
        table.append(events(["FR"] * 2))
        question = ("query", "--data", table.location().removeprefix("file://"), *GROUPED)
        counts = {row["country"]: row["value"] for row in ask_again(*question)[0].rows}
        assert counts == {"DE": 3, "FR": 2}
        with table.update_schema() as update:
            update.delete_column("country")
        assert ask_again(*question)[0].rows == [{"country": None, "value": 5}]
