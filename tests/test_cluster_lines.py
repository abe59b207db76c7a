"""Which lines a cluster takes for JSON: every plain one, and none that is broken."""

import json
import random

import polars as pl
from pyspark.sql.connect.functions import col

from mmstats.engineaddress import read_engine
from mmstats.engines.spark import lines
from mmstats.engines.spark.connection import Session
from tests.clusters import Cluster

WHOLE = [
    '{"timestamp":"2026-05-04","event_name":"a"}',
    ' { "a" : [ ] , "b" : { } , "c" : [ 1 , -0.5e3 , "x" ] }\t',
    '{"a":{"k\\u00e9":[{"b":null},{"c":true}]},"d":"\\"","e":"\\\\"}',
    '{"a":[[[1],[]],[{}]],"b":"{\\"c\\":[1]}","d":"[,:]"}',
    '{"a":"\\ud83d\\ude00\\n","b":"\\\\\\"","c":false}',
    "{}",
]
REFUSED = [
    '{"a":[[[[1]]]]}',
    '{"\\u0061":1}',
    '{"a":"\\ud800"}',
    '{"a":"\\"}',
    '{"a":1}{"b":2}',
    '{"a":[1]null}',
    "[1]",
    "",
]


def broken(count: int) -> list[str]:
    """Lines in which a few characters were left out, put in or replaced."""
    drawn, found = random.Random(7), []
    for _ in range(count):
        line = list(drawn.choice(WHOLE))
        for _ in range(drawn.randint(1, 3)):
            at = drawn.randrange(len(line) + 1)
            line[at : at + drawn.randint(0, 1)] = drawn.choice((*'""\\\\{}[]:, 01eE.-tnu\x01', "", "null", '""'))
        found.append("".join(line))
    return found


def is_object(line: str) -> bool:
    """Whether the standard library reads a line as an object."""
    try:
        return isinstance(json.loads(line, parse_constant=float.fromhex), dict)
    except ValueError:
        return False


def fitting(cluster: Cluster, asked: list[str]) -> list[bool]:
    """Which lines fit on a cluster."""
    session = Session(read_engine(cluster.address))
    numbered = pl.DataFrame({"place": range(len(asked)), "line": asked})
    frame = session.spark.createDataFrame(numbered.to_arrow())
    rows = frame.select("place", lines.json_fits(col("line")).alias("fits")).collect()
    session.end()
    return [row["fits"] for row in sorted(rows, key=lambda row: row["place"])]


def test_whole_lines_fit(cluster: Cluster) -> None:
    """Objects of three levels, escapes and blanks fit; deeper ones and keys with escapes are left to others."""
    assert fitting(cluster, [*WHOLE, *REFUSED]) == [True] * len(WHOLE) + [False] * len(REFUSED)


def test_no_broken_line_fits(cluster: Cluster) -> None:
    """Of lines changed at random, none fits that the standard library refuses."""
    asked = broken(4000)
    fits = fitting(cluster, asked)
    assert [line for line, one in zip(asked, fits, strict=True) if one and not is_object(line)] == []
    assert 0 < sum(fits) < len(fits)
