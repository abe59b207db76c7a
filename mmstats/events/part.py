"""Files of Parquet or Arrow IPC that one scan reads, and the events that a question wants of it, lazily."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mmstats.errors import DatasetError
from mmstats.events import typed
from mmstats.events.eventfile import EventFile
from mmstats.events.hive import Partition
from mmstats.events.layout import VISITOR_HASH
from mmstats.events.rows import Shape
from mmstats.events.scan import ENGINE_FAULTS, is_stream, read_stream, scan_of, scanned_path, unreadable
from mmstats.events.storage.trouble import blamed, is_foreign, trouble
from mmstats.events.visitor import VISITOR, hashed

FILE = "file"  # the number of the file that an event is from


@dataclass(frozen=True)
class Part:
    """Files of one format and schema, whose folders speak of the same columns, which one scan reads."""

    files: tuple[EventFile, ...]
    schema: pl.Schema
    shape: Shape

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

    def split(self) -> list["Part"]:
        """Each file by itself."""
        return [Part((file,), self.schema, self.shape) for file in self.files]

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
            kept.append(typed.in_range(*self.timestamp, wanted, self.shape.timestamp_unit))
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
            return typed.instant(*self.timestamp, self.shape.timestamp_unit)
        return self._word(column) if column in as_words else self.text(column)

    @property
    def bad(self) -> pl.Expr:
        """Whether a row cannot be read, judged on the columns that the question reads."""
        faults = [typed.no_instant(*self.timestamp, self.shape.timestamp_unit)]
        for name in self.shape.raw:
            fault = typed.no_text(pl.col(name), self.schema[name]) if name in self.schema else None
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
            typed.text(pl.col(name), self.columns[name])
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
        if is_foreign(error):  # reading again would take as long again
            paths = [file.path for file in self.files if file.storage.scan]
            return trouble(blamed(paths, error), error) if paths else None
        for part in self.split():
            try:
                raw = part.scan().select(name for name in self.shape.raw if name in self.schema)
                raw.sink_batches(lambda _: None, engine="streaming")
            except (*ENGINE_FAULTS, OSError) as fault:
                return unreadable(part.files[0], fault)
        return None
