"""Rows that cannot be read: the cluster says whether there may be some, this machine says which.

A file with suspect rows is read here by the local engine's reader, which names or counts the bad ones as it always
does. Where it can read a row that the cluster is not sure of, the question is refused: no answer without that row
would be right. So a good dataset is never read here, and a bad one gives the same error through every engine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import zip_longest

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark.faults import CLUSTER_FAULTS
from mmstats.engines.spark.lines import any_of
from mmstats.engines.spark.scans import Scan, column, refuse_format
from mmstats.engines.spark.texts import Lines, has_column
from mmstats.events.eventfile import EventFile
from mmstats.events.opened import Events, blamed
from mmstats.events.readlog import ReadLog

_AT_ONCE = 16  # files counted one by one in one go
Numbers = dict[str, int]


def judge(scan: Scan, log: ReadLog) -> None:
    """Have bad rows of Parquet named, or counted where the log says to leave them out."""
    if scan.files[0].stored or not _numbers([scan.frame.filter(scan.suspect())], _COUNT)[0]["rows"]:
        return
    found = _by_file([each.frame.filter(each.suspect()) for each in scan.split()], _COUNT)
    for file, numbers in zip(scan.files, found, strict=True):
        if numbers["rows"]:
            _judge_here(file, scan, log, numbers["rows"] if scan.has_text_instants else None)


def judge_lines(text: Lines, scan: Scan, log: ReadLog) -> None:
    """Have bad lines named or counted, and take note of the columns that there are."""
    whole = _numbers([scan.frame], _measures(text, scan))[0]
    heads = _numbers([text.heads(text.files)], _COUNT)[0]["rows"] if text.kind.header else 0
    log.columns.setdefault(text.files[0].path, set()).update(_found(text, whole))
    if whole["suspects"] or whole["nameless"] or heads > len(text.files):
        _judge_each(text, scan, log)


def settle(text: Lines) -> Iterator[Lines]:
    """Files of which the folders tell only what no line of theirs does."""
    told = {} if text.kind.header else text.told
    if not any(_numbers([text.mentions(text.files, name)], _COUNT)[0]["rows"] for name in told):
        yield text
        return
    for file in text.files:
        own = replace(text, files=(file,), told={})
        has = {name: _sum(column(name) != "") for name in told}
        present = _numbers([own.tokens(own.files)], has)[0]
        yield replace(own, told={name: value for name, value in told.items() if not present[name]})


def _measures(text: Lines, scan: Scan) -> dict[str, Column]:
    """What is to be known of the lines of files."""
    sources = [name for name in text.shape.columns.sources("event_name") if name in text.names]
    needed = not text.kind.header and not any(name in text.told for name in text.shape.columns.sources("event_name"))
    nameless = ~any_of([column(has_column(name)) for name in sources])
    return {
        **_COUNT,
        "suspects": _sum(scan.suspect()),
        "nameless": _sum(nameless) if needed else F.lit(0),
        **{has_column(name): _sum(column(has_column(name))) for name in text.names},
    }


def _sum(condition: Column) -> Column:
    return F.coalesce(F.sum(condition.cast("bigint")), F.lit(0))


_COUNT = {"rows": F.count(F.lit(1))}


def _found(text: Lines, numbers: Numbers) -> set[str]:
    """The event columns that some line has."""
    has = {name for name in text.names if numbers[has_column(name)]} | set(text.told)
    return {one for one in text.shape.wanted.read if not has.isdisjoint(text.shape.columns.sources(one))}


def _judge_each(text: Lines, scan: Scan, log: ReadLog) -> None:
    parts = scan.split()
    found = _by_file([each.frame for each in parts], _measures(text, scan))
    heads = _by_file([text.heads(each.files) for each in parts], _COUNT) if text.kind.header else []
    for file, numbers, head in zip_longest(text.files, found, heads):
        suspects = numbers["suspects"] + (head["rows"] - 1 if head else 0)
        if suspects or (numbers["rows"] and numbers["nameless"] == numbers["rows"]):
            _judge_here(file, scan, log, suspects)


def _judge_here(file: EventFile, scan: Scan, log: ReadLog, suspects: int | None) -> None:
    """Have this machine judge a file, of which the cluster suspects so many rows, where it matters how many.

    Raises what is wrong with a row, and Unreadable where less is wrong than was suspected.
    """
    before = log.bad_rows[str(file)]
    Events([file], scan.shape, log).hand_over(lambda _: None)
    bad = log.bad_rows[str(file)] - before
    if suspects is not None and bad != suspects:
        rows = "1 row" if suspects - bad == 1 else f"{suspects - bad:,} rows"
        raise refuse_format(file, f"{rows} in a form that engines read differently")


def blame(scans: Iterable[Scan], log: ReadLog) -> None:
    """Raise what is wrong with the first file that the cluster cannot read, as this machine has it."""
    for scan in scans:
        for each in scan.split():
            try:
                _numbers([each.events()], {**_COUNT, "at": F.max("timestamp")})
            except CLUSTER_FAULTS as fault:
                _explain(each, log)
                if "invalid UTF-8" in str(fault):  # Sail passes over no line of a text for it
                    raise refuse_format(each.files[0], "text that is not valid UTF-8") from None


def _explain(scan: Scan, log: ReadLog) -> None:
    events = Events(scan.files, scan.shape, log)
    with blamed([events]):
        events.hand_over(lambda _: None)


def _by_file(frames: Sequence[DataFrame], measures: dict[str, Column]) -> list[Numbers]:
    return [
        numbers
        for first in range(0, len(frames), _AT_ONCE)
        for numbers in _numbers(frames[first : first + _AT_ONCE], measures)
    ]


def _numbers(frames: Sequence[DataFrame], measures: dict[str, Column]) -> list[Numbers]:
    """What is measured of each of some frames, in their order."""
    columns = [measure.alias(name) for name, measure in measures.items()]
    each = [frame.agg(*columns).withColumn("place'", F.lit(place)) for place, frame in enumerate(frames)]
    rows = reduce(lambda one, other: one.union(other), each).toArrow().to_pylist()
    return sorted(rows, key=lambda row: row["place'"])
