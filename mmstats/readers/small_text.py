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
from mmstats.readers.csv_records import delimiter_of, read_header
from mmstats.readers.json_columns import JsonColumns, json_schema
from mmstats.readers.json_paths import FoundTexts, find_in_lines
from mmstats.readers.json_text import blocks_of, rows_of
from mmstats.readers.ndjson import parse_lines
from mmstats.readers.path_columns import add_from_texts, may_have, paths_in_lines
from mmstats.readers.projection import Projection

_FIRST = 1 << 14  # bytes of a file that are read at first

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
    """The text of a file; None where it is larger than it looked, or CSV whose header is not one plain line.

    The header must spell columns as the question does, too. Raises DatasetError where the file cannot be read or is
    not of events.
    """
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
    if file.format.name == "json":  # which may be an array
        stream = io.BufferedReader(cast(io.RawIOBase, io.BytesIO(data)))
        data = b"".join(blocks_of(file, stream, limits)[1])
    return SmallText(file, JsonKind(folders, tuple(json_schema(file, projection, data))), data)


def _csv_text(file: EventFile, data: bytes, folders: tuple[str, ...], projection: Projection) -> SmallText | None:
    first = data[: data.find(b"\n") + 1] or data
    if not first.strip() or b'"' in first or b"\r" in first.removesuffix(b"\r\n"):
        return None
    names = first.decode("utf-8", "replace").strip("\r\n").split(delimiter_of(file))
    if projection.as_spelled_in(file, names).spelled:
        return None
    return SmallText(file, CsvKind(folders, delimiter_of(file), first), data[len(first) :])


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
    delimiter: str
    header: bytes

    def parse(self, texts: Sequence[SmallText], projection: Projection) -> Rows | None:
        """The rows: a record each."""
        header = self._names(texts[0].file)
        as_spelled = projection.as_spelled_in(texts[0].file, header)
        columns = columns_to_read(texts[0].file, header, as_spelled)
        parsed = parse_together([text.rows for text in texts], header, columns, self.delimiter)
        if parsed is None:
            return None
        found = add_from_texts(parsed[0], as_spelled)
        return None if found.faults else (found.raw, parsed[1])

    def columns(
        self, texts: Sequence[SmallText], projection: Projection, valued: Sequence[set[str]]
    ) -> list[frozenset[str]]:
        """Those that the header or the folders have, and of paths those that have values."""
        header = self._names(texts[0].file)
        as_spelled = projection.as_spelled_in(texts[0].file, header)
        found = []
        for text, names in zip(texts, valued, strict=True):
            lacking = {name: one for name, one in as_spelled.paths.items() if name not in names}
            lacking = {name: one for name, one in lacking.items() if may_have(text.rows, one)}
            null = self._seen(text, header, replace(as_spelled, paths=lacking)) if lacking else set()
            found.append(projection.columns_in(text.file, header, names | null))
        return found

    def _seen(self, text: SmallText, header: list[str], projection: Projection) -> Set[str]:
        """The paths that some row has, be it with null."""
        parsed = parse_together([text.rows], header, columns_to_read(text.file, header, projection), self.delimiter)
        return add_from_texts(parsed[0], projection).seen if parsed else set()

    def _names(self, file: EventFile) -> list[str]:
        found = read_header(file, io.BytesIO(self.header), len(self.header))
        assert found, "the header is not blank"
        return found[0]
