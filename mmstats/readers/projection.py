"""Which columns of which events a question selects, and how the raw columns of files become event columns."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, cast

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.errors import NotEvents
from mmstats.files.event_file import EventFile, Partition
from mmstats.limits import Limits
from mmstats.paths import Path, readings
from mmstats.question.filters import Filter
from mmstats.readers.predicates import holds
from mmstats.readers.report import InstantRange
from mmstats.readers.timestamps import TIMESTAMP, parse_text
from mmstats.wording import nearest, visible

REQUIRED = ("timestamp", "event_name")
VISITOR = "anonymous_id"
_PROPERTIES = "properties"
# Names that columns with this meaning often have elsewhere, the likeliest first.
KIN = {
    "timestamp": ("ts", "time", "event_time", "datetime", "date", "created_at", "occurred_at", "sent_at", "at"),
    "event_name": ("name", "type", "event_type", "action", "eventName"),
    "anonymous_id": ("visitor_id", "visitor", "anon_id", "distinct_id", "client_id", "device_id", "user_id", "uid"),
}
_HASH_SEED = 42
_LISTED, _LONGEST_NAME = 8, 40  # names of columns in a hint, and their characters


_DIGITS = "\0digits of "  # no column that a file has begins so


def digits_of(column: str) -> str:
    """The name under which a column is delivered with the digits of its numbers as they are written."""
    return _DIGITS + column


def without_digits(name: str) -> str:
    """The name of a column that `digits_of` has named; any other as it is."""
    return name.removeprefix(_DIGITS)


def is_digits(name: str) -> bool:
    """Whether `digits_of` has named a column so."""
    return name.startswith(_DIGITS)


@dataclass(frozen=True)
class Selection:
    """The columns and the events that a question needs.

    `columns` are delivered, as text but for the timestamp; where visitors are `hashed`, `anonymous_id` is its hash.
    A column of numbers may be among them by the name that `digits_of` gives it, too.
    Only events from `start` to before `end` (naive, UTC) for which every filter `where` holds are selected.
    """

    columns: tuple[str, ...]
    start: datetime | None = None
    end: datetime | None = None
    where: tuple[Filter, ...] = ()
    hashed: bool = False

    @cached_property
    def bounded(self) -> bool:
        """Whether the range leaves anything out."""
        return self.start is not None or self.end is not None

    @cached_property
    def filtered(self) -> tuple[str, ...]:
        """The event columns that events are selected by."""
        return (*(("timestamp",) if self.bounded else ()), *(one.column for one in self.where))

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The event columns to look at: those delivered, those filtered by, and the timestamp, which is judged."""
        return tuple(dict.fromkeys(("timestamp", *self.filtered, *self.columns)))

    @cached_property
    def schema(self) -> dict[str, pl.DataType]:
        """The columns and their types, as they are before a visitor is hashed."""
        return {name: TIMESTAMP if name == "timestamp" else pl.String() for name in self.columns}

    def in_range(self, instant: pl.Expr) -> pl.Expr:
        """Whether an instant, a naive Datetime in microseconds, lies in the range."""
        after = [] if self.start is None else [instant >= pl.lit(self.start, TIMESTAMP)]
        before = [] if self.end is None else [instant < pl.lit(self.end, TIMESTAMP)]
        return pl.all_horizontal(*after, *before) if after or before else instant.is_not_null()


@dataclass(frozen=True)
class Projection:
    """How raw columns become the event columns selected.

    `mapped` are the data's names for event columns that it calls otherwise, `timestamp_unit` is that of numbers.
    `spelled` are a file's own names for raw columns that it spells otherwise, in another case or with blanks around.
    `paths` are the raw columns that lie in the values of a file's own columns; a reader delivers each of them as text
    under its name.
    """

    selection: Selection
    mapped: Mapping[str, str] = field(default_factory=dict)
    timestamp_unit: str | None = None
    limits: Limits = field(default=Limits(), repr=False)
    spelled: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)

    @cached_property
    def as_stored(self) -> "Projection":
        """The same for a store's files: what the user says of columns and timestamps was applied by the import."""
        others = {name: own for name, own in self.mapped.items() if name not in EVENT_COLUMNS}
        return Projection(self.selection, others, limits=self.limits)

    @cached_property
    def unbounded(self) -> "Projection":
        """The same for files that lie inside the range."""
        return replace(self, selection=replace(self.selection, start=None, end=None))

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The raw columns that serve as each event column: the first that is not null, row by row."""
        own = {column: (column,) for column in (*REQUIRED, *self.selection.read)}
        mapped = {name: (raw,) for name, raw in self.mapped.items()}
        names = {**own, "event_name": ("event_name", "event"), **mapped}
        properties = names.get(_PROPERTIES, (_PROPERTIES,))
        for column in filter(is_property, self.selection.read):
            names[column] = tuple(raw + column.removeprefix(_PROPERTIES) for raw in properties)
        found = {column: tuple(self.spelled.get(name, name) for name in raw) for column, raw in names.items()}
        for column in filter(is_digits, self.selection.read):  # where there are no such digits, the text has them
            found[column] = tuple(one for raw in found[without_digits(column)] for one in (digits_of(raw), raw))
        return found

    @cached_property
    def raw(self) -> tuple[str, ...]:
        """The raw columns that the question may read."""
        return tuple(dict.fromkeys(name for column in self.selection.read for name in self.sources[column]))

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The raw columns that the question may read, and those that may serve as the columns that must be there."""
        return tuple(dict.fromkeys((*self.raw, *(name for column in REQUIRED for name in self.sources[column]))))

    @cached_property
    def own_columns(self) -> tuple[str, ...]:
        """The files' own columns that the raw columns which the question may read are, or lie in."""
        return tuple(dict.fromkeys(one.column if (one := self.paths.get(name)) else name for name in self.raw))

    @cached_property
    def timestamp(self) -> str:
        """The raw column that serves as timestamp."""
        return self.sources["timestamp"][0]

    def untyped(self, column: str, own: Collection[str], partition: Partition) -> pl.Expr:
        """An event column, untyped: the file's own columns, where it lacks one its folders' word, else null."""
        found = [
            pl.col(name) if name in own else pl.lit(partition[name], pl.String)
            for name in self.sources[column]
            if name in own or name in partition
        ]
        if len(found) > 1:
            return pl.coalesce([one.cast(pl.String) for one in found])
        return found[0] if found else pl.lit(None, pl.String)

    def columns_in(self, file: EventFile, own: Collection[str], found: Collection[str] | None = None) -> frozenset[str]:
        """The event columns that a file with these columns of its own has; of paths the ones `found`, by default all.

        Raises NotEvents when one that must be there is not among them.
        """
        projection = self.as_spelled_in(file, own)
        available = {*own, *file.partition, *projection.paths}
        missing = [column for column in REQUIRED if available.isdisjoint(projection.sources[column])]
        if missing:
            raise self.no_columns(file, missing, {*own, *file.partition})
        if found is not None:
            available -= projection.paths.keys() - set(found)
        read = self.selection.read
        return frozenset(column for column in read if not available.isdisjoint(projection.sources[column]))

    def as_spelled_in(self, file: EventFile, own: Collection[str]) -> "Projection":
        """The same for a file with these columns of its own, by the names that the file and its folders have for them.

        A raw column that is not there by its exact name is the only one that equals it without case and the blanks
        around it, or else a path into the one of its first name. Raises NotEvents where there are several, and the
        question reads it.
        """
        available = {*own, *file.partition}
        missing = [name for name in self.needed if name not in available]
        if not missing:
            return self
        alike: dict[str, list[str]] = {}
        for name in sorted(available):
            alike.setdefault(_folded(name), []).append(name)
        spelled: dict[str, str] = {}
        paths: dict[str, Path] = {}
        for name in missing:
            if is_digits(name):
                continue
            if _folded(name) in alike:
                spelled[name] = self._only_one(file, name, name, alike)
            elif there := [one for one in readings(name) if one.column in own]:
                paths[name] = there[0]
            elif (ways := readings(name)) and alike.get(_folded(ways[-1].column), [""])[0] in own:
                paths[name] = replace(ways[-1], column=self._only_one(file, name, ways[-1].column, alike))
        digits = {name: without_digits(name) for name in missing if is_digits(name)}
        paths |= {name: replace(paths[raw], spelled=True) for name, raw in digits.items() if raw in paths}
        return replace(self, spelled=spelled, paths=paths) if spelled or paths else self

    def _only_one(self, file: EventFile, raw: str, column: str, alike: Mapping[str, list[str]]) -> str:
        """The column of a file that is spelled like one that a raw column is, or lies in."""
        found = alike[_folded(column)]
        if len(found) > 1 and raw in self.raw:
            several = " and ".join(repr(visible(one)) for one in found)
            flag = f"--map {next(one for one, names in self.sources.items() if raw in names)}"
            meant = found[0] + raw.removeprefix(column)
            hint = f"{flag}={shlex.quote(visible(meant))} names the one that is meant"
            raise NotEvents(f"{file}: no column {visible(column)!r}, but {several}", hint=hint)
        return found[0]

    def no_columns(self, file: EventFile, missing: Sequence[str], available: Collection[str]) -> NotEvents:
        """The error for a file in which nothing serves as the `missing` columns, with an offer of what might."""
        lacked = [
            f"{visible(self.mapped[column])!r} to serve as {column}" if column in self.mapped else repr(column)
            for column in missing
        ]
        likely = {column: _likely(column, available) for column in missing}
        flags = " ".join(f"--map {column}={visible(name or 'COLUMN')}" for column, name in likely.items())
        names = [visible(name[:_LONGEST_NAME]) for name in sorted(available) if name]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        has = f"it has {', '.join(names[:_LISTED])}{more}" if names else ""
        if len(names) < 2:  # a title, or a line of another delimiter: no column to map
            hint = has and f"{has}: is that the header?"
        else:
            hint = f"did you mean {flags}?" if all(likely.values()) else f"{has}; {flags} names what serves"
        return NotEvents(f"{file}: no column {' and no column '.join(lacked)}", hint=hint)


def is_property(column: str) -> bool:
    """Whether a column of a question is a path into the properties."""
    return column.startswith((f"{_PROPERTIES}.", f"{_PROPERTIES}["))


def _folded(name: str) -> str:
    return name.strip().casefold()


def _likely(column: str, available: Collection[str]) -> str | None:
    """The column of the data that could be meant to serve as an event column, if one looks like it."""
    folded = {name.casefold(): name for name in available}
    for kin in (column, *KIN.get(column, ())):
        if kin.casefold() in folded:
            return folded[kin.casefold()]
    return nearest(column, available)


def judge_rows(raw: pl.DataFrame, projection: Projection, partition: Partition) -> tuple[pl.DataFrame, pl.Series]:
    """The event columns of every raw row of text, and which rows have no instant for a timestamp."""
    read = projection.selection.read
    sources = {name: projection.untyped(name, raw.columns, partition) for name in read}
    frame = raw.with_columns(source.cast(pl.String).alias(name) for name, source in sources.items())
    instants = parse_text(frame["timestamp"], projection.timestamp_unit)
    return frame.with_columns(instants.alias("timestamp")).select(read), instants.is_null()


def select_rows(frame: pl.DataFrame, selection: Selection, *beside: str) -> pl.DataFrame:
    """The rows selected by range and filters, with the columns to deliver, and some beside."""
    if selection.bounded:
        frame = frame.filter(selection.in_range(pl.col("timestamp")))
    if selection.where:
        frame = frame.filter(*(holds(one, pl.col(one.column)) for one in selection.where))
    return frame.select(*selection.schema, *beside)


def range_of(frame: pl.DataFrame) -> InstantRange | None:
    """The first and the last instant of judged rows, None without rows."""
    if frame.is_empty():
        return None
    instants = frame["timestamp"].to_physical()
    return cast(InstantRange, (instants.min(), instants.max()))


def timestamp_fault(raw: pl.DataFrame, projection: Projection, partition: Partition, row: int) -> str:
    """What is wrong with the timestamp of a raw row that names no instant."""
    source = projection.untyped("timestamp", raw.columns, partition).cast(pl.String)
    return not_an_instant(raw.slice(row, 1).select(source).item(), projection)


def not_an_instant(text: str | None, projection: Projection) -> str:
    """What is wrong with a timestamp that names no instant."""
    if text is not None:
        return f'the timestamp "{visible(text[:60])}" is no instant'
    is_path = bool(readings(projection.timestamp))
    return "the timestamp is null" + (f": nothing is at {visible(projection.timestamp)!r}" if is_path else "")


def hashed(identifier: pl.Expr) -> pl.Expr:
    """The 64-bit hash of a visitor's UTF-8 bytes (XXH64, seed 42); null for null.

    The same on every machine, engine and version, so that what is kept of it on disk stays good.
    """
    import polars_hash  # noqa: F401 - a plugin, which gives expressions the name used below; only visitors need it

    expression: Any = identifier
    found: pl.Expr = expression.nchash.xxhash64(seed=_HASH_SEED)
    return found
