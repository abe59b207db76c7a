"""Parquet and Arrow IPC: files of one schema as one scan of the engine, and the events selected of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.derivation import Column, Derivation, First, available, columns_of
from mmstats.files.event_file import EventFile, Partition
from mmstats.question.filters import Filter, Operator
from mmstats.readers import derive, pyarrow_reader, types, value_text
from mmstats.readers.columnar_file import is_stream, read_stream, scan_files, scanned_path, unused_name
from mmstats.readers.nested import JsonColumn, Leaf, find_leaf, json_columns, narrowed
from mmstats.readers.position import Position
from mmstats.readers.predicates import holds
from mmstats.readers.projection import VISITOR, Projection, hashed, looked_at_by, with_nulls
from mmstats.readers.timestamps import TIMESTAMP, calendar_digits

FILE = "file"  # the number of the file that an event is from


# The columns of a store's files: the event columns and what an import adds to them, for any tool to read.
VISITOR_HASH = "anonymous_id_xxh64"  # null for null
IMPORTED_FROM = "mmstats_source"  # the id of a source in the manifest
INSTANT = pl.Datetime("us", "UTC")
# Few different values in many rows: Parquet's dictionaries hold each once in a row group.
CATEGORICAL = ("event_name", "source", "medium", "campaign", "country", "device_type", "browser", "os", "path")
STORE_SCHEMA = pl.Schema(
    {
        **dict.fromkeys(EVENT_COLUMNS, pl.String()),
        **dict.fromkeys(CATEGORICAL, pl.Categorical()),
        "timestamp": INSTANT,
        VISITOR_HASH: pl.UInt64(),
        IMPORTED_FROM: pl.UInt32(),
    }
)


@dataclass(frozen=True)
class ColumnarFiles:
    """Files of one format and schema, whose folders speak of the same columns, which one scan reads.

    `found` are the event columns that they have by their schema, `logical` the types of columns that are more than what
    the engine takes them for. `seen` takes the signs of paths that some row turns out to have; where it is `strict`,
    text that a path goes into and that is no JSON raises BrokenText. Where there is a `position`, it is told of the
    events as they come.
    """

    files: tuple[EventFile, ...]
    schema: pl.Schema
    projection: Projection
    found: frozenset[str]
    logical: Mapping[str, pl.DataType] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    strict: bool = False
    position: Position | None = None

    @cached_property
    def _varying(self) -> tuple[str, ...]:
        """The raw columns that the files lack and their folders give, with different values."""
        first, *others = (file.partition for file in self.files)
        named = [name for name in first if name in self.projection.raw and name not in self.schema]
        return tuple(name for name in named if any(other[name] != first[name] for other in others))

    @property
    def is_stored(self) -> bool:
        """Whether the files are a store's, whose rows were judged when they were imported."""
        return self.files[0].stored is not None

    @property
    def by_pyarrow(self) -> bool:
        """Whether PyArrow reads the files, as the engine cannot."""
        return self.files[0].format.by_pyarrow

    @cached_property
    def partition(self) -> Partition:
        """What the folders say that is the same for all the files."""
        return {name: value for name, value in self.files[0].partition.items() if name not in self._varying}

    @cached_property
    def columns(self) -> dict[str, pl.DataType]:
        """The raw columns of the scan and their types: of the files, and what their folders say differently."""
        paths = {name: pl.String() if one.json_steps else one.dtype for name, one in self._leaves.items()}
        return {**self._own_types, **dict.fromkeys(self._varying, pl.String()), **paths}

    @cached_property
    def _own_types(self) -> dict[str, pl.DataType]:
        return {**self.schema, **self.logical}

    @cached_property
    def _leaves(self) -> dict[str, Leaf]:
        """Where the paths among the raw columns lead."""
        paths = {name: path for name, path in self.projection.paths.items() if name in self.projection.raw}
        dtypes = {name: self._own_types.get(path.column, pl.Null()) for name, path in paths.items()}
        return {name: find_leaf(name, path, dtypes[name], self.seen) for name, path in paths.items()}

    @cached_property
    def _json(self) -> dict[str, JsonColumn]:
        """The columns of JSON that paths go into, by the name of a column for what is parsed."""
        found = json_columns(self._leaves, self.seen, strict=self.strict)
        return {unused_name(f"parsed {place}", self.schema): one for place, one in enumerate(found)}

    @property
    def has_json(self) -> bool:
        """Whether a path goes into JSON, which a value need not be."""
        return bool(self._json)

    @property
    def is_judged_as_read(self) -> bool:
        """Whether all JSON that paths go into is parsed as the events are read, and none to judge the timestamps."""
        judged = (*self.sources("timestamp"), *self.projection.only)
        return self.has_json and not self.projection.selection.filtered and not any(map(self._is_json, judged))

    def _is_json(self, name: str) -> bool:
        return name in self._leaves and bool(self._leaves[name].json_steps)

    def columns_found(self) -> frozenset[str]:
        """The event columns that the files have, as far as is known; what is in values only once these are read."""
        there = {name for name, leaf in self._leaves.items() if leaf.is_there(self.seen)}
        own = self.found if self.is_stored else self.schema  # of a store's schema a file may have no values
        made, names = self.projection.derivations, {*own, *self.files[0].partition, *there}
        return self.found.union(name for name in self.projection.selection.read if available(made[name], names))

    def split(self) -> "list[ColumnarFiles]":
        """Each file by itself."""
        return [replace(self, files=(file,), position=None) for file in self.files]

    def scan(self, *, with_origin: bool = False) -> pl.LazyFrame:
        """All raw columns of the files, lazily; where it is asked for also the path of the file that a row is from."""
        scan = self._own_columns(with_origin=with_origin)
        if not self._leaves:
            return scan
        values = {name: leaf.value for name, leaf in self._leaves.items() if not leaf.json_steps}
        parsed = {name: one.parsed() for name, one in self._json.items()}
        scan = scan.with_columns(one.alias(name) for name, one in {**values, **parsed}.items())
        return scan.with_columns(one for name, json in self._json.items() for one in json.columns(pl.col(name)))

    def _own_columns(self, *, with_origin: bool) -> pl.LazyFrame:
        if self.by_pyarrow:
            return pl.concat(
                self._with_constants(pyarrow_reader.scan(file, self._scanned), file) for file in self.files
            )
        if is_stream(self.files[0]):
            return pl.concat(self._with_constants(read_stream(file).lazy(), file) for file in self.files)
        origin = self._origin if self._varying or with_origin else None
        number = self._row_number if self.position else None
        how: dict[str, Any] = {"schema": self._scanned} if self.files[0].format.name == "parquet" else {}
        if self.files[0].table:  # older files have columns that it dropped
            how["extra_columns"] = "ignore"
        scan = scan_files(self.files, include_file_paths=origin, row_index_name=number, **how)
        return scan.with_columns(self._looked_up(name) for name in self._varying) if self._varying else scan

    @cached_property
    def _scanned(self) -> pl.Schema:
        """The columns as they are scanned: of structs only the fields that are read."""
        return pl.Schema({**self.schema, **narrowed(self.schema, self.projection)}) if self._leaves else self.schema

    @property
    def _origin(self) -> str:
        """The name of the column of paths."""
        return unused_name("path of the file", self.columns)

    @property
    def _row_number(self) -> str:
        """The name of the column of row numbers."""
        return unused_name("number of the row", self.columns)

    def _looked_up(self, name: str) -> pl.Expr:
        """What the folders say of a column, found by the path of the file that a row is from."""
        values = pl.Series([file.partition[name] for file in self.files], dtype=pl.String)
        number = self._number({file.path: number for number, file in enumerate(self.files)})
        return number.replace_strict(range(len(values)), values, return_dtype=pl.String).alias(name)

    def _number(self, numbers: Mapping[str, int]) -> pl.Expr:
        """The number of the file that a row is from; `numbers` counts from 0 in its order."""
        scanned = {file.path: scanned_path(file) for file in self.files}
        names = [scanned.get(path, path) for path in numbers]
        if self.files[0].format.name == "arrow":  # scanned by its URL, which the engine tells as such or as a path
            names += [f"file://{name}" for name in names]
        return pl.col(self._origin).cast(pl.Enum(names)).to_physical().cast(pl.UInt32) % len(numbers)

    def _with_constants(self, scan: pl.LazyFrame, file: EventFile) -> pl.LazyFrame:
        constants = {self._origin: scanned_path(file), **{name: file.partition[name] for name in self._varying}}
        return scan.with_columns(pl.lit(value, pl.String).alias(name) for name, value in constants.items())

    def bad_rows(self) -> pl.LazyFrame:
        """The rows that cannot be read, lazily."""
        return self.scan().filter(self.bad)

    def events(
        self,
        scan: pl.LazyFrame | None = None,
        *,
        leave_out_bad: bool = False,
        as_categories: Collection[str] = (),
        numbers: Mapping[str, int] | None = None,
    ) -> pl.LazyFrame:
        """The events selected of a scan, by default of all the files; bad rows are filtered only where there are some.

        The columns `as_categories` are delivered as Categoricals, which they have to be in the files. With `numbers`,
        which count files by path from 0 in their order, the column FILE is delivered too.
        """
        scan = self.scan(with_origin=numbers is not None) if scan is None else scan
        selection, form = self.projection.selection, self.projection.timestamps
        instant, in_range = types.instant(*self.timestamp, form), types.in_range(*self.timestamp, selection, form)
        if selection.bounded and "timestamp" in selection.schema and not types.is_instant(self.timestamp[1], form):
            parsed = unused_name("instant", self.columns)  # of a text, once for both
            scan = scan.with_columns(instant.alias(parsed))
            instant, in_range = pl.col(parsed), selection.in_range(pl.col(parsed))
        predicates = [in_range] if selection.bounded else []
        predicates += [self._holds(one) for one in selection.where]
        if leave_out_bad:
            predicates.append(~self.bad)
        if (others := self.others) is not None:
            predicates.append(~others)
        columns: dict[str, pl.Expr] = {}
        for column in selection.schema:
            if column == "timestamp":
                columns[column] = instant
            else:
                columns[column] = self._category(column) if column in as_categories else self.text(column)
        if selection.hashed:
            columns[VISITOR] = pl.col(VISITOR_HASH) if self.is_stored else hashed(columns[VISITOR])
        if numbers is not None:
            columns[FILE] = self._number(numbers)
        if self.position:
            first, value = next(iter(columns.items()))
            columns[first] = self.position.told_by(value, pl.col(self._row_number))
        named = [columns[name].alias(name) for name in columns]
        # Not one select, which would be a single row where folders say all that is selected.
        return scan.filter(*predicates).with_columns(named).select(*columns)

    def _holds(self, asked: Filter) -> pl.Expr:
        """Whether a filter holds, by the words of a dictionary where the files have one."""
        if asked.operator in (Operator.IN, Operator.IS_NULL) and self.has_categories(asked.column):
            return holds(asked, self._category(asked.column))
        return holds(asked, self.text(looked_at_by(asked)))

    @property
    def bad(self) -> pl.Expr:
        """Whether a row cannot be read, judged on the columns that the question reads."""
        no_instant = types.no_instant(*self.timestamp, self.projection.timestamps)
        faults = [no_instant, *self.texts_that_fail().values()]
        bad = pl.any_horizontal(faults) if len(faults) > 1 else faults[0]
        return bad if (others := self.others) is None else bad & ~others

    @property
    def refused(self) -> pl.Expr:
        """Whether a row is not left out either: digits that may be a date or an epoch."""
        source, dtype = self.timestamp
        if not self.projection.timestamps.is_open or isinstance(dtype, pl.Datetime | pl.Date):
            return pl.lit(value=False)
        if dtype.is_integer():
            return types.is_calendar(source, dtype, self.projection.timestamps)
        text = value_text.text(source, dtype)
        return text.map_batches(calendar_digits, return_dtype=pl.Boolean, is_elementwise=True)

    def texts_that_fail(self) -> dict[str, pl.Expr]:
        """Whether a value that the question reads has no text, or is no JSON though a path goes into it, by the fault.

        Only of columns that may have such a value; where texts are `strict`, JSON is not looked at before it is read.
        """
        raw = self.projection.raw
        typed = {name: self.columns[name] for name in raw if name in self.schema or name in self._leaves}
        failing = {name: dtype for name, dtype in typed.items() if value_text.may_fail(dtype)}
        fails = {
            (value_text.fault_of(dtype), name): value_text.no_text(pl.col(name), dtype)
            for name, dtype in failing.items()
        }
        fails |= {("invalid UTF-8", name): leaf.fails for name, leaf in self._leaves.items() if leaf.fails is not None}
        if not self.strict:
            fails |= {("broken JSON", one.column): one.broken(pl.col(name)) for name, one in self._json.items()}
        return {f"{fault} in {name}": whether for (fault, name), whether in fails.items()}

    @cached_property
    def timestamp(self) -> tuple[pl.Expr, pl.DataType]:
        """What serves as timestamp, and its type: of a column that is an instant its own, else text."""
        derivation = self.derivation("timestamp")
        match derivation:
            case Column(name) if name in self.columns:
                return pl.col(name), self.columns[name]
            case First(parts) if any(self._is_typed(part) for part in parts):
                return self._first_instant(parts), TIMESTAMP
        return self.text("timestamp"), pl.String()

    def _is_typed(self, part: Derivation) -> bool:
        if not isinstance(part, Column):
            return False
        return types.is_instant(self.columns.get(part.name, pl.String()), self.projection.timestamps)

    def _first_instant(self, parts: Sequence[Derivation]) -> pl.Expr:
        """The instant of the first part that is not null, row by row."""
        form, found = self.projection.timestamps, pl.lit(None, TIMESTAMP)
        for part in reversed(parts):
            source = pl.col(part.name) if isinstance(part, Column) and self._is_typed(part) else self._made(part)
            dtype = self.columns[part.name] if isinstance(part, Column) and self._is_typed(part) else pl.String()
            found = pl.when(source.is_not_null()).then(types.instant(source, dtype, form)).otherwise(found)
        return found

    def text(self, column: str) -> pl.Expr:
        """An event column as text; null where the files have nothing that it is made of."""
        derivation = self.derivation(column)
        return self._made(derivation) if derivation else pl.lit(None, pl.String)

    def _made(self, derivation: Derivation) -> pl.Expr:
        return derive.text(derivation, self._leaf, self.projection.geo_database)

    def _leaf(self, name: str) -> pl.Expr:
        """A raw column as text, or what the folders say of it."""
        if name in self.columns:
            return with_nulls(value_text.text(pl.col(name), self.columns[name]), self.projection.dialect.null_texts)
        return pl.lit(self.partition[name], pl.String)

    @property
    def others(self) -> pl.Expr | None:
        """Whether a row is no event; None where nothing tells."""
        lacked = {name for name, leaf in self._leaves.items() if not (leaf.sign or leaf.is_there(()))}
        there = [name for name in self.projection.only if self._has(name) and name not in lacked]
        return self.projection.no_event({name: self._leaf(name) for name in there})

    def derivation(self, column: str) -> Derivation | None:
        """What an event column is made of here; None for null throughout."""
        made = self.projection.derivations[column]
        return available(made, [name for name in columns_of(made) if self._has(name)])

    def _has(self, name: str) -> bool:
        return name in self.columns or name in self.partition

    def source(self, column: str) -> str | None:
        """The column of the files, or of their folders, that an event column is as it is; None where it is made."""
        derivation = self.derivation(column)
        if not isinstance(derivation, Column) or self.projection.dialect.null_texts:
            return None
        return None if derivation.name in self.projection.paths else derivation.name

    def sources(self, column: str) -> tuple[str, ...]:
        """The columns of the files and of their folders that an event column is made of."""
        derivation = self.derivation(column)
        return columns_of(derivation) if derivation else ()

    def has_categories(self, column: str) -> bool:
        """Whether an event column is one Categorical in the files: few values in a dictionary, as numbers."""
        return self.schema.get(self.source(column) or "") == pl.Categorical()

    def _category(self, column: str) -> pl.Expr:
        return pl.col(self.source(column) or "")
