"""Which columns of which events a question selects, and how the raw columns of files become event columns."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, cast

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.derivation import Column, Derivation, First, Schema, available, columns_of, renamed
from mmstats.dialect import Dialect
from mmstats.errors import NoColumns, NotEvents
from mmstats.files.event_file import EventFile, Partition
from mmstats.limits import Limits
from mmstats.paths import Path, readings
from mmstats.question.filters import COMPARISONS, Filter
from mmstats.readers import derive
from mmstats.readers.predicates import holds
from mmstats.readers.report import FoundBadRow, InstantRange
from mmstats.readers.timestamps import TIMESTAMP, TimestampForm, calendar_digits, parse_text
from mmstats.wording import nearest, visible

REQUIRED = ("timestamp", "event_name")
VISITOR = "anonymous_id"
_PROPERTIES = "properties"
_HASH_SEED = 42
_DAY_DIGITS = 8  # of a date without a time of day
_DELIMITERS = {";": "';'", "\t": "tab", ",": ",", "|": "'|'"}  # and how the shell takes them
_LISTED, _LONGEST_NAME = 8, 40  # names of columns in a hint, and their characters


_DIGITS = "\0digits of "  # no column that a file has begins so


def digits_of(column: str) -> str:
    """The name under which a column is delivered with the digits of its numbers as they are written."""
    return _DIGITS + column


def without_digits(name: str) -> str:
    """The name of a column that `digits_of` has named; any other as it is."""
    return name.removeprefix(_DIGITS)


def _with_digits(derivation: Derivation) -> Derivation:
    """The same, of each raw column first the digits that its numbers are written with, else its text."""
    match derivation:
        case Column(name):
            return First((Column(digits_of(name)), derivation))
        case First(parts):
            return First(tuple(_with_digits(part) for part in parts))
    return derivation


def is_digits(name: str) -> bool:
    """Whether `digits_of` has named a column so."""
    return name.startswith(_DIGITS)


def looked_at_by(asked: Filter) -> str:
    """The column that decides whether a filter holds: the digits of its numbers as written, where it compares them."""
    return digits_of(asked.column) if asked.operator in COMPARISONS else asked.column


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
        looked_at = (name for one in self.where for name in (one.column, looked_at_by(one)))
        return (*(("timestamp",) if self.bounded else ()), *dict.fromkeys(looked_at))

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

    `mapped` are the data's names for event columns that it calls otherwise; they come before what a `schema` makes
    event columns of, which may need a `geo_database`. `timestamp_unit` is that of numbers, `dialect` is how the files
    are written. `spelled` are a file's own names for raw columns that it spells otherwise, in another case or with
    blanks around. `paths` are the raw columns that lie in the values of a file's own columns; a reader delivers each of
    them as text under its name.
    """

    selection: Selection
    mapped: Mapping[str, str] = field(default_factory=dict)
    timestamp_unit: str | None = None
    limits: Limits = field(default=Limits(), repr=False)
    spelled: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)
    dialect: Dialect = field(default=Dialect())
    schema: Schema | None = None
    geo_database: str | None = None

    @cached_property
    def as_stored(self) -> "Projection":
        """The same for a store's files: what the user says of columns and timestamps was applied by the import."""
        others = {name: own for name, own in self.mapped.items() if name not in EVENT_COLUMNS}
        return Projection(self.selection, others, limits=self.limits)

    @cached_property
    def timestamps(self) -> TimestampForm:
        """What is said of the form of timestamps."""
        return TimestampForm(self.timestamp_unit, self.dialect.timestamps, self.dialect.time_zone)

    @cached_property
    def unbounded(self) -> "Projection":
        """The same for files that lie inside the range."""
        return replace(self, selection=replace(self.selection, start=None, end=None))

    @cached_property
    def derivations(self) -> dict[str, Derivation]:
        """What each event column is made of; by default of the raw column of its name."""
        own = {column: Column(column) for column in (*REQUIRED, *self.selection.read)}
        event = First((Column("event_name"), Column("event")))
        schema = self.schema.columns if self.schema else {}
        mapped = {name: Column(raw) for name, raw in self.mapped.items()}
        made: dict[str, Derivation] = {**own, "event_name": event, **schema, **mapped}
        properties = columns_of(made.get(_PROPERTIES, Column(_PROPERTIES)))
        for column in filter(is_property, map(without_digits, self.selection.read)):
            paths = [Column(raw + column.removeprefix(_PROPERTIES)) for raw in properties]
            made[column] = paths[0] if len(paths) == 1 else First(tuple(paths))
        for column in filter(is_digits, self.selection.read):
            text = without_digits(column)
            made[column] = _with_digits(made.get(text, Column(text)))
        return {column: renamed(one, self.spelled) for column, one in made.items()}

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The raw columns that each event column is made of."""
        return {column: columns_of(one) for column, one in self.derivations.items()}

    @cached_property
    def only(self) -> dict[str, tuple[str, ...]]:
        """The raw columns that tell whether a row is an event at all, and their values in events."""
        only = self.schema.only if self.schema else {}
        return {self.spelled.get(name, name): values for name, values in only.items()}

    @cached_property
    def raw(self) -> tuple[str, ...]:
        """The raw columns that the question may read."""
        read = (name for column in self.selection.read for name in self.sources[column])
        return tuple(dict.fromkeys((*read, *self.only)))

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The raw columns that the question may read, and those that may serve as the columns that must be there."""
        return tuple(dict.fromkeys((*self.raw, *(name for column in REQUIRED for name in self.sources[column]))))

    @cached_property
    def own_columns(self) -> tuple[str, ...]:
        """The files' own columns that the raw columns which the question may read are, or lie in."""
        return tuple(dict.fromkeys(one.column if (one := self.paths.get(name)) else name for name in self.raw))

    def text(self, column: str, leaf: Mapping[str, pl.Expr]) -> pl.Expr:
        """An event column as text, of the raw columns that there are as text; null where there are none."""
        derivation = available(self.derivations[column], leaf)
        if derivation is None:
            return pl.lit(None, pl.String)
        return derive.text(derivation, lambda name: with_nulls(leaf[name], self.dialect.null_texts), self.geo_database)

    def no_event(self, leaf: Mapping[str, pl.Expr]) -> pl.Expr | None:
        """Whether a row is none of the events, by raw columns as text; None where nothing tells."""
        told = [~leaf[name].is_in(values).fill_null(value=False) for name, values in self.only.items() if name in leaf]
        return pl.any_horizontal(told) if told else None

    def columns_in(self, file: EventFile, own: Collection[str], found: Collection[str] | None = None) -> frozenset[str]:
        """The event columns that a file with these columns of its own has; of paths the ones `found`, by default all.

        Raises NotEvents when one that must be there is not among them.
        """
        projection = self.as_spelled_in(file, own)
        made, names = projection.derivations, {*own, *file.partition, *projection.paths}
        missing = [column for column in REQUIRED if not available(made[column], names)]
        if missing:
            raise self.no_columns(file, missing, own)
        if found is not None:
            names -= projection.paths.keys() - set(found)
        return frozenset(column for column in self.selection.read if available(made[column], names))

    def as_spelled_in(self, file: EventFile, own: Collection[str]) -> "Projection":
        """The same for a file with these columns of its own, by the names that the file and its folders have for them.

        A raw column that is not there by its exact name is the only one that equals it without case and the blanks
        around it, or else a path into the one of its first name. Raises NotEvents where there are several, and the
        question reads it.
        """
        names = {*own, *file.partition}
        missing = [name for name in self.needed if name not in names]
        if not missing:
            return self
        alike: dict[str, list[str]] = {}
        for name in sorted(names):
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

    def named(self, column: str) -> str:
        """The raw columns that an event column is made of, for a message."""
        return " or ".join(repr(visible(name)) for name in self.sources[column])

    def no_columns(self, file: EventFile, missing: Sequence[str], own: Collection[str]) -> NoColumns:
        """The error for a file in which nothing serves as the `missing` columns, with an offer of what might.

        `own` are the columns of the file, with their types or the values in the first row where these are known.
        """
        from mmstats.schemas.detection import looks_like  # needed only after a mistake

        names = {*own, *file.partition}
        given = {*self.mapped, *(self.schema.columns if self.schema else ())}
        lacked = [
            f"{self.named(column)} to serve as {column}" if column in given else repr(column) for column in missing
        ]
        likely = {column: _likely(column, names) for column in missing}
        flags = " ".join(f"--map {column}={visible(name or 'COLUMN')}" for column, name in likely.items())
        shown = [visible(name[:_LONGEST_NAME]) for name in sorted(names) if name]
        more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
        has = f"it has {', '.join(shown[:_LISTED])}{more}" if shown else ""
        if export := looks_like(keys_in(own), len(own)):
            hint = export
        elif len(shown) < 2:  # a title, or a line of another delimiter: no column to map
            several = next((sign for sign in _DELIMITERS if any(sign in name for name in names)), "")
            hint = has and (f"{has}: --delimiter {_DELIMITERS[several]}?" if several else f"{has}: is that the header?")
        else:
            hint = f"did you mean {flags}?" if all(likely.values()) else f"{has}; {flags} names what serves"
        message = f"{file}: no column {' and no column '.join(lacked)}"
        return NoColumns(message, hint=hint, path=file.path, missing=missing)


def keys_in(own: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The columns of a file, each with the keys of the objects in it where types or values show them."""
    if isinstance(own, pl.Schema):
        structs = ((name, dtype.fields if isinstance(dtype, pl.Struct) else []) for name, dtype in own.items())
        return {name: tuple(field.name for field in fields) for name, fields in structs}
    if isinstance(own, Mapping):
        return {name: tuple(value) if isinstance(value, dict) else () for name, value in own.items()}
    return dict.fromkeys(own, ())


def is_property(column: str) -> bool:
    """Whether a column of a question is a path into the properties."""
    return column.startswith((f"{_PROPERTIES}.", f"{_PROPERTIES}["))


def _folded(name: str) -> str:
    return name.strip().casefold()


def _likely(column: str, names: Collection[str]) -> str | None:
    """The column of the data that could be meant to serve as an event column, if one looks like it."""
    from mmstats.schemas.guesses import KIN  # needed only after a mistake

    folded = {name.casefold(): name for name in names}
    for kin in (column, *KIN.get(column, ())):
        if kin.casefold() in folded:
            return folded[kin.casefold()]
    return nearest(column, names)


def with_nulls(text: pl.Expr, null_texts: Sequence[str]) -> pl.Expr:
    """A text, null where it is one of those that say so."""
    return pl.when(~text.is_in(null_texts)).then(text) if null_texts else text


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows as event columns: all of them, which have no instant for a timestamp, and which are no events at all.

    With a `refused` row among the bad, none is left out.
    """

    rows: pl.DataFrame
    bad: pl.Series
    refused: bool
    others: pl.Series | None = None

    @property
    def passed_over(self) -> int:
        """How many rows are no events."""
        return 0 if self.others is None else int(self.others.sum())

    def events(self) -> pl.DataFrame:
        """The rows that are left."""
        left_out = self.bad if self.others is None else self.bad | self.others
        return self.rows.filter(~left_out) if left_out.any() else self.rows


def judge_rows(
    raw: pl.DataFrame, projection: Projection, partition: Partition, broken: pl.Series | None = None
) -> Judged:
    """The event columns of every raw row of text; what is no event is not judged, a `broken` row is bad."""
    leaf = _leaves(raw, partition)
    rows = raw.with_columns(projection.text(name, leaf).alias(name) for name in projection.selection.read)
    texts, form, no_event = rows["timestamp"], projection.timestamps, projection.no_event(leaf)
    instants = parse_text(texts, form)
    bad, others = instants.is_null(), None
    if broken is not None:
        bad |= broken
    if no_event is not None:
        others = raw.select(no_event.alias("others"))["others"]
        bad &= ~others
    refused = form.is_open and bad.any() and calendar_digits(texts.filter(bad)).any()
    rows = rows.with_columns(instants.alias("timestamp")).select(projection.selection.read)
    return Judged(rows, bad, bool(refused), others)


def _leaves(raw: pl.DataFrame, partition: Partition) -> dict[str, pl.Expr]:
    """The raw columns of rows: their own, and where they lack one their folders' word."""
    folders = {name: pl.lit(value, pl.String) for name, value in partition.items()}
    return {**folders, **{name: pl.col(name) for name in raw.columns}}


def select_rows(frame: pl.DataFrame, selection: Selection, *beside: str) -> pl.DataFrame:
    """The rows selected by range and filters, with the columns to deliver, and some beside."""
    if selection.bounded:
        frame = frame.filter(selection.in_range(pl.col("timestamp")))
    if selection.where:
        frame = frame.filter(*(holds(one, pl.col(looked_at_by(one))) for one in selection.where))
    return frame.select(*selection.schema, *beside)


def range_of(frame: pl.DataFrame) -> InstantRange | None:
    """The first and the last instant of judged rows, None without rows."""
    if frame.is_empty():
        return None
    instants = frame["timestamp"].to_physical()
    return cast(InstantRange, (instants.min(), instants.max()))


def timestamp_text(raw: pl.DataFrame, projection: Projection, partition: Partition, row: int) -> str | None:
    """The timestamp of a raw row as it is written."""
    source = projection.text("timestamp", _leaves(raw, partition))
    found: str | None = raw.slice(row, 1).select(source).item()
    return found


def no_instant(text: str | None, projection: Projection, unit: str, number: int) -> FoundBadRow:
    """What is wrong with a row whose timestamp is this text, which names no instant."""
    form = projection.timestamps
    if text is None:
        paths = " or ".join(repr(visible(name)) for name in projection.sources["timestamp"] if readings(name))
        return FoundBadRow(unit, number, "the timestamp is null" + (f": nothing is at {paths}" if paths else ""))
    shown = f'the timestamp "{visible(text[:60])}"'
    if form.is_open and calendar_digits(pl.Series([text])).item():
        is_day = len(text.partition(".")[0]) == _DAY_DIGITS
        date, epoch = ("%Y%m%d", "s") if is_day else ("%Y%m%d%H%M%S", "ms")
        hint = f"--timestamp-format {date} reads dates, --timestamp-unit {epoch} epochs"
        return FoundBadRow(unit, number, f"{shown} may be a date or an epoch", hint, refused=True)
    return FoundBadRow(unit, number, f"{shown} is {f'not of the form {form.format}' if form.format else 'no instant'}")


def hashed(identifier: pl.Expr) -> pl.Expr:
    """The 64-bit hash of a visitor's UTF-8 bytes (XXH64, seed 42); null for null.

    The same on every machine, engine and version, so that what is kept of it on disk stays good.
    """
    import polars_hash  # noqa: F401 - a plugin, which gives expressions the name used below; only visitors need it

    expression: Any = identifier
    found: pl.Expr = expression.nchash.xxhash64(seed=_HASH_SEED)
    return found
