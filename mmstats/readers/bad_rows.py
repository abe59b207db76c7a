"""Which rows of Parquet and Arrow IPC cannot be read.

That is asked first, by itself: where statistics show that no timestamp is null, the question reads no data.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import polars as pl

from mmstats.errors import BadRow
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.readers import csv_records, types
from mmstats.readers.columnar import ENGINE_FAULTS, ColumnarFiles, group_by_schema
from mmstats.readers.json_columns import Keys
from mmstats.readers.json_text import blocks_of
from mmstats.readers.ndjson import Piece, sift
from mmstats.readers.projection import SKIP_HINT, Projection, judge, not_an_instant, timestamp_fault
from mmstats.readers.report import ReadLog
from mmstats.readers.statistics import UnknownFooter, Verdict, row_groups, slices, verdict_of_range

_Left = Iterable[tuple[pl.LazyFrame, int]]  # scans, each with the number of rows before it


def count_bad_rows(part: ColumnarFiles, log: ReadLog) -> bool:
    """Whether some rows of a part cannot be read.

    They are counted where the log says to leave them out; else raises BadRow for the first. Raises Unreadable for a
    file that cannot be decoded.
    """
    return _decoded(part, lambda: _judge(part, log))


def _decoded(part: ColumnarFiles, judged: Callable[[], bool]) -> bool:
    try:
        return judged()
    except (*ENGINE_FAULTS, OSError) as error:
        fault = part.blamed(error)
        if fault is None:
            raise
        raise fault from None


def _judge(part: ColumnarFiles, log: ReadLog) -> bool:
    if not _count(part.scan().filter(part.bad)):
        return False
    for each in part.split():
        left = _left(each)
        bad = sum(_count(scan.filter(each.bad)) for scan, _ in left)
        if bad and not log.skip_bad_rows:
            raise _first_bad(each, left)
        log.leave_out(each.files[0], bad)
    return True


def _left(part: ColumnarFiles) -> list[tuple[pl.LazyFrame, int]]:
    """Scans of the row groups of one file that the range leaves."""
    if part.files[0].format.name != "parquet" or not part.shape.wanted.bounded:
        return [(part.scan(), 0)]
    try:
        left = slices(row_groups(part, verdict_of_range), {Verdict.SOME, Verdict.ALL})
    except UnknownFooter:
        return [(part.scan(), 0)]
    return [(part.scan().slice(first, rows), first) for first, rows in left]


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def _first_bad(part: ColumnarFiles, left: _Left) -> BadRow:
    shape, file = part.shape, part.files[0]
    no_instant = types.no_instant(*part.timestamp, shape.timestamp_unit).alias("no instant")
    text = types.text(*part.timestamp).alias("text")
    for scan, before in left:
        bad = scan.with_row_index("row").filter(part.bad).head(1).select("row", no_instant, text).collect()
        for row, is_none, stated in bad.iter_rows():
            fault = not_an_instant(stated) if is_none else "a text is not valid UTF-8"
            return BadRow(f"{file}: row {before + row + 1:,}: {fault}", hint=SKIP_HINT)
    raise AssertionError("a bad row was counted and is not found")


Fault = tuple[str, str]  # where in the file, and what
_RECORDS = 10_000


def faults(file: EventFile, shape: Projection) -> Iterator[Fault]:
    """The rows of a file that cannot be read, in order, found as they are asked for.

    Raises DatasetError where the file as a whole cannot be read any further.
    """
    if file.format.name in ("csv", "tsv"):
        return _of_records(file, shape)
    return _of_lines(file, shape) if file.format.is_text else _of_rows(file, shape)


def _of_lines(file: EventFile, shape: Projection) -> Iterator[Fault]:
    schema = Keys(file, shape).schema
    first = 1
    with open_bytes(file) as stream:
        kind, blocks = blocks_of(file, stream, shape.limits)
        for block in blocks:
            for piece in sift(block, first, schema, shape.limits.single_line_bytes):
                for line, what in _of_piece(piece, shape, file):
                    yield f"{kind} {line}", what
            first += block.count(b"\n")


def _of_piece(piece: Piece, shape: Projection, file: EventFile) -> Iterator[tuple[int, str]]:
    """The lines of a piece that cannot be read, and why."""
    found = dict(piece.broken)
    _, bad = judge(piece.raw, shape, file.partition)
    if bad.any():
        lines = list(piece.lines())
        for row in bad.arg_true():
            found[lines[row]] = timestamp_fault(piece.raw, shape, file.partition, row)
    yield from sorted(found.items())


def _of_records(file: EventFile, shape: Projection) -> Iterator[Fault]:
    delimiter = "\t" if file.format.name == "tsv" else ","
    unclosed = _unclosed(file, delimiter)
    with open_bytes(file) as stream:
        rows = csv_records.read_records(stream, delimiter)
        header = [csv_records.decoded(name) for name in next(rows).fields]
        while some := list(islice(rows, _RECORDS)):
            for record, what in _of_some(some, header, shape, file):
                where = f"line {record.line}"
                yield where, unclosed.get(where, what)


def _unclosed(file: EventFile, delimiter: str) -> dict[str, str]:
    """Where the last record is and what is wrong with it, when its quote is never closed."""
    try:
        csv_records.find_unclosed(file, delimiter)
    except csv_records.UnclosedQuote as fault:
        return {f"line {fault.line}": fault.what}
    return {}


def _of_some(
    some: list[csv_records.Record], header: list[str], shape: Projection, file: EventFile
) -> Iterator[tuple[csv_records.Record, str]]:
    columns = {name: header.index(name) for name in shape.raw if name in header}
    whats = [csv_records.fault_of(record, len(header), columns) for record in some]
    sound = [record for record, what in zip(some, whats, strict=True) if not what]
    values = {
        name: [csv_records.decoded(record.fields[at]) or None for record in sound] for name, at in columns.items()
    }
    raw = pl.DataFrame(values, schema=dict.fromkeys(columns, pl.String))
    judged = iter(enumerate(judge(raw, shape, file.partition)[1]))
    for record, what in zip(some, whats, strict=True):
        row, bad = (0, False) if what else next(judged)
        if what or bad:
            yield record, what or timestamp_fault(raw, shape, file.partition, row)


def _of_rows(file: EventFile, shape: Projection) -> Iterator[Fault]:
    for part in group_by_schema([file], shape, ReadLog()):
        texts = _texts_that_may_fail(part)
        bad = part.scan().with_row_index("row").filter(part.bad).select("row", *_judged(part), *texts.values())
        for row, is_none, stated, *failed in bad.collect(engine="streaming").iter_rows():
            name = next((name for name, fails in zip(texts, failed, strict=True) if fails), "a text")
            yield f"row {row + 1}", not_an_instant(stated) if is_none else f"invalid UTF-8 in {name}"


def _judged(part: ColumnarFiles) -> tuple[pl.Expr, pl.Expr]:
    """Whether the timestamp is none, and its text."""
    none = types.no_instant(*part.timestamp, part.shape.timestamp_unit)
    return none.alias("no instant"), types.text(*part.timestamp).alias("text")


def _texts_that_may_fail(part: ColumnarFiles) -> dict[str, pl.Expr]:
    faults = {name: types.no_text(pl.col(name), part.schema[name]) for name in part.shape.raw if name in part.schema}
    return {name: fault.alias(f"failed {name}") for name, fault in faults.items() if fault is not None}
