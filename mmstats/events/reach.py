"""How much of files a question has to read: the row groups that range and event leave, of them some columns."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mmstats.events.alike import parts_of
from mmstats.events.eventfile import EventFile
from mmstats.events.layout import VISITOR_HASH
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape
from mmstats.events.statistics import UnknownFooter, Verdict, read_footer, verdict_of
from mmstats.events.visitor import VISITOR


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a file is read: bytes at most, and rows where that is known before.

    It `is_nothing` where range and event leave none of its row groups.
    """

    bytes: int
    rows: int | None
    is_nothing: bool = False


def reaches(
    files: Iterable[EventFile], shape: Shape, columns: Collection[str], verdicts: Collection[Verdict]
) -> dict[str, Reach]:
    """How much of each file has to be read, by path: of row groups with one of the verdicts, some event columns.

    Only footers are read for it. Raises Unreadable and NotEvents for a file that no question could be asked of.
    """
    known = {}
    others = []
    for file in files:
        if file.format.name == "parquet":
            others.append(file)
        else:
            known[file.path] = Reach(file.size, None)
    parts = [each for part in parts_of(others, shape, ReadLog()) for each in part.split()]
    return known | {part.files[0].path: _of(part, _raw(part, columns), verdicts) for part in parts}


def _raw(part: Part, columns: Collection[str]) -> set[str]:
    """The file's own columns that serve as event columns."""
    hashed = part.is_stored and part.shape.wanted.hashed
    named = {name for column in columns for name in part.sources(column) if not (hashed and column == VISITOR)}
    if hashed and VISITOR in columns:
        named.add(VISITOR_HASH)
    return named & set(part.schema)


def _of(part: Part, raw: Collection[str], verdicts: Collection[Verdict]) -> Reach:
    if not raw:
        return Reach(0, 0)  # the engine counts by the footer
    size, count, left_out = 0, 0, False
    try:
        for rows, chunks in read_footer(part.files[0], {*part.shape.raw, *raw}):
            if verdict_of(part, chunks) not in verdicts:
                left_out = True
            else:
                count += rows
                size += sum(chunks[name].total_compressed_size for name in raw if name in chunks)
    except UnknownFooter:
        return Reach(part.files[0].size, None)
    return Reach(size, count, is_nothing=left_out and not count)
