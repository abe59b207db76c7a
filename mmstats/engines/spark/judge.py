"""Rows that cannot be read: the cluster says whether there may be some, this machine says which.

A file with suspect rows is read here by the local engine's reader, which names or counts the bad ones as it always
does. Where it can read a row that the cluster is not sure of, the question is refused: no answer without that row
would be right. So a good dataset is never read here, and a bad one gives the same error through every engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark.lines import any_of
from mmstats.engines.spark.opening import refuse_format
from mmstats.engines.spark.scans import IS_HEAD, Scan, column, has_column, united
from mmstats.engines.spark.texts import Lines
from mmstats.files.event_file import EventFile
from mmstats.readers.report import ReadLog
from mmstats.readers.scan import read_through

_AT_ONCE = 16  # frames counted one by one in one go
_NUMBERS, _PLACE = "numbers'", "place'"
_COUNT = {"rows": F.count(F.lit(1))}
Numbers = dict[str, int]


@dataclass(frozen=True)
class Measured:
    """What is to be counted of the rows of a frame."""

    frame: DataFrame
    measures: Mapping[str, Column]


def judge(scans: Sequence[Scan], log: ReadLog) -> None:
    """Have bad rows named, or counted where the log says to leave them out, and take note of the columns of texts."""
    scans = [scan for scan in scans if not scan.files[0].stored]
    for scan, numbers in zip(scans, _numbers([_measured(scan) for scan in scans]), strict=True):
        if scan.doubtful:
            log.columns.setdefault(scan.files[0].path, set()).update(_found(scan, numbers))
        heads = scan.heads * len(scan.files)
        if numbers["suspects"] != heads or numbers.get("heads", 0) < heads or numbers.get("nameless"):
            _judge_each(scan, log)


def settle(text: Lines) -> Iterator[Lines]:
    """Files of which the folders tell only what no line of theirs does."""
    told = {} if text.kind.header else text.told
    mentions = _numbers([Measured(text.mentions(text.files, name), _COUNT) for name in told])
    if not any(each["rows"] for each in mentions):
        yield text
        return
    for file in text.files:
        own = replace(text, files=(file,), told={})
        has = {name: _sum(column(name) != "") for name in told}
        (present,) = _numbers([Measured(own.tokens(own.files), has)])
        yield replace(own, told={name: value for name, value in told.items() if not present[name]})


def _measured(scan: Scan) -> Measured:
    """What is to be known of files: of Parquet only what its statistics may tell without reading a row."""
    if not scan.doubtful:
        return Measured(scan.judged.filter(scan.suspect()), {"suspects": F.count(F.lit(1))})
    sources = scan.shape.columns.sources("event_name")
    has = {name: column(has_column(name)) for name in scan.raw}
    nameless = ~any_of([has[name] for name in sources if name in has])
    needed = not scan.heads and not any(name in scan.told for name in sources)
    return Measured(
        scan.judged,
        {
            **_COUNT,
            "suspects": _sum(scan.suspect()),
            "heads": _sum(column(IS_HEAD)),
            **({"nameless": _sum(nameless)} if needed else {}),
            **{has_column(name): _sum(one) for name, one in has.items()},
        },
    )


def _sum(condition: Column) -> Column:
    return F.coalesce(F.sum(condition.cast("bigint")), F.lit(0))


def _found(scan: Scan, numbers: Numbers) -> set[str]:
    """The event columns that some line has."""
    has = {name for name in scan.raw if numbers[has_column(name)]} | set(scan.told)
    return {one for one in scan.shape.wanted.read if not has.isdisjoint(scan.shape.columns.sources(one))}


def _judge_each(scan: Scan, log: ReadLog) -> None:
    for file, numbers in zip(scan.files, _numbers([_measured(each) for each in scan.split()]), strict=True):
        suspects = numbers["suspects"] - scan.heads
        if numbers.get("heads", 0) < scan.heads:
            raise refuse_format(file, "a header that the cluster does not find")
        if suspects or (numbers.get("nameless") and numbers["nameless"] == numbers["rows"]):
            _judge_here(file, scan, log, None if scan.is_sure else suspects)


def _judge_here(file: EventFile, scan: Scan, log: ReadLog, suspects: int | None) -> None:
    """Have this machine judge a file, of which the cluster suspects so many rows, where it matters how many.

    Raises what is wrong with a row, and Unreadable where less is wrong than was suspected.
    """
    before = log.bad_rows[str(file)]
    read_through(file, scan.shape, log)
    bad = log.bad_rows[str(file)] - before
    if suspects is not None and bad != suspects:
        rows = "1 row" if suspects - bad == 1 else f"{suspects - bad:,} rows"
        raise refuse_format(file, f"{rows} in a form that engines read differently")


def _numbers(asked: Sequence[Measured]) -> list[Numbers]:
    """What is measured, of many frames at once: to ask takes a cluster longer than to count."""
    found: dict[int, list[int]] = {}
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        rows = united([_row(one, place) for place, one in enumerate(some, first)]).collect()
        found |= {row[_PLACE]: row[_NUMBERS] for row in rows}
    return [dict(zip(one.measures, found[place], strict=True)) for place, one in enumerate(asked)]


def _row(asked: Measured, place: int) -> DataFrame:
    numbers = F.array(*(one.cast("bigint") for one in asked.measures.values()))
    return asked.frame.agg(numbers.alias(_NUMBERS)).select(_NUMBERS, F.lit(place).alias(_PLACE))
