"""Bad rows, and files that the cluster cannot read: it tells that there are some, this machine tells which.

The cluster counts the rows that it suspects, from statistics where these can tell. Only a file that has some is read
here, by the local engine's reader, which names or counts bad rows as it always does. Where it can read a row that the
cluster suspects, the question is refused: no answer without that row would be right. So a good dataset is not read
here, and a bad one has the same error on every engine.

A file that the cluster fails to read is found there too. Only what a server says of a file and its content is a file's
fault; a lost executor, a refused plan or a silent server is not, and nothing is read here then.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.connect import functions as F

from mmstats.engines.spark.errors import CLUSTER_ERRORS, refused
from mmstats.engines.spark.scan import NO_TEXT, ParquetScan, union_all
from mmstats.files.event_file import EventFile
from mmstats.readers.projection import Projection
from mmstats.readers.report import ReadOptions
from mmstats.readers.scan import Scan
from mmstats.readers.source import Source
from mmstats.wording import plural

_BATCH = 16  # scans that are counted in one query
_COUNT, _INDEX = "count'", "index'"
# What Spark says of a file, then what Sail does.
_FILE_ERROR = re.compile(rf"(?i)FAILED_READ_FILE|CANNOT_READ_FILE|{NO_TEXT}|parquet (?:argument )?error|invalid utf-8")
_FILE_PATH = re.compile(r"(?s)(?:FAILED_READ_FILE|CANNOT_READ_FILE).*? (?:file:/+|[a-z0-9]+://)(\S.*?)\.? +SQLSTATE")


def check_rows(scans: Sequence[ParquetScan], options: ReadOptions) -> dict[str, int]:
    """How many rows of each file are bad, by path; raises BadRow for the first unless bad rows are left out."""
    bad_rows: dict[str, int] = {}
    unchecked = [scan for scan in scans if not scan.files[0].stored]
    for scan, suspects in zip(unchecked, _count_suspects(unchecked), strict=True):
        files = [replace(scan, files=(file,)) for file in scan.files] if suspects else []
        for single, count in zip(files, _count_suspects(files), strict=True):
            if count:
                bad_rows[single.files[0].path] = _check_here(single, count, options)
    return bad_rows


def _count_suspects(scans: Sequence[ParquetScan]) -> list[int]:
    """The number of suspect rows of each scan, of several in one query: asking takes a cluster longer than counting."""
    counts = [
        scan.suspects().agg(F.count(F.lit(1)).alias(_COUNT)).select(_COUNT, F.lit(index).alias(_INDEX))
        for index, scan in enumerate(scans)
    ]
    batches = [counts[first : first + _BATCH] for first in range(0, len(counts), _BATCH)]
    found = {row[_INDEX]: row[_COUNT] for batch in batches for row in union_all(batch).collect()}
    return [found[index] for index in range(len(scans))]


def _check_here(scan: ParquetScan, suspects: int, options: ReadOptions) -> int:
    """How many rows of the scan's only file are bad, by reading it here.

    Raises what is wrong with a row, and Unreadable where a suspect one is good.
    """
    (file,) = scan.files
    bad = _read_here(file, scan.projection, options)
    good = suspects - bad
    if good and not scan.knows_bad_rows:
        raise refused(file, f"{plural(good, 'row')} in a form that engines read differently")
    return bad


def _read_here(file: EventFile, projection: Projection, options: ReadOptions) -> int:
    """Read all that a question selects of a file; how many rows were left out."""
    read = Scan([file], projection, options)
    read.for_each_batch(lambda _: None)
    return sum(read.report().bad_rows().values())


def blame_file(scans: Sequence[ParquetScan], source: Source, error: BaseException) -> None:
    """Raise what is wrong with the first file that the cluster cannot read, if the error is one of a file."""
    file = (_named_file(source.files, error) or _find_unreadable(scans)) if _is_of_file(error) else None
    if file:
        with source.blaming([file]):
            _read_here(file, source.projection.as_stored if file.stored else source.projection, source.options)
        if "invalid utf-8" in str(error).lower():  # of bytes: Sail cannot leave out such a row
            raise refused(file, "text that is not valid UTF-8")
        raise refused(file, "a form that the cluster cannot read and this machine can")


def _is_of_file(error: BaseException) -> bool:
    is_runtime = isinstance(error, PySparkException) and not isinstance(error, AnalysisException)
    return is_runtime and bool(_FILE_ERROR.search(str(error)))


def _named_file(files: Sequence[EventFile], error: BaseException) -> EventFile | None:
    """The file whose URL a server names."""
    named = _FILE_PATH.search(str(error))
    # Symbolic links stay as they are.
    paths = {file.path.partition("://")[2] or os.path.abspath(file.path).lstrip("/"): file for file in files}  # noqa: PTH100
    return paths.get(unquote(named[1])) if named else None


def _find_unreadable(scans: Sequence[ParquetScan]) -> EventFile | None:
    """The first file that the cluster cannot read, found by halves."""
    scan = next((scan for scan in scans if not _is_readable(scan)), None)
    while scan and len(scan.files) > 1:
        half = len(scan.files) // 2
        first, second = (replace(scan, files=files) for files in (scan.files[:half], scan.files[half:]))
        scan = second if _is_readable(first) else first
    return scan.files[0] if scan else None


def _is_readable(scan: ParquetScan) -> bool:
    events = scan.events()
    try:
        events.agg(F.count(F.lit(1)), *map(F.max, events.columns)).collect()
    except CLUSTER_ERRORS as error:
        if not _is_of_file(error):
            raise
        return False
    return True
