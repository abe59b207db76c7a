"""Events from Parquet and Arrow IPC: lazy scans that decode only the columns and row groups a question needs.

Files of one schema are one scan. Whether a row is bad is asked first, by itself: where statistics show that no
timestamp is null, that question reads no data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmstats.errors import BadRow, Unreadable
from mmstats.events import typed
from mmstats.events.eventfile import EventFile
from mmstats.events.hive import Partition
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import SKIP_HINT, Shape, not_an_instant
from mmstats.visible import visible


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one format, schema and partition, which one scan reads."""

    files: tuple[EventFile, ...]
    schema: pl.Schema
    shape: Shape

    @property
    def partition(self) -> Partition:
        """What the folders say, the same for all the files as far as the question is concerned."""
        return self.files[0].partition

    def split(self) -> list["Part"]:
        """Each file by itself."""
        return [Part((file,), self.schema, self.shape) for file in self.files]

    def scan(self) -> pl.LazyFrame:
        """All raw columns of the files, lazily."""
        paths = [file.path for file in self.files]
        if self.files[0].format.name == "parquet":
            return pl.scan_parquet(paths, hive_partitioning=False, glob=False, schema=self.schema)
        if _is_stream(self.files[0]):
            return pl.concat(_read_stream(file).lazy() for file in self.files)
        return pl.scan_ipc(paths, hive_partitioning=False, glob=False)

    def events(self, scan: pl.LazyFrame, *, leave_out_bad: bool = False) -> pl.LazyFrame:
        """The events wanted of a scan; rows that cannot be read are filtered only where there are some."""
        wanted, kept = self.shape.wanted, []
        if wanted.bounded:
            kept.append(typed.in_range(*self.timestamp, wanted, self.shape.timestamp_unit))
        if wanted.event is not None:
            kept.append(self.text("event_name") == wanted.event)
        if leave_out_bad:
            kept.append(~self.bad)
        columns = {name: self.text(name) for name in wanted.schema if name != "timestamp"}
        if "timestamp" in wanted.schema:
            columns["timestamp"] = typed.instant(*self.timestamp, self.shape.timestamp_unit)
        # Not one select, which would be a single row where folders say all that is wanted.
        named = [columns[name].alias(name) for name in wanted.schema]
        return scan.filter(*kept).with_columns(named).select(*wanted.schema)

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
        own = self.schema.get(name)
        return self.shape.source("timestamp", self.schema, self.partition), own or pl.String()

    def text(self, column: str) -> pl.Expr:
        """An event column as text."""
        names = [name for name in self.shape.columns.sources(column) if name in self.schema]
        if len(names) == 1 and not any(name in self.partition for name in self.shape.columns.sources(column)):
            return typed.text(pl.col(names[0]), self.schema[names[0]])
        return self.shape.source(column, self.schema, self.partition).cast(pl.String)


def parts_of(files: Iterable[EventFile], shape: Shape, log: ReadLog) -> list[Part]:
    """The files grouped into as few scans as their schemas and folders allow.

    Raises Unreadable, naming the file, for one that is not what its name says, and NotEvents for one that lacks a
    column that must be there.
    """
    groups: dict[object, tuple[pl.Schema, list[EventFile]]] = {}
    for file in files:
        schema = read_schema(file)
        log.found |= shape.found(file, schema)
        told = tuple((name, file.partition[name]) for name in shape.raw if name in file.partition)
        key = (file.format, _is_stream(file), told, tuple(schema.items()))
        groups.setdefault(key, (schema, []))[1].append(file)
    return [Part(tuple(group), schema, shape) for schema, group in groups.values()]


def read_schema(file: EventFile) -> pl.Schema:
    """The columns of a file and their types.

    Raises Unreadable, naming the file, when it cannot be opened or is not what its name says.
    """
    if not file.path.isascii() and not _is_text(file.path):
        raise Unreadable(f"{file}: the name is not valid UTF-8", hint="rename the file or its folder")
    try:
        if file.format.name == "parquet":
            return pl.scan_parquet(file.path, glob=False, hive_partitioning=False).collect_schema()
        if _is_stream(file):
            return _read_stream(file).schema
        return pl.Schema(pl.read_ipc_schema(file.path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(file, error) from None


def _read_stream(file: EventFile) -> pl.DataFrame:
    try:
        return pl.read_ipc_stream(file.path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(file, error) from None


def _is_text(path: str) -> bool:
    """Whether the engine can be told of a path: one whose bytes are not UTF-8 has surrogates for them."""
    return path.encode("utf-8", "replace").decode() == path


def unreadable(file: EventFile, error: BaseException) -> Unreadable:
    """The error for a file that the engine could not decode, in one line."""
    kind = "Parquet" if file.format.name == "parquet" else "Arrow IPC"
    try:
        with Path(file.path).open("rb") as opened:  # the system says best why it does not open a file
            if not opened.read(1):
                return Unreadable(f"{file}: an empty file is not {kind}")
    except OSError as fault:
        return Unreadable(f"{file}: {fault.strerror}")
    why = visible(" ".join(str(error).split()))[:200]
    return Unreadable(f"{file}: cannot be read as {kind} ({why})", hint="was it written and copied whole?")


def _is_stream(file: EventFile) -> bool:
    """Whether an Arrow file is a stream, which has no footer to seek by."""
    if file.format.name != "arrow":
        return False
    try:
        with Path(file.path).open("rb") as opened:
            return opened.read(4) == b"\xff\xff\xff\xff"
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None


def judge(part: Part, log: ReadLog) -> bool:
    """Whether some rows of a part cannot be read.

    They are counted where the log says to leave them out; else raises BadRow for the first.
    """
    if not _any_bad(part):
        return False
    for each in part.split():
        left = _left(each)
        bad = sum(_count(scan.filter(each.bad), each.files[0]) for scan, _ in left)
        if bad and not log.skip_bad_rows:
            raise _first_bad(each, left)
        log.leave_out(each.files[0], bad)
    return True


def _any_bad(part: Part) -> bool:
    if len(part.files) == 1:
        return _count(part.scan().filter(part.bad), part.files[0]) > 0
    try:
        return bool(part.scan().filter(part.bad).select(pl.len()).collect(engine="streaming").item())
    except (pl.exceptions.PolarsError, OSError):
        return sum(map(_any_bad, part.split())) > 0  # all of them, to find the one that cannot be read


def _left(part: Part) -> list[tuple[pl.LazyFrame, int]]:
    """Scans of the row groups of one file that the range leaves, each with the number of rows before it."""
    if part.files[0].format.name != "parquet" or not part.shape.wanted.bounded:
        return [(part.scan(), 0)]
    from mmstats.events.statistics import Verdict, row_groups

    return [
        (part.scan().slice(group.first, group.rows), group.first)
        for group in row_groups(part)
        if group.verdict is not Verdict.NONE
    ]


def _count(frame: pl.LazyFrame, file: EventFile) -> int:
    try:
        return int(frame.select(pl.len()).collect(engine="streaming").item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(file, error) from None


def _first_bad(part: Part, left: list[tuple[pl.LazyFrame, int]]) -> BadRow:
    shape, file = part.shape, part.files[0]
    no_instant = typed.no_instant(*part.timestamp, shape.timestamp_unit).alias("no instant")
    text = typed.text(*part.timestamp).alias("text")
    for scan, before in left:
        bad = scan.with_row_index("row").filter(part.bad).head(1).select("row", no_instant, text).collect()
        for row, is_none, stated in bad.iter_rows():
            fault = not_an_instant(stated) if is_none else "a text is not valid UTF-8"
            return BadRow(f"{file}: row {before + row + 1:,}: {fault}", hint=SKIP_HINT)
    raise AssertionError("a bad row was counted and is not found")
