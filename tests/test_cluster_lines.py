"""Which lines a cluster takes for JSON: every plain one, and none that is broken."""

import json
import random
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql.connect.functions import col

from mmstats.dataset import Dataset
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.engines.spark import lines
from mmstats.engines.spark.connection import Session
from mmstats.errors import Unreadable
from mmstats.question.query import StatsQuery
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
    rows = frame.select("place", lines.json_fits(col("line"), session.dialect).alias("fits")).collect()
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


@pytest.mark.parametrize(
    "value",
    [
        {f"k{at}": [at, {"x": "y"}] for at in range(20_000)},
        {"a": list(range(50_000))},
        [[[1]] * 20_000],
        '"x' * 50_000,
    ],
    ids=["nested", "numbers", "lists", "escapes"],
)
def test_long_lines_need_no_stack(cluster: Cluster, tmp_path: Path, value: object) -> None:
    """However long an event is, the processes of a cluster live on: its patterns do not call themselves."""
    long = {"path": "first", "before": value, "timestamp": "2026-05-04", "event_name": "a", "after": value}
    (tmp_path / "a.ndjson").write_text(json.dumps(long) + "\n")
    answered = engine_for(read_engine(cluster.address))(
        StatsQuery(group_by=("event_name", "path")), Dataset((str(tmp_path),))
    )
    assert answered.rows == [{"event_name": "a", "path": "first", "value": 1}]


def test_long_records_need_no_stack(cluster: Cluster, tmp_path: Path) -> None:
    """Nor do those of records of many fields and quotes; more columns than a pattern counts are refused."""
    for columns in (900, 2000):
        header = ["timestamp", "event_name", *(f"c{at}" for at in range(columns)), "path"]
        record = ["2026-05-04", "a", *['"x,"'] * (columns - 1), '"' + '""' * 50_000 + '"', '"a""b"']
        (tmp_path / f"{columns}.csv").write_text(",".join(header) + "\n" + ",".join(record) + "\n")
    ask = engine_for(read_engine(cluster.address))
    answered = ask(StatsQuery(group_by=("path",)), Dataset((str(tmp_path / "900.csv"),)))
    assert answered.rows == [{"path": 'a"b', "value": 1}]
    with pytest.raises(Unreadable, match=r"2000\.csv: 2,003 columns, which no cluster is asked of"):
        ask(StatsQuery(), Dataset((str(tmp_path / "2000.csv"),)))
