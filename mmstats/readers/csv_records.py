"""CSV record by record: to read a header, and to say which record is bad and on what line it begins."""

import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import polars as pl

from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.projection import Projection, judge_rows, timestamp_fault
from mmstats.readers.report import FoundBadRow

UNCLOSED = "a quote is opened and never closed"  # of the last record of a file
_LONGEST_HEAD = 1 << 24
_RECORDS = 10_000  # that are judged at once


def _csv_of_our_own() -> Any:
    """Python's CSV parser, without a bound on fields: the bound is the module's, so that a module of our own has it."""
    spec = importlib.util.find_spec("_csv")
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.field_size_limit(2**31 - 1)
    return module


_CSV = _csv_of_our_own()


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, still undecoded (Latin-1 stands for bytes), and where it begins."""

    fields: list[str]
    line: int
    offset: int
    text: str


def delimiter_of(file: EventFile) -> str:
    """What separates the fields of a file."""
    return "\t" if file.format.name == "tsv" else ","


def read_records(stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    """Every record that is not blank. One whose quote is never closed comes last, as if it were."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.TextIOWrapper(stream, encoding="latin-1", newline=""):
            taken.append(line)
            yield line

    line, offset = 1, 0
    for fields in _CSV.reader(lines(), delimiter=delimiter):
        text = "".join(taken)
        if fields:
            yield Record(fields, line, offset, text)
        line, offset = line + len(taken), offset + len(text)
        taken.clear()


def read_header(file: EventFile, stream: BinaryIO, first_bytes: int) -> tuple[list[str], bytes] | None:
    """The names in the header, and what was read beyond it; None for a file of nothing.

    At first `first_bytes` are read, and more only while the header goes on. Raises Unreadable when the header cannot
    be read.
    """
    delimiter, head = delimiter_of(file), stream.read(first_bytes)
    while len(rows := list(islice(read_records(io.BytesIO(head), delimiter), 2))) < 2 and len(head) < _LONGEST_HEAD:
        more = stream.read(len(head))
        if not more:
            break
        head += more
    if not head.strip():
        return None
    header = rows[0]
    if len(rows) < 2 and _is_unclosed(header.text, delimiter):
        raise Unreadable(f"{file}: line {header.line:,}: a quote in the header is never closed")
    return _names(file, header), head[header.offset + len(header.text) :]


def _names(file: EventFile, header: Record) -> list[str]:
    try:
        return [_decoded(name) for name in header.fields]
    except UnicodeDecodeError:
        raise Unreadable(f"{file}: line {header.line:,}: the header is not valid UTF-8") from None


def find_bad_records(file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    """The records that have the wrong length, invalid UTF-8 or no instant for a timestamp, in order, as asked for."""
    delimiter = delimiter_of(file)
    with open_bytes(file) as stream:
        records = read_records(stream, delimiter)
        header = next((_names(file, record) for record in records), [])
        projection = projection.as_spelled_in(file, header)
        columns = {name: header.index(name) for name in projection.raw if name in header}
        while some := list(islice(records, _RECORDS)):
            reasons = [_fault(record, len(header), columns) for record in some]
            sound = [record for record, reason in zip(some, reasons, strict=True) if not reason]
            # The folders of a file may give all that is read of it: then its records must be counted all the same.
            values: dict[str, list[str | None]] = {"": [None] * len(sound)}
            values |= {name: [_decoded(one.fields[at]) or None for one in sound] for name, at in columns.items()}
            raw = pl.DataFrame(values, schema=dict.fromkeys(values, pl.String))
            judged = iter(enumerate(judge_rows(raw, projection, file.partition)[1]))
            for record, reason in zip(some, reasons, strict=True):
                row, bad = (0, True) if reason else next(judged)
                if (bad or record is some[-1]) and _is_unclosed(record.text, delimiter):
                    yield FoundBadRow("line", record.line, UNCLOSED)
                elif bad:
                    why = reason or timestamp_fault(raw, projection, file.partition, row)
                    yield FoundBadRow("line", record.line, why)


def _is_unclosed(text: str, delimiter: str) -> bool:
    """Whether what follows a record would belong to it."""
    *_, last = _CSV.reader(io.StringIO(text + "\nend", newline=""), delimiter=delimiter)
    return bool(last != ["end"])


def _fault(record: Record, expected: int, columns: dict[str, int]) -> str | None:
    """What keeps a record from being read before its values are looked at: its length, or bytes that are not UTF-8."""
    if len(record.fields) != expected:
        fields = "1 field" if len(record.fields) == 1 else f"{len(record.fields)} fields"
        return f"{fields} where the header has {expected}"
    for name, index in columns.items():
        try:
            _decoded(record.fields[index])
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 in {name}, at byte {error.start + 1} of the field"
    return None


def _decoded(text: str) -> str:
    """The text that a field's bytes are; raises UnicodeDecodeError when they are none."""
    return text.encode("latin-1").decode("utf-8")
