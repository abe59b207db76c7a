"""Rows of CSV that lie in a quoted field: two stray quotes enclose them soundly, and only a person can tell."""

import io
import re

from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_head import read_head
from mmstats.readers.csv_quotes import are_regular
from mmstats.readers.csv_records import Record, fields_of, read_records
from mmstats.readers.csv_syntax import CsvSyntax
from mmstats.readers.projection import Projection

_BREAK = re.compile(r"\r\n?|\n")  # not splitlines, to which more signs end a line


def hold_rows(records: bytes, syntax: CsvSyntax, fields: int) -> bool:
    """Whether a quoted field of some sound records has line breaks in it, and each line would be a row by itself.

    That is the first line too, without the quote that opens the field: else any text in the first column would do.
    """
    if not syntax.quotes or fields < 2 or b'"' not in records:  # any line is a row of one field
        return False
    import numpy as np  # comes with Arrow's reader

    values = np.frombuffer(records, np.uint8)
    breaks = np.flatnonzero(values == (b"\n" if b"\n" in records else b"\r")[0])
    is_inside = np.searchsorted(np.flatnonzero(values == b'"'[0]), breaks) % 2 == 1
    if not is_inside.any():
        return False
    if not are_regular(records, syntax.delimiter):  # a quote inside a field: then its number says nothing
        return any(_holds_rows(one, syntax, fields) for one in read_records(io.BytesIO(records), syntax))
    ends = [*breaks.tolist(), len(records)]
    sign, holds, before = syntax.delimiter.encode(), False, -2
    for place in np.flatnonzero(is_inside).tolist():
        if place > before + 1:  # of another record
            if holds:
                return True
            line = records[ends[place - 1] + 1 if place else 0 : ends[place]]
            holds = line.count(sign) >= fields - 1 and _opens_row(line.decode("latin-1"), syntax, fields)
        before, start, end = place, ends[place] + 1, ends[place + 1]
        holds = holds and records.count(sign, start, end) >= fields - 1  # which most are told by
        holds = holds and _is_row(records[start:end].decode("latin-1"), syntax, fields)
    return holds


def first_with_rows(file: EventFile, projection: Projection) -> int:
    """The line on which the first record of a file begins that holds rows so, 0 where there is none."""
    with open_bytes(file) as stream:
        found = read_head(file, stream, projection.dialect, projection.limits.csv_header_bytes)
    if found is None:
        return 0
    head, count = found[0], len(found[0].names)
    with open_bytes(file) as stream:
        for record in read_records(stream, head.syntax, head.lines):
            if record.is_names:
                count = len(head.syntax.names_in(record.text.encode("latin-1")))
            elif _holds_rows(record, head.syntax, count):
                return record.line
    return 0


def _holds_rows(record: Record, syntax: CsvSyntax, fields: int) -> bool:
    first, *behind = _BREAK.split(record.text.removesuffix("\n").removesuffix("\r"))
    is_one = not behind or record.fault
    return not is_one and _opens_row(first, syntax, fields) and all(_is_row(one, syntax, fields) for one in behind)


def _opens_row(line: str, syntax: CsvSyntax, fields: int) -> bool:
    """Whether a line would be a row without one of the quotes that open a field."""
    opening = (at for at, sign in enumerate(line) if sign == '"' and (not at or line[at - 1] == syntax.delimiter))
    return any(_is_row(line[:at] + line[at + 1 :], syntax, fields) for at in opening)


def _is_row(line: str, syntax: CsvSyntax, fields: int) -> bool:
    found, fault = fields_of(line, syntax)
    return not fault and len(found) == fields
