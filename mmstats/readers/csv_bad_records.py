"""Which records of a CSV file cannot be read: read once more, record by record, after the fast reader gave up."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers.csv_head import CsvHead, read_head
from mmstats.readers.csv_records import Record, decoded, read_records
from mmstats.readers.path_columns import add_from_texts
from mmstats.readers.projection import Projection, judge_rows, no_instant, timestamp_text
from mmstats.readers.report import QUOTE_HINT, SKIP_HINT, FoundBadRow

_RECORDS = 10_000  # that are judged at once


def find_bad_records(file: EventFile, projection: Projection) -> Iterator[FoundBadRow]:
    """The records that have the wrong length, invalid UTF-8 or no instant for a timestamp, in order, as asked for."""
    with open_bytes(file) as stream:
        found = read_head(file, stream, projection.dialect, projection.limits.csv_header_bytes)
    if found is None:
        return
    head, _ = found
    with open_bytes(file) as stream:
        for names, some in _runs(head, read_records(stream, head.syntax, head.lines)):
            yield from _find_in(file, some, names, projection.as_spelled_in(file, names))


def _runs(head: CsvHead, records: Iterable[Record]) -> Iterator[tuple[tuple[str, ...], list[Record]]]:
    """Records that follow each other below the same names, which come with them."""
    names, some = head.names, list[Record]()
    for record in records:
        if record.is_names or len(some) == _RECORDS:
            yield names, some
            some = []
        if record.is_names:
            names = head.syntax.names_in(record.text.encode("latin-1"))
        else:
            some.append(record)
    yield names, some


def _find_in(
    file: EventFile, records: Sequence[Record], names: Sequence[str], projection: Projection
) -> Iterator[FoundBadRow]:
    columns = {name: names.index(name) for name in projection.own_columns if name in names}
    reasons = [_fault(record, len(names), columns) for record in records]
    sound = [record for record, reason in zip(records, reasons, strict=True) if not reason]
    # The folders of a file may give all that is read of it: then its records must be counted all the same.
    values: dict[str, list[str | None]] = {"": [None] * len(sound)}
    values |= {name: [decoded(one.fields[at]) or None for one in sound] for name, at in columns.items()}
    found = add_from_texts(pl.DataFrame(values, schema=dict.fromkeys(values, pl.String)), projection)
    judged = iter(enumerate(judge_rows(found.raw, projection, file.partition, found.broken).bad))
    for record, reason in zip(records, reasons, strict=True):
        if reason:
            hint = f"{QUOTE_HINT}; {SKIP_HINT}" if record.fault else SKIP_HINT
            yield FoundBadRow("line", record.line, reason, hint)
            continue
        row, bad = next(judged)
        if bad and row in found.faults:
            yield FoundBadRow("line", record.line, found.faults[row])
        elif bad:
            text = timestamp_text(found.raw, projection, file.partition, row)
            yield no_instant(text, projection, "line", record.line)


def _fault(record: Record, expected: int, columns: dict[str, int]) -> str | None:
    """What keeps a record from being read before its values are judged: quotes, length, or bytes that are no text."""
    if record.fault:
        return record.fault
    if len(record.fields) != expected:
        fields = "1 field" if len(record.fields) == 1 else f"{len(record.fields)} fields"
        return f"{fields} where the header has {expected}"
    for name, index in columns.items():
        try:
            decoded(record.fields[index])
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 in {name}, at byte {error.start + 1} of the field"
    return None
