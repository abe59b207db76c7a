"""Tables of a lake: folders whose log says which of their files are current, and what each column of them is.

A folder has files of all versions of a table, superseded ones too: only the log tells which files are of the latest.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite

from mmstats.errors import InvalidSettings, MmstatsError, Unreadable
from mmstats.extras import install_hint
from mmstats.file_states import state
from mmstats.files.event_file import EventFile, Format, Table, partition_of
from mmstats.files.found import Found, Seen, status_or_none
from mmstats.resources import lack_in
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.storage.errors import store_error
from mmstats.wording import visible

DELTA, ICEBERG = "Delta", "Iceberg"
DELTA_LOG, ICEBERG_LOG = "_delta_log", "metadata"
VERSION_HINT = "version-hint.text"

_LIBRARIES = {DELTA: "deltalake", ICEBERG: "pyiceberg"}
_METADATA = re.compile(r".+\.metadata\.json(\.gz)?")
_IN_LOG = re.compile(rf"(?:^|/)(?:({DELTA_LOG})/|{ICEBERG_LOG}/{_METADATA.pattern.replace('.+', '[^/]+')}$)")
_CAUSE = re.compile(r"\s*(?:\x1b\[\d*m)?↳(?:\x1b\[\d*m)?\s*")  # as deltalake draws what a fault comes from
_EXACT = 2**53  # up to which a float tells integers apart


@dataclass(frozen=True, slots=True)
class Current:
    """A file of the latest version: its path, its bytes, and the values of columns that it need not have itself."""

    path: str
    size: int
    partition: Mapping[str, object]


def kind_of_folder(folder: str, entries: Collection[str]) -> str | None:
    """The kind of the table that a folder on disk with these entries is, None for a folder of files."""
    if DELTA_LOG in entries and os.path.isdir(os.path.join(folder, DELTA_LOG)):  # noqa: PTH118
        return DELTA
    if ICEBERG_LOG in entries:
        with suppress(OSError):
            if any(map(is_metadata, os.listdir(os.path.join(folder, ICEBERG_LOG)))):  # noqa: PTH118
                return ICEBERG
    return None


def is_metadata(name: str) -> bool:
    """Whether a file in the folder of an Iceberg table's log is the metadata of one of its versions."""
    return _METADATA.fullmatch(name) is not None


def table_folders(keys: Iterable[str]) -> dict[str, str]:
    """The kinds of the tables among the keys of a store, by their folders, each with a final slash."""
    found: dict[str, str] = {}
    for key in keys:
        if (DELTA_LOG in key or ".metadata.json" in key) and (mark := _IN_LOG.search(key)):
            folder = key[: mark.start() + mark[0].startswith("/")]
            if mark[1] or folder not in found:  # of a table that is both, the one that needs no guess at its version
                found[folder] = DELTA if mark[1] else ICEBERG
    return found


def table_files(folder: str, kind: str, storage: Storage) -> Iterator[Found]:
    """A table, and the files of its latest version with the values that its log has for their columns.

    Folders around the table fill columns that it lacks. Raises InvalidSettings where the library is missing that reads
    the log, and Unreadable for a log that it cannot read, or of which the files alone do not tell the rows.
    """
    if storage is DISK:
        log = os.path.join(folder, DELTA_LOG if kind == DELTA else ICEBERG_LOG)  # noqa: PTH118
        hint = [os.path.join(log, VERSION_HINT)] if kind == ICEBERG else []  # noqa: PTH118 - rewritten in place
        yield from (Seen(path, state(path)[0]) for path in (log, *hint))
    table, files = _read(folder, kind, storage)
    yield table
    around = {name: value for name, value in partition_of(f"{folder}/").items() if name not in table.fields}
    for file in files:
        storage.register(file.path, file.size)
        partition = around | {name: _text(value) for name, value in file.partition.items()}
        status = status_or_none(file.path, storage)
        yield EventFile(file.path, Format("parquet"), partition, table=table, storage=storage, status=status)


def _read(folder: str, kind: str, storage: Storage) -> tuple[Table, Collection[Current]]:
    try:
        if kind == DELTA:
            from mmstats.files.delta import read_table
        else:
            from mmstats.files.iceberg import read_table
    except ImportError:
        fault = f"{visible(folder)}: this {kind} table needs {_LIBRARIES[kind]}, which tells its current files"
        raise InvalidSettings(fault, hint=install_hint("lake")) from None
    try:
        return read_table(folder, storage)
    except MmstatsError:
        raise
    except Exception as error:  # whatever a damaged log makes the library raise
        if lack := lack_in(error):
            raise lack from None
        told = _CAUSE.sub(": ", str(error))
        if storage is not DISK and "Error performing " in told:  # of a store, whose text may hold what is secret
            raise store_error(folder, OSError(told)) from None
        why = visible(next(iter(told.splitlines()), type(error).__name__))[:200]
        raise refused_table(folder, kind, f"has a log that cannot be read ({why})", "was it copied whole?") from None


def refused_table(folder: str, kind: str, why: str, hint: str) -> Unreadable:
    """The error for a table that cannot be read rightly; `why` is the rest of the sentence "this table …"."""
    return Unreadable(f"{visible(folder)}: this {kind} table {why}", hint=hint)


def _text(value: object) -> str | None:
    """The text that a column of the value's type has for it."""
    match value:
        case None:
            text = None
        case bool():
            text = str(value).lower()
        case float():
            is_whole = value.is_integer() and abs(value) <= _EXACT
            text = str(int(value)) if is_whole else f"{Decimal(repr(value)):f}" if isfinite(value) else None
        case datetime():
            naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            text = naive.isoformat(" ", "microseconds")
        case date():
            text = value.isoformat()
        case Decimal():
            text = f"{value:f}"
        case bytes():
            text = value.decode("utf-8", "replace")
        case _:
            text = str(value)
    return text
