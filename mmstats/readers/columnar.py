"""A file of Parquet or Arrow IPC as the engine reads it: its scan, its schema, and what cannot be decoded."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from mmstats.errors import DatasetError, Unreadable
from mmstats.files.event_file import EventFile, Partition
from mmstats.readers import types
from mmstats.readers.projection import REQUIRED, STORE_SCHEMA, VISITOR, VISITOR_HASH, Projection, hashed
from mmstats.readers.report import ReadLog
from mmstats.storage import Storage
from mmstats.storage.errors import failed_path, is_store_error, store_error
from mmstats.wording import is_encodable, visible

# What the engine raises when it cannot decode a file; a panic is one, though no Exception.
ENGINE_FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_schema(file: EventFile) -> pl.Schema:
    """The columns of a file and their types.

    Raises Unreadable, naming the file, when it cannot be opened or is not what its name says.
    """
    if not file.path.isascii() and not is_encodable(file.path):
        raise Unreadable(f"{file}: the name is not valid UTF-8", hint="rename the file or its folder")
    try:
        if file.format.name == "parquet":
            footer = file.storage.footer(file.path)
            return pl.scan_parquet(footer, glob=False, hive_partitioning=False).collect_schema()
        if is_stream(file):
            return read_stream(file).schema
        return scan_of([file]).collect_schema()
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def scan_of(files: Sequence[EventFile], **how: Any) -> pl.LazyFrame:
    """A scan of files of one storage and format."""
    paths, how = list(map(scanned_path, files)), {"glob": False, "hive_partitioning": False, **how}
    if files[0].format.name == "parquet":
        return pl.scan_parquet(paths, **how, **files[0].storage.scan_options)
    return pl.scan_ipc(paths, **how)


def scanned_path(file: EventFile) -> str:
    """Where the engine scans a file: one of Arrow IPC near at hand, since of one far away it would fetch all each time.

    Raises Unreadable when it cannot be had.
    """
    return file.path if file.format.name == "parquet" else file.storage.local_copy(file.path)


def read_stream(file: EventFile) -> pl.DataFrame:
    """All of an Arrow stream; raises Unreadable, naming the file, when it cannot be decoded."""
    try:
        return pl.read_ipc_stream(scanned_path(file))
    except (*ENGINE_FAULTS, OSError) as error:
        raise unreadable(file, error) from None


def unreadable(file: EventFile, error: BaseException) -> DatasetError:
    """The error for a file that the engine could not decode, in one line."""
    kind = "Parquet" if file.format.name == "parquet" else "Arrow IPC"
    if is_store_error(error):
        return store_error(str(file), error)
    try:
        if not file.storage.read_head(file.path, 1):  # the system says best why it does not open a file
            return Unreadable(f"{file}: an empty file is not {kind}")
    except OSError as fault:
        return Unreadable(f"{file}: {fault.strerror}")
    why = visible(" ".join(str(error).split()))[:200]
    return Unreadable(f"{file}: cannot be read as {kind} ({why})", hint="was it written and copied whole?")


def is_stream(file: EventFile) -> bool:
    """Whether an Arrow file is a stream, which has no footer to seek by."""
    if file.format.name != "arrow":
        return False
    try:
        return file.storage.read_head(file.path, 4) == b"\xff\xff\xff\xff"
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None


FILE = "file"  # the number of the file that an event is from


@dataclass(frozen=True)
class ColumnarFiles:
    """Files of one format and schema, whose folders speak of the same columns, which one scan reads."""

    files: tuple[EventFile, ...]
    schema: pl.Schema
    shape: Projection

    @cached_property
    def _told(self) -> tuple[str, ...]:
        """The raw columns that the files lack and of which their folders say not all the same."""
        first, *others = (file.partition for file in self.files)
        named = [name for name in first if name in self.shape.raw and name not in self.schema]
        return tuple(name for name in named if any(other[name] != first[name] for other in others))

    @property
    def is_stored(self) -> bool:
        """Whether the files are a store's, whose rows were judged when they were imported."""
        return self.files[0].stored is not None

    @cached_property
    def partition(self) -> Partition:
        """What the folders say that is the same for all the files."""
        return {name: value for name, value in self.files[0].partition.items() if name not in self._told}

    @cached_property
    def columns(self) -> dict[str, pl.DataType]:
        """The raw columns of the scan and their types: of the files, and what their folders say differently."""
        return {**self.schema, **{name: pl.String() for name in self._told}}

    def split(self) -> list["ColumnarFiles"]:
        """Each file by itself."""
        return [ColumnarFiles((file,), self.schema, self.shape) for file in self.files]

    def scan(self, *, with_origin: bool = False) -> pl.LazyFrame:
        """All raw columns of the files, lazily; where it is asked for also the path of the file that a row is from."""
        if is_stream(self.files[0]):
            return pl.concat(self._with_constants(read_stream(file).lazy(), file) for file in self.files)
        origin = self._origin if self._told or with_origin else None
        how = {"schema": self.schema} if self.files[0].format.name == "parquet" else {}
        scan = scan_of(self.files, include_file_paths=origin, **how)
        return scan.with_columns(self._looked_up(name) for name in self._told) if self._told else scan

    @property
    def _origin(self) -> str:
        """A name for the column of paths that no other column has."""
        return max(("path", *self.columns), key=len) + "'"

    def _looked_up(self, name: str) -> pl.Expr:
        """What the folders say of a column, found by the path of the file that a row is from."""
        values = pl.Series([file.partition[name] for file in self.files], dtype=pl.String)
        number = self._number({file.path: number for number, file in enumerate(self.files)})
        return number.replace_strict(range(len(values)), values, return_dtype=pl.String).alias(name)

    def _number(self, numbers: Mapping[str, int]) -> pl.Expr:
        """The number of the file that a row is from; `numbers` counts from 0 in its order."""
        scanned = {file.path: scanned_path(file) for file in self.files}
        names = pl.Enum([scanned.get(path, path) for path in numbers])
        return pl.col(self._origin).cast(names).to_physical().cast(pl.UInt32)

    def _with_constants(self, scan: pl.LazyFrame, file: EventFile) -> pl.LazyFrame:
        constants = {self._origin: scanned_path(file), **{name: file.partition[name] for name in self._told}}
        return scan.with_columns(pl.lit(value, pl.String).alias(name) for name, value in constants.items())

    def events(
        self,
        scan: pl.LazyFrame,
        *,
        leave_out_bad: bool = False,
        as_words: Collection[str] = (),
        numbers: Mapping[str, int] | None = None,
    ) -> pl.LazyFrame:
        """The events wanted of a scan; rows that cannot be read are filtered only where there are some.

        The columns `as_words` are delivered as Categoricals, which they have to be in the files. With `numbers`, which
        count files by path from 0 in their order, the column FILE is delivered too, of a scan with its origin.
        """
        wanted, kept = self.shape.wanted, []
        if wanted.bounded:
            kept.append(types.in_range(*self.timestamp, wanted, self.shape.timestamp_unit))
        if wanted.event is not None:
            kept.append((self._word if self.has_words("event_name") else self.text)("event_name") == wanted.event)
        if leave_out_bad:
            kept.append(~self.bad)
        columns = {name: self._delivered(name, as_words) for name in wanted.schema}
        if wanted.hashed:
            columns[VISITOR] = pl.col(VISITOR_HASH) if self.is_stored else hashed(columns[VISITOR])
        if numbers is not None:
            columns[FILE] = self._number(numbers)
        named = [columns[name].alias(name) for name in columns]
        # Not one select, which would be a single row where folders say all that is wanted.
        return scan.filter(*kept).with_columns(named).select(*columns)

    def _delivered(self, column: str, as_words: Collection[str]) -> pl.Expr:
        if column == "timestamp":
            return types.instant(*self.timestamp, self.shape.timestamp_unit)
        return self._word(column) if column in as_words else self.text(column)

    @property
    def bad(self) -> pl.Expr:
        """Whether a row cannot be read, judged on the columns that the question reads."""
        faults = [types.no_instant(*self.timestamp, self.shape.timestamp_unit)]
        for name in self.shape.raw:
            fault = types.no_text(pl.col(name), self.schema[name]) if name in self.schema else None
            faults += [] if fault is None else [fault]
        return pl.any_horizontal(faults) if len(faults) > 1 else faults[0]

    @property
    def timestamp(self) -> tuple[pl.Expr, pl.DataType]:
        """The raw column that serves as timestamp, and its type."""
        name = self.shape.columns.sources("timestamp")[0]
        own = self.columns.get(name)
        return self.shape.source("timestamp", self.columns, self.partition), own or pl.String()

    def text(self, column: str) -> pl.Expr:
        """An event column as text: the first of its sources that is not null, row by row."""
        texts = [
            types.text(pl.col(name), self.columns[name])
            if name in self.columns
            else pl.lit(self.partition[name], pl.String)
            for name in self.sources(column)
        ]
        return pl.coalesce(texts) if len(texts) > 1 else texts[0] if texts else pl.lit(None, pl.String)

    def has_words(self, column: str) -> bool:
        """Whether an event column is one Categorical in the files: few values in a dictionary, as numbers."""
        sources = self.sources(column)
        return len(sources) == 1 and self.schema.get(sources[0]) == pl.Categorical()

    def _word(self, column: str) -> pl.Expr:
        return pl.col(self.sources(column)[0])

    def sources(self, column: str) -> list[str]:
        """The columns of the files and of what their folders say that serve as an event column."""
        named = self.shape.columns.sources(column)
        return [name for name in named if name in self.columns or name in self.partition]

    def blamed(self, error: BaseException) -> DatasetError | None:
        """What an error of the engine comes from: the way to a file, or the first that it cannot decode, if any."""
        if is_store_error(error):  # reading again would take as long again
            paths = [file.path for file in self.files if file.storage.scan_options]
            return store_error(failed_path(paths, error), error) if paths else None
        for part in self.split():
            try:
                raw = part.scan().select(name for name in self.shape.raw if name in self.schema)
                raw.sink_batches(lambda _: None, engine="streaming")
            except (*ENGINE_FAULTS, OSError) as fault:
                return unreadable(part.files[0], fault)
        return None


# Up to so many different words of folders are constants of a scan each; more are looked up by the path of a row.
_CONSTANTS = 16
_LOOKED_UP = 1000  # files in one scan, since every batch of rows is held against all of its paths


def group_by_schema(files: Iterable[EventFile], shape: Projection, log: ReadLog) -> list[ColumnarFiles]:
    """The files grouped into as few scans as their schemas allow.

    Raises Unreadable, naming the file, for one that is not what its name says, and NotEvents for one that lacks a
    column that must be there.
    """
    files = list(files)
    groups: dict[object, tuple[pl.Schema, list[EventFile]]] = {}
    stored: dict[Storage, list[EventFile]] = {}
    _expect(files)
    for file in files:
        if file.stored:
            stored.setdefault(file.storage, []).append(file)
            continue
        schema = read_schema(file)
        log.columns[file.path] = shape.found(file, schema)
        told = frozenset(_told(file, schema, shape))
        key = (file.storage, file.format, is_stream(file), told, tuple(schema.items()))
        groups.setdefault(key, (schema, []))[1].append(file)
    parts = [
        ColumnarFiles(some, schema, shape)
        for schema, group in groups.values()
        for some in _by_folders(group, schema, shape)
    ]
    return [*(_stored_part(some, shape, log) for some in stored.values()), *parts]


def _stored_part(stored: list[EventFile], shape: Projection, log: ReadLog) -> ColumnarFiles:
    """The files of stores in one storage as one scan: their columns are known without a look at them."""
    as_stored = shape.as_stored()
    columns = {*REQUIRED, *(name for file in stored if file.stored for name in file.stored.columns)}
    log.columns |= {file.path: as_stored.found(file, columns) for file in stored}
    return ColumnarFiles(tuple(stored), STORE_SCHEMA, as_stored)


def _by_folders(files: list[EventFile], schema: pl.Schema, shape: Projection) -> Iterator[tuple[EventFile, ...]]:
    """Files of one schema grouped by what their folders say, as long as these are few groups."""
    groups: dict[object, list[EventFile]] = {}
    for file in files:
        groups.setdefault(tuple(_told(file, schema, shape).items()), []).append(file)
    if len(groups) <= _CONSTANTS:
        yield from map(tuple, groups.values())
    else:
        yield from (tuple(files[at : at + _LOOKED_UP]) for at in range(0, len(files), _LOOKED_UP))


def _told(file: EventFile, schema: pl.Schema, shape: Projection) -> dict[str, str | None]:
    """What the folders of a file say of columns that the question may read and the file lacks."""
    return {name: file.partition[name] for name in shape.raw if name in file.partition and name not in schema}


def _expect(files: Iterable[EventFile]) -> None:
    """Have what will be wanted of files fetched at once: footers of Parquet, small files of Arrow IPC as a whole."""
    footers: dict[Storage, list[str]] = {}
    wholes: dict[Storage, list[str]] = {}
    for file in files:
        if not file.stored:
            (footers if file.format.name == "parquet" else wholes).setdefault(file.storage, []).append(file.path)
    for storage, paths in footers.items():
        storage.prefetch_footers(paths)
    for storage, paths in wholes.items():
        storage.prefetch(paths)
