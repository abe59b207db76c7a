"""NDJSON and CSV on a cluster: read as lines, which patterns take apart into raw columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark import lines
from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.opening import opened, refuse_format
from mmstats.engines.spark.scans import IS_HEAD, Scan, by_told, column, has_column, once
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile, Partition
from mmstats.files.text_file import open_bytes
from mmstats.readers import csv_records
from mmstats.readers.projection import Projection
from mmstats.readers.report import ReadLog

_LINE, _FITS, _DOUBTFUL = "line'", "fits'", "doubtful'"
_MOST_FIELDS = 1000  # the pattern of a field is as long as there are others before it
_HEAD = 1 << 16
_DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class Kind:
    """What text files that are read alike have in common.

    `header` are the names in that of a CSV and `head` is its line; JSON has none.
    """

    format: str
    compression: str
    head: str = ""
    header: tuple[str, ...] = ()

    @property
    def delimiter(self) -> str:
        """What stands between the fields of a record, nothing in JSON."""
        return _DELIMITERS.get(self.format, "")


@dataclass(frozen=True)
class Lines:
    """Text files of one kind, whose folders say the same, as lines."""

    files: tuple[EventFile, ...]
    kind: Kind
    told: Partition
    shape: Projection
    session: Session

    @property
    def names(self) -> list[str]:
        """The raw columns that a question reads of the files themselves."""
        if self.kind.header:
            return [name for name in self.shape.raw if name in self.kind.header]
        return [name for name in (*self.shape.raw, *self._named()) if name not in self.told]

    def _named(self) -> list[str]:
        """The raw columns that must be there in some object, although no question may read them."""
        return [name for name in self.shape.columns.sources("event_name") if name not in self.shape.raw]

    def scan(self) -> Scan:
        """The raw columns of the lines, and of each line whether it has them."""
        raw: dict[str, pl.DataType] = dict.fromkeys(self.names, pl.String())
        heads = 1 if self.kind.header else 0
        return Scan(self.files, self._rows, raw, self.told, self.shape, self.session.dialect, _DOUBTFUL, heads)

    def _rows(self, files: Sequence[EventFile]) -> DataFrame:
        frame = self.tokens(files)
        json = not self.kind.header
        matter = _matter(self.shape)
        wrong = [lines.json_doubtful(column(name)) for name in self.names if json and name in matter]
        text = lines.json_text if json else lines.csv_text
        texts = [text(column(name)).alias(name) for name in self.names]
        has = [(column(name) != "").alias(has_column(name)) for name in self.names]
        return once(frame, lines.any_of([~F.col(_FITS), *wrong]).alias(_DOUBTFUL), F.col(IS_HEAD), *has, *texts)

    def tokens(self, files: Sequence[EventFile]) -> DataFrame:
        """The raw columns as they are written, empty where a line has none, and whether it fits, as no header does."""
        line, dialect = F.col(_LINE), self.session.dialect
        is_head = F.lit(False)
        if self.kind.header:
            is_head = line.isin(self.kind.head, "\ufeff" + self.kind.head)
            fits = ~is_head & lines.csv_fits(line, self.kind.delimiter, len(self.kind.header))
            places = {name: self.kind.header.index(name) for name in self.names}
            found = {name: lines.csv_token(line, self.kind.delimiter, at, dialect) for name, at in places.items()}
        else:
            fits = lines.json_fits(line, dialect)
            found = {name: lines.json_token(line, name, dialect) for name in self.names}
        fitting = once(self._lines(files), line.alias(_LINE), fits.alias(_FITS), is_head.alias(IS_HEAD))
        tokens = [F.when(F.col(_FITS), token).otherwise(F.lit("")).alias(name) for name, token in found.items()]
        return once(fitting, F.col(_FITS), F.col(IS_HEAD), *tokens)

    def _lines(self, files: Sequence[EventFile]) -> DataFrame:
        """The lines that hold a row, and a CSV's header."""
        line = F.col(_LINE)
        return self._all_lines(files).filter(line != "" if self.kind.header else ~line.rlike(r"^[ \t\r]*\z"))

    def mentions(self, files: Sequence[EventFile], name: str) -> DataFrame:
        """The lines that may have a key of a name."""
        return self._all_lines(files).filter(F.col(_LINE).contains(f'"{name}"'))

    def _all_lines(self, files: Sequence[EventFile]) -> DataFrame:
        frame = opened(files, self.session, lambda reader, some: reader.text(some, lineSep="\n"))
        line = lines.without_return(F.col("value")) if self.kind.header else F.col("value")
        return frame.select(line.alias(_LINE))


def _matter(shape: Projection) -> set[str]:
    """The raw columns whose text matters; of `properties` nothing is ever asked."""
    return {name for one in shape.wanted.read if one != "properties" for name in shape.columns.sources(one)}


def lines_of(files: Sequence[EventFile], shape: Projection, log: ReadLog, session: Session) -> Iterator[Lines]:
    """Text files as lines, in as few reads as their headers and folders allow.

    Raises NotEvents for a CSV that lacks a column which must be there, and Unreadable for what no cluster is asked of.
    """
    kinds: dict[Kind, list[EventFile]] = {}
    for file in files:
        kind = _kind(file, shape, session)
        if kind and kind.header:
            log.columns[file.path] = shape.found(file, kind.header)
        if kind:
            kinds.setdefault(kind, []).append(file)
    for kind, some in kinds.items():
        for group, told in by_told(some, [name for name in shape.raw if name not in kind.header]):
            yield Lines(group, kind, told, shape, session)


def _kind(file: EventFile, shape: Projection, session: Session) -> Kind | None:
    """How a file is to be read, None for one of nothing."""
    if file.format.compression == "zstd":
        raise refuse_format(file, "zstd")
    compression = "" if session.dialect.mixed else file.format.compression
    if file.format.name in _DELIMITERS:
        return _delimited(file, shape, compression)
    with open_bytes(file) as stream:
        head = stream.read(_HEAD)
    if file.format.name == "json" and head and head.lstrip()[:1] in (b"[", b""):
        raise refuse_format(file, "a JSON array")
    if not all(lines.json_nameable(name) for name in shape.raw):
        raise refuse_format(file, "a name that JSON writes with escapes")
    return Kind("ndjson", compression) if head else None


def _delimited(file: EventFile, shape: Projection, compression: str) -> Kind | None:
    delimiter = _DELIMITERS[file.format.name]
    with open_bytes(file) as stream:
        found = csv_records.read_head(file, stream, delimiter, shape.limits.csv_header_bytes)
    if found is None:
        return None
    names, text, beyond = found
    if len(names) > _MOST_FIELDS:
        raise refuse_format(file, f"{len(names):,} columns")
    for name in shape.raw:
        if names.count(name) > 1:
            raise Unreadable(f"{file}: the header has {name!r} {names.count(name)} times", hint="rename one of them")
    head = text.removesuffix("\n").removesuffix("\r")
    if "\n" in head or "\r" in head or (text.endswith("\r") and beyond):
        raise refuse_format(file, "a line break in a header")
    return Kind(file.format.name, compression, head, tuple(names))
