"""Files of Parquet and Arrow IPC as few scans: grouped by schema and folders, each read by whom it can be read by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from mmstats.errors import DatasetError, Undecodable
from mmstats.files.event_file import EventFile
from mmstats.interrupts import was_raised
from mmstats.readers import columnar_file, pyarrow_reader
from mmstats.readers.columnar import STORE_SCHEMA, VISITOR_HASH, ColumnarFiles
from mmstats.readers.columnar_file import ENGINE_FAULTS, FileSchema, is_stream, unreadable
from mmstats.readers.metadata_cache import schema_of
from mmstats.readers.nested import narrowed
from mmstats.readers.projection import Projection
from mmstats.readers.table_columns import as_in_table
from mmstats.readers.value_text import holds
from mmstats.storage import Storage
from mmstats.storage.errors import failed_path, is_store_error, store_error

# Up to so many different words of folders are constants of a scan each; more are looked up by the path of a row.
_CONSTANTS = 16
_LOOKED_UP = 1000  # files in one scan, since every batch of rows is held against all of its paths


def group_by_schema(files: Iterable[EventFile], projection: Projection) -> list[ColumnarFiles]:
    """The files grouped into as few scans as their schemas allow, whatever their folders say.

    Raises Unreadable, naming the file, for one that is not what its name says, and NotEvents for one that lacks a
    column that must be there.
    """
    files = list(files)
    if len(files) > 1:
        _prefetch(files)
    stored: dict[Storage, list[EventFile]] = {}
    groups: dict[object, ColumnarFiles] = {}
    members: dict[object, list[EventFile]] = {}
    for file in files:
        if file.stored:
            stored.setdefault(file.storage, []).append(file)
            continue
        file, known = read_schema(file, projection)  # noqa: PLW2901 - it may be one that PyArrow has to read
        if file.table:
            known = as_in_table(file, known, projection)
        schema = known.columns
        spelled = projection.as_spelled_in(file, schema)
        # Files are alike that lack the same columns: the first speaks for all of them.
        folders = frozenset(name for name in spelled.needed if name in file.partition and name not in schema)
        key = (file.storage, file.format, is_stream(file), folders, tuple(schema.items()), tuple(known.logical.items()))
        if key not in groups:
            found = projection.columns_in(file, schema, found=())
            groups[key] = ColumnarFiles((file,), schema, spelled, found, known.logical)
        members.setdefault(key, []).append(file)
    return [
        *(_stored_files(some, projection.as_stored) for some in stored.values()),
        *(
            replace(group, files=some)
            for key, group in groups.items()
            for some in _by_partition(members[key], group.schema, group.projection)
        ),
    ]


def read_schema(file: EventFile, projection: Projection) -> tuple[EventFile, FileSchema]:
    """The columns of a file, and the file as it is to be read: by PyArrow, what the engine cannot read or not rightly.

    Raises Unreadable, naming the file, where neither can, or for a column that is asked for and has no text.
    """
    if not file.format.by_pyarrow:
        try:
            known = schema_of(file, projection.limits.settle_ns, columnar_file.read_schema)
        except Undecodable as fault:
            if was_raised():  # an interrupt, of which the engine has made a panic
                raise
            return _read_by_pyarrow(file, projection, fault)
        dtypes = [*narrowed(known.columns, projection.as_spelled_in(file, known.columns)).values()]
        if file.format.name == "arrow" and any(holds(pl.Binary, dtype) for dtype in dtypes):
            return file, _with_uuids(file, known)
        if not known.is_mistaken and not any(holds(pl.Map, dtype) for dtype in dtypes):
            return file, known
    return _read_by_pyarrow(file, projection, None)


def by_pyarrow(files: Sequence[EventFile], fault: Undecodable) -> tuple[EventFile, ...]:
    """The files as they are to be read once the engine has failed at one: that one by PyArrow.

    Where it has failed at another before, so are all of that format, or each would have all of them read again.
    Raises the fault where PyArrow has failed, too, for a file of a store, which is as the engine wrote it, and after an
    interrupt, of which the engine may have made a panic.
    """
    failed = next((file for file in files if file.path == fault.path), None)
    if failed is None or failed.stored or failed.format.by_pyarrow or was_raised():
        raise fault
    several = any(file.format.by_pyarrow for file in files)
    alike = [file for file in files if file is failed or (several and file.format == failed.format and not file.stored)]
    marked = {file.path: replace(file, format=replace(file.format, by_pyarrow=True)) for file in alike}
    return tuple(marked.get(file.path, file) for file in files)


def _read_by_pyarrow(
    file: EventFile, projection: Projection, fault: DatasetError | None
) -> tuple[EventFile, FileSchema]:
    try:
        known = pyarrow_reader.read_schema(file)
        asked = narrowed({**known.columns, **known.logical}, projection.as_spelled_in(file, known.columns))
        pyarrow_reader.refuse_columns(file, asked)
    except (OSError, ValueError, NotImplementedError) as error:
        raise fault or unreadable(file, error) from None
    return replace(file, format=replace(file.format, by_pyarrow=True)), known


def _with_uuids(file: EventFile, known: FileSchema) -> FileSchema:
    """The schema with the UUIDs of an Arrow file, which are bytes to the engine."""
    told = pyarrow_reader.read_schema(file).logical
    logical = {name: dtype for name, dtype in told.items() if holds(pl.Binary, known.columns.get(name, pl.Null()))}
    return replace(known, logical=logical)


def _stored_files(files: Sequence[EventFile], projection: Projection) -> ColumnarFiles:
    """The files of stores in one storage as one scan: their columns are known without a look at them."""
    columns = {"timestamp", "event_name"}.union(*(file.stored.columns for file in files if file.stored))
    found = projection.columns_in(files[0], columns, found=())
    return ColumnarFiles(tuple(files), STORE_SCHEMA, projection.as_spelled_in(files[0], columns), found)


def _by_partition(files: list[EventFile], schema: pl.Schema, projection: Projection) -> Iterator[tuple[EventFile, ...]]:
    """Files of one schema grouped by what their folders say, as long as these are few groups."""
    if len(files) == 1:
        yield (files[0],)
        return
    groups: dict[object, list[EventFile]] = {}
    for file in files:
        groups.setdefault(tuple(_partition(file, schema, projection).items()), []).append(file)
    if len(groups) <= _CONSTANTS:
        yield from map(tuple, groups.values())
    else:
        yield from (tuple(files[at : at + _LOOKED_UP]) for at in range(0, len(files), _LOOKED_UP))


def _partition(file: EventFile, schema: pl.Schema, projection: Projection) -> dict[str, str | None]:
    """What the folders of a file say of columns that the question may read and the file lacks."""
    return {name: file.partition[name] for name in projection.raw if name in file.partition and name not in schema}


def _prefetch(files: Iterable[EventFile]) -> None:
    """Fetch at once what will be read of remote files: footers of Parquet, small files of Arrow IPC as a whole."""
    footers: dict[Storage, list[str]] = {}
    wholes: dict[Storage, list[str]] = {}
    for file in files:
        if not file.stored:
            (footers if file.format.name == "parquet" else wholes).setdefault(file.storage, []).append(file.path)
    for storage, paths in footers.items():
        storage.prefetch_footers(paths)
    for storage, paths in wholes.items():
        storage.prefetch(paths)


def find_undecodable(files: Iterable[EventFile], projection: Projection, error: BaseException) -> DatasetError | None:
    """What an error of the engine comes from: a store, or the first file that cannot be decoded; None for neither.

    Each file is read again by itself, unless the error is of a store, where that would take as long again.
    """
    files = list(files)
    if is_store_error(error):
        paths = [file.path for file in files if file.storage.scan_options]
        return store_error(failed_path(paths, error), error, found=True) if paths else None
    for group in group_by_schema(files, projection):
        for each in group.split():
            try:
                hashes = {VISITOR_HASH} if each.is_stored and each.projection.selection.hashed else set()
                names = [name for name in each.schema if name in {*each.projection.own_columns, *hashes}]
                # Where folders tell all that is asked, the rows are counted.
                each.scan().select(names or pl.len()).sink_batches(lambda _: None, engine="streaming")
            except DatasetError as fault:
                return fault
            except (*ENGINE_FAULTS, OSError) as fault:
                return unreadable(each.files[0], fault)
    return None
