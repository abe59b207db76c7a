"""Parquet and Arrow IPC as PyArrow reads them: files that the engine refuses, or would read wrongly.

It is slower and takes long to import, so that it is asked only where the engine's own reader does not do.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from mmstats.errors import NotEvents, Unreadable
from mmstats.files.event_file import EventFile
from mmstats.readers.columnar_file import FileSchema, unreadable, unused_name
from mmstats.readers.value_text import holds
from mmstats.wording import visible

_IPC_MAGIC = b"ARROW1"
_INTERVAL = "INTERVAL"  # a Parquet type that PyArrow takes for bytes


def read_schema(file: EventFile) -> FileSchema:
    """The columns of a file, Unknown those whose values have no text; raises OSError and ValueError as PyArrow does."""
    from mmstats.readers.pyarrow_types import as_stored

    with _opened(file) as source:
        types = {name: source.dtype(at) for at, name in enumerate(source.schema.names)}
    stored = {name: as_stored(dtype) for name, dtype in types.items()}
    return FileSchema(pl.Schema(stored), {name: dtype for name, dtype in types.items() if dtype != stored[name]})


def refuse_columns(file: EventFile, columns: Mapping[str, pl.DataType]) -> None:
    """Raise what keeps one of some columns of a file from being read; of their types it is what is asked for."""
    with _opened(file) as source:
        own = source.schema.names
        for name, dtype in columns.items():
            if own.count(name) > 1:
                fault = f"{file}: the column {visible(name)!r} is there {own.count(name)} times"
                raise NotEvents(fault, hint="rename one of them")
            if holds(pl.Unknown, dtype):
                kind = visible(source.type_name(own.index(name)))
                raise Unreadable(f"{file}: column {visible(name)!r}: values of type {kind} have no text")


def scan(file: EventFile, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The columns of a file, lazily, of structs the fields named. Raises Unreadable when it is read.

    There is one more: the engine hands a source the filters behind it pickled, which ours cannot be, but none that
    would change the number of a row.
    """
    schema = {name: dtype for name, dtype in columns.items() if not holds(pl.Unknown, dtype)}

    def read(columns: list[str] | None, _: object, rows: int | None, _batch: int | None) -> Iterator[pl.DataFrame]:
        left = rows
        for frame in _frames(file, schema if columns is None else {name: schema[name] for name in columns}):
            yield frame if left is None else frame.head(left)
            left = None if left is None else left - min(left, frame.height)
            if left == 0:
                return

    return register_io_source(read, schema=pl.Schema(schema)).with_row_index(unused_name("number of the row", schema))


def _frames(file: EventFile, columns: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    from pyarrow import ArrowException

    try:
        with _opened(file) as source:
            yield from source.frames(columns)
    except (ArrowException, OSError, ValueError, NotImplementedError) as error:
        raise unreadable(file, error) from None


@dataclass(frozen=True, slots=True)
class _Source:
    """An open file: its schema, the names of types that PyArrow mistakes, by place, and how its batches are read."""

    schema: Any
    mistaken: Mapping[int, str]
    batches: Any

    def type_name(self, at: int) -> str:
        """What the type of a column is called."""
        return self.mistaken.get(at) or str(self.schema.field(at).type)

    def dtype(self, at: int) -> pl.DataType:
        """The type of a column, Unknown for one whose values have no text."""
        from mmstats.readers.pyarrow_types import NoText, dtype_of

        try:
            return pl.Unknown() if at in self.mistaken else dtype_of(self.schema.field(at).type)
        except NoText:
            return pl.Unknown()

    def frames(self, columns: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
        """The columns named, of structs the fields that the types have, of a batch of rows each."""
        import pyarrow as pa

        from mmstats.readers.pyarrow_types import plain, with_fields

        for batch in self.batches(columns):
            if not columns:
                yield pl.DataFrame(height=batch.num_rows)
                continue
            arrays = [with_fields(batch.column(name), dtype) for name, dtype in columns.items()]
            for array in arrays:
                array.validate(full=True)  # text may not be UTF-8, which the engine would not notice
            yield pl.DataFrame(pl.from_arrow(pa.table([plain(pa.concat_arrays([one])) for one in arrays], [*columns])))


@contextmanager
def _opened(file: EventFile) -> Iterator[_Source]:
    path = file.storage.local_copy(file.path)
    if file.format.name == "parquet":
        with _parquet(path) as source:
            yield source
    else:
        with _ipc(path, file) as source:
            yield source


@contextmanager
def _parquet(path: str) -> Iterator[_Source]:
    from pyarrow import parquet

    with parquet.ParquetFile(path, coerce_int96_timestamp_unit="us") as opened:
        columns = [opened.schema.column(at) for at in range(len(opened.schema))]
        intervals = {one.name for one in columns if one.name == one.path and one.converted_type == _INTERVAL}
        schema = opened.schema_arrow
        mistaken = {at: _INTERVAL for at, name in enumerate(schema.names) if name in intervals}
        yield _Source(schema, mistaken, lambda columns: opened.iter_batches(columns=_leaves(columns)))


def _leaves(columns: Mapping[str, pl.DataType], within: str = "") -> list[str]:
    """The columns and fields as Parquet's reader is told of them, which takes a name for all that it begins."""
    found: list[str] = []
    for name, dtype in columns.items():
        fields = {one.name: one.dtype for one in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        found += _leaves(fields, f"{within}{name}.") if fields else [within + name]  # type: ignore[arg-type]
    return found


@contextmanager
def _ipc(path: str, file: EventFile) -> Iterator[_Source]:
    import pyarrow as pa

    with pa.OSFile(path) as disk:
        is_file = file.storage.read_head(file.path, len(_IPC_MAGIC)) == _IPC_MAGIC
        schema = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(disk).schema

        def batches(names: Iterable[str]) -> Iterator[Any]:
            options = pa.ipc.IpcReadOptions(included_fields=[schema.names.index(name) for name in names])
            disk.seek(0)
            if not is_file:
                yield from pa.ipc.open_stream(disk, options=options)
                return
            opened = pa.ipc.open_file(disk, options=options)
            yield from map(opened.get_batch, range(opened.num_record_batches))

        yield _Source(schema, {}, batches)
