"""Every row of a file that cannot be read, named by its line or row: what the readers only count, or stop at."""

from collections.abc import Iterator
from itertools import islice

import polars as pl

from mmstats.events import records, typed
from mmstats.events.alike import parts_of
from mmstats.events.eventfile import EventFile
from mmstats.events.jsonkeys import Keys
from mmstats.events.jsontext import blocks_of
from mmstats.events.ndjson import Piece, sift
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape, judge, not_an_instant, timestamp_fault
from mmstats.events.textfile import open_bytes

Fault = tuple[str, str]  # where in the file, and what
_RECORDS = 10_000


def faults(file: EventFile, shape: Shape) -> Iterator[Fault]:
    """The rows of a file that cannot be read, in order, found as they are asked for.

    Raises DatasetError where the file as a whole cannot be read any further.
    """
    if file.format.name in ("csv", "tsv"):
        return _of_records(file, shape)
    return _of_lines(file, shape) if file.format.is_text else _of_rows(file, shape)


def _of_lines(file: EventFile, shape: Shape) -> Iterator[Fault]:
    schema = Keys(file, shape).schema
    first = 1
    with open_bytes(file) as stream:
        kind, blocks = blocks_of(file, stream, shape.limits)
        for block in blocks:
            for piece in sift(block, first, schema, shape.limits.single_line_bytes):
                for line, what in _of_piece(piece, shape, file):
                    yield f"{kind} {line}", what
            first += block.count(b"\n")


def _of_piece(piece: Piece, shape: Shape, file: EventFile) -> Iterator[tuple[int, str]]:
    """The lines of a piece that cannot be read, and why."""
    found = dict(piece.broken)
    _, bad = judge(piece.raw, shape, file.partition)
    if bad.any():
        lines = list(piece.lines())
        for row in bad.arg_true():
            found[lines[row]] = timestamp_fault(piece.raw, shape, file.partition, row)
    yield from sorted(found.items())


def _of_records(file: EventFile, shape: Shape) -> Iterator[Fault]:
    delimiter = "\t" if file.format.name == "tsv" else ","
    unclosed = _unclosed(file, delimiter)
    with open_bytes(file) as stream:
        rows = records.read_records(stream, delimiter)
        header = [records.decoded(name) for name in next(rows).fields]
        while some := list(islice(rows, _RECORDS)):
            for record, what in _of_some(some, header, shape, file):
                where = f"line {record.line}"
                yield where, unclosed.get(where, what)


def _unclosed(file: EventFile, delimiter: str) -> dict[str, str]:
    """Where the last record is and what is wrong with it, when its quote is never closed."""
    try:
        records.find_unclosed(file, delimiter)
    except records.UnclosedQuote as fault:
        return {f"line {fault.line}": fault.what}
    return {}


def _of_some(
    some: list[records.Record], header: list[str], shape: Shape, file: EventFile
) -> Iterator[tuple[records.Record, str]]:
    columns = {name: header.index(name) for name in shape.raw if name in header}
    whats = [records.fault_of(record, len(header), columns) for record in some]
    sound = [record for record, what in zip(some, whats, strict=True) if not what]
    values = {name: [records.decoded(record.fields[at]) or None for record in sound] for name, at in columns.items()}
    raw = pl.DataFrame(values, schema=dict.fromkeys(columns, pl.String))
    judged = iter(enumerate(judge(raw, shape, file.partition)[1]))
    for record, what in zip(some, whats, strict=True):
        row, bad = (0, False) if what else next(judged)
        if what or bad:
            yield record, what or timestamp_fault(raw, shape, file.partition, row)


def _of_rows(file: EventFile, shape: Shape) -> Iterator[Fault]:
    for part in parts_of([file], shape, ReadLog()):
        texts = _texts_that_may_fail(part)
        bad = part.scan().with_row_index("row").filter(part.bad).select("row", *_judged(part), *texts.values())
        for row, is_none, stated, *failed in bad.collect(engine="streaming").iter_rows():
            name = next((name for name, fails in zip(texts, failed, strict=True) if fails), "a text")
            yield f"row {row + 1}", not_an_instant(stated) if is_none else f"invalid UTF-8 in {name}"


def _judged(part: Part) -> tuple[pl.Expr, pl.Expr]:
    """Whether the timestamp is none, and its text."""
    none = typed.no_instant(*part.timestamp, part.shape.timestamp_unit)
    return none.alias("no instant"), typed.text(*part.timestamp).alias("text")


def _texts_that_may_fail(part: Part) -> dict[str, pl.Expr]:
    faults = {name: typed.no_text(pl.col(name), part.schema[name]) for name in part.shape.raw if name in part.schema}
    return {name: fault.alias(f"failed {name}") for name, fault in faults.items() if fault is not None}
