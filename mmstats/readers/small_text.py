"""The text of a small file, read as a whole, and how texts of one kind are parsed as one.

Parsing says how many rows each of the texts has, so that a row is known by its place to be of one of them. It gives up
where it finds any fault: what is wrong is said by whoever reads the file by itself.
"""

import io
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Protocol, cast

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_arrow import columns_to_read, parse_together
from mmstats.readers.csv_head import CsvHead, head_of
from mmstats.readers.csv_swallowed import hold_rows
from mmstats.readers.csv_syntax import CsvSyntax
from mmstats.readers.json_columns import JsonColumns, json_schema
from mmstats.readers.json_paths import FoundTexts, find_in_lines
from mmstats.readers.json_text import blocks_of, rows_of
from mmstats.readers.ndjson import parse_lines
from mmstats.readers.path_columns import add_from_texts, may_have, paths_in_lines
from mmstats.readers.projection import Projection

_FIRST = 1 << 14  # bytes of a file that are read at first

_PLAIN = CsvSyntax(",")

Rows = tuple[pl.DataFrame, list[int]]  # the raw columns of some texts, and how many rows each of the texts has


class Kind(Protocol):
    """What texts have in common that can be parsed as one; equal for those, and a key of a dictionary."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The raw columns that the folders of their files name."""
        ...

    def parse(self, texts: Sequence["SmallText"], projection: Projection) -> Rows | None:
        """The rows of texts of this kind, in their order; None where one of them is at fault."""
        ...

    def columns(
        self, texts: Sequence["SmallText"], projection: Projection, valued: Sequence[set[str]]
    ) -> list[frozenset[str]]:
        """The event columns that each text's file has; `valued` are those of its raw columns that have values.

        Raises NotEvents where one is missing that must be there.
        """
        ...


@dataclass(frozen=True, slots=True)
class SmallText:
    """All the rows of a file as text."""

    file: EventFile
    kind: Kind
    rows: bytes


def read_small(file: EventFile, projection: Projection) -> SmallText | None:
    """The text of a file; None where it is larger than it looked, a log, or CSV that takes a closer look.

    That has lines that are no records, or a quoted field with lines that would be rows. The header must spell columns
    as the question does, too. Raises DatasetError where the file cannot be read or is not of events.
    """
    if file.format.name == "log":
        return None
    limits = projection.limits
    most = min(limits.text_block_bytes, limits.csv_block_bytes)
    with open_bytes(file) as stream:
        data = stream.read(_FIRST)  # not `most`, since as many bytes are allocated
        if len(data) == _FIRST:
            data += stream.read(most)
    if len(data) > most:
        return None
    folders = tuple(name for name in projection.needed if name in file.partition)
    if file.format.name in ("csv", "tsv"):
        return _csv_text(file, data, folders, projection)
    if file.format.name == "json" or projection.dialect.records:  # which may be an array, or hold one
        stream = io.BufferedReader(cast(io.RawIOBase, io.BytesIO(data)))
        data = b"".join(blocks_of(file, stream, projection)[1])
    return SmallText(file, JsonKind(folders, tuple(json_schema(file, projection, data))), data)


def _csv_text(file: EventFile, data: bytes, folders: tuple[str, ...], projection: Projection) -> SmallText | None:
    first = data[: data.find(b"\n") + 1] or data
    if not first.strip() or b'"' in first or b"\r" in first.removesuffix(b"\r\n"):
        return None
    head = _plain_head(file, first) if projection.dialect.is_plain_csv else None
    head = head or head_of(file, data, projection.dialect)
    if head is None or not _holds_records_only(data, head):
        return None
    rows = data[head.size :]
    if projection.as_spelled_in(file, head.names).spelled or hold_rows(rows, head.syntax, len(head.names)):
        return None
    return SmallText(file, CsvKind(folders, head.syntax, head.names), rows)


def _plain_head(file: EventFile, first: bytes) -> CsvHead | None:
    """What `head_of` says of a first line that shows it at once; that takes longer."""
    if file.format.name != "csv" or b"," not in first or b"\0" in first or first[:4].lower() == b"sep=":
        return None
    try:
        return CsvHead(tuple(first.decode().strip("\r\n").split(",")), _PLAIN, 1, len(first))
    except UnicodeDecodeError:
        return None


def _holds_records_only(data: bytes, head: CsvHead) -> bool:
    """Whether below its head a file has no line that is no record."""
    if not head.syntax.starts:
        return True
    is_first = data.startswith(head.syntax.starts, head.size)
    return not is_first and not head.syntax.line_of_none.search(data, max(head.size - 1, 0))


@dataclass(frozen=True, slots=True)
class JsonKind:
    """Lines of JSON that are read with one schema."""

    folders: tuple[str, ...]
    schema: tuple[str, ...]

    def parse(self, texts: Sequence[SmallText], projection: Projection) -> Rows | None:
        """The rows: a line each."""
        whole = b"".join([text.rows if text.rows.endswith(b"\n") else text.rows + b"\n" for text in texts])
        paths = paths_in_lines(texts[0].file, projection)
        raw = parse_lines(whole, dict.fromkeys(self.schema, pl.String()), paths, projection)
        if raw is None:
            return None
        counts = [text.rows.count(b"\n") + (not text.rows.endswith(b"\n")) for text in texts]
        if sum(counts) != raw.height:  # there are blank lines
            counts = [len(rows_of(text.rows)) for text in texts]
        return (raw, counts) if sum(counts) == raw.height else None

    def columns(
        self, texts: Sequence[SmallText], projection: Projection, valued: Sequence[set[str]]
    ) -> list[frozenset[str]]:
        """Those that some object of a file has, and its folders."""
        found = []
        for text, names in zip(texts, valued, strict=True):
            columns = JsonColumns(text.file, projection, self.schema)
            columns.see(len(text.rows.strip()), names | _null_in_lines(text, projection, names))
            columns.look(text.rows)
            columns.require()
            found.append(frozenset(columns.found))
        return found


def _null_in_lines(text: SmallText, projection: Projection, valued: Set[str]) -> set[str]:
    """The paths that are null in all lines of a text, but there."""
    paths = {name: ways for name, ways in paths_in_lines(text.file, projection).items() if name not in valued}
    paths = {name: ways for name, ways in paths.items() if may_have(text.rows, ways[-1])}
    found = find_in_lines(rows_of(text.rows), [*paths.values()]) if paths else FoundTexts([], [])
    return {name for name, there in zip(paths, found.present, strict=True) if there}


@dataclass(frozen=True, slots=True)
class CsvKind:
    """Records of CSV below the same header."""

    folders: tuple[str, ...]
    syntax: CsvSyntax
    names: tuple[str, ...]

    def parse(self, texts: Sequence[SmallText], projection: Projection) -> Rows | None:
        """The rows: a record each."""
        as_spelled = projection.as_spelled_in(texts[0].file, self.names)
        columns = columns_to_read(texts[0].file, self.names, as_spelled)
        parsed = parse_together([text.rows for text in texts], self.names, columns, self.syntax)
        if parsed is None:
            return None
        found = add_from_texts(parsed[0], as_spelled)
        return None if found.faults else (found.raw, parsed[1])

    def columns(
        self, texts: Sequence[SmallText], projection: Projection, valued: Sequence[set[str]]
    ) -> list[frozenset[str]]:
        """Those that the header or the folders have, and of paths those that have values."""
        as_spelled = projection.as_spelled_in(texts[0].file, self.names)
        found = []
        for text, names in zip(texts, valued, strict=True):
            lacking = {name: one for name, one in as_spelled.paths.items() if name not in names}
            lacking = {name: one for name, one in lacking.items() if may_have(text.rows, one)}
            null = self._seen(text, replace(as_spelled, paths=lacking)) if lacking else set()
            found.append(projection.columns_in(text.file, self.names, names | null))
        return found

    def _seen(self, text: SmallText, projection: Projection) -> Set[str]:
        """The paths that some row has, be it with null."""
        columns = columns_to_read(text.file, self.names, projection)
        parsed = parse_together([text.rows], self.names, columns, self.syntax)
        return add_from_texts(parsed[0], projection).seen if parsed else set()
