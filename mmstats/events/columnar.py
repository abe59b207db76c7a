"""Which rows of Parquet and Arrow IPC cannot be read.

That is asked first, by itself: where statistics show that no timestamp is null, the question reads no data.
"""

from collections.abc import Callable, Iterable

import polars as pl

from mmstats.errors import BadRow
from mmstats.events import typed
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import SKIP_HINT, not_an_instant
from mmstats.events.scan import ENGINE_FAULTS
from mmstats.events.statistics import UnknownFooter, Verdict, row_groups, slices, verdict_of_range

_Left = Iterable[tuple[pl.LazyFrame, int]]  # scans, each with the number of rows before it


def judge(part: Part, log: ReadLog) -> bool:
    """Whether some rows of a part cannot be read.

    They are counted where the log says to leave them out; else raises BadRow for the first. Raises Unreadable for a
    file that cannot be decoded.
    """
    return _decoded(part, lambda: _judge(part, log))


def _decoded(part: Part, judged: Callable[[], bool]) -> bool:
    try:
        return judged()
    except (*ENGINE_FAULTS, OSError) as error:
        fault = part.blamed(error)
        if fault is None:
            raise
        raise fault from None


def _judge(part: Part, log: ReadLog) -> bool:
    if not _count(part.scan().filter(part.bad)):
        return False
    for each in part.split():
        left = _left(each)
        bad = sum(_count(scan.filter(each.bad)) for scan, _ in left)
        if bad and not log.skip_bad_rows:
            raise _first_bad(each, left)
        log.leave_out(each.files[0], bad)
    return True


def _left(part: Part) -> list[tuple[pl.LazyFrame, int]]:
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


def _first_bad(part: Part, left: _Left) -> BadRow:
    shape, file = part.shape, part.files[0]
    no_instant = typed.no_instant(*part.timestamp, shape.timestamp_unit).alias("no instant")
    text = typed.text(*part.timestamp).alias("text")
    for scan, before in left:
        bad = scan.with_row_index("row").filter(part.bad).head(1).select("row", no_instant, text).collect()
        for row, is_none, stated in bad.iter_rows():
            fault = not_an_instant(stated) if is_none else "a text is not valid UTF-8"
            return BadRow(f"{file}: row {before + row + 1:,}: {fault}", hint=SKIP_HINT)
    raise AssertionError("a bad row was counted and is not found")
