"""Delta tables, whose log in `_delta_log/` is read by the library `deltalake`."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from mmstats.files.event_file import Table
from mmstats.files.tables import DELTA, Current, refused_table
from mmstats.storage import Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

# What a table may ask of its readers without a change to which rows and columns its files have.
_HARMLESS = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "variantType", "variantType-preview"}
_MAPPING, _VECTORS = "columnMapping", "deletionVectors"
_ENCODED = re.compile("%[0-9A-Fa-f]{2}")
_REWRITE = "write the table's rows to files, or to a new table, with what wrote it"


def read_table(folder: str, storage: Storage) -> tuple[Table, Collection[Current]]:
    """A table at its latest version, and its files; raises Unreadable as `mmstats.files.tables` says."""
    try:
        opened = DeltaTable(_url(folder, storage), storage_options=dict(storage.log_options) or None)
    except TableNotFoundError:
        raise refused_table(folder, DELTA, "has a log without commits", "was it copied whole?") from None
    metadata = opened.metadata()
    _check(folder, opened)
    fields = dict.fromkeys(field.name for field in opened.schema().fields)
    table = Table(folder, DELTA, str(opened.version()), str(metadata.id), fields)
    actions = _actions(opened)
    elsewhere = next((action["path"] for action in actions if "://" in action["path"]), None)
    if elsewhere:
        raise refused_table(folder, DELTA, f"has files elsewhere, such as {visible(elsewhere)}", _REWRITE)
    return table, [
        Current(storage.join(folder, unquote(one["path"])), one["size_bytes"], one.get("partition") or {})
        for one in actions
    ]


def _url(folder: str, storage: Storage) -> str:
    """The URL of a folder; raises Unreadable for one that the library would decode twice, and read another's log."""
    path = storage.canonical(folder)
    if encoded := _ENCODED.search(path):
        fault = f"is in a folder whose name has {encoded[0]!r}, which deltalake would decode"
        raise refused_table(folder, DELTA, fault, "rename the folder")
    scheme, sign, rest = path.partition("://")
    return f"{scheme}{sign}{quote(rest, safe='/@')}" if storage is not DISK else Path(path).as_uri()


def _actions(opened: DeltaTable) -> list[dict[str, Any]]:
    """The log's entries for the current files: path, size and the values of the columns that it is partitioned by."""
    found = opened.get_add_actions()
    named = [name for name in ("path", "size_bytes", "partition") if name in found.column_names]
    rows: Any = found.select(named).to_struct_array().to_pylist()
    return list(rows)


def _has_vectors(opened: DeltaTable) -> bool:
    """Whether some rows of current files are deleted; a table may be asked to have no such file any more."""
    try:
        return bool(opened.deletion_vectors().read_all().num_rows)
    except DeltaError:  # of a vector that cannot be read
        return True


def _check(folder: str, opened: DeltaTable) -> None:
    """Raise Unreadable where the files have other rows or names of columns than the table."""
    features = set(opened.protocol().reader_features or ())
    if opened.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise refused_table(folder, DELTA, "has other names for its columns in its files (column mapping)", _REWRITE)
    if _VECTORS in features and _has_vectors(opened):
        hint = "REORG TABLE … APPLY (PURGE) in Spark rewrites the files"
        raise refused_table(folder, DELTA, "has deleted rows in its files (deletion vectors)", hint)
    if unknown := features - _HARMLESS - {_MAPPING, _VECTORS}:
        raise refused_table(folder, DELTA, f"has the feature {min(unknown)!r}, which is not known here", _REWRITE)
