"""Nested events in every form that people have them in: JSON objects, structs, and JSON text in columns."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from .conftest import delimited

Events = Sequence[Mapping[str, Any]]


def _text(value: object) -> object:
    """Objects and lists as JSON text, whose blanks and escapes are another matter."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def _texts(events: Events) -> list[dict[str, object]]:
    return [{name: _text(value) for name, value in event.items()} for event in events]


def lines(events: Events) -> bytes:
    """NDJSON."""
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()


def array(events: Events) -> bytes:
    """One JSON array."""
    return json.dumps(events).encode()


def comma_separated(events: Events) -> bytes:
    """CSV with JSON text; nulls are unquoted and empty."""
    return delimited(_texts(events))


def _written(write: Callable[[pa.Table, Any], object], table: pa.Table) -> bytes:
    out = io.BytesIO()
    write(table, out)
    return out.getvalue()


def structs(events: Events) -> bytes:
    """Parquet with structs."""
    return _written(pyarrow.parquet.write_table, pa.Table.from_pylist([dict(event) for event in events]))


def json_texts(events: Events) -> bytes:
    """Parquet with JSON text."""
    return _written(pyarrow.parquet.write_table, pa.Table.from_pylist(_texts(events)))


def json_types(events: Events) -> bytes:
    """Parquet with the JSON type."""
    table = pa.Table.from_pylist(_texts(events))
    typed = [
        pa.ExtensionArray.from_storage(pa.json_(), table[name].combine_chunks())
        if any(isinstance(event.get(name), dict | list) for event in events)
        else table[name]
        for name in table.column_names
    ]
    return _written(pyarrow.parquet.write_table, pa.table(dict(zip(table.column_names, typed, strict=True))))


def arrow_structs(events: Events) -> bytes:
    """Arrow IPC with structs."""
    return _written(
        lambda table, out: pyarrow.feather.write_feather(table, out, compression="uncompressed"),
        pa.Table.from_pylist([dict(event) for event in events]),
    )


def arrow_stream(events: Events) -> bytes:
    """A stream of Arrow IPC with JSON text."""
    table = pa.Table.from_pylist(_texts(events))
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


FORMS: dict[str, Callable[[Events], bytes]] = {
    "lines.ndjson": lines,
    "array.json": array,
    "text.csv": comma_separated,
    "structs.parquet": structs,
    "text.parquet": json_texts,
    "json.parquet": json_types,
    "structs.arrow": arrow_structs,
    "stream.arrow": arrow_stream,
}


def write(folder: Path, form: str, events: Events) -> Path:
    """A file of events in one of the forms."""
    path = folder / form
    path.write_bytes(FORMS[form](events))
    return path
